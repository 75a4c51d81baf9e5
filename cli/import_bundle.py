"""`plumbline models import`: a bundle that lies in a folder comes into a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli.output import JsonOption, StoreOption, emit, fail, refusals
from plumbline.cli.train import IfMissingOption, PromoteOption, is_there


def import_bundle(
    store: StoreOption,
    folder: Annotated[
        Path, typer.Argument(help="A bundle: models/NAME/versions/VERSION of another store.")
    ],
    model: Annotated[
        str | None, typer.Option("--model", help="Refuse a bundle of any other model.")
    ] = None,
    promote: PromoteOption = False,
    if_missing: IfMissingOption = False,
    json: JsonOption = False,
) -> None:
    """Verify a bundle that lies in a folder and write it to the store.

    With --promote it becomes the champion if the gate of its training passed it; exit 1 if not.
    """
    from plumbline.bundle.archive import open_bundle
    from plumbline.bundle.errors import IntegrityError
    from plumbline.bundle.manifest import MANIFEST, Manifest, version_of
    from plumbline.store.objects import Objects
    from plumbline.store.registry import ModelRegistry

    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise IntegrityError(f"{folder / name}: expected a bundle, {error.strerror}") from error

    with refusals():
        data = read(MANIFEST)
        manifest = Manifest.from_json(data, source=str(folder / MANIFEST))
        if model not in (None, manifest.name):
            raise fail(f"{folder} is a bundle of {manifest.name}, not of {model}")
        objects = Objects(store)
        if if_missing and is_there(objects, manifest.name, json):
            return
        bundle = open_bundle(version_of(data), read)
        registry = ModelRegistry(objects, manifest.name)
        registry.write(manifest, bundle.files)
        if promote:
            registry.promote(bundle.version, actor="import", reason=f"imported from {folder}")
    done = {"model": manifest.name, "version": bundle.version, "promoted": promote, "done": True}
    said = f"{manifest.name} {bundle.version} imported" + (", promoted" if promote else "")
    emit(done, json, people=said)
