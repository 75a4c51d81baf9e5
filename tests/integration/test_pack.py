"""Models of strangers, as their exporters write them: packed, or refused with what mends them."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxmltools
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import skl2onnx
import torch
from onnx import TensorProto, helper
from onnxmltools.convert.common.data_types import FloatTensorType as LightFloats
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from plumbline.bundle.archive import Bundle
from plumbline.cli.main import app
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.errors import ConfigError, DataError, ExportError
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.packing.graph import read_graph
from plumbline.training.packing.pack import pack
from plumbline.training.packing.rows import read_rows
from plumbline.training.packing.spec import PackSpec
from plumbline.training.packing.torchscript import read_torchscript
from tests.support.programs import require_library

N, COLUMNS = 2_000, ("fast", "slow", "range", "turnover")
HOUR, START = 3_600_000_000, 1_500_000_000_000_000
CHOICES = ("SELL", "HOLD", "BUY")


@dataclass(frozen=True)
class Market:
    """Persistent columns, what came of them, and the file that holds both."""

    x: np.ndarray
    value: np.ndarray
    choice: np.ndarray
    rows: Path

    @property
    def learnt(self) -> slice:
        """Rows before those in the file, for a stranger to learn from."""
        return slice(0, N)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """A market in which the first two columns tell something of what comes."""
    rng = np.random.default_rng(0)
    x = np.zeros((2 * N, len(COLUMNS)))
    for row in range(1, 2 * N):
        x[row] = 0.85 * x[row - 1] + rng.normal(0, 0.5, len(COLUMNS))
    value = 0.01 * (0.6 * x[:, 0] - 0.3 * x[:, 1] + rng.normal(0, 0.6, 2 * N))
    choice = np.where(value > 0.006, "BUY", np.where(value < -0.006, "SELL", "HOLD"))
    later = slice(N, None)
    table = {"time": pa.array(START + HOUR * np.arange(N), pa.timestamp("us", tz="UTC"))}
    table |= {name: x[later, i] for i, name in enumerate(COLUMNS)}
    table |= {"direction": choice[later], "move": value[later]}
    path = tmp_path_factory.mktemp("market") / "rows.parquet"
    pq.write_table(pa.table(table), path)
    return Market(x, value, choice, path)


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    """An empty store."""
    return Objects((tmp_path / "store").as_uri())


def spec(*outputs: dict[str, object], **more: object) -> PackSpec:
    """Describe a model by its outputs."""
    inputs = more.pop("inputs", [{"name": "x", "columns": list(COLUMNS)}])
    return PackSpec.model_validate(
        {"name": "theirs", "bar_interval": "1h", "inputs": inputs, "outputs": outputs, **more}
    )


DIRECTION = {"name": "direction", "horizon": "1h", "choices": ["SELL", "HOLD", "BUY"]}
MOVE = {"name": "move", "kind": "value", "horizon": "1h"}


def packed(objects: Objects, graph: bytes, said: PackSpec, market: Market) -> Bundle:
    """Pack, and open what lies in the store."""
    result = pack(objects, graph, said, reference=market.rows)
    assert result.passed, result.reasons
    return ModelRegistry(objects, "theirs").open(result.version)


def classifier(market: Market, kind: object = FloatTensorType, **options: object) -> bytes:
    """Export scikit-learn's logistic regression with skl2onnx."""
    made = make_pipeline(StandardScaler(), LogisticRegression())
    made.fit(market.x[market.learnt], market.choice[market.learnt])
    types = [("x", kind([None, len(COLUMNS)]))]  # type: ignore[operator]
    graph = skl2onnx.convert_sklearn(made, initial_types=types, options=options or None)
    return bytes(graph.SerializeToString())


def probabilities(market: Market) -> np.ndarray:
    """Return what scikit-learn itself says of the file's rows, in the order of its classes."""
    made = make_pipeline(StandardScaler(), LogisticRegression())
    made.fit(market.x[market.learnt], market.choice[market.learnt])
    return np.asarray(made.predict_proba(market.x[N:].astype(np.float32)))


SORTED = {**DIRECTION, "choices": ["BUY", "HOLD", "SELL"], "positions": [1, 0, -1]}


@pytest.mark.parametrize("kind", [FloatTensorType, DoubleTensorType])
def test_a_classifier_of_scikit_learn_comes_as_it_is(
    objects: Objects, market: Market, kind: object
) -> None:
    """A label and a sequence of maps beside it, 32 or 64 bits: softmax gives its probabilities."""
    bundle = packed(objects, classifier(market, kind), spec(SORTED), market)
    (output,), raw = bundle.manifest.outputs, bundle.reference.raw
    said = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)

    assert output.choices == ("BUY", "HOLD", "SELL")
    assert np.abs(said - probabilities(market)).max() < 1e-5
    assert bundle.validation.metrics["log_loss"] < bundle.validation.metrics["log_loss_constant"]
    assert bundle.outputs.calibrations["direction"].fitted
    assert bundle.manifest.inputs[0].dtype == ("float32" if kind is FloatTensorType else "float64")


def test_the_choices_of_a_graph_that_names_them_need_not_be_said(
    objects: Objects, market: Market
) -> None:
    """And another order than the graph's is refused: BUY would be SELL."""
    unnamed = {key: value for key, value in DIRECTION.items() if key != "choices"}
    bundle = packed(objects, classifier(market), spec(unnamed), market)

    assert bundle.manifest.outputs[0].choices == ("BUY", "HOLD", "SELL")
    with pytest.raises(ConfigError, match=r"names its choices \['BUY', 'HOLD', 'SELL'\].*order"):
        pack(objects, classifier(market), spec(DIRECTION), reference=market.rows)


def test_a_classifier_without_maps_is_as_good(objects: Objects, market: Market) -> None:
    """Probabilities as a tensor, the label beside them left out."""
    bundle = packed(objects, classifier(market, zipmap=False), spec(SORTED), market)

    assert bundle.reference.raw.shape == (N, 3)


def test_a_classifier_of_lightgbm_comes_as_it_is(objects: Objects, market: Market) -> None:
    """By onnxmltools, classes numbered."""
    require_library("libgomp.so.1", "libgomp1")
    import lightgbm

    places = np.array([CHOICES.index(name) for name in market.choice])
    made = lightgbm.LGBMClassifier(n_estimators=30, num_leaves=7, verbose=-1)
    made.fit(market.x[market.learnt].astype(np.float32), places[market.learnt])
    types = [("x", LightFloats([None, len(COLUMNS)]))]
    graph = onnxmltools.convert_lightgbm(made, initial_types=types).SerializeToString()
    bundle = packed(objects, graph, spec(DIRECTION), market)
    expected = made.booster_.predict(market.x[N:].astype(np.float32))
    raw = bundle.reference.raw
    said = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)

    assert np.abs(said - expected).max() < 1e-4


class Regression(torch.nn.Module):  # type: ignore[misc]  # torch comes without types here
    """A stranger's regression: mean and log-variance, two outputs of one number."""

    def __init__(self, market: Market) -> None:
        super().__init__()
        fitted = LinearRegression().fit(market.x[market.learnt], market.value[market.learnt])
        self.mean = torch.nn.Linear(len(COLUMNS), 1)
        with torch.no_grad():
            self.mean.weight.copy_(torch.tensor(fitted.coef_[None], dtype=torch.float32))
            self.mean.bias.copy_(torch.tensor([fitted.intercept_], dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Forecast."""
        mean = self.mean(x)
        return mean, mean * 0 - 10.2


def exported(module: torch.nn.Module, path: Path, rows: int, **how: object) -> bytes:
    """Export with torch, the weights in a file beside it as torch does by default."""
    torch.onnx.export(
        module,
        (torch.zeros(rows, len(COLUMNS)),),
        path,
        dynamo=True,
        verbose=False,
        input_names=["x"],
        output_names=["mu", "log_var"],
        **how,
    )
    return read_graph(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rows", [1, 2])
def test_a_regression_of_torch_comes_as_it_is(
    objects: Objects, market: Market, tmp_path: Path, rows: int
) -> None:
    """Mean and deviation become one output; a batch of one that only says so is opened."""
    how = {} if rows == 1 else {"dynamic_shapes": ({0: "batch"},)}
    graph = exported(Regression(market).eval(), tmp_path / "model.onnx", rows, **how)
    said = {**MOVE, "from": ["mu", "log_var"], "deviation": "log_variance"}
    bundle = packed(objects, graph, spec(said), market)

    assert bundle.manifest.outputs[0].width == 2
    assert bundle.reference.raw[:, 1] == pytest.approx(np.exp(-5.1), rel=1e-4)
    assert bundle.manifest.policy.kind == "kelly"
    assert bundle.validation.metrics["correlation"] > 0.5


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_model_comes_by_the_command(market: Market, tmp_path: Path) -> None:
    """Converted, packed, promoted: one command, and the registry shows it."""

    class Mean(Regression):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.mean(x)

    torch.jit.save(
        torch.jit.trace(Mean(market).eval(), torch.zeros(2, len(COLUMNS))), tmp_path / "m.pt"
    )
    (tmp_path / "pack.toml").write_text(
        'bar_interval = "1h"\n[[inputs]]\nname = "features"\ncolumns = '
        f'{json.dumps(COLUMNS)}\n[[outputs]]\nname = "move"\nkind = "value"\nhorizon = "1h"\n'
    )
    store = (tmp_path / "store").as_uri()
    arguments = ["pack", "--store", store, "--torchscript", str(tmp_path / "m.pt"), "--promote"]
    arguments += ["--spec", str(tmp_path / "pack.toml"), "--reference", str(market.rows)]
    done = CliRunner().invoke(app, [*arguments, "--model", "theirs", "--json"])

    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert made["promoted"]
    alias = ModelRegistry(Objects(store), "theirs").alias()
    assert alias is not None
    assert alias.value.version == made["version"]


def hand_made(nodes: list[onnx.NodeProto], batch: object = "n", **more: object) -> bytes:
    """Return a graph from ``x (batch, 4)`` to ``y``."""
    constants = more.get("constants", [])
    graph = helper.make_graph(
        nodes,
        "hand",
        [helper.make_tensor_value_info("x", more.get("kind", TensorProto.FLOAT), [batch, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, more.get("shape", ["n", 1]))],
        constants,  # type: ignore[arg-type]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def test_whole_numbers_and_half_precision_are_cast(objects: Objects, market: Market) -> None:
    """A request carries 32-bit floats; the graph gets what it wants."""
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f"], ["y"], axes=[1], keepdims=1),
    ]
    graph = hand_made(nodes, kind=TensorProto.FLOAT16)
    result = pack(objects, graph, spec(MOVE), reference=market.rows)
    bundle = ModelRegistry(objects, "theirs").open(result.version)

    assert bundle.manifest.inputs[0].dtype == "float32"
    assert bundle.reference.raw[:, 0] == pytest.approx(market.x[N:].mean(axis=1), abs=1e-2)


def test_a_batch_that_is_really_fixed_is_refused_with_the_exporters_line(
    objects: Objects, market: Market
) -> None:
    """A reshape to one row inside cannot be opened from outside."""
    shape = onnx.numpy_helper.from_array(np.array([1, 4], np.int64), "shape")
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["row"]),
        helper.make_node("ReduceMean", ["row"], ["y"], axes=[1], keepdims=1),
    ]
    graph = hand_made(nodes, batch=1, constants=[shape])

    with pytest.raises(
        ExportError, match=r"batch fixed at 1\? export it with an open batch: torch"
    ):
        pack(objects, graph, spec(MOVE), reference=market.rows)


def test_rows_that_see_each_other_are_refused(objects: Objects, market: Market) -> None:
    """As those of a batch norm left in training mode do."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["level"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["x", "level"], ["away"]),
        helper.make_node("ReduceMean", ["away"], ["y"], axes=[1], keepdims=1),
    ]
    with pytest.raises(ExportError, match="a row is answered otherwise alone than among others"):
        pack(objects, hand_made(nodes), spec(MOVE), reference=market.rows)


def test_text_is_refused(objects: Objects, market: Market) -> None:
    """A request carries numbers."""
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)]
    graph = hand_made(nodes, kind=TensorProto.STRING, shape=["n", 4])

    with pytest.raises(ExportError, match="input 'x' is STRING: a request carries numbers"):
        pack(objects, graph, spec(MOVE), reference=market.rows)


MEAN = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=1)]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"inputs": [{"name": "z"}]}, r"the graph takes \['x'\], it has no \['z'\]"),
        ({"inputs": [{"name": "x", "columns": ["fast"]}]}, "takes 4 columns, 1 are named: fast"),
        ({"policy": {"kind": "argmax"}}, "decides between choices: 'move' is a value"),
    ],
)
def test_a_description_that_does_not_fit_says_what_would(
    objects: Objects, market: Market, said: dict[str, object], message: str
) -> None:
    """Names of the graph, numbers of columns, what a policy needs."""
    with pytest.raises(ConfigError, match=message):
        pack(objects, hand_made(MEAN), spec(MOVE, **said), reference=market.rows)


def test_columns_and_labels_that_are_missing_are_named(objects: Objects, market: Market) -> None:
    """With those there are."""
    wrong = [{"name": "x", "columns": ["fast", "slow", "range", "mood"]}]
    with pytest.raises(DataError, match="there is no column 'mood' among time, fast"):
        pack(objects, hand_made(MEAN), spec(MOVE, inputs=wrong), reference=market.rows)
    with pytest.raises(DataError, match="there is no column 'fate' for output 'move'"):
        pack(objects, hand_made(MEAN), spec({**MOVE, "label": "fate"}), reference=market.rows)


OUTPUT = 'bar_interval = 1\n[[outputs]]\nname = "a"\nhorizon = 1\n'


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('bar_intervall = "1h"', r"bar_intervall is no key: did you mean bar_interval\?"),
        (
            '[[outputs]]\nname = "a"\nchoics = []',
            r"\[0\].choics is no key: did you mean outputs\[0",
        ),
        ('bar_interval = "1h"\n[[outputs]]\nname = "a"', r"outputs\[0\].horizon is missing"),
        (
            'bar_interval = "1 hour"\n[[outputs]]\nname = "a"\nhorizon = 1',
            "t.toml: bar_interval: expected a duration like 30min, 6h or 5d, got '1 hour'",
        ),
        (
            f'{OUTPUT}kind = "class"',
            "kind is 'class': there are choice, score, value",
        ),
        (
            f'{OUTPUT}choices = ["x", "y"]\npositions = [1]',
            r"a position for each choice of \['x', 'y'\], found \[1.0\]",
        ),
        (
            f'{OUTPUT}kind = "value"\nchoices = ["x", "y"]',
            "a value has no choices and no positions: leave them out",
        ),
    ],
)
def test_a_wrong_key_or_value_of_a_description_is_named(
    tmp_path: Path, said: str, message: str
) -> None:
    """With what was expected there, and what came."""
    path = tmp_path / "t.toml"
    path.write_text(said)

    with pytest.raises(ConfigError, match=message):
        PackSpec.read(path)


def test_a_name_that_no_store_takes_is_refused(objects: Objects, market: Market) -> None:
    """By a sentence, before anything is read."""
    with pytest.raises(ConfigError, match="name is 'My Model', expected small letters, digits"):
        pack(objects, hand_made(MEAN), spec(MOVE), reference=market.rows, model="My Model")


def test_rows_at_another_interval_than_described_are_refused(
    objects: Objects, market: Market
) -> None:
    """Windows, horizons and the watch would all be of another length."""
    with pytest.raises(DataError, match=r"stand 3600 s apart, and .* bar_interval = 300 s"):
        pack(objects, hand_made(MEAN), spec(MOVE, bar_interval="5min"), reference=market.rows)


def labels_of(market: Market, path: Path, times: object) -> Path:
    """Write what came of the rows into a file of its own, at these times."""
    pq.write_table(pa.table({"time": times, "move": market.value[N:]}), path)
    return path


def test_outcomes_join_by_moment_however_times_are_written(
    objects: Objects, market: Market, tmp_path: Path
) -> None:
    """Seconds here, time stamps there."""
    seconds = (START + HOUR * np.arange(N)) // 1_000_000
    labels = labels_of(market, tmp_path / "labels.parquet", seconds)

    made = pack(objects, hand_made(MEAN), spec(MOVE), reference=market.rows, labels=labels)

    assert made.metrics["rows_labelled"] > 0


def test_outcomes_of_no_row_are_refused(objects: Objects, market: Market, tmp_path: Path) -> None:
    """Rather than passing a gate that was never asked about skill."""
    late = (START + HOUR * np.arange(N)) // 1_000_000 + 1_800
    labels = labels_of(market, tmp_path / "labels.parquet", late)

    with pytest.raises(
        DataError, match=r"none of its 2000 rows has time of a row of .*time .* was"
    ):
        pack(objects, hand_made(MEAN), spec(MOVE), reference=market.rows, labels=labels)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,fast\n", "no row under the header"),
        ("time,fast\n2024-01-01T00:00:00Z,1\n,2\n", "row 3 has no time: give it one"),
        ("time,fast\nyesterday,1\n", "row 2, time: found 'yesterday', .*: correct the cell$"),
        (
            "when,fast\n1,1\n",
            r"expected a column 'time', the open time .* found \['when', 'fast'\]",
        ),
    ],
)
def test_rows_without_a_time_are_named(tmp_path: Path, text: str, message: str) -> None:
    """By their number in the file; nothing is guessed."""
    path = tmp_path / "rows.csv"
    path.write_text(text)

    with pytest.raises(DataError, match=message):
        read_rows(path)


def test_an_answer_that_is_not_finite_is_refused_with_its_row(
    objects: Objects, market: Market
) -> None:
    """The logarithm of a number below zero, somewhere among the rows."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
        helper.make_node("Sqrt", ["m"], ["y"]),
    ]
    some = pq.read_table(market.rows)
    kept = np.mean([some[name].to_numpy() for name in COLUMNS], axis=0) > 0
    assert not kept.all()

    with pytest.raises((DataError, ExportError), match=r"not finite for"):
        pack(objects, hand_made(nodes), spec(MOVE), reference=market.rows)


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_model_of_more_outputs_than_described_is_refused(
    market: Market, tmp_path: Path
) -> None:
    """Rather than served without the ones that nobody spoke of."""
    module = torch.jit.trace(Regression(market).eval(), torch.zeros(2, len(COLUMNS)))
    torch.jit.save(module, tmp_path / "m.pt")

    with pytest.raises(ConfigError, match=r"gives 2 outputs, described are 1: .* side by side"):
        read_torchscript(tmp_path / "m.pt", spec(MOVE), len(COLUMNS))


def test_a_row_without_a_symbol_is_refused(tmp_path: Path) -> None:
    """It would be counted as a market called None."""
    table = pa.table({"time": ["2024-01-01", "2024-01-02"], "symbol": ["a", None], "fast": [1, 2]})
    pq.write_table(table, tmp_path / "rows.parquet")

    with pytest.raises(
        DataError, match=r"2024-01-02T00:00:00\+00:00 has no symbol: give every row"
    ):
        read_rows(tmp_path / "rows.parquet")


def test_signs_for_choices_are_refused_with_how_choices_are_counted(
    objects: Objects, market: Market, tmp_path: Path
) -> None:
    """-1, 0 and 1 are places of no three choices."""
    signs = [{"SELL": -1, "HOLD": 0, "BUY": 1}[each] for each in market.choice[N:].tolist()]
    table = pq.read_table(market.rows).drop_columns(["direction"])
    pq.write_table(table.append_column("direction", pa.array(signs)), tmp_path / "rows.parquet")
    nodes = [helper.make_node("Gather", ["x", "places"], ["y"], axis=1)]
    places = helper.make_tensor("places", TensorProto.INT64, [3], [0, 1, 2])
    graph = hand_made(nodes, constants=[places], shape=["n", 3])

    with pytest.raises(DataError, match=r"never comes true .* BUY 0; .* places counted from 0"):
        pack(objects, graph, spec(DIRECTION), reference=tmp_path / "rows.parquet")


def test_rows_may_be_written_with_semicolons_and_offsets(tmp_path: Path) -> None:
    """Text in ISO 8601 with an offset is a moment, and pandas' index is no column."""
    path = tmp_path / "rows.csv"
    path.write_text("time;fast\n2024-01-01T02:00:00+02:00;1.5\n2024-01-01T01:00:00+00:00;2\n")
    table = pa.table({"time": ["2024-01-01T00:00:00Z"], "fast": [1.0], "__index_level_0__": [7]})
    pq.write_table(table, tmp_path / "rows.parquet")

    hours = np.diff(read_rows(path).time) / HOUR
    assert hours.tolist() == [1.0]
    assert read_rows(tmp_path / "rows.parquet").names == ("fast",)


def test_without_outcomes_a_model_is_taken_as_it_is(
    objects: Objects, market: Market, tmp_path: Path
) -> None:
    """It lives, so it passes; its calibration stands on no rows, and says so."""
    table = pq.read_table(market.rows).drop_columns(["direction", "move"])
    pq.write_table(table, tmp_path / "bare.parquet")
    result = pack(objects, classifier(market), spec(SORTED), reference=tmp_path / "bare.parquet")
    bundle = ModelRegistry(objects, "theirs").open(result.version)

    assert result.passed
    assert not bundle.outputs.calibrations["direction"].fitted
    assert np.isnan(bundle.reference.truth).all()


def test_a_constant_model_is_refused_by_the_gate(objects: Objects, market: Market) -> None:
    """Kept with its reason, never promoted."""
    zero = onnx.numpy_helper.from_array(np.zeros(1, np.float32), "zero")
    nodes = [*MEAN[:0], helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1)]
    nodes.append(helper.make_node("Mul", ["m", "zero"], ["y"]))
    graph = hand_made(nodes, constants=[zero])
    result = pack(objects, graph, spec(MOVE), reference=market.rows, promote=True)

    assert not result.passed
    assert result.verdict == "flat"
    assert not result.promoted


def test_windows_are_made_of_rows_of_one_symbol(objects: Objects, tmp_path: Path) -> None:
    """Of two symbols in turn, a window of three steps never mixes them."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 4)).cumsum(axis=0) * 0.1
    table = {
        "time": pa.array(START + HOUR * (np.arange(400) // 2)),
        "symbol": np.where(np.arange(400) % 2, "B", "A"),
        **{name: x[:, i] for i, name in enumerate(COLUMNS)},
    }
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(table), path)
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)],
        "sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", None, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
    )
    axes = onnx.numpy_helper.from_array(np.array([1, 2], np.int64), "axes")
    graph.initializer.append(axes)
    graph.node[0].input.append("axes")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    buffer = io.BytesIO(model.SerializeToString())
    inputs = [{"name": "x", "columns": list(COLUMNS), "steps": 3}]
    result = pack(objects, buffer.getvalue(), spec(MOVE, inputs=inputs), reference=path)
    bundle = ModelRegistry(objects, "theirs").open(result.version)
    own = x[::2]
    expected = np.array([own[i - 2 : i + 1].sum() for i in range(2, 200)])

    assert bundle.manifest.inputs[0].shape == (3, 4)
    assert bundle.reference.raw[:198, 0] == pytest.approx(expected, rel=1e-4, abs=1e-4)
    answer = OnnxModel(bundle.files["model.onnx"], bundle.manifest.inputs, bundle.manifest.outputs)
    assert bundle.golden.largest_error(answer.by_output(bundle.golden.inputs)) < 1e-4
