"""One story for each alert: silent just before it is due, firing just after, and none else.

Background is a service that is up, a monitor that leads and a model that is well; each story
breaks one thing. A minute lies between two values.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.support.promtool import Story, counter, steps
from tests.support.scripted import (
    HEALTHY,
    Series,
    bands,
    entropy_of,
    labelled,
    restarted,
    scraped,
    served,
    watched,
)

LOPSIDED = {"SELL": 0.01, "HOLD": 0.98, "BUY": 0.01}


def well(count: int, rows: float = 10, **served_as: object) -> Series:
    """Return a service, its monitor and one healthy model, for so many scrapes."""
    return {
        **scraped(count),
        **watched(count),
        **served([rows] * (count - 1), **served_as),  # type: ignore[arg-type]
    }


def collapse_evidence() -> Story:
    """The verdict turns at 10m and is taken back at 20m; the alert holds on for ten minutes."""
    count = 40
    said = ["dominant_action" if 10 <= k < 20 else "healthy" for k in range(count)]
    return Story(
        {**well(count), **watched(count, verdicts=said)},
        {
            "9m": [],
            "10m": ["CollapseEvidence model=m"],
            "29m": ["CollapseEvidence model=m"],
            "31m": [],
        },
    )


def flat() -> Story:
    """Every u is 2: fifty answers are counted at 5m, two minutes are demanded.

    Of two replicas, of which one starts anew at 3m.
    """
    count = 30
    still = {"spread": 0.0, "shift": 2.0}
    one = served([5] * (count - 1), instance="a", **still)  # type: ignore[arg-type]
    other = served([5] * (count - 1), instance="b", **still)  # type: ignore[arg-type]
    return Story(
        {**scraped(count), **watched(count), **one, **restarted(other, 3)},
        {"6m": [], "8m": ["Flat model=m"]},
    )


def one_class() -> Story:
    """98 of 100 answers are HOLD: more than the reference of *m* and *quiet* ever had.

    The reference of *trending* had as many, nothing is known of that of *unknown*, and of *quiet*
    the monitor says that it is the market. Fifty answers at 1m, or five hundred at 10m; ten
    minutes.
    """
    count = 25
    series: Series = scraped(count)
    for model in ("m", "trending", "unknown", "quiet"):
        verdict = "regime" if model == "quiet" else "healthy"
        series |= watched(count, model, verdicts=verdict)
        series |= served([50] * (count - 1), model, shares=LOPSIDED, mean=HEALTHY)
    for model, high in (("m", 0.9), ("trending", 0.99), ("quiet", 0.9)):
        series |= bands(count, model=model, shares={**HEALTHY, "HOLD": high})
    one = ["OneClass model=m"]
    return Story(
        series, {"10m": [], "11m": one, "19m": one, "21m": [*one, "OneClass model=unknown"]}
    )


def saturated() -> Story:
    """Mean confidence 0.99; fifty answers at 5m, five minutes."""
    return Story(well(20, confidence=0.99), {"9m": [], "10m": ["Saturated model=m"]})


def mutual_information_low() -> Story:
    """Each answer is the mean answer; *moving* moves as its reference did, *still* does not."""
    count = 40
    series = scraped(count)
    for model, spread in (("m", 1.0), ("moving", 1.0), ("still", 0.3)):
        series |= watched(count, model)
        series |= served([10] * (count - 1), model, spread=spread, entropy=entropy_of(HEALTHY))
    for model in ("moving", "still"):
        series |= bands(count, model=model, spread=0.5)
    return Story(
        series,
        {
            "14m": [],
            "15m": ["MutualInformationLow model=still"],
            "29m": ["MutualInformationLow model=still"],
            "31m": ["MutualInformationLow model=m", "MutualInformationLow model=still"],
        },
    )


def _said(verdict: str, fires: str, before: str, after: str) -> Story:
    said = ["healthy"] * 10 + [verdict] * 20
    series = {**well(30), **watched(30, verdicts=said)}
    return Story(series, {before: [], after: [f"{fires} model=m"]})


def calibration_off() -> Story:
    """From 10m on, at once."""
    return _said("miscalibrated", "CalibrationOff", "9m", "10m")


def skill_lost() -> Story:
    """From 10m on, at once."""
    return _said("anti_signal", "SkillLost", "9m", "10m")


def outputs_unexplained() -> Story:
    """From 10m on, at once."""
    return _said("unexplained", "OutputsUnexplained", "9m", "10m")


def artefact_fault() -> Story:
    """From 10m on, at once."""
    return _said("artefact_fault", "ArtefactFault", "9m", "10m")


def input_drift() -> Story:
    """From 10m on; a quarter of an hour is demanded."""
    return _said("drift", "InputDrift", "24m", "25m")


def input_broken() -> Story:
    """From 10m on; a minute is demanded."""
    return _said("schema_skew", "InputBroken", "10m", "11m")


def repeated_inputs() -> Story:
    """80 of 100 windows repeat; fifty answers at 5m, five minutes."""
    return Story(well(20, repeated=0.8), {"9m": [], "10m": ["RepeatedInputs model=m"]})


def retrain_exhausted() -> Story:
    """A person is awaited from 10m until they act at 1h40m; a restart at 40m keeps the alert.

    Calls about inputs have an alert of their own.
    """
    count, name = 110, "plumbline_monitoring_person_awaited"
    series = {
        labelled(name, {"model": "m", "version": "a", "reason": reason}): steps(
            (None, 10), (1.0, 30), (None, 3), (1.0, 57), (0.0, 10)
        )
        for reason in ("attempts_used_up", "schema_skew")
    }
    given_up = ["RetrainExhausted model=m"]
    return Story(
        {**well(count), **series},
        {
            "9m": [],
            "10m": given_up,
            "42m": given_up,
            "1h12m": given_up,
            "1h44m": given_up,
            "1h45m": [],
        },
    )


def no_healthy_version() -> Story:
    """Unhealthy from 10m on; half an hour is demanded, and a rescue in between starts it anew."""
    count = 50
    series = scraped(count)
    ill = ["healthy"] * 10 + ["flat"] * 40
    for model, said in (
        ("m", ill),
        ("rescued", [*ill[:25], "healthy", *ill[26:]]),
        ("trending", ["regime"] * count),
    ):
        series |= watched(count, model, verdicts=said)
        series |= served([10] * (count - 1), model)
    both = ["CollapseEvidence model=m", "CollapseEvidence model=rescued"]
    return Story(series, {"39m": both, "40m": [*both, "NoHealthyVersion model=m"]})


def monitor_blind() -> Story:
    """*a* has no monitor, that of *b* is stuck since 10m, that of *c* falls behind since 20m.

    *d* judged one row late and had no other since, and the monitors of *e* have no leader from 30m
    on.
    """
    count = 40
    series: Series = scraped(count)
    for model in "abcde":
        series |= served([1] * (count - 1), model)
        series |= watched(count, model) if model != "a" else {}
    at = {"instance": "w"}
    name = labelled("plumbline_monitoring_last_success_timestamp_seconds", {**at, "model": "b"})
    series[name] = [60.0 * min(k, 10) for k in range(count)]
    lag = "plumbline_monitoring_lag_seconds"
    series[labelled(lag, {**at, "model": "c"})] = [
        2.0 if k < 20 else 301.0 + k for k in range(count)
    ]
    series[labelled(lag, {**at, "model": "d"})] = [2.0 if k < 20 else 3000.0 for k in range(count)]
    name = labelled("plumbline_monitoring_leader", {**at, "model": "e"})
    series[name] = [float(k < 30) for k in range(count)]
    blind = [f"MonitorBlind model={model}" for model in "abce"]
    return Story(
        series,
        {
            "2m": [],
            "3m": blind[:1],
            "15m": blind[:1],
            "16m": blind[:2],
            "24m": blind[:2],
            "26m": blind[:3],
            "32m": blind[:3],
            "33m": blind,
        },
    )


def several_leaders() -> Story:
    """A second monitor believes that it leads from 10m on; two minutes."""
    second = watched(20, instance="x")
    name = labelled("plumbline_monitoring_leader", {"instance": "x", "model": "m"})
    second[name] = [float(k >= 10) for k in range(20)]
    return Story({**well(20), **second}, {"11m": [], "12m": ["SeveralLeaders model=m"]})


def messages_undelivered() -> Story:
    """One message waits from 10m on; fifteen minutes are demanded, and one that is sent ends it.

    Of another model a message is given up at 10m; a third one's receiver takes some all the time.
    """
    count = 60
    name = "plumbline_monitoring_messages_"

    def of(model: str, waiting: list[float | None], **counted: list[float | None]) -> Series:
        totals = {
            labelled(f"{name}total", {"model": model, "result": result}): values
            for result, values in counted.items()
        }
        return {labelled(f"{name}waiting", {"model": model}): waiting, **totals}

    series = {
        **of("m", steps((0.0, 10), (1.0, 30), (0.0, 20)), sent=steps((4.0, 40), (5.0, 20))),
        **of("refused", steps((0.0, 60)), given_up=steps((0.0, 10), (1.0, 50))),
        **of("busy", steps((3.0, 60)), sent=[float(k) for k in range(count)]),
    }
    m, refused = "MessagesUndelivered model=m", "MessagesUndelivered model=refused"
    return Story(
        {**well(count), **series},
        {"24m": [], "25m": [m, refused], "44m": [m, refused], "46m": []},
    )


def service_down() -> Story:
    """Of three services in a namespace *a* is down from 10m on and *c* is gone, replicas and all.

    The last sample of a target that is gone counts for five minutes where none says that it is
    stale.
    """
    count, place = 25, {"namespace": "n"}
    series: Series = {}
    for instance in "xy":
        for service in "abc":
            series |= scraped(count, service=service, instance=instance, **place)
        at = {"job": "plumbline-service", "instance": instance, **place}
        series[labelled("up", {**at, "service": "a"})] = [float(k < 10) for k in range(count)]
        series[labelled("up", {**at, "service": "c"})] = steps((1.0, 10), (None, count - 10))
    down = [f"ServiceDown namespace=n service={service}" for service in "ac"]
    return Story(series, {"11m": [], "12m": down[:1], "16m": down[:1], "18m": down})


def no_service_at_all() -> Story:
    """Nothing of the name was ever scraped."""
    return Story({'up{job="something-else"}': [1.0] * 10}, {"1m": [], "2m": ["ServiceDown"]})


def no_service_beside_a_monitor() -> Story:
    """A monitor was scraped in two namespaces, a service in one; routes go by namespace."""
    count = 10
    series: Series = scraped(count, service="a", instance="x", namespace="n")
    for namespace in "nm":
        monitor = {"job": "plumbline-monitor", "instance": "y", "namespace": namespace}
        series[labelled("up", monitor)] = [1.0] * count
    return Story(series, {"1m": [], "2m": ["ServiceDown namespace=m"]})


def no_model_served() -> Story:
    """The service waits for *new*, of which nothing was promoted."""
    swaps = labelled("plumbline_service_swaps_total", {"model": "new", "result": "accepted"})
    return Story({**well(20), swaps: [0.0] * 20}, {"9m": [], "10m": ["NoModelServed model=new"]})


def swap_refused() -> Story:
    """At 10m."""
    name = labelled("plumbline_service_swaps_total", {"model": "m", "result": "refused"})
    return Story(
        {**well(25), name: [float(k >= 10) for k in range(25)]},
        {"9m": [], "10m": ["SwapRefused model=m"], "21m": []},
    )


def predictions_refused() -> Story:
    """One request in ten has the wrong shape. Probes of a pod that is starting do not count."""
    refused = "plumbline_service_refused_total"
    series = {
        **well(15),
        labelled(refused, {"reason": "feature_mismatch"}): counter([10] * 14),
        labelled(refused, {"reason": "not_ready"}): counter([50] * 14),
        'plumbline_service_request_seconds_count{route="/predict"}': counter([100] * 14),
        'plumbline_service_request_seconds_bucket{route="/predict", le="0.1"}': counter([100] * 14),
    }
    return Story(series, {"5m": [], "6m": ["PredictionsRefused"]})


def spool_backlog() -> Story:
    """*a* ships until 5m; then nothing for ten minutes, and ten more. *b* has nothing to ship."""
    count = 30
    pending, shipped = (
        "plumbline_service_spool_pending_rows",
        "plumbline_service_shipped_rows_total",
    )
    series = {
        **well(count),
        labelled(pending, {"instance": "a"}): [7.0] * count,
        labelled(shipped, {"instance": "a", "table": "predictions"}): counter(
            [5] * 5 + [0] * (count - 6)
        ),
        labelled(pending, {"instance": "b"}): [0.0] * count,
        labelled(shipped, {"instance": "b", "table": "predictions"}): [0.0] * count,
    }
    return Story(series, {"24m": [], "26m": ["SpoolBacklog"]})


def spool_nearly_full() -> Story:
    """Over four fifths from 10m on; a minute."""
    used = [70.0] * 10 + [81.0] * 10
    series = {
        **well(20),
        'plumbline_service_spool_bytes{instance="a"}': used,
        'plumbline_service_spool_limit_bytes{instance="a"}': [100.0] * 20,
    }
    return Story(series, {"10m": [], "11m": ["SpoolNearlyFull"]})


def rows_dropped() -> Story:
    """At 10m."""
    name = labelled("plumbline_service_dropped_rows_total", {"reason": "queue_full"})
    lost = [16.0 * (k >= 10) for k in range(25)]
    return Story({**well(25), name: lost}, {"9m": [], "10m": ["RowsDropped"], "21m": []})


def store_failing() -> Story:
    """One failure a minute from 10m on; three are counted at 13m, five minutes."""
    labels = {"component": "monitor", "operation": "get"}
    failed = counter([0] * 10 + [1] * 14)
    series = {**well(25), labelled("plumbline_store_errors_total", labels): failed}
    return Story(series, {"17m": [], "18m": ["StoreFailing"]})


def _requests(good: list[float], bad: list[float], slow: list[float] | None = None) -> Series:
    total = [a + b for a, b in zip(good, bad, strict=True)]
    in_time = [n - s for n, s in zip(total, slow or [0.0] * len(total), strict=True)]
    requests, seconds = "plumbline_service_requests_total", "plumbline_service_request_seconds"
    return {
        labelled(requests, {"route": "/predict", "code": "200"}): list(counter(good)),
        labelled(requests, {"route": "/predict", "code": "503"}): list(counter(bad)),
        labelled(f"{seconds}_count", {"route": "/predict"}): list(counter(total)),
        labelled(f"{seconds}_bucket", {"route": "/predict", "le": "0.1"}): list(counter(in_time)),
    }


def availability() -> Story:
    """All requests fail from 10m on: two minutes to the fast alarm, fifteen to the slow."""
    good, bad = [100.0] * 10 + [0.0] * 19, [0.0] * 10 + [100.0] * 19
    fast = "ErrorBudgetBurnsFast slo=availability"
    slow = "ErrorBudgetBurnsSlowly slo=availability"
    return Story(
        {**well(30), **_requests(good, bad)},
        {"12m": [], "13m": [fast], "25m": [fast], "26m": [fast, slow]},
    )


def latency() -> Story:
    """Two answers in a hundred are slow: twice what lasts a month, and nobody is woken."""
    good = [100.0] * 29
    series = {**well(30), **_requests(good, [0.0] * 29, [2.0] * 29)}
    return Story(series, {"16m": [], "17m": ["ErrorBudgetBurnsSlowly slo=latency"]})


def freshness() -> Story:
    """Bars of a minute stop at 30m, and the client goes on asking with the last one.

    They are late when the last one began more than three minutes ago: at 34m. Three moments must
    be, and one in seventeen of six hours; the alarm waits two minutes more.
    """
    count = 45
    names = {"instance": "s", "model": "m", "version": "v"}
    newest = "plumbline_service_newest"
    series = {
        **well(count, interval=60),
        labelled(f"{newest}_bar_timestamp_seconds", names): [
            60.0 * min(k, 30) + 1e-3 for k in range(count)
        ],
        labelled(f"{newest}_prediction_timestamp_seconds", names): [
            60.0 * k + 1e-3 for k in range(count)
        ],
    }
    fast = "ErrorBudgetBurnsFast model=m slo=freshness"
    return Story(series, {"37m": [], "38m": [fast]})


STORIES: dict[str, Callable[[], Story]] = {
    "CollapseEvidence": collapse_evidence,
    "Flat": flat,
    "OneClass": one_class,
    "Saturated": saturated,
    "MutualInformationLow": mutual_information_low,
    "CalibrationOff": calibration_off,
    "SkillLost": skill_lost,
    "OutputsUnexplained": outputs_unexplained,
    "ArtefactFault": artefact_fault,
    "InputDrift": input_drift,
    "InputBroken": input_broken,
    "RepeatedInputs": repeated_inputs,
    "RetrainExhausted": retrain_exhausted,
    "NoHealthyVersion": no_healthy_version,
    "MonitorBlind": monitor_blind,
    "SeveralLeaders": several_leaders,
    "MessagesUndelivered": messages_undelivered,
    "ServiceDown": service_down,
    "ServiceDown, never seen": no_service_at_all,
    "ServiceDown, never seen beside a monitor": no_service_beside_a_monitor,
    "NoModelServed": no_model_served,
    "SwapRefused": swap_refused,
    "PredictionsRefused": predictions_refused,
    "SpoolBacklog": spool_backlog,
    "SpoolNearlyFull": spool_nearly_full,
    "RowsDropped": rows_dropped,
    "StoreFailing": store_failing,
    "ErrorBudgetBurnsFast": availability,
    "ErrorBudgetBurnsSlowly": latency,
    "ErrorBudgetBurnsFast, freshness": freshness,
}
"""By the alert that is told of."""
