"""The canary: golden inputs through the live path must give the golden outputs.

The bundle's golden rows are sent to ``/predict`` as any client would send them, with the header
that keeps them out of the log and the counters. Wrong probabilities, or an answer from another
version than the champion, mean that the artefact, the calibration or the runtime is at fault: the
model that was judged is not the model that answers. Two failures in a row of one promotion are a
verdict; a service that cannot be reached says nothing about the artefact.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx
import numpy as np
import structlog

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import AnyArray
from plumbline.bundle.finding import Diagnosis, Finding, Level, Verdict
from plumbline.bundle.golden import unit_of
from plumbline.bundle.purpose import CANARY, HEADER
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.settings import MonitoringSettings

PURPOSE = {HEADER: CANARY}
FAILURES = 2
_ROWS_AT_ONCE = 16
_TIMEOUT_SECONDS = 3.0

log = structlog.get_logger()


class CanaryResult(StrEnum):
    """How a canary came back."""

    PASSED = "passed"
    DIFFERED = "differed"
    WRONG_VERSION = "wrong_version"
    UNREADABLE = "unreadable"
    UNREACHABLE = "unreachable"


_FAULTS = frozenset({CanaryResult.DIFFERED, CanaryResult.WRONG_VERSION, CanaryResult.UNREADABLE})


@dataclass(frozen=True)
class CanaryReport:
    """How one canary came back.

    Attributes
    ----------
    error
        Largest absolute difference of a number; None where none could be compared.
    """

    result: CanaryResult
    detail: str
    error: float | None = None


class Canary:
    """Sends the golden rows of the champion at intervals.

    Parameters
    ----------
    settings, metrics
        Where, how often and how exactly; and where it counts.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        settings: MonitoringSettings,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._generation = 0
        self._failures = 0
        self._due = 0.0
        self.last: CanaryReport | None = None

    def step(self, generation: int, bundle: Bundle | None, fault: str | None) -> Diagnosis | None:
        """Send a canary if one is due; returns the verdict while the artefact is at fault.

        Parameters
        ----------
        generation
            Of the champion alias; failures count within one.
        bundle, fault
            The champion, or why it cannot be opened.
        """
        if generation != self._generation:
            self._generation, self._failures, self.last = generation, 0, None
            self._due = self._clock() + self._settings.canary_seconds
        elif self._settings.service_url and self._clock() >= self._due:
            self._due = self._clock() + self._settings.canary_seconds
            self._send(bundle, fault)
        if self._failures < FAILURES or self.last is None:
            return None
        return _diagnosis(self.last, self._settings.canary_tolerance, self._failures)

    @property
    def seconds_left(self) -> float:
        """Until the next one is due."""
        return max(0.0, self._due - self._clock())

    def _send(self, bundle: Bundle | None, fault: str | None) -> None:
        if bundle is None:
            report = CanaryReport(CanaryResult.UNREADABLE, str(fault))
        else:
            report = self._ask(bundle)
        self.last = report
        self._metrics.canaries.labels(self._settings.model, report.result.value).inc()
        if report.result in _FAULTS:
            self._failures += 1
            log.warning("canary_failed", result=report.result.value, detail=report.detail)
        elif report.result is CanaryResult.PASSED:
            self._failures = 0

    def _ask(self, bundle: Bundle) -> CanaryReport:
        error, units = 0.0, _units(bundle)
        try:
            with httpx.Client(
                base_url=self._settings.service_url,
                headers=PURPOSE,
                timeout=_TIMEOUT_SECONDS,
            ) as client:
                for body, expected in golden_questions(bundle, _ROWS_AT_ONCE):
                    answer = _predict(client, body)
                    if answer["version"] != bundle.version:
                        found = f"version {answer['version']} answers, {bundle.version} should"
                        return CanaryReport(CanaryResult.WRONG_VERSION, found)
                    predictions = answer["predictions"]
                    if not isinstance(predictions, list):
                        raise TypeError("predictions is no list")
                    for found_row, row in zip(predictions, expected, strict=True):
                        said = found_row.get("outputs", found_row)
                        error = max(error, _difference(said, row, units))
        except httpx.HTTPError as error_:
            return CanaryReport(CanaryResult.UNREACHABLE, f"the service did not answer: {error_}")
        except (ValueError, KeyError, TypeError) as error_:
            return CanaryReport(CanaryResult.DIFFERED, f"an answer of another form: {error_!r}")
        return self._compare(error)

    def _compare(self, error: float) -> CanaryReport:
        tolerance = self._settings.canary_tolerance
        said = f"golden answers differ by {error:.2g}, {tolerance:.2g} is allowed"
        passed = error <= tolerance
        return CanaryReport(CanaryResult.PASSED if passed else CanaryResult.DIFFERED, said, error)


def golden_questions(
    bundle: Bundle, rows_at_once: int
) -> Iterator[tuple[dict[str, object], list[dict[str, Any]]]]:
    """Yield bodies of ``POST /predict`` for the golden rows, with the outputs they must get.

    Cross-sections are asked about whole. Of a model with a single choice the expected outputs have
    the short form that the service gives.
    """
    golden, outputs, manifest = bundle.golden, bundle.outputs, bundle.manifest
    raw = np.concatenate([golden.outputs[name] for name in outputs.names], axis=1)
    readings = outputs.read(raw, golden.group)
    given = [spec for spec in manifest.inputs if spec.source != "bundle"]
    short = len(outputs.specs) == 1 and outputs.specs[0].kind == "choice"
    for rows in _pieces(golden.group, rows_at_once):
        instances = [
            {
                "inputs": {spec.name: golden.inputs[spec.name][i].tolist() for spec in given},
                "symbol": "canary",
                "group": str(golden.group[i]),
            }
            for i in rows
        ]
        expected = [
            {
                name: outputs.heads[name].to_wire(readings[name], i, outputs.calibrations[name])
                for name in outputs.names
            }
            for i in rows
        ]
        said = [row[outputs.primary] for row in expected] if short else expected
        yield {"model": manifest.name, "instances": instances}, said


def _pieces(group: AnyArray, size: int) -> Iterator[list[int]]:
    """Cut rows into pieces of about ``size``, no cross-section in two of them."""
    begins = [0, *(np.flatnonzero(group[1:] != group[:-1]) + 1).tolist(), len(group)]
    start = 0
    while start < len(group):
        stop = next(each for each in begins if each >= min(start + size, len(group)))
        yield list(range(start, stop))
        start = stop


def _predict(client: httpx.Client, body: dict[str, object]) -> dict[str, object]:
    response = client.post("/predict", json=body)
    if response.is_client_error:
        raise ValueError(f"the golden rows were refused: {response.text[:300]}")
    response.raise_for_status()
    answer: dict[str, object] = response.json()
    return answer


def _units(bundle: Bundle) -> dict[str, float]:
    """Return what differences are counted in, by output; see `bundle.golden.unit_of`."""
    golden, outputs = bundle.golden, bundle.outputs
    raw = np.concatenate([golden.outputs[name] for name in outputs.names], axis=1)
    readings = outputs.read(raw, golden.group)
    return {name: unit_of(reading.centre) for name, reading in readings.items()}


def _difference(
    found: Mapping[str, Any], expected: Mapping[str, Any], units: Mapping[str, float]
) -> float:
    """Return the largest difference of the numbers expected; raises `KeyError` if one is missing.

    Those of an output are counted in its unit.
    Members' disagreement is left out of the short form, and so is not asked for there.
    """
    worst = 0.0
    for name, number in expected.items():
        if isinstance(number, Mapping):
            worst = max(worst, _difference(found[name], number, {}) / units.get(name, 1.0))
        elif isinstance(number, list):
            pairs = zip(found[name], number, strict=True)
            worst = max(worst, *(abs(float(one) - other) for one, other in pairs))
        elif isinstance(number, float) and (name in found or name != "epistemic"):
            worst = max(worst, abs(float(found[name]) - number))
    return worst


def _diagnosis(report: CanaryReport, tolerance: float, failures: int) -> Diagnosis:
    cause = f"The canary failed {failures} times in a row: {report.detail}."
    finding = Finding(
        name="golden_error",
        level=Level.FAIL,
        value=report.error,
        threshold=tolerance,
        n=failures,
        message=cause,
    )
    return Diagnosis(
        verdict=Verdict.ARTEFACT_FAULT,
        cause=cause,
        findings=(finding,),
        n=failures,
    )
