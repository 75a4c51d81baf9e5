"""What is recorded of the state of a model: who serves, what is said of it, how fresh bars are."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.rules.rule import RecordingRule

LATE_BARS = 3
"""A bar that began so many intervals ago is late: two pass until it is closed and the next due."""

ASKING_BARS = 1.5
"""Somebody is asking if the last prediction is younger than so many intervals: when a market
closes, it is two old by the time its bar is late."""

_HISTORY_SECONDS = 30 * 86_400


def serving_records() -> Iterator[RecordingRule]:
    """Yield which version serves, and what share of the answers each gave."""
    yield RecordingRule(
        "plumbline:serving:info",
        """\
group by (namespace, model, version) (plumbline_service_model_info{role="champion"} == 1)""",
        why="Which versions a replica serves, asked or not: during a swap two, else one.",
    )
    yield RecordingRule(
        "plumbline:version_share:ratio",
        """\
sum by (namespace, model, version) (increase(plumbline_service_predictions_total[5m]))
/ on (namespace, model) group_left ()
sum by (namespace, model) (increase(plumbline_service_predictions_total[5m]))""",
    )


def verdict_records() -> Iterator[RecordingRule]:
    """Yield what the monitor says, and how far each detector is from its alarm."""
    yield RecordingRule(
        "plumbline:verdict:info",
        """\
group by (namespace, model, version, verdict) (
  (
    plumbline_monitoring_verdict == 1
    and on (namespace, instance, model) plumbline_monitoring_leader == 1
  )
  or
  (
    plumbline_monitoring_verdict == 1
    unless on (namespace, model) plumbline_monitoring_leader == 1
  )
)
unless on (namespace, model, version)
(
  plumbline_monitoring_verdict
  unless on (namespace, model, version) plumbline:serving:info
  and on (namespace, model) plumbline:serving:info
)""",
        why="The word of the monitor that leads; where none does, of all. Nothing is said of a "
        "version while another one serves in its place.",
    )
    yield RecordingRule(
        "plumbline:evidence_margin:nats",
        """\
max by (namespace, model, version, detector, output) (
  plumbline_monitoring_evidence_nats - plumbline_monitoring_threshold_nats
)""",
        why="How far each detector is from its alarm; above zero it has alarmed.",
    )


def freshness_records() -> Iterator[RecordingRule]:
    """Yield the ages of the newest bar and prediction, and whether the bars are late."""
    for name, metric in (
        ("bar_age", "plumbline_service_newest_bar_timestamp_seconds"),
        ("prediction_age", "plumbline_service_newest_prediction_timestamp_seconds"),
    ):
        yield RecordingRule(
            f"plumbline:{name}:seconds",
            f"time() - max by (namespace, model) (max_over_time({metric}[4d]) > 0)",
            why="A replica that was restarted has seen nothing yet: what it knew before counts."
            if name == "bar_age"
            else "",
        )
    interval = "max by (namespace, model) (plumbline_service_bar_interval_seconds)"
    yield RecordingRule(
        "plumbline:bars_stale:bool",
        f"""\
(plumbline:bar_age:seconds > bool on (namespace, model) ({LATE_BARS} * {interval}))
and on (namespace, model) plumbline:bar_age:seconds < {_HISTORY_SECONDS}
and on (namespace, model)
(
  plumbline:prediction_age:seconds <= on (namespace, model) ({ASKING_BARS} * {interval})
  or
  plumbline:bars_stale:bool offset 1w == 0
)""",
        why="Late bars count while predictions are asked for, and where they were fresh a week "
        "ago: markets close at night and at weekends. Bars of more than thirty days ago are "
        "a replay.",
    )
