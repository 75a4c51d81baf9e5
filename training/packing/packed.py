"""A packed model, written down as the files and manifest of a bundle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from plumbline.bundle.archive import digest_of
from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import DataSpec, LabelSpec, LossSpec, Manifest, PolicySpec
from plumbline.bundle.outputs import Outputs, write_calibrations
from plumbline.bundle.reference import NO_ACTION, ReferenceProfile
from plumbline.bundle.validation import ValidationReport
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.packing.adapt import Adapted
from plumbline.training.packing.rows import Rows
from plumbline.training.packing.spec import PackSpec
from plumbline.training.packing.windows import Windows

GOLDEN_ROWS = 64
_LIBRARIES = ("numpy", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Asked:
    """What the model said of the reference rows.

    Attributes
    ----------
    ends : (n,) int64
        Places of the rows.
    raw : (n, Σ members · width) float32
    truth : (n, outputs) float64
        NaN where it is not known.
    features : (n, f) float32
    """

    ends: IntArray
    raw: FloatArray
    truth: FloatArray
    features: FloatArray


@dataclass(frozen=True)
class Packed:
    """Everything that was found out about a stranger's model."""

    spec: PackSpec
    adapted: Adapted
    rows: Rows
    asked: Asked
    outputs: Outputs

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that are watched."""
        watched = [each for each in self.adapted.inputs if each.source == "features"]
        if len(watched) == 1:
            return watched[0].names
        return tuple(f"{each.name}.{name}" for each in watched for name in each.names)

    def files(self, profile: ReferenceProfile, report: ValidationReport) -> dict[str, bytes]:
        """Return the files of the bundle."""
        return {
            "model.onnx": self.adapted.graph,
            "calibration.json": write_calibrations(self.outputs.calibrations),
            "reference.npz": profile.to_bytes(),
            "validation.json": report.to_json(),
            "golden.npz": self._golden().to_bytes(),
        }

    def profile(self) -> ReferenceProfile:
        """Return what the model says of the reference rows, as the healthy stream."""
        rows, asked, outputs = self.rows, self.asked, self.outputs
        n = len(asked.ends)
        # Rows that are judged one by one are each its own, as a service has them.
        group = rows.group[asked.ends] if self.spec.is_cross_section else np.arange(n)
        readings = outputs.read(asked.raw, group)
        decision = outputs.decide(readings, group)
        taken = np.full(n, NO_ACTION) if decision.action is None else decision.action
        return ReferenceProfile(
            bar_time=rows.time[asked.ends],
            symbol=rows.symbol[asked.ends],
            group=group.astype(np.int64),
            features=asked.features,
            raw=asked.raw,
            centre=outputs.centres(readings).astype(np.float32),
            epistemic=outputs.epistemics(readings).astype(np.float32),
            action=taken.astype(np.int8),
            position=decision.position.astype(np.float32),
            size=decision.size.astype(np.float32),
            truth=asked.truth,
        )

    def _golden(self) -> GoldenRows:
        """Keep rows spread over the reference, or whole cross-sections of it, with the answers."""
        adapted, spec, rows, asked = self.adapted, self.spec, self.rows, self.asked
        group = rows.group[asked.ends]
        if spec.is_cross_section:
            names, counts = np.unique(group, return_counts=True)
            wanted = max(1, GOLDEN_ROWS // int(counts.max()))
            chosen = names[np.unique(np.linspace(0, len(names) - 1, wanted).round().astype(int))]
            places = np.flatnonzero(np.isin(group, chosen))
            places = places[np.argsort(group[places], kind="stable")]
        else:
            spread = np.linspace(0, len(group) - 1, min(GOLDEN_ROWS, len(group)))
            places = np.unique(spread.round().astype(int))
        inputs = Windows(adapted.inputs, rows).at(asked.ends[places])
        model = OnnxModel(adapted.graph, adapted.inputs, adapted.outputs)
        found = model.by_output(inputs)
        outputs = {made.name: found[made.name] for made in adapted.outputs}
        return GoldenRows(inputs, outputs, group[places].astype(np.int64))

    def manifest(
        self, name: str, files: dict[str, bytes], reference: Path, graph: bytes
    ) -> Manifest:
        """Return the manifest.

        Parameters
        ----------
        name
            Of the model.
        files
            From `files`.
        reference, graph
            What it was packed from.
        """
        spec, adapted, rows, asked = self.spec, self.adapted, self.rows, self.asked
        outputs = self.outputs
        first, last = (
            datetime.fromtimestamp(int(each) / 1e6, UTC)
            for each in (rows.time[asked.ends].min(), rows.time[asked.ends].max())
        )
        known = np.isfinite(asked.truth).any(axis=1)
        return Manifest(
            name=name,
            inputs=adapted.inputs,
            outputs=adapted.outputs,
            primary=outputs.primary,
            unit="cross_section" if spec.is_cross_section else "row",
            family="packed",
            family_parameters={"graph_sha256": hashlib.sha256(graph).hexdigest()},
            bar_interval_seconds=spec.bar_interval,
            label=LabelSpec(
                kind="packed",
                horizon_seconds=max(made.horizon_seconds for made in adapted.outputs),
                parameters={},
            ),
            loss=LossSpec(kind="packed"),
            policy=PolicySpec(
                kind=outputs.policy.kind,
                parameters=outputs.policy.params.model_dump(mode="json"),
                withheld=outputs.withheld,
            ),
            data=DataSpec(
                source=spec.source or str(reference.resolve()),
                sha256=hashlib.sha256(reference.read_bytes()).hexdigest(),
                symbols=tuple(np.unique(rows.symbol).tolist()),
                train_start=first,
                train_end=first,
                reference_start=first,
                reference_end=last,
                rows={
                    "read": len(rows),
                    "reference": len(asked.ends),
                    "labelled": int(known.sum()),
                },
            ),
            training={"pack": spec.model_dump(mode="json")},
            seed=0,
            opset=adapted.opset,
            tolerance=_tolerance(asked.raw),
            libraries={library: version(library) for library in _LIBRARIES},
            created=datetime.now(UTC),
            files={file: digest_of(data) for file, data in files.items()},
        )


def _tolerance(raw: FloatArray) -> float:
    """How far a golden answer may be off: a ten-thousandth of what the model's numbers are.

    Where they are below 1 the golden rows count in their own unit.
    """
    return float(1e-4 * max(1.0, np.abs(raw).max()))
