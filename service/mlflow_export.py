"""Writing a bundle as an MLflow model: the one module of this package that knows MLflow."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from plumbline.bundle.archive import Bundle
from plumbline.bundle.errors import BundleError
from plumbline.bundle.manifest import MANIFEST


def export_mlflow(bundle: Bundle, folder: Path) -> None:
    """Write a bundle as an MLflow pyfunc, which answers as the service does.

    Parameters
    ----------
    bundle
        Verified. Its files are copied as they are, so that it is verified again when it is loaded.
    folder
        Where to; it must not be there yet, or be empty.

    Raises
    ------
    BundleError
        If MLflow is not installed, or something is in the folder already.
    """
    if find_spec("mlflow") is None:
        raise BundleError("MLflow is not installed: pip install 'plumbline[mlflow]'")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(f"{folder}: expected no such folder or an empty one")
    import mlflow.pyfunc  # noqa: PLC0415 - takes seconds, and few have it

    manifest = bundle.manifest
    with tempfile.TemporaryDirectory() as room:
        data = Path(room) / bundle.version
        data.mkdir()
        (data / MANIFEST).write_bytes(manifest.to_json())
        for name, content in bundle.files.items():
            (data / name).write_bytes(content)
        mlflow.pyfunc.save_model(
            folder,
            loader_module="plumbline.service.pyfunc",
            data_path=str(data),
            pip_requirements=[f"plumbline[service]=={version('plumbline')}"],
            metadata={"plumbline": {"model": manifest.name, "version": bundle.version}},
        )
