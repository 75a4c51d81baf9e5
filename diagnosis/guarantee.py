"""What may be promised about false alarms, and when nothing may be."""

from __future__ import annotations

from plumbline.bundle.finding import Finding, Level
from plumbline.bundle.reference import GUARANTEED_ROWS
from plumbline.diagnosis.baseline import Baseline


def guarantee(baseline: Baseline | None, *, run_length: float) -> Finding:
    """State the promise, or refuse it.

    The promise: if, given the past, no watched event is likelier than its bound in that context,
    then the mean time to a false alarm of either side (model, input) is at least ``run_length``
    rows, and the probability of one within ``n`` rows at most ``n / run_length``. Bounds learnt
    from a short reference do not hold often enough for that.

    Parameters
    ----------
    baseline
        The measured reference; None where there is none.
    run_length
        Rows.
    """
    rows = 0 if baseline is None else len(baseline.reference)
    if rows >= GUARANTEED_ROWS:
        return Finding(
            name="false_alarm_run_length",
            level=Level.PASS,
            value=run_length,
            threshold=float(GUARANTEED_ROWS),
            n=rows,
            message=f"Guaranteed by {rows} reference rows: {run_length:,.0f} rows or more to a "
            "false alarm on average, as long as no watched event is likelier than its bound.",
        )
    return Finding(
        name="false_alarm_run_length",
        level=Level.WARN,
        value=None,
        threshold=float(GUARANTEED_ROWS),
        n=rows,
        message=f"Not guaranteed: {rows} reference rows; {GUARANTEED_ROWS} would allow a "
        "false-alarm guarantee. Alarms are held to the bootstrap threshold; nothing is promised.",
    )
