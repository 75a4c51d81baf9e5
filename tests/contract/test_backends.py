"""What every backend promises."""

from __future__ import annotations

import dataclasses
import io
import zipfile

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from plumbline.bundle.archive import Bundle, digest_of
from plumbline.bundle.spec import InputSpec
from plumbline.service.backends import BACKENDS
from plumbline.service.backends.base import BackendError, backend_class, beside
from plumbline.service.predictor import Predictor
from tests.support.bundles import choice_output, small_bundle, value_output
from tests.support.graphs import bars_bundle, graph_of, several_bundle

# torch is moving on to torch.export; the format is served as long as it can be loaded
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")

WINDOWS = np.random.default_rng(3).normal(size=(40, 3, 4)).astype(np.float32)


class Linear(torch.nn.Module):
    """The small bundle's model, as torch has it."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(weights)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        return features.flatten(1) @ self.weights


def archive(module: torch.nn.Module, *example: torch.Tensor) -> bytes:
    """Return a traced module as TorchScript."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(module, example or (torch.zeros(2, 3, 4),)), buffer)
    return buffer.getvalue()


def complete_bundle() -> Bundle:
    """Return the small bundle with a model.pt beside its model.onnx."""
    manifest, files = small_bundle()
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.5, (12, 3)).astype(np.float32)
    model = archive(Linear(torch.from_numpy(weights)))
    return with_model(Bundle(manifest, files), model)


def with_model(bundle: Bundle, model: bytes) -> Bundle:
    """Return the bundle with this model.pt."""
    digests = {**bundle.manifest.files, "model.pt": digest_of(model)}
    manifest = bundle.manifest.model_copy(update={"files": digests})
    return dataclasses.replace(bundle, manifest=manifest, files={**bundle.files, "model.pt": model})


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """A bundle every backend can serve."""
    return complete_bundle()


@pytest.fixture(params=BACKENDS)
def name(request: pytest.FixtureRequest) -> str:
    """Each registered backend."""
    return str(request.param)


def test_golden_rows_pass(bundle, name):
    """A predictor loads, so its golden rows have come out right."""
    predictor = Predictor.load(bundle, backend=name, device="cpu")

    assert predictor.backend.device == "cpu"


def test_raw_numbers_are_float32_rows(bundle, name):
    """One row of raw numbers per window, whatever the batch."""
    backend = Predictor.load(bundle, backend=name, device="cpu").backend

    for n in (1, 2, 40):
        ran = backend.run({"features": WINDOWS[:n]})
        assert (ran.raw.shape, ran.raw.dtype, ran.features) == ((n, 3), np.float32, None)


def test_rows_do_not_influence_each_other(bundle, name):
    """Not even a row of NaN changes its neighbours."""
    backend = Predictor.load(bundle, backend=name, device="cpu").backend
    poisoned = WINDOWS.copy()
    poisoned[7] = np.nan
    clean = backend.run({"features": WINDOWS}).raw
    dirty = backend.run({"features": poisoned}).raw
    others = np.arange(len(WINDOWS)) != 7

    np.testing.assert_allclose(dirty[others], clean[others], atol=1e-5)
    assert np.isnan(dirty[7]).all()


def test_backends_agree(bundle, name):
    """The same bundle gives the same answers whatever runs it."""
    inputs = {"features": WINDOWS}
    ours = Predictor.load(bundle, backend=name, device="cpu").predict(inputs)
    by_onnx = Predictor.load(bundle, backend="onnx", device="cpu").predict(inputs)

    np.testing.assert_allclose(ours.raw, by_onnx.raw, atol=bundle.manifest.tolerance)
    np.testing.assert_array_equal(ours.decision.action, by_onnx.decision.action)


class Several(torch.nn.Module):
    """The graph of `several_bundle`, as torch has it: its inputs in the manifest's order."""

    def __init__(self, weights: list[torch.Tensor]) -> None:
        super().__init__()
        self.weights = torch.nn.ParameterList(weights)

    def forward(
        self, window: torch.Tensor, extra: torch.Tensor, goal: torch.Tensor, past: torch.Tensor
    ) -> torch.Tensor:
        """Return logits."""
        inputs = (window, extra, goal, past)
        said = [each.flatten(1).float() @ w for each, w in zip(inputs, self.weights, strict=True)]
        return torch.stack(said).sum(0)


class Logs(torch.nn.Module):
    """The graph of `bars_bundle`: logits, and the columns of the last bar."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(weights)

    def forward(self, bars: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and features."""
        features = bars[:, -1, 1:5].log().float()
        return features @ self.weights, features


def constants(bundle: Bundle, *names: str) -> list[torch.Tensor]:
    """Return these weights of a bundle's own graph."""
    held = onnx.load_from_string(bundle.files["model.onnx"]).graph.initializer
    arrays = {each.name: numpy_helper.to_array(each).copy() for each in held}
    return [torch.from_numpy(arrays[name]) for name in names]


def several_of_both() -> Bundle:
    """Return the bundle of several inputs, for every backend."""
    bundle = Bundle(*several_bundle())
    names = [f"{spec.name}.weights" for spec in bundle.manifest.inputs]
    specs = bundle.manifest.inputs
    example = [torch.zeros(2, *spec.shape, dtype=getattr(torch, spec.dtype)) for spec in specs]
    return with_model(bundle, archive(Several(constants(bundle, *names)), *example))


def bars_of_both() -> Bundle:
    """Return the bundle that takes bars, for every backend."""
    bundle = Bundle(*bars_bundle())
    example = torch.ones(2, 5, 6, dtype=torch.float64)
    return with_model(bundle, archive(Logs(*constants(bundle, "weights")), example))


@pytest.mark.parametrize("made", [several_of_both, bars_of_both])
def test_named_inputs_and_features_come_through(name, made):
    """Several inputs, a constant of the bundle, bars that become columns: each backend alike."""
    bundle = made()
    predictor = Predictor.load(bundle, backend=name, device="cpu")
    predicted = predictor.predict(bundle.golden.inputs)
    onnx_predicted = Predictor.load(bundle, device="cpu").predict(bundle.golden.inputs)

    np.testing.assert_allclose(predicted.raw, bundle.golden.outputs["h6"], atol=1e-4)
    np.testing.assert_allclose(predicted.features, onnx_predicted.features, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((5, 6), True),
        ((5, 3, 2), True),
        ((3, 5, 2), False),
        ((6, 5), False),
        ((30,), False),
        ((5, 2, 3), False),
    ],
)
def test_numbers_in_another_order_are_refused(shape, fits):
    """As many numbers as expected are not yet the right ones."""
    spec = value_output(width=2, members=3)
    found = np.arange(30.0).reshape(shape)

    if fits:
        np.testing.assert_array_equal(beside([found], (spec,), 5).ravel(), np.arange(30))
        return
    with pytest.raises(BackendError, match=r"output r6: expected \(5, 6\) or \(5, 3, 2\)"):
        beside([found], (spec,), 5)


def test_outputs_lie_in_the_order_of_the_manifest():
    """Whatever the graph's own order."""
    specs = (choice_output(), value_output())
    found = [np.full((2, 3), 1.0), np.full((2, 1), 2.0)]

    assert beside(found, specs, 2).tolist() == [[1, 1, 1, 2]] * 2


def test_a_batch_fixed_at_one_is_refused_with_what_mends_it():
    """Such a graph would answer one row of many."""
    spec = InputSpec(name="features", shape=(3, 4), names=("a", "b", "c", "d"))
    nodes = [
        helper.make_node("Flatten", ["features"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["h6"]),
    ]
    weights = {"weights": np.zeros((12, 3), np.float32)}
    graph = graph_of(nodes, weights, (spec,), {"h6": 3}, batch=1)

    with pytest.raises(BackendError, match=r"batch is fixed at 1: export it .* plumbline pack"):
        backend_class("onnx")(graph, small_bundle()[0], "cpu")


def test_inputs_of_other_names_and_types_are_refused():
    """The message has those of the graph and of the manifest."""
    bundle = Bundle(*several_bundle())
    single = tuple(spec.model_copy(update={"dtype": "float32"}) for spec in bundle.manifest.inputs)
    manifest = bundle.manifest.model_copy(update={"inputs": single})
    graph = bundle.files["model.onnx"]

    with pytest.raises(BackendError, match=r"expected tensor\(float\), found tensor\(double\)"):
        backend_class("onnx")(graph, manifest, "cpu")
    with pytest.raises(BackendError, match=r"expected the inputs \['features'\], found .*'past'"):
        backend_class("onnx")(graph, small_bundle()[0], "cpu")


def test_nonsense_is_refused_by_name(bundle, name):
    """Bytes that are no graph are refused with the file's name."""
    kind = backend_class(name)

    with pytest.raises(BackendError, match=kind.FILE):
        kind(b"not a graph at all", bundle.manifest, "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_missing_device_is_refused(bundle, name):
    """Asked for CUDA where there is none, a backend says what to set."""
    kind = backend_class(name)

    with pytest.raises(BackendError, match=r"cuda was asked for.*set"):
        kind(bundle.files[kind.FILE], bundle.manifest, "cuda")


def repacked(model: bytes, compression: int = zipfile.ZIP_STORED, extra: str = "") -> bytes:
    """Return an archive with each entry compressed and ``extra`` added to each source."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(model)) as old,
        zipfile.ZipFile(target, "w", compression) as new,
    ):
        for entry in old.infolist():
            added = extra.encode() if entry.filename.endswith(".py") else b""
            new.writestr(entry.filename, old.read(entry) + added)
    return target.getvalue()


def load_torchscript(bundle: Bundle, model: bytes) -> None:
    """Load the bundle with another model.pt, whose digest is right."""
    Predictor.load(with_model(bundle, model), backend="torchscript", device="cpu")


def test_deflated_weights_are_refused(bundle):
    """Torch stores weights as they are; what inflates could be a bomb."""
    with pytest.raises(BackendError, match="expected stored entries beside the code"):
        load_torchscript(bundle, repacked(bundle.files["model.pt"], zipfile.ZIP_DEFLATED))


def test_too_much_code_is_refused(bundle):
    """Sources may be deflated, so their size is bounded before one is read."""
    bomb = repacked(bundle.files["model.pt"], extra="#" * (17 * 2**20))

    with pytest.raises(BackendError, match="bytes of code, expected at most"):
        load_torchscript(bundle, bomb)


@pytest.mark.parametrize("call", ["torch.save(x)", "ops.aten.from_file(x)", "def __setstate__(s):"])
def test_torchscript_that_reaches_outside_is_refused(bundle, call):
    """Code that could touch files is found before torch runs it."""
    hostile = repacked(bundle.files["model.pt"], extra=f"\n# {call}\n")

    with pytest.raises(BackendError, match=r"model.pt: .*code/.*\.py uses"):
        load_torchscript(bundle, hostile)
