"""What a reference teaches: measured once, shared by all watchers of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from plumbline.bundle.archive import Bundle
from plumbline.diagnosis.sample import Context
from plumbline.monitoring.watching.detectors import DETECTORS
from plumbline.monitoring.watching.detectors.panel import Panel


@dataclass(frozen=True)
class _Source:
    """A bundle, equal to every other whose reference, decisions and detectors are the same."""

    key: tuple[str, ...]
    bundle: Bundle = field(compare=False)


def _key(bundle: Bundle) -> tuple[str, ...]:
    manifest = bundle.manifest
    learnt_from = ("reference.npz", "calibration.json", "stress.npz")
    return (
        *(manifest.files[name].sha256 for name in learnt_from if name in manifest.files),
        *manifest.feature_names,
        *(spec.to_json().decode() for spec in manifest.outputs),
        *DETECTORS,
        manifest.policy.to_json().decode(),
    )


def learn(bundle: Bundle) -> tuple[Context, Panel | None]:
    """Measure a reference and fit the detectors to it, once for all watchers of it.

    Returns
    -------
    What the rows are held against, and the detectors to be copied; None of a reference too short.
    """
    return _learn(_Source(_key(bundle), bundle))


@lru_cache(maxsize=8)
def _learn(source: _Source) -> tuple[Context, Panel | None]:
    bundle = source.bundle
    context = Context.of(bundle)
    baseline = context.baseline
    return context, None if baseline is None else Panel(baseline, context)
