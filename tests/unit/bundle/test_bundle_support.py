"""The bundle that other tests stand on is a real one."""

from __future__ import annotations

import numpy as np
import onnxruntime

from plumbline.bundle.archive import Bundle
from tests.support.bundles import small_bundle


def test_the_small_bundle_runs_and_reproduces_its_golden_rows():
    """Its graph takes `features` of any batch size and gives the recorded `logits`."""
    manifest, files = small_bundle()
    bundle = Bundle(manifest, files)
    bundle.check()
    session = onnxruntime.InferenceSession(files["model.onnx"])
    (logits,) = session.run(["logits"], {"features": bundle.golden.inputs})
    (one,) = session.run(["logits"], {"features": bundle.golden.inputs[:1]})

    assert bundle.golden.largest_error(logits) < manifest.tolerance
    assert np.allclose(one, bundle.golden.logits[:1], atol=1e-5)


def test_the_small_bundle_is_deterministic():
    """The same arguments give the same version; another seed gives another."""
    assert small_bundle()[0].version == small_bundle()[0].version
    assert small_bundle()[0].version != small_bundle(seed=1)[0].version
