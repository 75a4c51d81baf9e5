"""Alerts about the service: whether it answers, in time, and keeps what it answered."""

from __future__ import annotations

from plumbline.rules.budget import burning
from plumbline.rules.rule import AlertingRule

_S = "(namespace, service)"
_UP = 'up{job="plumbline-service"}'
_MONITOR_UP = 'up{job="plumbline-monitor"}'


def service_alerts() -> tuple[AlertingRule, ...]:
    """Return them."""
    return (*_there(), *_budgets(), *_refusing(), *_keeping())


def _there() -> tuple[AlertingRule, ...]:
    return (
        AlertingRule(
            name="ServiceDown",
            expression=f"""\
sum by (namespace, service, job) ({_UP}) == 0
or
group by (namespace, service, job) (last_over_time({_UP}[1h]))
unless on {_S} {_UP}
or
group by (namespace) ({_MONITOR_UP})
unless on (namespace) last_over_time({_UP}[1h])
or
(absent(last_over_time({_UP}[1h])) unless on () {_MONITOR_UP})""",
            severity="critical",
            wait="2m",
            summary="""{{ $labels.namespace }}/{{ or $labels.service "plumbline-service" }}: no
            replica can be scraped""",
            description="""Clients get no predictions, or Prometheus cannot reach the pods that give
            them.""",
            dashboard="service",
            why="""All replicas down, none left of those of the last hour, or none ever seen: in a
            namespace that has a monitor, or, where there is not even that, anywhere.""",
        ),
        AlertingRule(
            name="NoModelServed",
            expression="""\
group by (namespace, service, model) (plumbline_service_swaps_total)
unless on (namespace, model) plumbline:serving:info""",
            severity="critical",
            wait="10m",
            summary="{{ $labels.model }}: the service runs and has no model to serve",
            description="""Nothing was promoted under this name, or no replica could load it.
            Requests get a 503.""",
            dashboard="service",
        ),
        AlertingRule(
            name="SwapRefused",
            expression="""\
sum by (namespace, model) (
  increase(plumbline_service_swaps_total{result="refused"}[10m])
) > 0""",
            severity="warning",
            summary="{{ $labels.model }}: a promoted bundle was refused",
            description="""The champion in the store cannot be loaded, or fails its golden rows. The
            version before it goes on serving.""",
            dashboard="service",
        ),
    )


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _budgets() -> tuple[AlertingRule, ...]:
    of = "{{ $labels.service }}{{ $labels.model }}"
    return (
        AlertingRule(
            name="ErrorBudgetBurnsFast",
            expression=f"""\
(
  {_indented(burning(14.4, "1h", "5m"))}
)
or
(
  {_indented(burning(6, "6h", "30m"))}
)""",
            severity="critical",
            wait="2m",
            hold="5m",
            summary=f"{of}: a month's budget of {{{{ $labels.slo }}}} is gone within days",
            description="""{{ $value | humanizePercentage }} of the events were bad. The promises:
            999 of 1,000 answers are no server error; 99 of 100 come within 0.1 s; bars are fresh
            for 99 of 100 minutes.""",
            dashboard="service",
        ),
        AlertingRule(
            name="ErrorBudgetBurnsSlowly",
            expression=burning(1, "3d", "6h"),
            severity="warning",
            wait="15m",
            summary=f"{of}: the budget of {{{{ $labels.slo }}}} will not last the month",
            description="""{{ $value | humanizePercentage }} of the events of three days were bad,
            which is more than the promise allows.""",
            dashboard="service",
        ),
    )


def _refusing() -> tuple[AlertingRule, ...]:
    def share(window: str, fewest: int, limit: float) -> str:
        refused = (
            "sum by (namespace, service, reason) "
            f'(increase(plumbline_service_refused_total{{reason!="not_ready"}}[{window}]))'
        )
        return f"""\
{refused}
/ on {_S} group_left ()
sum by {_S} (
  increase(plumbline_service_request_seconds_count{{route=~"/predict|/outcomes|other"}}[{window}])
)
> {limit}
and {refused} >= {fewest}"""

    return (
        AlertingRule(
            name="PredictionsRefused",
            expression=f"{share('10m', 5, 0.05)}\nor\n{share('6h', 3, 0.3)}",
            severity="warning",
            wait="5m",
            hold="5m",
            summary="{{ $value | humanizePercentage }} of the requests are refused "
            "({{ $labels.reason }})",
            description="""Each answer says what was expected. One reason that stands out is
            usually one client that changed, or one disk that is full.""",
            dashboard="service",
            why="The second half is for models that are asked once an hour.",
        ),
    )


def _keeping() -> tuple[AlertingRule, ...]:
    replica = "(namespace, service, pod, instance)"
    return (
        AlertingRule(
            name="SpoolBacklog",
            expression=f"""\
sum by {replica} (plumbline_service_spool_pending_rows) > 0
and on {replica}
sum by {replica} (increase(plumbline_service_shipped_rows_total[10m])) == 0""",
            severity="warning",
            wait="10m",
            summary="{{ $labels.instance }}: {{ $value | humanize }} durable rows wait",
            description="""Nothing has reached the store for ten minutes. The rows are safe on this
            replica's disk, but nobody judges them; when the disk is full, requests are refused.""",
            dashboard="service",
        ),
        AlertingRule(
            name="SpoolNearlyFull",
            expression=f"""\
sum by {replica} (plumbline_service_spool_bytes)
/ on {replica}
sum by {replica} (plumbline_service_spool_limit_bytes)
> 0.8""",
            severity="critical",
            wait="1m",
            hold="5m",
            summary="{{ $labels.instance }}: the spool is {{ $value | humanizePercentage }} full",
            description="""When it is full, requests get a 503, or in best-effort mode rows are
            dropped.""",
            dashboard="service",
        ),
        AlertingRule(
            name="RowsDropped",
            expression="""\
sum by (namespace, service, reason) (
  increase(plumbline_service_dropped_rows_total[10m])
) > 0""",
            severity="critical",
            summary="{{ $value | humanize }} predictions are missing from the log "
            "({{ $labels.reason }})",
            description="The service runs in best-effort mode and answered without keeping a row.",
            dashboard="service",
        ),
        AlertingRule(
            name="StoreFailing",
            expression="""\
sum by (namespace, component, operation) (
  increase(plumbline_store_errors_total[10m])
) >= 3""",
            severity="warning",
            wait="5m",
            hold="5m",
            summary="{{ $labels.component }}: {{ $labels.operation }} fails in the store",
            description="""{{ $value | humanize }} times in ten minutes. Answers go on from what is
            loaded; nothing is promoted, shipped or judged that needs this operation.""",
            dashboard="service",
        ),
    )
