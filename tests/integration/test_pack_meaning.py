"""What a stranger's numbers mean is read as they mean it, or asked for: never guessed wrongly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from plumbline.bundle.archive import Bundle
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.errors import ConfigError, DataError, ExportError
from plumbline.training.packing.adapt import positions_of
from plumbline.training.packing.pack import pack
from plumbline.training.packing.rows import read_rows, sorted_rows
from plumbline.training.packing.spec import PackSpec

N, COLUMNS = 400, ("a", "b")
START, HOUR = 1_500_000_000, 3_600
X = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32)
MOVE = {"name": "move", "kind": "value", "horizon": "1h"}
WAY = {"name": "way", "horizon": "1h", "choices": ["DOWN", "UP"]}
SUM = helper.make_node("MatMul", ["x", "w"], ["sum"])


def table(**columns: object) -> pa.Table:
    """Return rows an hour apart, with more columns if asked for."""
    return pa.table({"time": START + HOUR * np.arange(N), "a": X[:, 0], "b": X[:, 1], **columns})


def graph(nodes: list[onnx.NodeProto], **constants: object) -> bytes:
    """Return a graph from ``x (n, 2)`` to ``y``."""
    made = helper.make_graph(
        nodes,
        "hand",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "k"])],
        [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def packed(folder: Path, model: bytes, output: dict[str, object], **more: object) -> Bundle:
    """Pack, and open what lies in the store."""
    said = {"name": "theirs", "bar_interval": "1h", "outputs": [output], **more}
    pq.write_table(table(), folder / "rows.parquet")
    objects = Objects((folder / "store").as_uri())
    spec = PackSpec.model_validate(said)
    result = pack(objects, model, spec, reference=folder / "rows.parquet")
    return ModelRegistry(objects, "theirs").open(result.version)


@pytest.mark.parametrize(
    ("form", "second", "deviation"),
    [
        ("std", 0.02, 0.02),
        ("variance", 4e-4, 0.02),
        ("log_std", np.log(0.02), 0.02),
        ("log_variance", 2 * np.log(0.02), 0.02),
    ],
)
def test_mean_and_deviation_of_one_output_have_the_form_said(
    tmp_path: Path, form: str, second: float, deviation: float
) -> None:
    """As those of two outputs have."""
    model = graph(
        [SUM, helper.make_node("Add", ["sum", "at"], ["y"])],
        w=[[0.001, 0], [0.001, 0]],
        at=[0, second],
    )
    bundle = packed(tmp_path, model, {**MOVE, "deviation": form})

    assert bundle.reference.raw[:, 0] == pytest.approx(0.001 * X.sum(axis=1), abs=1e-6)
    assert bundle.reference.raw[:, 1] == pytest.approx(deviation, rel=1e-4)


def test_a_deviation_below_zero_is_none(tmp_path: Path) -> None:
    """A logarithm that was not said to be one would make every size the largest."""
    nodes = [SUM, helper.make_node("Add", ["sum", "at"], ["y"])]
    model = graph(nodes, w=[[0.001, 0], [0.001, 0]], at=[0, -4.0])

    with pytest.raises(
        ConfigError, match="falls to -4, which is no std: say deviation = 'log_std'"
    ):
        packed(tmp_path, model, MOVE)


def test_single_log_odds_are_those_of_the_second_choice(tmp_path: Path) -> None:
    """Even where all of them lie between zero and one."""
    nodes = [SUM, helper.make_node("Sigmoid", ["sum"], ["y"])]
    bundle = packed(tmp_path, graph(nodes, w=[[0.1], [0.1]]), {**WAY, "form": "logits"})
    odds = 1 / (1 + np.exp(-0.1 * X.sum(axis=1)))

    assert bundle.reference.centre[:, 1] == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-6)


def test_choices_in_the_order_of_their_names_bet_on_what_they_are_called(tmp_path: Path) -> None:
    """Exporters sort them: BUY before SELL."""
    output = {"name": "way", "horizon": "1h", "choices": ["BUY", "HOLD", "SELL"]}
    model = graph([helper.make_node("MatMul", ["x", "w"], ["y"])], w=[[1, 0, -1], [0, 1, 0]])
    bundle = packed(tmp_path, model, output)

    assert bundle.manifest.outputs[0].positions == (1.0, 0.0, -1.0)
    assert positions_of(("0", "1", "2"), "way") == (-1.0, 0.0, 1.0)
    with pytest.raises(ConfigError, match=r"'BIG_BUY' would bet on -1 by its place.*say positions"):
        positions_of(("BIG_BUY", "HOLD", "BIG_SELL"), "way")


def test_a_score_is_none_of_a_row_alone() -> None:
    """It would be ranked among nobody, and never be held."""
    score = {"name": "s", "kind": "score", "horizon": "1h"}
    with pytest.raises(ValidationError, match="say cross_section"):
        PackSpec.model_validate({"bar_interval": "1h", "unit": "row", "outputs": [score]})


def test_rows_that_see_each_other_are_refused_however_small_they_are(tmp_path: Path) -> None:
    """Returns of 1e-5 that differ by a third are no rounding."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["level"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["x", "level"], ["away"]),
        helper.make_node("MatMul", ["away", "w"], ["y"]),
    ]
    with pytest.raises(ExportError, match="a row is answered otherwise alone"):
        packed(tmp_path, graph(nodes, w=[[1e-5], [1e-5]]), MOVE)


def test_rows_of_another_interval_are_refused(tmp_path: Path) -> None:
    """The monitor would take every bar for late, or none."""
    model = graph([helper.make_node("MatMul", ["x", "w"], ["y"])], w=[[1e-3], [1e-3]])

    with pytest.raises(
        DataError, match="stand 3600 s apart, and the description says bar_interval = 864"
    ):
        packed(tmp_path, model, MOVE, bar_interval="1d")


@pytest.mark.parametrize(
    ("choices", "said", "places"),
    [
        (("-1", "0", "1"), [-1, 0, 1], [0, 1, 2]),
        (("1", "2", "3"), [1.0, 2.0, 3.0], [0, 1, 2]),
        (("SELL", "HOLD", "BUY"), [2, 0, -1], [2, 0, np.nan]),
        (("SELL", "HOLD", "BUY"), ["BUY", "HOLD", None], [2, 1, np.nan]),
    ],
)
def test_a_truth_that_is_a_name_is_no_place(
    choices: tuple[str, ...], said: list[object], places: list[float]
) -> None:
    """Of classes called -1, 0 and 1, a 0 is the second, and a -1 is no gap."""
    rows = sorted_rows(pa.table({"time": START + HOUR * np.arange(3), "y": said}), "rows")

    assert rows.truth("y", choices) == pytest.approx(places, nan_ok=True)


@pytest.mark.parametrize("form", ["milliseconds", "zoned"])
def test_outcomes_are_joined_by_time_however_it_is_written(tmp_path: Path, form: str) -> None:
    """Seconds here, something else there; and of other rows they are refused, not left out."""
    seconds = START + HOUR * np.arange(N)
    zoned = pa.array(seconds * 1_000_000, pa.timestamp("us", tz="America/New_York"))
    times = {"milliseconds": pa.array(seconds * 1_000), "zoned": zoned}[form]
    pq.write_table(table(), tmp_path / "rows.parquet")
    pq.write_table(pa.table({"time": times, "move": X[:, 0]}), tmp_path / "labels.parquet")
    rows = read_rows(tmp_path / "rows.parquet", tmp_path / "labels.parquet")

    assert rows.truth("move", ()) == pytest.approx(X[:, 0])
    pq.write_table(pa.table({"time": seconds + 7, "move": X[:, 0]}), tmp_path / "labels.parquet")
    with pytest.raises(DataError, match="none of its 400 rows has time of a row of"):
        read_rows(tmp_path / "rows.parquet", tmp_path / "labels.parquet")


def test_a_row_without_a_time_is_refused() -> None:
    """It would be sorted to the beginning of time."""
    with pytest.raises(DataError, match="row 2 has no time"):
        sorted_rows(pa.table({"time": [START, None], "y": [1.0, 2.0]}), "rows")


def test_a_forecast_that_never_changes_sign_is_not_bet_on_unasked(tmp_path: Path) -> None:
    """A volatility is no return; its owner says that nothing is to be suggested, or that it is."""
    nodes = [SUM, helper.make_node("Exp", ["sum"], ["y"])]
    model = graph(nodes, w=[[0.1], [0.2]])
    with pytest.raises(ConfigError, match="above zero for every row, and the default policy"):
        packed(tmp_path, model, MOVE)

    assert packed(tmp_path, model, MOVE, policy={"kind": "abstain"}).manifest.policy.kind == (
        "abstain"
    )
