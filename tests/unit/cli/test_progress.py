"""Progress in lines: when the step changes, and now and then."""

from __future__ import annotations

from plumbline.cli.progress import LINE_SECONDS, ProgressLines


def test_a_line_for_each_step_and_every_ten_seconds():
    """A thousand epochs in a second are one line."""
    now = 0.0
    said = []
    report = ProgressLines(said.append, clock=lambda: now)
    report("reading bars", 0.0)
    for epoch in range(1000):
        now += 0.001
        report(f"fitting, epoch {epoch}", 0.1)
    now += LINE_SECONDS
    report("fitting, epoch 1000", 0.5)
    report("judging", 0.95)

    assert said == [
        "   0 s   0%  reading bars",
        "   0 s  10%  fitting, epoch 0",
        "  11 s  50%  fitting, epoch 1000",
        "  11 s  95%  judging",
    ]
