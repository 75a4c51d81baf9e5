"""Does the model respond *here*? Windows are moved as the reference moves, and the graph is asked.

The gain is that of `diagnosis.movement`: movement of the coordinates per unit of input movement. It
is measured and not waited for, and held against the same on golden rows, which lie where the model
was judged. A market that has gone elsewhere may lie where a sound model answers nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import AnyArray, FloatArray, IntArray
from plumbline.diagnosis.movement import previous_rows, step_scale
from plumbline.monitoring.watching.audit.session import Graph

MOST_ROWS = 64
_DRAWS = 2


@dataclass(frozen=True)
class Probed:
    """Gain of one output around live windows, over that around golden ones.

    Attributes
    ----------
    last_step
        Where the last step of a window moves.
    shift
        Where a window moves as a whole.
    live, reference
        The larger of both gains, here and there: coordinates per unit of input movement.
    """

    last_step: float
    shift: float
    live: float
    reference: float

    @property
    def ratio(self) -> float:
        """The larger of both: a model that responds to either is not dead here."""
        return max(self.last_step, self.shift)


def probe(
    bundle: Bundle,
    graph: Graph,
    windows: Mapping[str, FloatArray],
    group: AnyArray | None = None,
    *,
    seed: int = 0,
) -> dict[str, Probed] | None:
    """Measure the gain around windows, by output.

    Parameters
    ----------
    windows
        By input, without the bundle's own: ``(n, *shape)``; the newest `MOST_ROWS` are used.
    group : (n,) or None
        Of a model of cross-sections, whole ones: they move together, and one is asked at a time.

    Returns
    -------
    None where the graph cannot be run, there is no window, or the graph computes its columns from
    bars, whose steps the reference does not hold.
    """
    specs, reference = bundle.manifest.inputs, bundle.reference
    rows = len(next(iter(windows.values())))
    if not any(spec.source == "features" for spec in specs) or rows == 0 or not graph.runs:
        return None
    if bundle.manifest.unit == "row":
        group = None
        windows = {name: each[-MOST_ROWS:] for name, each in windows.items()}
    previous = previous_rows(reference.symbol, len(reference))
    scale = step_scale(reference.features, previous)
    moved = np.flatnonzero(previous >= 0)
    steps = reference.features[moved].astype(np.float64) - reference.features[previous[moved]]
    steps = steps[(steps != 0).any(axis=1)]
    if not len(steps):
        return None
    mover = _Mover(bundle, graph, steps, scale, seed)
    live = mover.gains(windows, group)
    golden = bundle.golden
    there = mover.gains(golden.inputs, golden.group if group is not None else None)
    if live is None or there is None:
        return None
    return {
        name: Probed(
            last_step=_over(live[name][0], there[name][0]),
            shift=_over(live[name][1], there[name][1]),
            live=float(live[name].max()),
            reference=float(there[name].max()),
        )
        for name in bundle.outputs.names
    }


def _over(here: float, there: float) -> float:
    return float(here / there) if there > 0 else float("nan")


@dataclass(frozen=True)
class _Mover:
    """Moves windows by steps of the reference, and measures what the answers do."""

    bundle: Bundle
    graph: Graph
    steps: FloatArray
    scale: FloatArray
    seed: int

    def gains(
        self, windows: Mapping[str, FloatArray], group: AnyArray | None
    ) -> dict[str, FloatArray] | None:
        """Return by output the median gain of last steps and of whole windows: ``(2,)``."""
        still = self._coordinates(windows, group)
        if still is None:
            return None
        rng = np.random.default_rng(self.seed)
        rows = len(next(iter(windows.values())))
        found: dict[str, list[list[FloatArray]]] = {name: [[], []] for name in still}
        for _ in range(_DRAWS):
            drawn = self.steps[rng.integers(0, len(self.steps), rows)]
            size = np.sqrt(((drawn / self.scale) ** 2).mean(axis=1))
            for kind, whole in enumerate((False, True)):
                moved = self._coordinates(self._moved(windows, drawn, whole=whole), group)
                if moved is None:
                    return None
                for name, at in still.items():
                    found[name][kind].append(np.abs(moved[name] - at).max(axis=1) / size)
        return {
            name: np.array([float(np.median(np.concatenate(kind))) for kind in kinds])
            for name, kinds in found.items()
        }

    def _moved(
        self, windows: Mapping[str, FloatArray], by: FloatArray, *, whole: bool
    ) -> dict[str, FloatArray]:
        moved, begin = dict(windows), 0
        for spec in self.bundle.manifest.inputs:
            if spec.source != "features":
                continue
            own = by[:, begin : begin + len(spec.names)]
            begin += len(spec.names)
            values = np.array(windows[spec.name], spec.dtype)
            if len(spec.shape) == 1:
                values += own.astype(spec.dtype)
            else:
                first = 0 if whole else -1
                values[:, first:] += own[:, None].astype(spec.dtype)
            moved[spec.name] = values
        return moved

    def _coordinates(
        self, windows: Mapping[str, FloatArray], group: AnyArray | None
    ) -> dict[str, FloatArray] | None:
        rows = len(next(iter(windows.values())))
        raw = np.empty((rows, self.bundle.manifest.raw_width), np.float32)
        for piece in _pieces(rows, group):
            said = self.graph.answer({name: each[piece] for name, each in windows.items()})
            if said is None:
                return None
            raw[piece] = said
        readings = self.bundle.outputs.read(raw, group)
        return {name: each.coordinates for name, each in readings.items()}


def _pieces(rows: int, group: AnyArray | None) -> list[IntArray]:
    """Return what is asked about at once: everything, or each cross-section."""
    if group is None:
        return [np.arange(rows)]
    return [np.flatnonzero(np.asarray(group) == name) for name in np.unique(group)]
