"""The bundle that other tests stand on is a real one."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from plumbline.bundle.archive import Bundle
from tests.support.bundles import choice_output, score_output, small_bundle, value_output


@pytest.mark.parametrize(
    "outputs",
    [(choice_output(),), (value_output(width=2, members=3),), (choice_output(), score_output())],
)
def test_the_small_bundle_runs_and_reproduces_its_golden_rows(outputs):
    """Its graph takes any batch size and gives the recorded numbers of each output."""
    manifest, files = small_bundle(outputs=outputs)
    bundle = Bundle(manifest, files)
    bundle.check()
    session = onnxruntime.InferenceSession(files["model.onnx"])
    names = [spec.name for spec in outputs]
    golden = bundle.golden
    whole = dict(zip(names, session.run(names, dict(golden.inputs)), strict=True))
    one = session.run(names, {name: each[:1] for name, each in golden.inputs.items()})

    assert golden.largest_error(whole) < manifest.tolerance
    for name, found in zip(names, one, strict=True):
        assert np.allclose(found, golden.outputs[name][:1], atol=1e-5)


def test_the_small_bundle_is_deterministic():
    """The same arguments give the same version; another seed gives another."""
    assert small_bundle()[0].version == small_bundle()[0].version
    assert small_bundle()[0].version != small_bundle(seed=1)[0].version
