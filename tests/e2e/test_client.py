"""The client and bulk predictions against a real service, with answers really lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from plumbline import AsyncClient, Client, open_bundle
from plumbline.bundle.finding import Verdict
from plumbline.cli.main import app
from plumbline.client import (
    Instance,
    Outcome,
    Prediction,
    RejectedError,
    Retry,
    ScoreOutput,
    UnreachableError,
    ValueOutput,
)
from plumbline.service.predictor import Predictor
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import choice_output, score_output, small_bundle, value_output
from tests.support.losing import losing
from tests.support.served import MODEL, Served, free_ports, promoted, serving, window

QUICK = Retry(attempts=4, first_seconds=0.01, most_seconds=0.05)
HOUR, START = 3_600_000_000, 1_500_000_000_000_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service of a model with one choice."""
    folder = tmp_path_factory.mktemp("choice")
    promoted((folder / "store").as_uri())
    with serving(folder, PLUMBLINE_SERVICE_SHIP_SECONDS="0.2") as running:
        yield running


@pytest.fixture(scope="module")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service of a model that ranks a cross-section, and forecasts and chooses beside it."""
    folder = tmp_path_factory.mktemp("ranking")
    registry = ModelRegistry(Objects((folder / "store").as_uri()), MODEL)
    outputs = (score_output(), value_output(width=2), choice_output(5))
    bundle = registry.write(*small_bundle(MODEL, outputs=outputs))
    registry.promote(bundle.version, actor="test", reason="test", force=True)
    with serving(folder, workers=1) as running:
        yield running


def logged(served: Served, symbol: str, *, rows: int = 1) -> list[str]:
    """Return the ids that the log has under a symbol, once it has so many."""
    log = PredictionLog(Objects(served.store), MODEL)

    def found() -> list[str]:
        batch = log.read()
        return [str(batch.prediction_id[i]) for i in np.flatnonzero(batch.symbol == symbol)]

    served.wait_until(lambda: len(found()) >= rows)
    return found()


def rows_file(path: Path, *, symbols: int = 3, rows: int = 8, group: bool = False) -> Path:
    """Write feature rows of several symbols, each moment once, the newest first."""
    rng = np.random.default_rng(3)
    n = symbols * rows
    table = pa.table(
        {
            "time": pa.array(
                START + HOUR * np.repeat(np.arange(rows), symbols), pa.timestamp("us")
            ),
            "symbol": [f"S{i % symbols}" for i in range(n)],
            **({"group": np.repeat(np.arange(rows), symbols)} if group else {}),
            **{f"feature_{i}": rng.normal(size=n) for i in range(4)},
        }
    ).take(np.arange(n)[::-1])
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pq.write_table(table, path)
    return path


def predict(*arguments: object, code: int = 0) -> str:
    """Run ``plumbline predict``; return stdout, or stderr where it is to fail."""
    found = CliRunner().invoke(app, ["predict", *(str(each) for each in arguments)])
    assert found.exit_code == code, found.output
    return found.stderr if code else found.stdout


def test_a_client_asks_as_the_bundle_answers(served):
    """Typed, and the numbers of the model itself."""
    with Client(served.url) as client:
        found = client.predict(np.array(window(1), np.float32), symbol="typed")
        (model,) = client.models()
        ready = client.ready()
    bundle = open_bundle(store=served.store)
    inputs = {"features": np.array([window(1)], np.float32)}
    expected = Predictor.load(bundle).predict(inputs).readings["h6"].centre[0]

    assert isinstance(found, Prediction)
    assert list((found.probabilities or {}).values()) == expected.tolist()
    assert (found.model, found.version, found.verdict) == (
        MODEL,
        bundle.version,
        Verdict.INSUFFICIENT_DATA,
    )
    assert (model.version, model.actions) == (bundle.version, bundle.manifest.actions)
    assert model.inputs[0].shape == (3, 4)
    assert ready


def test_a_lost_answer_is_one_row_of_the_log(served):
    """The service answered and recorded twice before the client heard: the log has the row once."""
    with losing(served.url, 2) as proxy, Client(proxy.url, retry=QUICK) as client:
        found = client.predict(window(2), symbol="lost")
    answers = [json.loads(each.partition(b"\r\n\r\n")[2]) for each in proxy.lost]
    told = [each["predictions"][0]["prediction_id"] for each in answers]

    assert told == [found.prediction_id] * 2
    assert logged(served, "lost") == [found.prediction_id]


def test_a_lost_answer_is_one_row_for_the_async_client_too(served):
    """All rows of a request, and several requests at once."""

    async def run(url: str) -> list[Prediction]:
        async with AsyncClient(url, retry=QUICK) as client:
            asked = [[Instance(window(s), symbol="lost-async")] * 2 for s in range(3)]
            found = await asyncio.gather(*(client.predict_many(each) for each in asked))
            assert await client.ready()
            assert [model.name for model in await client.models()] == [MODEL]
            return [one for each in found for one in each]

    with losing(served.url, 3) as proxy:
        found = asyncio.run(run(proxy.url))

    assert len(proxy.lost) == 3
    assert sorted(logged(served, "lost-async", rows=6)) == sorted(f.prediction_id for f in found)


def test_attempts_end(served):
    """A proxy that loses every answer is given up after four."""
    with (
        losing(served.url, 99) as proxy,
        Client(proxy.url, retry=QUICK) as client,
        pytest.raises(UnreachableError, match="no answer to POST /predict in 4 attempts"),
    ):
        client.predict(window(2), symbol="given-up")

    assert len(proxy.lost) == 4


def test_a_refusal_comes_once_and_says_what_was_expected(served):
    """422 with code and the shape that would do, after one request."""
    with (
        losing(served.url, 0) as proxy,
        Client(proxy.url, retry=QUICK) as client,
        pytest.raises(RejectedError, match=r"422 feature_mismatch: .* has 2 steps") as caught,
    ):
        client.predict(window(1)[:2])

    assert caught.value.expected == {"window_length": 3, "features": 4}


def test_outcomes_reach_the_log(served):
    """By the id of the prediction, label and value."""
    with Client(served.url, model=MODEL) as client:
        found = client.predict(window(5), symbol="outcome", id="mine")
        again = client.predict(window(5), symbol="outcome", id="mine")
        taken = client.outcomes([Outcome(found.prediction_id, label="BUY", value=0.01)])

        assert taken == 1
        assert again.prediction_id == found.prediction_id
        with pytest.raises(RejectedError, match="unknown_label"):
            client.outcomes([Outcome(found.prediction_id, label="UP")])


def test_nobody_there_is_not_ready():
    """A port that nobody listens on: no readiness, and no answer."""
    (port,) = free_ports(1)
    with Client(f"http://127.0.0.1:{port}", retry=Retry(attempts=1)) as client:
        assert not client.ready()
        with pytest.raises(UnreachableError, match="in 1 attempts, the last: ConnectError"):
            client.models()


def same(ours: pa.Table, theirs: pa.Table) -> bool:
    """Whether a bundle and a service say the same, but for what only a service knows."""
    columns = [name for name in ours.column_names if name not in {"verdict", "version"}]
    return bool(ours.select(columns).equals(theirs.select(columns)))


@pytest.mark.parametrize("batch", [4, 1024])
def test_bulk_predictions_are_the_services_answers(served, tmp_path, batch):
    """By the bundle, by the service, and asked one by one: the same numbers."""
    file = rows_file(tmp_path / "rows.parquet")
    ours, theirs = tmp_path / "ours.parquet", tmp_path / "theirs.parquet"
    predict(file, "--store", served.store, "--out", ours, "--batch", batch)
    predict(file, "--url", served.url, "--out", theirs, "--batch", batch)
    table = pq.read_table(ours)
    asked = pq.read_table(file).sort_by([("symbol", "ascending"), ("time", "ascending")])
    values = np.stack([asked[f"feature_{i}"].to_numpy() for i in range(4)], axis=1)
    with Client(served.url) as client:
        one = client.predict(values[10:13], symbol="S1")

    assert len(table) == 3 * (8 - 2)
    assert same(table, pq.read_table(theirs))
    assert table["symbol"][8].as_py() == "S1"
    assert table["time"][8] == table["time"][2]
    assert {f"probability_{k}": v for k, v in (one.probabilities or {}).items()} == {
        name: table[name][8].as_py() for name in table.column_names if name.startswith("prob")
    }
    assert table["action"][8].as_py() == one.action


def test_bulk_cross_sections_stay_whole(ranking, tmp_path):
    """Each moment is ranked among its own, whatever the batch; every kind has its columns."""
    file = rows_file(tmp_path / "rows.csv", symbols=5, group=True)
    ours, theirs = tmp_path / "ours.parquet", tmp_path / "theirs.parquet"
    predict(file, "--store", ranking.store, "--out", ours, "--batch", 7)
    predict(file, "--url", ranking.url, "--out", theirs, "--batch", 12)
    table = pq.read_table(ours)
    with Client(ranking.url) as client:
        (model,) = client.models()
        instances = [Instance(window(s), symbol=f"S{s}") for s in range(4)]
        found = client.predict_many(instances)
    scores = [one.outputs["s6"] for one in found]

    assert same(table, pq.read_table(theirs))
    assert {"s6_rank", "r6_mean", "r6_low", "h6_probability_C4", "h6_epistemic"} <= set(
        table.column_names
    )
    assert table["group"].to_pylist() == np.repeat(np.arange(2, 8), 5).tolist()
    ranks = np.reshape(table["s6_rank"].to_pylist(), (6, 5))
    assert [len(set(row)) for row in np.sort(ranks, axis=1).round(9).tolist()] == [5] * 6
    assert np.ptp(np.sort(ranks, axis=1), axis=0).max() < 1e-9
    assert model.unit == "cross_section"
    assert all(isinstance(each, ScoreOutput) for each in scores)
    assert isinstance(found[0].outputs["r6"], ValueOutput)
    assert {one.action for one in found} == {None}


def test_bulk_predictions_are_read_by_diagnose(served, tmp_path):
    """What a single choice writes, the diagnosis reads; CSV and NDJSON hold the same."""
    file = rows_file(tmp_path / "rows.csv", rows=40)
    out = tmp_path / "out.parquet"
    summary = json.loads(predict(file, "--store", served.store, "--out", out, "--json"))
    text = predict(file, "--store", served.store)
    lines = predict(file, "--store", served.store, "--format", "ndjson").splitlines()
    read = ["predictions", str(out), "--store", served.store, "--version", "champion", "--json"]
    judged = CliRunner().invoke(app, ["diagnose", *read])
    table = pq.read_table(out)

    assert (summary["rows"], summary["without_window"]) == (3 * 38, 6)
    assert len(text.splitlines()) == 3 * 38 + 1
    assert [json.loads(line)["size"] for line in lines] == table["size"].to_pylist()
    assert json.loads(judged.stdout)["diagnosis"]["n"] == 3 * 38


@pytest.mark.parametrize(
    ("change", "arguments", "complaint"),
    [
        ("drop", (), "there is no column 'feature_2' among time"),
        ("gap", (), "column 'feature_2' is nan for S2 at 2017-07-14T09:40:00+00:00"),
        ("twice", (), "S0 has two rows of the time 2017-07-14"),
        ("", ("--model", "nobody"), "there is no model nobody in file://"),
        ("", ("--version", "nobody"), "has no version or alias 'nobody'"),
        ("", ("--bars",), "cannot be computed from bars: give a file of those columns"),
        ("", ("--url", "http://127.0.0.1:9"), "no answer to GET /models"),
    ],
)
def test_complaints_name_what_is_wrong(served, tmp_path, change, arguments, complaint):
    """Column, row and what there is; nothing is written then."""
    table = pq.read_table(rows_file(tmp_path / "rows.parquet"))
    if change == "drop":
        table = table.drop_columns(["feature_2"])
    if change == "gap":
        values = table["feature_2"].to_numpy().copy()
        values[0] = np.nan
        table = table.set_column(4, "feature_2", pa.array(values))
    if change == "twice":
        table = pa.concat_tables([table, table])
    pq.write_table(table, tmp_path / "rows.parquet")
    out = tmp_path / "out" / "out.csv"
    error = predict(
        tmp_path / "rows.parquet", "--store", served.store, "--out", out, *arguments, code=1
    )

    assert complaint in error
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--out", "x.xlsx"), "expected one of parquet, csv, ndjson, got 'x.xlsx'"),
        (("--format", "xml"), "got 'xml'"),
        (("--json",), "say --out for the predictions"),
    ],
)
def test_senseless_options_are_refused(served, tmp_path, arguments, complaint):
    """Before anything is read."""
    error = predict(tmp_path / "none.csv", "--store", served.store, *arguments, code=2)

    assert complaint in " ".join(error.replace("│", " ").split())
