"""One prediction through the whole application, in this process and without a socket."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.heads.choice import clr
from plumbline.bundle.inputs import inputs_hash
from plumbline.bundle.policies.argmax import ArgmaxPolicy
from plumbline.service.prediction import prediction_ids
from plumbline.service.predictor import Predictor
from plumbline.service.schema import Instance
from plumbline.service.settings import ServiceSettings
from plumbline.store.board import Bulletin, verdict_board
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.outcome import OutcomeLog
from plumbline.store.registry import ModelRegistry
from plumbline.store.shipper import Shipper
from tests.support.bundles import ACTIONS
from tests.support.served import MODEL, ask, body, promoted, window


def logged(settings):
    """Ship what lies in the spools and read the prediction log."""
    objects = Objects(settings.store)
    Shipper(settings.spool_folder, objects).ship()
    return PredictionLog(objects, MODEL).read()


def reading(text: str, series: str) -> float:
    """Return the value of one series of a metrics page."""
    return next(
        float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(series)
    )


def test_answer_is_what_the_bundle_says(settings):
    """Action, probabilities, confidence and size are those of graph, calibration and policy."""

    async def scenario(client, worker):
        return (await client.post("/predict", json=body(1, 2))).json()

    answer = ask(settings, scenario)
    bundle = ModelRegistry(Objects(settings.store), MODEL).open(answer["version"])
    windows = np.array([window(1), window(2)], np.float32)
    expected = Predictor.load(bundle).predict({"features": windows})
    probabilities, decision = expected.readings["h6"].centre, expected.decision

    assert (answer["model"], answer["verdict"]) == (MODEL, "insufficient_data")
    for i, given in enumerate(answer["predictions"]):
        assert given["action"] == ACTIONS[decision.action[i]]
        assert given["position"] == (-1.0, 0.0, 1.0)[decision.action[i]]
        assert list(given["probabilities"]) == list(ACTIONS)
        assert list(given["probabilities"].values()) == probabilities[i].tolist()
        assert given["confidence"] == probabilities[i].max()
        assert given["size"] == decision.size[i]
        assert set(given) == {
            *("prediction_id", "action", "probabilities", "confidence", "position", "size")
        }


def test_answered_rows_are_in_the_log_as_they_were_answered(settings):
    """Id, time, symbol, version, outputs, last step and inputs' hash: what was really served."""

    async def scenario(client, worker):
        request = body(3, symbol="EURUSD", time="2017-06-01T12:00:00Z")
        return [(await client.post("/predict", json=request)).json() for _ in range(2)]

    first, second = ask(settings, scenario)
    rows = logged(settings)
    ids = [answer["predictions"][0]["prediction_id"] for answer in (first, second)]

    assert rows.prediction_id.tolist() == ids
    assert rows.symbol.tolist() == ["EURUSD"] * 2
    assert rows.version.tolist() == [first["version"]] * 2
    assert (
        rows.bar_time.tolist() == [int(datetime(2017, 6, 1, 12, tzinfo=UTC).timestamp() * 1e6)] * 2
    )
    sent = np.array(window(3), np.float32)
    answered = first["predictions"][0]

    assert rows.inputs_hash.tolist() == [inputs_hash(sent.tobytes())] * 2
    assert rows.seq[1] == rows.seq[0] + 1
    assert (rows.group.tolist(), rows.client.tolist()) == ([""] * 2, [""] * 2)
    assert ACTIONS[rows.action[0]] == answered["action"]
    assert (rows.position[0], rows.size[0]) == (answered["position"], answered["size"])
    assert rows.epistemic.tolist() == [[0.0]] * 2
    np.testing.assert_array_equal(rows.features[0], sent[-1])
    np.testing.assert_allclose(rows.centre[0], list(answered["probabilities"].values()), rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("desk-7", "desk-7"), (" a b ", "a b"), ("x" * 65, ""), ("k\u00f6ln", ""), (None, "")],
)
def test_a_client_is_logged_by_the_name_it_gives_itself(settings, given, kept):
    """One that cannot be shown is none; it is answered all the same."""
    headers = {} if given is None else {"plumbline-client": given.encode("latin-1")}

    async def scenario(client, worker):
        return await client.post("/predict", json=body(1), headers=headers)

    assert ask(settings, scenario).status_code == 200
    assert logged(settings).client.tolist() == [kept]


def test_retry_with_the_same_id_is_the_same_row(settings):
    """A client whose answer got lost asks again; the log has the prediction once."""

    async def scenario(client, worker):
        return [(await client.post("/predict", json=body(1, id="bar-7"))).json() for _ in range(2)]

    first, second = ask(settings, scenario)

    assert first == second
    assert len(logged(settings)) == 1


def test_ids_depend_on_model_and_client_id_alone():
    """Another model's bar-7 is another prediction; without an id every prediction is its own."""
    one = Instance(id="bar-7")
    nameless = [Instance(), Instance()]

    assert prediction_ids("a", [one]) == prediction_ids("a", [one])
    assert prediction_ids("a", [one]) != prediction_ids("b", [one])
    assert len(set(prediction_ids("a", nameless) + prediction_ids("a", nameless))) == 4
    assert all(len(i) == 32 and int(i, 16) >= 0 for i in prediction_ids("a", [one, *nameless]))


def test_same_id_twice_in_a_request_is_refused(settings):
    """One of the two would be missing from the log."""

    async def scenario(client, worker):
        return await client.post("/predict", json=body(1, 2, id="x"))

    answer = ask(settings, scenario)

    assert answer.status_code == 422
    assert "two instances have the id 'x'" in answer.json()["error"]["message"]


def test_refused_request_leaves_no_row(settings):
    """One bad instance among good ones refuses the request before the model or the log sees it."""

    async def scenario(client, worker):
        bad = {"instances": [{"features": window(1)}, {"features": window(1)[:2]}]}
        return (await client.post("/predict", json=bad)).status_code

    assert ask(settings, scenario) == 422
    assert len(logged(settings)) == 0


def test_row_without_a_finite_answer_is_refused(tmp_path, settings):
    """Features beyond anything the graph can hold are the caller's matter, and said so."""
    objects = Objects(settings.store)
    bundle = ModelRegistry(objects, MODEL).open(ModelRegistry(objects, MODEL).alias().value.version)
    predictor = Predictor.load(bundle)
    rng = np.random.default_rng(0)
    while True:
        huge = (rng.choice([-3e38, 3e38], size=(1, 3, 4))).astype(np.float32)
        if not np.isfinite(predictor.predict({"features": huge}).raw).all():
            break

    async def scenario(client, worker):
        instances = [{"features": huge[0].astype(float).tolist()}]
        return await client.post("/predict", json={"instances": instances})

    answer = ask(settings, scenario)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "non_finite_output")


def test_canary_is_answered_but_leaves_no_trace(settings):
    """No row, no count, no size: the canary must not look like a market."""

    async def scenario(client, worker):
        before = (await client.get("/metrics")).text
        answer = await client.post(
            "/predict", json=body(1), headers={"plumbline-purpose": "canary"}
        )
        return before, answer.json(), (await client.get("/metrics")).text

    before, answer, after = ask(settings, scenario)

    assert [p["size"] for p in answer["predictions"]] == [0.0]
    assert len(logged(settings)) == 0
    for series in (
        "plumbline_service_predictions_total",
        "plumbline_service_entropy",
        "plumbline_service_spooled_rows_total",
    ):
        assert [x for x in after.splitlines() if x.startswith(series)] == [
            x for x in before.splitlines() if x.startswith(series)
        ]
    assert 'plumbline_service_request_seconds_count{route="/predict"} 0.0' in after


def sized_settings(settings, monkeypatch):
    """Make the policy suggest a size for everything, so that withholding shows."""
    monkeypatch.setattr(ArgmaxPolicy, "size", lambda _, __, position: np.full(len(position), 0.05))
    return settings


@pytest.mark.parametrize(
    ("verdict", "size"), [(Verdict.HEALTHY, 0.05), (Verdict.REGIME, 0.05), (Verdict.FLAT, 0.0)]
)
def test_sizes_are_withheld_while_the_verdict_is_bad(settings, monkeypatch, verdict, size):
    """The service repeats the monitor's verdict with every answer and acts on it."""
    sized_settings(settings, monkeypatch)
    objects = Objects(settings.store)
    version = ModelRegistry(objects, MODEL).alias().value.version
    diagnosis = Diagnosis(verdict=verdict, cause="test", n=1)
    verdict_board(objects, MODEL).advance(
        Bulletin(version=version, diagnosis=diagnosis, time=datetime.now(UTC), rows=1), after=0
    )

    async def scenario(client, worker):
        answer = (await client.post("/predict", json=body(1))).json()
        return answer, (await client.get("/metrics")).text

    answer, metrics = ask(settings, scenario)

    assert (answer["verdict"], answer["predictions"][0]["size"]) == (verdict, size)
    withheld = f'plumbline_service_sizes_withheld_total{{model="{MODEL}"}}'
    assert reading(metrics, withheld) == (1.0 if size == 0 else 0.0)


@pytest.mark.parametrize(("ratio", "least", "most"), [(0.0, 0, 0), (0.3, 60, 130), (1.0, 300, 300)])
def test_share_of_rows_with_whole_windows_is_as_set(settings, ratio, least, most):
    """The sample is chosen by the prediction id, so a retry makes the same choice."""
    sampled = settings.model_copy(update={"window_sample_ratio": ratio})

    async def scenario(client, worker):
        return (await client.post("/predict", json=body(*range(300)))).status_code

    assert ask(sampled, scenario) == 200
    logged(settings)
    batch, windows = PredictionLog(Objects(settings.store), MODEL).windows(1000)
    assert least <= len(batch) <= most
    if ratio == 1.0:
        sent = {np.array(window(seed), np.float32).tobytes() for seed in range(300)}
        assert len(set(batch.prediction_id.tolist())) == 300
        assert set(windows) == sent


def test_without_a_champion_the_service_lives_but_is_not_ready(tmp_path):
    """/livez 200, /readyz 503 with the reason, /predict 503 and when to come back."""
    empty = ServiceSettings(
        store=(tmp_path / "empty").as_uri(),
        models=(MODEL,),
        state=tmp_path / "s",
        poll_seconds=0.05,
    )

    async def scenario(client, worker):
        return [
            await client.get("/livez"),
            await client.get("/readyz"),
            await client.post("/predict", json=body(1)),
            await client.get("/models"),
        ]

    alive, ready, answer, models = ask(empty, scenario)

    assert alive.status_code == 200
    assert (ready.status_code, ready.json()["error"]["code"]) == (503, "not_ready")
    assert "no version has been promoted" in ready.json()["error"]["message"]
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert models.json() == {"models": []}


def test_several_models_are_told_apart_by_name(tmp_path, settings):
    """With two models the request must say which; an unknown one is 404."""
    other = promoted(settings.store, "gbpusd-1h", seed=5)
    two = settings.model_copy(update={"models": (MODEL, "gbpusd-1h")})

    async def scenario(client, worker):
        return [
            await client.post("/predict", json=body(1)),
            await client.post("/predict", json={**body(1), "model": "gbpusd-1h"}),
            await client.post("/predict", json={**body(1), "model": "nope"}),
        ]

    nameless, named, unknown = ask(two, scenario)

    assert nameless.status_code == 422
    assert nameless.json()["error"]["expected"] == {"models": [MODEL, "gbpusd-1h"]}
    assert named.json()["version"] == other.version
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


def test_models_says_what_a_client_must_know(settings):
    """Names in order, their hash, shape and interval: enough to build a request from."""

    async def scenario(client, worker):
        return (await client.get("/models")).json()["models"]

    (model,) = ask(settings, scenario)
    manifest = ModelRegistry(Objects(settings.store), MODEL).open(model["version"]).manifest

    (spec,) = manifest.inputs
    assert model["inputs"] == [
        {
            "name": "features",
            "source": "features",
            "shape": [3, 4],
            "dtype": "float32",
            "columns": list(spec.names),
            "columns_hash": spec.sha256,
            "bars_needed": None,
        }
    ]
    assert model["outputs"] == [
        {
            "name": "h6",
            "kind": "choice",
            "horizon_seconds": 21600,
            "members": 1,
            "choices": list(ACTIONS),
            "positions": [-1.0, 0.0, 1.0],
        }
    ]
    assert (model["primary"], model["policy"], model["unit"]) == ("h6", "argmax", "row")
    assert model["actions"] == list(ACTIONS)
    assert model["features_hash"] == spec.sha256
    assert model["bar_interval_seconds"] == 3600
    assert (model["generation"], model["device"], model["sized"]) == (1, "cpu", True)
    assert model["sizes"] == "suggested"
    assert datetime.fromisoformat(model["loaded_at"]).tzinfo is not None


def test_outcomes_are_durable(settings):
    """An accepted outcome is in the store's outcome log after the next shipment."""

    async def scenario(client, worker):
        outcomes = [
            {"prediction_id": "a" * 32, "label": "BUY", "value": 0.001},
            {
                "prediction_id": "b" * 32,
                "output": "h6",
                "value": -0.002,
                "known_at": "2017-06-01T18:00:00Z",
            },
        ]
        return (await client.post("/outcomes", json={"outcomes": outcomes})).json()

    assert ask(settings, scenario) == {"accepted": 2}
    logged(settings)
    found = OutcomeLog(Objects(settings.store), MODEL).read()
    assert found.prediction_id.tolist() == ["a" * 32, "b" * 32]
    assert found.output.tolist() == ["h6", "h6"]
    assert found.label.tolist() == ["BUY", ""]
    assert found.value.tolist() == [0.001, -0.002]
    assert found.known_at[1] == int(datetime(2017, 6, 1, 18, tzinfo=UTC).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ({"prediction_id": "a", "label": "SIDEWAYS"}, "unknown_label"),
        ({"prediction_id": "a", "label": "BUY", "output": "h9"}, "unknown_label"),
        ({"prediction_id": "a"}, "request_rejected"),
        ({"prediction_id": "a", "output": "h6"}, "request_rejected"),
        ({"prediction_id": "a", "value": "0.1"}, "request_rejected"),
        ({"prediction_id": "a", "forward_return": 0.1}, "request_rejected"),
        (
            {"prediction_id": "a", "value": 0.1, "known_at": "1900-01-01T00:00:00Z"},
            "request_rejected",
        ),
    ],
)
def test_outcomes_that_say_nothing_or_nonsense_are_refused(settings, outcome, code):
    """A label must be one of the model's classes."""

    async def scenario(client, worker):
        return await client.post("/outcomes", json={"outcomes": [outcome]})

    answer = ask(settings, scenario)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_an_outcome_of_the_future_is_refused(settings):
    """The last known wins, so one dated 2199 would win for ever; a clock may be a minute off."""
    now = datetime.now(UTC)

    async def scenario(client, worker):
        return [
            await client.post(
                "/outcomes",
                json={"outcomes": [{"prediction_id": "a", "value": 0.1, "known_at": known_at}]},
            )
            for known_at in ("2199-01-01T00:00:00Z", (now + timedelta(seconds=30)).isoformat())
        ]

    refused, taken = ask(settings, scenario)
    error = refused.json()["error"]

    assert (refused.status_code, error["code"]) == (422, "request_rejected")
    assert "outcomes[0].known_at is 2199-01-01T00:00:00+00:00" in error["message"]
    assert taken.json() == {"accepted": 1}


def test_full_spool_is_503_and_not_ready(settings):
    """No answer without its row: strict mode says so, and asks for no more traffic."""
    tight = settings.model_copy(update={"spool_limit_bytes": 2**16, "window_sample_ratio": 1.0})

    async def scenario(client, worker):
        seeds = range(50)
        for _ in range(100):
            answer = await client.post("/predict", json=body(*seeds))
            if answer.status_code != 200:
                return answer, await client.get("/readyz"), (await client.get("/metrics")).text
        raise AssertionError("the spool never filled up")

    answer, ready, metrics = ask(tight, scenario)

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "log_unavailable")
    assert (ready.status_code, ready.json()["error"]["code"]) == (503, "not_ready")
    assert "log: spool" in ready.json()["error"]["message"]
    answered = reading(metrics, "plumbline_service_predictions_total{")
    assert answered == sum(
        reading(metrics, f'plumbline_service_decisions_total{{action="{action}"')
        for action in ACTIONS
    )
    assert answered == reading(metrics, 'plumbline_service_spooled_rows_total{table="predictions"}')
    assert len(logged(settings)) == answered


@pytest.mark.parametrize(
    ("limit_bytes", "queue_rows", "reason"),
    [(2**30, 40, "queue_full"), (2**16, 1000, "spool_full")],
)
def test_best_effort_mode_answers_always_and_counts_what_it_loses(
    settings, limit_bytes, queue_rows, reason
):
    """Every row is either durable or counted as dropped, by what there was no room in."""
    tight = settings.model_copy(
        update={
            "spool_limit_bytes": limit_bytes,
            "window_sample_ratio": 1.0,
            "log_mode": "best_effort",
            "log_queue_rows": queue_rows,
        }
    )
    spooled = 'plumbline_service_spooled_rows_total{table="predictions"}'
    dropped = f'plumbline_service_dropped_rows_total{{reason="{reason}"}}'

    async def scenario(client, worker):
        for _ in range(20):
            assert (await client.post("/predict", json=body(*range(50)))).status_code == 200
        while True:
            metrics = (await client.get("/metrics")).text
            if reading(metrics, spooled) + reading(metrics, dropped) == 1000:
                return reading(metrics, spooled), reading(metrics, dropped)
            await asyncio.sleep(0.01)

    durable, lost = ask(tight, scenario)

    assert lost > 0
    assert len(logged(settings)) == durable


def test_draining_takes_readiness_down_and_closes_connections(settings):
    """The parent's flag reaches the worker within a moment; requests are still answered."""

    async def scenario(client, worker):
        settings.drain_flag.touch()
        await asyncio.sleep(0.15)
        return await client.get("/readyz"), await client.post("/predict", json=body(1))

    ready, answer = ask(settings, scenario)

    assert (ready.status_code, ready.json()["error"]["message"]) == (503, "stopping")
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


def test_metrics_add_up_to_what_was_answered(settings):
    """Counts, sums of probabilities, shifted sums and repeats, recomputed from the answers."""

    async def scenario(client, worker):
        request = {
            "instances": [
                {"features": window(1), "symbol": "A"},
                {"features": window(1), "symbol": "A"},
                {"features": window(1), "symbol": "B"},
                {"features": [[0.0, *row[1:]] for row in window(2)], "symbol": "A"},
            ]
        }
        answer = (await client.post("/predict", json=request)).json()
        return answer, (await client.get("/metrics")).text, worker.slots.all[0].serving

    answer, metrics, serving = ask(settings, scenario)
    p = np.array([list(row["probabilities"].values()) for row in answer["predictions"]])
    u = serving.predictor.scales["h6"].apply(clr(p))
    model, its_version = f'model="{MODEL}"', f'version="{answer["version"]}"'
    version, output = f"{model},{its_version}", f'{model},output="h6",{its_version}'

    assert reading(metrics, f"plumbline_service_predictions_total{{{version}}}") == 4
    assert reading(metrics, f"plumbline_service_epistemic_total{{{output}}}") == 0
    for k, action in enumerate(ACTIONS):
        count = sum(row["action"] == action for row in answer["predictions"])
        decided = f'plumbline_service_decisions_total{{action="{action}",{version}}}'
        assert reading(metrics, decided) == count
        labels = f'{{choice="{action}",{model},output="h6",{its_version}}}'
        chosen = f"plumbline_service_probability_total{labels}"
        assert reading(metrics, chosen) == pytest.approx(p[:, k].sum())
        labels = f'{{coordinate="{action}",{model},output="h6",{its_version}}}'
        for name, values in (
            ("positive", np.maximum(u, 0)),
            ("negative", np.maximum(-u, 0)),
            ("square", u**2),
        ):
            found = reading(metrics, f"plumbline_service_output_{name}_total{labels}")
            assert found == pytest.approx(values[:, k].sum())
        std = serving.predictor.scales["h6"].std[k]
        assert reading(
            metrics, f"plumbline_service_reference_output_std_ratio{labels}"
        ) == pytest.approx(std)
    entropy = -(p * np.log(p)).sum()
    assert reading(metrics, f"plumbline_service_entropy_nats_total{{{output}}}") == pytest.approx(
        entropy
    )
    assert reading(metrics, f"plumbline_service_repeated_inputs_total{{{version}}}") == 1
    assert reading(metrics, f"plumbline_service_zero_columns_total{{{version}}}") == 1
    assert reading(metrics, f"plumbline_service_confidence_ratio_count{{{output}}}") == 4
    assert reading(metrics, 'plumbline_service_request_seconds_count{route="/predict"}') == 1


def test_no_label_is_chosen_by_a_caller(settings):
    """Random paths, symbols, ids and models leave the number of series as it was."""

    async def scenario(client, worker):
        await client.get("/path")
        await client.post("/predict", json=body(0))
        await client.post("/predict", json={**body(0), "model": "m"})
        await client.get("/metrics")
        before = len((await client.get("/metrics")).text.splitlines())
        for i in range(50):
            await client.get(f"/path-{i}")
            await client.post("/predict", json={**body(0, symbol=f"s{i}", id=f"i{i}")})
            await client.post("/predict", json={**body(0), "model": f"m{i}"})
        return before, len((await client.get("/metrics")).text.splitlines())

    before, after = ask(settings, scenario)

    assert after == before


def test_request_bodies_are_not_in_the_log(settings, capsys):
    """Feature values, ids and symbols of a refused request are not written to the output."""

    async def scenario(client, worker):
        request = body(0, symbol="SECRETSYMBOL")
        request["instances"][0]["features"][0][0] = 1e39
        return (await client.post("/predict", json=request)).status_code

    assert ask(settings, scenario) == 422
    assert "SECRETSYMBOL" not in capsys.readouterr().out


def test_spool_of_a_stopped_worker_is_shipped_by_the_next(settings):
    """Rows of a worker that has gone are not lost with it."""

    async def scenario(client, worker):
        return (await client.post("/predict", json=body(1))).status_code

    assert ask(settings, scenario) == 200
    assert len(list(settings.spool_folder.iterdir())) == 1
    assert len(logged(settings)) == 1
    assert list(settings.spool_folder.iterdir()) == []
