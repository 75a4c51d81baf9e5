"""What `import plumbline` costs, and what it offers."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import plumbline

HEAVY = {"torch", "onnx", "onnxruntime", "numpy", "pydantic", "httpx", "pyarrow", "obstore"}


def child(code: str) -> str:
    """Run code in a fresh process and return what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_importing_the_name_is_quick_and_needs_nothing():
    """Under 50 ms in the best of three tries, and no library is loaded."""
    code = (
        "import sys, time; began = time.perf_counter(); import plumbline; "
        "print(time.perf_counter() - began, *sys.modules)"
    )
    tries = [child(code).split() for _ in range(3)]

    assert min(float(seconds) for seconds, *_ in tries) < 0.05
    assert not HEAVY & set(tries[0])


@pytest.mark.parametrize("name", ["Client", "open_bundle", "diagnose"])
def test_asking_and_opening_need_no_model_runtime(name):
    """Neither torch nor onnx is loaded for the client, a bundle or the judgement."""
    loaded = set(child(f"import sys, plumbline; plumbline.{name}; print(*sys.modules)").split())

    assert not {"torch", "onnx", "onnxruntime", "bentoml"} & loaded


def test_every_public_name_is_there():
    """What `__all__` promises can be had, and is listed before it is."""
    assert set(plumbline.__all__) <= set(dir(plumbline))
    for name in plumbline.__all__:
        assert getattr(plumbline, name) is not None
    assert plumbline.__version__ == version("plumbline")


def test_an_unknown_name_is_an_error():
    """As of any module."""
    with pytest.raises(AttributeError, match="'plumbline' has no attribute 'predict'"):
        _ = plumbline.predict  # type: ignore[attr-defined]
