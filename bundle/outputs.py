"""All outputs of a bundle at once: raw numbers beside each other, read by their heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from pydantic_core import from_json

from plumbline.bundle.array import AnyArray, FloatArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.errors import FormatError
from plumbline.bundle.heads import Head, build_head
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.policies import Policy
from plumbline.bundle.reading import Decision, Reading
from plumbline.bundle.record import canonical_json
from plumbline.bundle.spec import OutputSpec


@dataclass(frozen=True)
class Outputs:
    """The heads of a bundle with their calibrations, and the policy over them.

    Attributes
    ----------
    specs
        In the order in which raw numbers and centres lie beside each other.
    calibrations
        By output.
    policy
        Decides by the primary output.
    withheld
        Why sizes are zero whatever the policy says; empty where they are suggested.
    """

    specs: tuple[OutputSpec, ...]
    calibrations: Mapping[str, Calibration]
    policy: Policy[Any]
    withheld: str = ""

    @classmethod
    def of(cls, manifest: Manifest, calibrations: Mapping[str, Calibration]) -> Self:
        """Put together what a manifest describes."""
        return cls(
            manifest.outputs, calibrations, manifest.build_policy(), manifest.policy.withheld
        )

    @cached_property
    def heads(self) -> dict[str, Head[Any]]:
        """By output."""
        return {spec.name: build_head(spec) for spec in self.specs}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the outputs, in order."""
        return tuple(spec.name for spec in self.specs)

    @property
    def primary(self) -> str:
        """The output the policy decides by."""
        return self.policy.output.name

    @cached_property
    def raw_slices(self) -> dict[str, slice]:
        """Where each output lies among the raw numbers of a row."""
        return _slices({spec.name: spec.numbers for spec in self.specs})

    @cached_property
    def centre_slices(self) -> dict[str, slice]:
        """Where each output lies among the centres of a row."""
        return _slices({spec.name: spec.width for spec in self.specs})

    def read(self, raw: FloatArray, group: AnyArray | None = None) -> dict[str, Reading]:
        """Read raw numbers ``(n, Σ members · width)``; ``group (n,)`` for cross-sections."""
        return {
            spec.name: self.heads[spec.name].read(
                raw[:, self.raw_slices[spec.name]].reshape(len(raw), spec.members, spec.width),
                self.calibrations[spec.name],
                group,
            )
            for spec in self.specs
        }

    def restore(
        self, centre: FloatArray, epistemic: FloatArray, group: AnyArray | None = None
    ) -> dict[str, Reading]:
        """Return the readings of logged rows: centres ``(n, Σ width)``, epistemic ``(n, outputs)``.

        Only a score's coordinates depend on the group.
        """
        restored = {}
        for place, spec in enumerate(self.specs):
            own = np.asarray(centre[:, self.centre_slices[spec.name]], np.float64)
            restored[spec.name] = Reading(
                own,
                np.asarray(epistemic[:, place], np.float64),
                self.heads[spec.name].coordinates(own, self.calibrations[spec.name], group),
            )
        return restored

    def decide(self, readings: Mapping[str, Reading], group: AnyArray | None = None) -> Decision:
        """Let the policy decide on a batch; sizes are zero where they are withheld."""
        decision = self.policy.decide(readings, self.calibrations, group)
        return replace(decision, size=np.zeros_like(decision.size)) if self.withheld else decision

    def centres(self, readings: Mapping[str, Reading]) -> FloatArray:
        """Return all centres beside each other, ``(n, Σ width)``, as they are logged."""
        return _beside([readings[name].centre for name in self.names])

    def epistemics(self, readings: Mapping[str, Reading]) -> FloatArray:
        """Return the members' disagreement of each output, ``(n, outputs)``, as it is logged."""
        return _beside([readings[name].epistemic[:, None] for name in self.names])


def _beside(columns: list[FloatArray]) -> FloatArray:
    return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)


def _slices(widths: Mapping[str, int]) -> dict[str, slice]:
    ends = np.cumsum(list(widths.values())).tolist()
    return {
        name: slice(end - width, end)
        for (name, width), end in zip(widths.items(), ends, strict=True)
    }


def write_calibrations(calibrations: Mapping[str, Calibration]) -> bytes:
    """Return the ``calibration.json`` form: one object per output."""
    return canonical_json({k: v.model_dump(mode="json") for k, v in calibrations.items()})


def read_calibrations(
    data: bytes, specs: tuple[OutputSpec, ...], *, source: str = "calibration.json"
) -> dict[str, Calibration]:
    """Read the ``calibration.json`` form: each output's by the class its head names.

    Raises
    ------
    FormatError
        If it is not JSON, or not exactly one fitting calibration per output.
    """
    try:
        found = from_json(data)
    except ValueError as error:
        raise FormatError(f"{source}: not JSON: {error}") from error
    names = [spec.name for spec in specs]
    if not isinstance(found, dict) or sorted(found) != sorted(names):
        said = sorted(found) if isinstance(found, dict) else type(found).__name__
        raise FormatError(f"{source}: expected one calibration for each of {names}, found {said}")
    read: dict[str, Calibration] = {}
    for spec in specs:
        head = build_head(spec)
        text = canonical_json(found[spec.name])
        read[spec.name] = head.calibration_kind.from_json(text, source=f"{source}: {spec.name}")
        if fault := head.misfit(read[spec.name]):
            raise FormatError(f"{source}: {spec.name}: {fault}")
    return read
