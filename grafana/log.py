"""The prediction log and the store: whether every answer is kept, judged and joined."""

from __future__ import annotations

from grafana.frame import PLACE, SCOPE
from grafana.panels import AnyPanel, counts, lines
from grafana.query import ask, ask_rows
from grafana.tables import measured, rows


def log() -> list[AnyPanel]:
    """Return the panels about rows on their way to the store."""
    spooled = f"plumbline_service_spooled_rows_total{{{PLACE}}}[$__rate_interval]"
    shipped = f"plumbline_service_shipped_rows_total{{{PLACE}}}[$__rate_interval]"
    judged = f"increase(plumbline_monitoring_rows_total{{{SCOPE}}}[1h])"
    answered = f"increase(plumbline_service_predictions_total{{{SCOPE}}}[1h])"
    tables = (
        f'sum(increase(plumbline_service_spooled_rows_total{{{PLACE}, table="{table}"}}[1h]))'
        for table in ("outcomes", "predictions")
    )
    return [
        lines(
            "Rows that wait",
            "Durable on a replica's disk and not in the store yet.",
            "short",
            ask(
                f"sum by (instance) (plumbline_service_spool_pending_rows{{{PLACE}}})",
                "{{instance}}",
            ),
            low=0,
            empty="no service",
        ),
        lines(
            "Rows per second",
            "Written to the replicas' disks, and sealed into the store.",
            "wps",
            ask(f"sum by (table) (rate({spooled}))", "{{table}}, kept", "A"),
            ask(f"sum by (table) (rate({shipped}))", "{{table}}, in the store", "B"),
            low=0,
            empty="nothing kept yet",
        ),
        lines(
            "Space for waiting rows",
            "Bytes on each replica's disk; requests are refused above the dashed line's share.",
            "percentunit",
            ask(
                f"sum by (instance) (plumbline_service_spool_bytes{{{PLACE}}})\n"
                f"/ sum by (instance) (plumbline_service_spool_limit_bytes{{{PLACE}}})",
                "{{instance}}",
            ),
            low=0,
            high=1,
            limits={1.0: "red"},
            empty="no service",
        ),
        counts(
            "Rows lost, by reason",
            "Answers that are missing from the log, by reason.",
            f"plumbline_service_dropped_rows_total{{{PLACE}}}",
            "reason",
            size=(8, 8),
            empty="none was ever lost",
        ),
        lines(
            "Judged, of what was answered",
            "Over an hour; 100 % while the monitor sees the whole log.",
            "percentunit",
            ask(f"sum by (model) ({judged})\n/ sum by (model) ({answered})", "{{model}}"),
            low=0,
            high=1,
            empty="no traffic",
        ),
        lines(
            "Outcomes, of what was predicted",
            "Over an hour; how much of what was said can be judged by what came true.",
            "percentunit",
            ask(" \n/ ".join(tables), "outcomes"),
            low=0,
            high=1,
            empty="no outcomes yet",
        ),
    ]


def store() -> list[AnyPanel]:
    """Return the panels about the store itself, and what came last."""
    seconds = f"plumbline_store_operation_seconds_bucket{{{PLACE}}}[$__rate_interval]"
    errors = f"plumbline_store_errors_total{{{PLACE}}}[$__rate_interval]"
    newest = f"max by (model) (plumbline_service_newest_prediction_timestamp_seconds{{{SCOPE}}})"
    slowest = measured(
        rows(
            "Last answer",
            "How long ago each model last answered.",
            {"model": "Model", "Value": "Ago"},
            ask_rows(f"time() - {newest}"),
            size=(8, 8),
        ),
        "Ago",
        "s",
    )
    return [
        lines(
            "How long the store takes",
            "95 of a hundred operations within, by what is asked of it.",
            "s",
            ask(
                f"histogram_quantile(0.95, sum by (component, operation, le) (rate({seconds})))",
                "{{component}} {{operation}}",
            ),
            low=0,
            empty="nothing was asked of the store",
        ),
        lines(
            "Errors of the store",
            "Operations per second that failed.",
            "ops",
            ask(f"sum by (component, operation) (rate({errors}))", "{{component}} {{operation}}"),
            low=0,
            high=1,
            empty="none ever",
        ),
        slowest,
    ]
