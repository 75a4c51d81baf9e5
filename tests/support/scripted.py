"""Scripted series of a service and its monitor, as Prometheus would have scraped them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log

import numpy as np

from plumbline.bundle.figure_window import fitting_seconds
from tests.support.promtool import counter

Series = dict[str, list[float | None]]

HEALTHY = {"SELL": 0.2, "HOLD": 0.6, "BUY": 0.2}
"""Shares of the actions and mean probabilities of a healthy model."""


def labelled(metric: str, labels: Mapping[str, str]) -> str:
    """Return a metric with its labels, as Prometheus writes them; empty ones are left out."""
    inside = ", ".join(f'{name}="{value}"' for name, value in labels.items() if value)
    return f"{metric}{{{inside}}}"


def scraped(count: int, *, service: str = "", namespace: str = "", instance: str = "s") -> Series:
    """Return that a replica of a service was found up at every scrape."""
    labels = {"job": "plumbline-service", "namespace": namespace, "service": service}
    return {labelled("up", {**labels, "instance": instance}): [1.0] * count}


def watched(
    count: int,
    model: str = "m",
    version: str = "v",
    *,
    verdicts: Sequence[str] | str = "healthy",
    step: float = 60.0,
    namespace: str = "",
    instance: str = "w",
) -> Series:
    """Return the series of a monitor that leads and goes round, with its verdict at each scrape."""
    said = [verdicts] * count if isinstance(verdicts, str) else list(verdicts)
    labels = {"namespace": namespace, "instance": instance, "model": model}
    series: Series = {
        labelled("plumbline_monitoring_leader", labels): [1.0] * count,
        labelled("plumbline_monitoring_last_success_timestamp_seconds", labels): [
            step * k for k in range(count)
        ],
        labelled("plumbline_monitoring_lag_seconds", labels): [2.0] * count,
    }
    for verdict in sorted({*said, "healthy"}):
        name = {**labels, "version": version, "verdict": verdict}
        series[labelled("plumbline_monitoring_verdict", name)] = [
            float(each == verdict) for each in said
        ]
    return series


def served(
    rows: Sequence[float],
    model: str = "m",
    version: str = "v",
    *,
    shares: Mapping[str, float] = HEALTHY,
    mean: Mapping[str, float] | None = None,
    entropy: float = 0.9,
    confidence: float = 0.6,
    shift: float = 0.5,
    spread: float = 1.0,
    repeated: float = 0.0,
    namespace: str = "",
    service: str = "",
    instance: str = "s",
    interval: float | None = None,
    window: float | None = None,
    since: float = 0.0,
    champion: Sequence[float | None] | None = None,
) -> Series:
    """Return what a replica counts of a version.

    Parameters
    ----------
    rows
        Predictions between a scrape and the next; the counters have one value more.
    shares, mean, entropy, confidence
        Of the actions; of the probabilities (the shares, if not given); of each answer.
    shift, spread
        Mean and standard deviation of u, in reference standard deviations.
    repeated
        Share of windows that equal the one before.
    interval, window
        Of the bars, and in which sixty of them come; if not given, that of a market without pauses.
    since
        What every counter stood at before.
    champion
        Whether it serves, at each scrape; always, if not given.
    """
    count = len(rows) + 1
    place = {"namespace": namespace, "service": service, "instance": instance}
    names = {**place, "model": model, "version": version}
    output = {**names, "output": "h6"}
    coordinate = {**output, "coordinate": "HOLD"}
    series: Series = {}

    def add(metric: str, labels: Mapping[str, str], each: float) -> None:
        total = counter([n * each for n in rows], start=since * each)
        series[labelled(f"plumbline_service_{metric}", labels)] = list(total)

    add("predictions_total", names, 1)
    add("repeated_inputs_total", names, repeated)
    add("zero_columns_total", names, 0)
    add("entropy_nats_total", output, entropy)
    add("confidence_ratio_sum", output, confidence)
    add("output_positive_total", coordinate, max(shift, 0))
    add("output_negative_total", coordinate, max(-shift, 0))
    add("output_square_total", coordinate, spread**2 + shift**2)
    for action, share in shares.items():
        add("decisions_total", {**names, "action": action}, share)
    for choice, probability in (mean or shares).items():
        add("probability_total", {**output, "choice": choice}, probability)
    series[labelled("plumbline_service_reference_output_std_ratio", coordinate)] = [0.1] * count
    serving = list(champion) if champion is not None else [1.0] * count
    info = {**names, "generation": "1", "role": "champion"}
    series[labelled("plumbline_service_model_info", info)] = serving
    if interval is not None:
        series[labelled("plumbline_service_bar_interval_seconds", names)] = [interval] * count
        around_the_clock = fitting_seconds(np.zeros(1, np.int64), int(interval))
        back = float(window or around_the_clock)
        series[labelled("plumbline_service_window_seconds", names)] = [back] * count
    return series


def entropy_of(shares: Mapping[str, float]) -> float:
    """Return the entropy of shares, in nats."""
    return -sum(share * log(share) for share in shares.values() if share > 0)


def restarted(series: Series, at: int) -> Series:
    """Return the same with every counter back at zero from one scrape on."""
    again = {}
    for name, values in series.items():
        lost = values[at] if "_total{" in name or "_sum{" in name else 0.0
        again[name] = [
            v - (lost or 0) if k >= at and v is not None else v for k, v in enumerate(values)
        ]
    return again


def bands(
    count: int,
    *,
    model: str = "m",
    version: str = "v",
    shares: Mapping[str, float] | None = None,
    spread: float | None = None,
) -> Series:
    """Return what the reference of a version shows: its largest shares, its smallest spread."""
    names = {"instance": "s", "model": model, "version": version}
    series: Series = {}
    for action, share in (shares or {}).items():
        labels = {**names, "action": action, "band": "high"}
        name = labelled("plumbline_service_reference_action_share_ratio", labels)
        series[name] = [share] * count
    if spread is not None:
        labels = {**names, "output": "h6", "coordinate": "HOLD", "band": "low"}
        series[labelled("plumbline_service_reference_spread_ratio", labels)] = [spread] * count
    return series
