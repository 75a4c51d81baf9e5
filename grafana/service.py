"""Service and log: whether it is up, fast and fresh, and whether every answer is kept."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.frame import PLACE, SCOPE, Board, Section
from grafana.log import log, store
from grafana.panels import AnyPanel, lines, number
from grafana.query import ask, ask_now, ask_rows
from grafana.tables import rows

PREDICT = 'route="/predict"'


def build() -> Dashboard:
    """Return the dashboard."""
    return Board(
        uid="plumbline-service",
        title="Plumbline / Service and log",
        description="Is it up, fast and fresh, and is every answer kept?",
        sections=[
            Section("", _now()),
            Section("Requests", _requests()),
            Section("Objectives", _objectives()),
            Section("What runs", _running()),
            Section("The prediction log and the store", [*log(), *store()]),
        ],
    ).build()


def _latency(quantile: float, window: str) -> str:
    buckets = f"plumbline_service_request_seconds_bucket{{{PLACE}, {PREDICT}}}"
    return f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[{window}])))"


def _now() -> list[AnyPanel]:
    counted = f"plumbline_service_requests_total{{{PLACE}"
    requests = f"sum(rate({counted}}}[5m]))"
    refused = f'sum(rate({counted}, code=~"4..|5.."}}[5m]))'
    spooled = f"plumbline_service_spool_bytes{{{PLACE}}}"
    limit = f"plumbline_service_spool_limit_bytes{{{PLACE}}}"
    size = (4, 4)
    return [
        number(
            "Replicas up",
            "Share of the service's replicas that can be scraped.",
            "percentunit",
            ask_now(f'avg(up{{job=~".*plumbline-service.*", {PLACE}}})'),
            size=size,
            colors={None: "red", 1: "green"},
            empty="no service",
            decimals=0,
        ),
        number(
            "Requests per second",
            "All routes, all replicas.",
            "reqps",
            ask_now(requests),
            size=size,
            empty="no traffic",
            decimals=1,
        ),
        number(
            "Refused or failed",
            "Share of the requests that were answered with a 4xx or 5xx.",
            "percentunit",
            ask_now(f"({refused} or vector(0)) / {requests}"),
            size=size,
            colors={None: "green", 0.01: "orange", 0.05: "red"},
            empty="no traffic",
            decimals=1,
        ),
        number(
            "99 of 100 within",
            "99th percentile of /predict, last five minutes.",
            "s",
            ask_now(_latency(0.99, "5m")),
            size=size,
            colors={None: "green", 0.05: "orange", 0.1: "red"},
            empty="no traffic",
        ),
        number(
            "Fullest spool",
            "Of the replicas' disks for rows that are not in the store yet.",
            "percentunit",
            ask_now(f"max({spooled} / {limit})"),
            size=size,
            colors={None: "green", 0.5: "orange", 0.8: "red"},
            empty="no service",
            decimals=0,
        ),
        number(
            "Rows lost",
            "Answers that are missing from the log, last hour; 0 in strict mode.",
            "short",
            ask_now(
                f"round(sum(increase(plumbline_service_dropped_rows_total{{{PLACE}}}[1h])))"
                " or vector(0)"
            ),
            size=size,
            colors={None: "green", 1: "red"},
            decimals=0,
        ),
    ]


def _requests() -> list[AnyPanel]:
    counted = f"plumbline_service_requests_total{{{PLACE}}}[$__rate_interval]"
    seconds = f"plumbline_service_request_seconds_bucket{{{PLACE}, {PREDICT}"
    refused = f"plumbline_service_refused_total{{{PLACE}}}[$__rate_interval]"
    predicted = f"plumbline_service_predictions_total{{{SCOPE}}}[$__rate_interval]"
    withheld = f"plumbline_service_sizes_withheld_total{{{SCOPE}}}[$__rate_interval]"
    quick = f'sum(rate({seconds}, le="0.025"}}[$__rate_interval]))'
    soon = f'sum(rate({seconds}, le="0.1"}}[$__rate_interval]))'
    all_ = f'sum(rate({seconds}, le="+Inf"}}[$__rate_interval]))'
    return [
        lines(
            "Requests per second, by route",
            "What is asked for.",
            "reqps",
            ask(f"sum by (route) (rate({counted}))", "{{route}}"),
            low=0,
            empty="no traffic",
        ),
        lines(
            "Requests per second, by status",
            "How they were answered.",
            "reqps",
            ask(f"sum by (code) (rate({counted}))", "{{code}}"),
            low=0,
            empty="no traffic",
        ),
        lines(
            "Refused, by reason",
            "The reason is the error code that the answer carries.",
            "reqps",
            ask(f"sum by (reason) (rate({refused}))", "{{reason}}"),
            low=0,
            empty="nothing was ever refused",
        ),
        lines(
            "How long /predict takes",
            "Half, 95 and 99 of a hundred answers within. The dots are single answers: exemplars, "
            "whose trace is the prediction's id. The objective counts those above the dashed line.",
            "s",
            *(
                ask(_latency(share, "$__rate_interval"), f"{share:.0%}", ref).exemplar(True)
                for share, ref in ((0.5, "A"), (0.95, "B"), (0.99, "C"))
            ),
            low=0,
            limits={0.1: "red"},
            empty="no traffic",
        ),
        lines(
            "Satisfied clients",
            "Apdex of /predict: answers within 25 ms count whole, those within 100 ms half.",
            "percentunit",
            ask(f"({quick} + {soon}) / 2\n/ {all_}", "apdex"),
            low=0,
            high=1,
            empty="no traffic",
        ),
        lines(
            "In flight and queued",
            "Requests being answered, of them those whose rows are not durable yet, "
            "and connections that no worker has taken; all replicas.",
            "short",
            ask(f"sum(plumbline_service_requests_in_flight{{{PLACE}}})", "in flight", "A"),
            ask(f"sum(plumbline_service_requests_queued{{{PLACE}}})", "queued", "B"),
            ask(f"sum(plumbline_service_connections_waiting{{{PLACE}}})", "not taken", "C"),
            low=0,
        ),
        lines(
            "Answers per second, by version",
            "A swap is one line taking over from another.",
            "reqps",
            ask(f"sum by (model, version) (rate({predicted}))", "{{model}} {{version}}"),
            size=(12, 8),
            low=0,
            empty="no traffic",
        ),
        lines(
            "Sizes withheld",
            "Share of the answers whose size was 0 because of the verdict.",
            "percentunit",
            ask(
                f"(sum by (model) (rate({withheld})) or 0 * sum by (model) (rate({predicted})))\n"
                f"/ sum by (model) (rate({predicted}))",
                "{{model}}",
            ),
            size=(12, 8),
            low=0,
            high=1,
            empty="no traffic",
        ),
    ]


def _objectives() -> list[AnyPanel]:
    return [
        lines(
            f"{name}: what fell short",
            f"{meaning} Of the worst service or model, over five minutes, an hour and three days.",
            "percentunit",
            *(
                ask(
                    f'max(plumbline:slo_errors:ratio_rate{window}{{slo="{slo}", {PLACE}}})',
                    words,
                    ref,
                )
                for window, words, ref in (
                    ("5m", "5 min", "A"),
                    ("1h", "1 h", "B"),
                    ("3d", "3 days", "C"),
                )
            ),
            low=0,
            high=0.01,
            empty="no traffic",
        )
        for slo, name, meaning in (
            ("availability", "Availability", "Share of the requests answered with a 5xx."),
            ("latency", "Latency", "Share of the answers that came too late."),
            ("freshness", "Freshness", "Share of the time in which the newest bar was too old."),
        )
    ]


def _running() -> list[AnyPanel]:
    builds = rows(
        "Builds",
        "What the processes were built from; more than one line for each during a roll-out.",
        {
            "component": "Component",
            "version": "Version",
            "revision": "Revision",
            "python": "Python",
            "Value": "Processes",
        },
        ask_rows(
            f"count by (component, version, revision, python) (plumbline_build_info{{{PLACE}}})"
        ),
        size=(12, 7),
    )
    served = rows(
        "Models that the replicas serve",
        "One line for each replica; during a swap two versions are seen.",
        {
            "instance": "Instance",
            "model": "Model",
            "version": "Version",
            "generation": "Generation",
            "role": "Role",
        },
        ask_rows(f"plumbline_service_model_info{{{SCOPE}}} == 1"),
        size=(12, 7),
        empty="no model is served",
    )
    restarts = f"plumbline_service_worker_restarts_total{{{PLACE}}}"
    ours = f'{PLACE}, job=~".*plumbline-.*"'
    panels: list[AnyPanel] = [builds, served]
    for title, description, unit, expression in (
        (
            "Processor",
            "Cores that each process uses.",
            "none",
            f"sum by (job, instance) (rate(process_cpu_seconds_total{{{ours}}}[$__rate_interval]))",
        ),
        (
            "Memory",
            "Resident memory of each process.",
            "bytes",
            f"sum by (job, instance) (process_resident_memory_bytes{{{ours}}})",
        ),
        (
            "Open files",
            "File descriptors of each process.",
            "short",
            f"sum by (job, instance) (process_open_fds{{{ours}}})",
        ),
        (
            "Workers that were restarted",
            "In the last hour; a worker that dies is replaced.",
            "short",
            f"sum by (job, instance) (increase({restarts}[1h]))",
        ),
    ):
        panels.append(
            lines(
                title,
                description,
                unit,
                ask(expression, "{{instance}}"),
                size=(6, 8),
                low=0,
                high=1,
                empty="not exposed",
            )
        )
    return panels
