"""What every backend promises."""

from __future__ import annotations

import dataclasses
import io
import zipfile

import numpy as np
import pytest
import torch

from plumbline.bundle.archive import Bundle, digest_of
from plumbline.service.backends import BACKENDS
from plumbline.service.backends.base import BackendError, backend_class
from plumbline.service.predictor import Predictor
from tests.support.bundles import small_bundle

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


def archive(module: torch.nn.Module) -> bytes:
    """Return a traced module as TorchScript."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(module, torch.zeros(2, 3, 4)), buffer)
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


def test_logits_are_float32_rows(bundle, name):
    """One row of logits per window, whatever the batch."""
    backend = Predictor.load(bundle, backend=name, device="cpu").backend

    for n in (1, 2, 40):
        logits = backend.run(WINDOWS[:n])
        assert (logits.shape, logits.dtype) == ((n, 3), np.float32)


def test_rows_do_not_influence_each_other(bundle, name):
    """Not even a row of NaN changes its neighbours."""
    backend = Predictor.load(bundle, backend=name, device="cpu").backend
    poisoned = WINDOWS.copy()
    poisoned[7] = np.nan
    clean, dirty = backend.run(WINDOWS), backend.run(poisoned)
    others = np.arange(len(WINDOWS)) != 7

    np.testing.assert_allclose(dirty[others], clean[others], atol=1e-5)
    assert np.isnan(dirty[7]).all()


def test_backends_agree(bundle, name):
    """The same bundle gives the same answers whatever runs it."""
    ours = Predictor.load(bundle, backend=name, device="cpu").predict(WINDOWS)
    onnx = Predictor.load(bundle, backend="onnx", device="cpu").predict(WINDOWS)

    np.testing.assert_allclose(ours.logits, onnx.logits, atol=bundle.manifest.tolerance)
    np.testing.assert_array_equal(ours.actions, onnx.actions)


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
