"""What may be promised about false alarms, and when nothing may be."""

from __future__ import annotations

from plumbline.bundle.coverage import GUARANTEED_ROWS
from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.baseline import Baseline


def guarantee(baseline: Baseline | None, *, run_length: float) -> Finding:
    """State the promise, or refuse it.

    The promise: if, given the past, no watched event is likelier than its bound in that context,
    then the mean time to a false alarm of either side (model, input) is at least ``run_length``
    rows of each symbol, and the probability of one within ``n`` of them at most
    ``n / run_length``. Bounds learnt from a reference that has seen too little do not hold often
    enough for that.

    Parameters
    ----------
    baseline
        The measured reference; None where there is none.
    run_length
        Rows of each symbol.
    """
    seen = None if baseline is None else baseline.coverage
    rows = 0 if seen is None else seen.rows
    missing = f"0 reference rows; {GUARANTEED_ROWS}" if seen is None else seen.missing
    if seen is not None and missing is None:
        rate = seen.rows_a_day
        days = f", {run_length / rate:,.0f} days of this stream," if rate else ""
        return Finding(
            name="false_alarm_run_length",
            level=Level.PASS,
            value=run_length,
            threshold=float(GUARANTEED_ROWS),
            n=rows,
            message=f"Guaranteed by {seen}: {run_length:,.0f} rows of each symbol{days} or more to "
            "a false alarm on average, as long as no watched event is likelier than its bound.",
        )
    return Finding(
        name="false_alarm_run_length",
        level=Level.WARN,
        value=None,
        threshold=float(GUARANTEED_ROWS),
        n=rows,
        message=f"Not guaranteed: {missing} would allow a "
        "false-alarm guarantee. Alarms are held to the bootstrap threshold; nothing is promised.",
    )
