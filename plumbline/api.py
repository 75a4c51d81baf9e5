"""What `plumbline` offers to programs beside the client: bundles, the judgement, packing.

The commands do the same for people; both stand at the top of the house.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import AnyArray
from plumbline.bundle.errors import FormatError
from plumbline.bundle.finding import Diagnosis
from plumbline.bundle.manifest import MANIFEST
from plumbline.cli.registry import open_registry
from plumbline.diagnosis.sample import Context, Sample, of_reference
from plumbline.store.folder import read_folder
from plumbline.store.location import VARIABLE, default_store, store_url
from plumbline.store.objects import Objects
from plumbline.store.registry import CHAMPION

if TYPE_CHECKING:
    from plumbline.training.packing.spec import PackSpec
    from plumbline.training.publish import TrainingResult

AnyPath: TypeAlias = str | os.PathLike[str]


def open_bundle(
    name: AnyPath = CHAMPION, *, store: AnyPath | None = None, model: str | None = None
) -> Bundle:
    """Open a bundle, every byte of it checked.

    Parameters
    ----------
    name
        A version, the first characters of one, or an alias; or a folder that holds a bundle.
    store
        A path or URL; by default ``PLUMBLINE_STORE``, else ``./.state/store``.
    model
        Name of the model; need not be said if the store has one alone.

    Raises
    ------
    StoreError
        If there is no such bundle; says what there is.
    BundleError
        If it is damaged, or not of this format.

    Examples
    --------
    >>> open_bundle("champion", model="eurusd-1h").manifest.actions  # doctest: +SKIP
    ('SELL', 'HOLD', 'BUY')
    """
    folder = Path(name)
    if (folder / MANIFEST).is_file():
        return read_folder(folder)
    if isinstance(name, os.PathLike) or os.sep in name:
        raise FormatError(f"{folder}: expected a folder with a {MANIFEST} in it")
    registry = open_registry(_url(store), model)
    return registry.open(registry.resolve(name))


def diagnose(
    predictions: AnyPath | Mapping[str, ArrayLike] | Bundle,
    bundle: Bundle | AnyPath | None = None,
    *,
    store: AnyPath | None = None,
    model: str | None = None,
    tau: float = 0.0,
) -> Diagnosis:
    """Say what is the matter with predictions.

    Parameters
    ----------
    predictions
        A file as `plumbline diagnose predictions` reads it; arrays under the names of its
        ``.npz`` (``probabilities`` or ``logits`` ``(n, k)``, ``actions``, ``labels``,
        ``features``, …); of any kind of output, with a bundle, ``raw`` ``(n, Σ members · width)``
        with ``features``, ``truth``, ``group``, ``bar_time`` and ``symbol``; or a bundle, whose own
        reference is judged.
    bundle
        What they are held against, and what reads them: a bundle, or how `open_bundle` finds one.
    store, model
        Of `open_bundle`.
    tau
        Of the decision policy, where there is neither a bundle nor an action.

    Raises
    ------
    FormatError
        If the predictions are not what they should be.
    StoreError, BundleError
        If there is no such bundle, or it is damaged.
    """
    from plumbline.cli.prediction_file import of_arrays, read_predictions
    from plumbline.diagnosis.diagnose import diagnose as judge

    if isinstance(predictions, Bundle):
        alone = Context(predictions.outputs, predictions.manifest.feature_names)
        return judge(of_reference(predictions.reference, predictions.outputs), alone)
    held = None
    if bundle is not None:
        opened = (
            bundle if isinstance(bundle, Bundle) else open_bundle(bundle, store=store, model=model)
        )
        held = Context.of(opened)
    if not isinstance(predictions, Mapping):
        path = Path(predictions)
        if not path.is_file():
            raise FormatError(f"{path}: there is no such file")
        return judge(*read_predictions(path).judged_by(held, tau=tau))
    arrays = {name: np.asarray(value) for name, value in predictions.items()}
    if "raw" in arrays:
        if held is None:
            raise FormatError("raw: numbers of a model mean nothing without its bundle: give one")
        return judge(_of_raw(arrays, held), held)
    return judge(*of_arrays(arrays, source="predictions").judged_by(held, tau=tau))


def pack(
    graph: bytes | AnyPath,
    spec: PackSpec | Mapping[str, Any] | AnyPath,
    reference: AnyPath,
    *,
    labels: AnyPath | None = None,
    store: AnyPath | None = None,
    model: str | None = None,
    promote: bool = False,
) -> TrainingResult:
    """Make a bundle of a model that somebody else trained, judge it, and write it to the store.

    Parameters
    ----------
    graph
        ONNX, as bytes or a file; or a TorchScript file (``.pt``, ``.pth``), which is run.
    spec
        What the model takes and gives: a TOML file, or what would stand in it.
    reference, labels
        Rows it answers in health, .parquet or .csv, and what came of them.
    store
        As in `open_bundle`.
    model
        Its name, instead of the specification's.
    promote
        Make it the champion if it passes its gate.

    Returns
    -------
    TrainingResult
        Its ``version``, whether it ``passed`` its gate, the ``verdict`` and the ``reasons``.

    Raises
    ------
    TrainingError
        If something does not fit; nothing is written then.
    StoreError
        If the store fails.
    """
    from plumbline.training.packing.graph import read_graph
    from plumbline.training.packing.pack import pack as run
    from plumbline.training.packing.spec import PackSpec

    if isinstance(spec, Mapping):
        said = PackSpec.of(dict(spec), "spec")
    else:
        said = spec if isinstance(spec, PackSpec) else PackSpec.read(Path(spec))
    if isinstance(graph, bytes):
        data = graph
    elif Path(graph).suffix in {".pt", ".pth"}:
        from plumbline.training.packing.torchscript import convert_torchscript

        data = convert_torchscript(Path(graph), said, Path(reference))
    else:
        data = read_graph(Path(graph))
    return run(
        Objects(_url(store)),
        data,
        said,
        reference=Path(reference),
        labels=None if labels is None else Path(labels),
        model=model,
        promote=promote,
    )


def _url(store: AnyPath | None) -> str:
    said = os.environ.get(VARIABLE) if store is None else os.fspath(store)
    return store_url(said) if said else default_store()


def _of_raw(arrays: Mapping[str, AnyArray], held: Context) -> Sample:
    """Return raw numbers of a bundle's model as a sample, after comparing their shapes."""
    known = {"raw", "features", "truth", "group", "bar_time", "symbol", "inputs_hash"}
    if unknown := sorted(set(arrays) - known):
        raise FormatError(f"predictions: {unknown} are unknown, expected some of {sorted(known)}")
    raw = arrays["raw"]
    widths = {
        "raw": sum(spec.numbers for spec in held.outputs.specs),
        "features": len(held.features),
        "truth": len(held.outputs.specs),
    }
    for name, array in arrays.items():
        expected = (len(raw), widths[name]) if name in widths else (len(raw),)
        if array.shape != expected:
            raise FormatError(f"{name}: expected {expected}, found {array.shape}")
    if not np.isfinite(raw).all():
        raise FormatError("raw: expected finite numbers; drop the other rows first")
    group = arrays.get("group")
    readings = held.outputs.read(raw, group)
    return Sample(
        readings=readings,
        action=held.outputs.decide(readings, group).action,
        **{name: arrays.get(name) for name in known - {"raw"}},
    )
