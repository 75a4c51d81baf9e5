"""`open_bundle`, `diagnose` and `pack`: what a program does with one import."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plumbline import diagnose, open_bundle, pack
from plumbline.bundle.errors import FormatError
from plumbline.bundle.finding import Verdict
from plumbline.bundle.manifest import MANIFEST
from plumbline.store.errors import NotFoundError
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.errors import ConfigError
from tests.support.bundles import linear_onnx, score_output, small_bundle, value_output


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store with a champion of one model, which the environment names."""
    folder = tmp_path / "store"
    registry = ModelRegistry(Objects(folder.as_uri()), "eurusd-1h")
    bundle = registry.write(*small_bundle(rows=1500))
    registry.promote(bundle.version, actor="test", reason="test")
    monkeypatch.setenv("PLUMBLINE_STORE", str(folder))
    return folder


def test_a_bundle_is_found_by_alias_version_and_folder(store, tmp_path):
    """In the store of the environment or another; the only model need not be named."""
    bundle = open_bundle()
    folder = tmp_path / "apart"
    folder.mkdir()
    (folder / MANIFEST).write_bytes(bundle.manifest.to_json())
    for name, data in bundle.files.items():
        (folder / name).write_bytes(data)

    found = [
        open_bundle(bundle.version[:6], store=store),
        open_bundle("champion", store=store.as_uri(), model="eurusd-1h"),
        open_bundle(folder),
        open_bundle(str(folder)),
    ]
    assert {each.version for each in found} == {bundle.version}


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"name": "nobody"}, NotFoundError, "no version or alias 'nobody'; it has"),
        ({"model": "nobody"}, NotFoundError, "no model nobody in file://.*: there are eurusd-1h"),
        ({"name": "./no/folder"}, FormatError, "expected a folder with a manifest.json in it"),
    ],
)
def test_what_is_not_there_is_said(store, arguments, error, match):
    """With what is there instead."""
    with pytest.raises(error, match=match):
        open_bundle(**arguments)


def test_arrays_are_diagnosed_against_a_bundle(store):
    """A model's own numbers are those of a sound model; always the same number is not."""
    bundle = open_bundle()
    reference = bundle.reference
    sound = {"raw": reference.raw, "features": reference.features, "truth": reference.truth}
    flat = sound | {"raw": np.tile(reference.raw[:1], (len(reference), 1))}

    assert diagnose(sound, bundle).sized
    assert diagnose(sound, "champion").verdict is diagnose(sound, bundle).verdict
    assert diagnose(flat, bundle).verdict is Verdict.FLAT


def test_probabilities_need_no_bundle(store):
    """Lists are as good as arrays; a bundle judges itself."""
    bundle = open_bundle()
    centre = bundle.reference.centre
    alone = diagnose({"probabilities": [[0.2, 0.5, 0.3]] * 800})
    held = diagnose({"probabilities": centre, "features": bundle.reference.features}, bundle)

    assert alone.verdict is Verdict.FLAT
    assert held.sized
    assert diagnose(bundle).n == len(bundle.reference)


def test_every_kind_of_output_is_diagnosed():
    """A forecast and a ranking by their raw numbers."""
    from plumbline.bundle.archive import Bundle

    for outputs in ((value_output(),), (score_output(),)):
        bundle = Bundle(*small_bundle(outputs=outputs, rows=1500))
        reference = bundle.reference
        given = {
            "raw": reference.raw,
            "features": reference.features,
            "truth": reference.truth,
            "group": reference.group,
        }
        flat = given | {"raw": np.zeros_like(reference.raw)}

        assert diagnose(given, bundle).sized
        assert diagnose(flat, bundle).verdict is Verdict.FLAT


def test_a_file_is_diagnosed(store, tmp_path):
    """As the command does it."""
    bundle = open_bundle()
    names = bundle.manifest.actions
    columns = {f"probability_{name}": bundle.reference.centre[:, i] for i, name in enumerate(names)}
    pq.write_table(pa.table(columns), tmp_path / "said.parquet")

    assert diagnose(tmp_path / "said.parquet", bundle).n == len(bundle.reference)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"raw": np.zeros((5, 2))}, r"raw: expected \(5, 3\), found \(5, 2\)"),
        ({"raw": np.full((5, 3), np.nan)}, "raw: expected finite numbers"),
        ({"raw": np.zeros((5, 3)), "mood": np.zeros(5)}, r"\['mood'\] are unknown"),
        ({"probabilities": [[0.5, 0.5]]}, "classes: expected .*, found .*class_1"),
        ({"actions": [1, 2]}, "expected an array probabilities or logits"),
        ("nothing.csv", "nothing.csv: there is no such file"),
    ],
)
def test_what_is_no_prediction_is_refused(store, given, match):
    """With what was expected."""
    with pytest.raises(FormatError, match=match):
        diagnose(given, "champion")


def test_raw_numbers_need_a_bundle():
    """They mean nothing by themselves."""
    with pytest.raises(FormatError, match="mean nothing without its bundle"):
        diagnose({"raw": np.zeros((5, 3))})


@pytest.fixture
def reference(tmp_path):
    """Rows of three columns, and the move that came of them."""
    rng = np.random.default_rng(0)
    x = np.zeros((2000, 3))
    for row in range(1, len(x)):
        x[row] = 0.85 * x[row - 1] + rng.normal(0, 0.5, 3)
    move = 0.6 * x[:, 0] - 0.3 * x[:, 1] + rng.normal(0, 0.4, len(x))
    time = pa.array(1_500_000_000_000_000 + 3_600_000_000 * np.arange(len(x)), pa.timestamp("us"))
    table = {"time": time, **{f"c{i}": x[:, i] for i in range(3)}, "move": move}
    pq.write_table(pa.table(table), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def test_a_model_is_packed_from_bytes_or_a_file(store, tmp_path, reference):
    """The specification as a mapping; promoted, it is opened by its name."""
    weights = np.array([[0.6], [-0.3], [0.0]], np.float32)
    graph = linear_onnx(weights, 1, 3, (value_output(name="move"),))
    said = {
        "name": "theirs",
        "bar_interval": "1h",
        "inputs": [{"name": "features", "columns": ["c0", "c1", "c2"]}],
        "outputs": [{"name": "move", "kind": "value", "horizon": "1h"}],
    }
    (tmp_path / "model.onnx").write_bytes(graph)
    made = pack(graph, said, reference, promote=True)
    again = pack(tmp_path / "model.onnx", said, str(reference), store=store, model="other")

    assert made.passed
    assert open_bundle(model="theirs").version == made.version
    assert not again.promoted
    with pytest.raises(ConfigError, match="spec: outputs"):
        pack(graph, said | {"outputs": [{"name": "move", "kind": 3}]}, reference)
    with pytest.raises(ConfigError, match=r"spec: outputs\[0\].choics is no key: did you mean"):
        pack(graph, said | {"outputs": [{"name": "move", "choics": ["a"]}]}, reference)
