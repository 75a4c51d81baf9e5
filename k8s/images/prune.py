"""Takes out what nothing of ours ever opens: ``prune.py SITE_PACKAGES [service]``.

Each pattern stands with its reason. `tests/k8s/test_image.py` imports every module of the rooms in
the pruned image and asks the service in it for predictions. Compiled modules stay: a read-only root
could not write them, and would start some seconds later every time.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

UNUSED = {
    "tests of libraries": (
        *(
            f"{library}/**/tests"
            for library in (
                *("networkx", "numpy", "pandas", "pyarrow", "scipy", "sklearn"),
                *("statsmodels", "sympy"),
            )
        ),
    ),
    "for compilers": (
        "pyarrow/include",
        "pyarrow/src",
        "numpy/_core/include",
        "numpy/distutils",
        "torch/include",
        "**/*.pyx",
        "**/*.pxd",
        "**/*.pxi",
        "**/*.a",
    ),
    "for type checkers": ("**/*.pyi",),
    "Arrow's own doors to remote stores: obstore is ours": (
        "pyarrow/libarrow_flight.so.*",
        "pyarrow/libarrow_python_flight.so*",
        "pyarrow/_flight.*",
        "pyarrow/libarrow_s3.so.*",
        "pyarrow/_s3fs.*",
    ),
    "a second and third copy of one library, which nothing names": (
        "pyarrow/libarrow_python.so",
        "pyarrow/libarrow_python.so.*.*.*",
        "pyarrow/libarrow_python_parquet_encryption.so",
        "pyarrow/libarrow_python_parquet_encryption.so.*.*.*",
    ),
    "tools that change graphs; a bundle's graph is run as it is": (
        "onnxruntime/transformers",
        "onnxruntime/quantization",
        "onnxruntime/tools",
        "onnxruntime/datasets",
    ),
    "the runtime for programs in C, which Python's module contains as well": (
        "onnxruntime/capi/libonnxruntime.so.*",
    ),
}

UNUSED_BY_THE_SERVICE = {
    "fitting and judging are not serving, which needs scipy.special alone": tuple(
        f"scipy/{name}"
        for name in (
            *("cluster", "constants", "datasets", "differentiate", "fft", "fftpack", "integrate"),
            *("interpolate", "io", "linalg", "misc", "ndimage", "odr", "optimize", "signal"),
            *("sparse", "spatial", "stats"),
        )
    ),
}


def prune(site_packages: Path, unused: dict[str, tuple[str, ...]]) -> None:
    """Remove what the patterns name."""
    for patterns in unused.values():
        for pattern in patterns:
            for path in sorted(site_packages.glob(pattern)):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)


if __name__ == "__main__":
    prune(Path(sys.argv[1]), UNUSED | (UNUSED_BY_THE_SERVICE if "service" in sys.argv[2:] else {}))
