"""The canary: golden inputs through the live path must give the golden outputs.

The bundle's golden rows are sent to ``/predict`` as any client would send them, with the header
that keeps them out of the log and the counters. Wrong probabilities, or an answer from another
version than the champion, mean that the artefact, the calibration or the runtime is at fault: the
model that was judged is not the model that answers. Two failures in a row of one promotion are a
verdict; a service that cannot be reached says nothing about the artefact.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import httpx
import numpy as np
import structlog

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray
from plumbline.bundle.finding import Diagnosis, Finding, Level, Verdict
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
        Largest absolute difference of a probability; None where none could be compared.
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
        golden = bundle.golden
        expected = bundle.calibration.apply(golden.logits)
        error = 0.0
        try:
            with httpx.Client(
                base_url=self._settings.service_url,
                headers=PURPOSE,
                timeout=_TIMEOUT_SECONDS,
            ) as client:
                for start in range(0, len(golden.inputs), _ROWS_AT_ONCE):
                    rows = slice(start, start + _ROWS_AT_ONCE)
                    answer = _predict(client, self._settings.model, golden.inputs[rows])
                    if answer["version"] != bundle.version:
                        found = f"version {answer['version']} answers, {bundle.version} should"
                        return CanaryReport(CanaryResult.WRONG_VERSION, found)
                    found_here = _probabilities(answer, bundle.manifest.classes)
                    error = max(error, float(np.abs(found_here - expected[rows]).max()))
        except httpx.HTTPError as error_:
            return CanaryReport(CanaryResult.UNREACHABLE, f"the service did not answer: {error_}")
        except (ValueError, KeyError, TypeError) as error_:
            return CanaryReport(CanaryResult.DIFFERED, f"an answer of another form: {error_!r}")
        return self._compare(error)

    def _compare(self, error: float) -> CanaryReport:
        tolerance = self._settings.canary_tolerance
        said = f"golden probabilities differ by {error:.2g}, {tolerance:.2g} is allowed"
        passed = error <= tolerance
        return CanaryReport(CanaryResult.PASSED if passed else CanaryResult.DIFFERED, said, error)


def _predict(client: httpx.Client, model: str, windows: FloatArray) -> dict[str, object]:
    instances = [{"features": window.tolist(), "symbol": "canary"} for window in windows]
    response = client.post("/predict", json={"model": model, "instances": instances})
    if response.is_client_error:
        raise ValueError(f"the golden rows were refused: {response.text[:300]}")
    response.raise_for_status()
    answer: dict[str, object] = response.json()
    return answer


def _probabilities(answer: dict[str, object], classes: tuple[str, ...]) -> FloatArray:
    predictions = answer["predictions"]
    if not isinstance(predictions, list):
        raise TypeError("predictions is no list")
    return np.array([[p["probabilities"][name] for name in classes] for p in predictions])


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
