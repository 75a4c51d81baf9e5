"""The sums behind the rules: right however many predictions came before."""

from __future__ import annotations

from math import fsum

import numpy as np
import pytest

from plumbline.bundle.reading import Reading
from plumbline.service.metrics import Metrics
from plumbline.service.predictor import OutputScale
from plumbline.service.version_metrics import ExactCounter, OutputMetrics

BEFORE = 10**9
CENTRE, SPREAD = 0.5, 1e-4


def counters(metrics: Metrics, *, totals: tuple[float, float, float]) -> OutputMetrics:
    """Return an output of one coordinate whose three sums stand at these totals already."""
    labels = ("m", "v", "r6", "value")
    children = [
        each.labels(*labels)
        for each in (metrics.models._positive, metrics.models._negative, metrics.models._square)
    ]
    for child, total in zip(children, totals, strict=True):
        child.inc(total)
    positive, negative, square = (ExactCounter(child) for child in children)
    return OutputMetrics(
        scale=OutputScale(np.zeros(1), np.ones(1)),
        members=1,
        epistemic=ExactCounter(metrics.models._epistemic.labels(*labels[:3])),
        probability=[],
        positive=[positive],
        negative=[negative],
        square=[square],
        entropy=None,
        confidence=None,
    )


def sums(metrics: Metrics) -> np.ndarray:
    """Return Σu and Σu² as Prometheus reads them."""
    found = {
        sample.name: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
    }
    name = "plumbline_service_output_"
    signed = found[f"{name}positive_total"] - found[f"{name}negative_total"]
    return np.array([signed, found[f"{name}square_total"]])


def variance(sums: np.ndarray, n: int) -> float:
    """Return the variance as the rules make it."""
    mean, square = sums / n
    return float(square - mean**2)


@pytest.mark.parametrize("spread", [0.0, SPREAD])
def test_a_variance_of_1e_8_around_one_half_is_right_after_1e9_predictions(spread):
    """From the totals, and from the 50,000 answers that come next one by one.

    With no spread at all every addition is rounded the same way, which is the worst there is.
    """
    metrics = Metrics()
    truth = SPREAD**2
    output = counters(metrics, totals=(CENTRE * BEFORE, 0.0, (CENTRE**2 + truth) * BEFORE))
    start = sums(metrics)
    rows = CENTRE + spread * np.random.default_rng(1).standard_normal(50_000)
    for row in rows:
        output.count(Reading(np.array([[row]]), np.zeros(1), np.array([[row]])))
    end = sums(metrics)

    assert variance(end, BEFORE + len(rows)) == pytest.approx(truth, rel=0.01)
    assert variance(end - start, len(rows)) == pytest.approx(rows.var(), rel=0.01, abs=1e-10)


def test_plain_additions_would_lose_it():
    """What the carry is for: without it the same additions are wrong by far more than 1 %."""
    total, step = CENTRE**2 * BEFORE, 0.1
    plain = total
    for _ in range(50_000):
        plain += step
    metrics = Metrics()
    child = metrics.models._square.labels("m", "v", "r6", "value")
    child.inc(total)
    counter = ExactCounter(child)
    for _ in range(50_000):
        counter.inc(step)
    exact = fsum([total, *[step] * 50_000])

    assert child._value.get() == exact
    assert abs(plain - exact) / 50_000 > 1e-10


def test_a_counter_goes_on_where_its_file_stands():
    """A process may get the number of one that died, and with it its file."""
    child = Metrics().models._square.labels("m", "v", "r6", "value")
    child.inc(7.0)
    counter = ExactCounter(child)
    counter.inc(0.5)

    assert child._value.get() == 7.5
