"""Takes out of an environment what nothing of ours ever opens: ``prune.py SITE_PACKAGES``.

Each pattern stands with its reason. `tests/k8s/test_image.py` imports every module of the rooms in the
pruned image and asks the service it holds for predictions; `python -m compileall` has run before, so that
a read-only root starts as fast as any other.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

UNUSED = {
    "tests of libraries": (
        "**/tests",
        "**/conftest.py",
        "numpy/testing/print_coercion_tables.py",
    ),
    "for compilers": (
        "pyarrow/include",
        "pyarrow/src",
        "numpy/_core/include",
        "numpy/distutils",
        "numpy/f2py",
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
}


def prune(site_packages: Path) -> None:
    """Remove what `UNUSED` names."""
    for patterns in UNUSED.values():
        for pattern in patterns:
            for path in sorted(site_packages.glob(pattern)):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
