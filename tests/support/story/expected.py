"""What every query of every panel must answer, at some moments of the story.

Shares, spreads and the like are worked out from the answers themselves (`truth`); the rest follows
from the script: two replicas that answer 60 times in a minute are two answers a second.
"""

from __future__ import annotations

from tests.support.story.expecting import (
    Expected,
    always,
    confidence,
    counted,
    course,
    each,
    evidence,
    nearest,
    status,
    told,
    true,
    true_of_choices,
    verdict,
)
from tests.support.story.script import (
    ACTIONS,
    ALARM,
    COLLAPSED,
    FREEZE,
    FROZEN,
    FROZEN_ALARM,
    HEALTHY,
    NEW,
    OLD,
    PROMOTION,
    RECOVERED,
    RECOVERY,
    SECOND,
    SHADOW,
    TICK,
    TROUBLE,
)
from tests.support.story.truth import RECENT, Window

RATES = {"eurusd-1m": 2.0, "btcusd-5m": 0.5, "gold-1h": 4 / 60}
ALL = sum(RATES.values())
REFUSED = 4 * 0.1 / 60
SERVICES = ("10.1.0.11:3002", "10.1.0.12:3002", "10.1.0.21:3002", "10.1.0.31:3002")
PROCESSES = (*SERVICES, "10.1.0.13:3001", "10.1.0.23:3001", "10.1.0.33:3001")
STORE = ("monitor list", "service put")
WELL = verdict("healthy")
VERDICTS = course(WELL, collapsed=verdict("flat"), frozen=verdict("frozen_feed"))
ONE_VERDICT = told(WELL, verdict("flat"), WELL, "eurusd-1m trading")
INCIDENTS = course(0, collapsed=status("retraining"), frozen=status("called"))
WITHHELD = course(0, collapsed=1, frozen=1)
OPEN_FOR = {
    HEALTHY: {},
    COLLAPSED: {"eurusd-1m": COLLAPSED - ALARM},
    FROZEN: {"btcusd-5m": FROZEN - FROZEN_ALARM},
}
ALERTS = {
    HEALTHY: {},
    COLLAPSED: {"CollapseEvidence eurusd-1m critical": COLLAPSED - ALARM},
    RECOVERED: {},
    FROZEN: {"InputBroken btcusd-5m critical": FROZEN - FROZEN_ALARM},
}
MARKS: dict[str, Expected] = {
    "annotation / Incidents": {
        HEALTHY: {},
        COLLAPSED: {"incident: eurusd-1m, flat": 1},
        RECOVERED: {},
    },
    "annotation / Promotions": {
        PROMOTION - TICK: {},
        PROMOTION: {"promoted: eurusd-1m": 1},
        RECOVERED: {},
    },
    "annotation / Swaps": {
        HEALTHY: {},
        PROMOTION + TICK: {f"{NEW} serves eurusd-1m": 1},
        RECOVERED: {},
    },
}

FLEET: dict[str, Expected] = {
    "Models not well / A": counted(0, 1, 0, 1),
    "Open incidents / A": counted(0, 1, 0, 1),
    "Alerts firing / A": counted(0, 1, 0, 1),
    "Awaiting a person / A": counted(0, 0, 0, 1),
    "Replicas up / A": always({"": 1}),
    "Answers per second / A": always({"": ALL}),
    "Models / A": VERDICTS,
    "Models / B": VERDICTS,
    "Models / C": course(100 + WELL, collapsed=status("retraining"), frozen=status("called")),
    "Models / D": OPEN_FOR,
    "Models / E": WITHHELD,
    "Models / F": always(RATES),
    "Models / G": {
        COLLAPSED: {
            "eurusd-1m": 60,
            "btcusd-5m": 300 + COLLAPSED % 300,
            "gold-1h": 3600 + COLLAPSED % 3600,
        }
    },
    "Verdict of each model / A": VERDICTS,
    "Alerts that fire / A": ALERTS,
    "Incidents / A": INCIDENTS,
    "Evidence nearest to an alarm / A": nearest(),
    "Age of the newest bar, in bars / A": {
        COLLAPSED: {
            "eurusd-1m": 1,
            "btcusd-5m": 1 + COLLAPSED % 300 / 300,
            "gold-1h": 1 + COLLAPSED % 3600 / 3600,
        }
    },
    "Answers per second, by model / A": always(RATES),
    "Log loss gained over the best constant / A": always(
        each(0.021, ("eurusd-1m action", "btcusd-5m action", "gold-1h forecast"))
    ),
}

INCIDENT: dict[str, Expected] = {
    "Incident / A": INCIDENTS,
    "Open for / A": OPEN_FOR,
    "Usually resolved within / A": {HEALTHY: {}, RECOVERED: {"": 600 + 0.9 * (1800 - 600)}},
    "Attempts left / A": {
        HEALTHY: {},
        SECOND - TICK: {"eurusd-1m": 1},
        COLLAPSED: {"eurusd-1m": 0},
    },
    "Verdict over time / A": VERDICTS,
    "Incident over time / A": INCIDENTS,
    "Job over time / A": {
        at: {f"{name}: retrain": float(at == COLLAPSED and name == "eurusd-1m") for name in RATES}
        for at in (HEALTHY, COLLAPSED, RECOVERED)
    },
    "Incidents opened / A": {
        HEALTHY: {},
        ALARM: {"flat": 1},
        RECOVERED: {"flat": 0},
        FROZEN_ALARM: {"flat": 0, "frozen_feed": 1},
    },
    "Retrains / A": {
        HEALTHY: {},
        SECOND: {"refused": 1},
        PROMOTION: {"refused": 0, "promoted": 1},
        RECOVERED: {"refused": 0, "promoted": 0},
    },
    "Refits / A": {TROUBLE: {"promoted": 3 * 1.0}, HEALTHY: {"promoted": 0}},
    "People called / A": {HEALTHY: {}, FROZEN_ALARM: {"frozen_feed": 1}},
    "From alarm to end / A": {
        COLLAPSED: {},
        RECOVERED: {"eurusd-1m resolved flat": RECOVERY - ALARM},
    },
    "How long jobs took / A": {
        HEALTHY: {},
        COLLAPSED: {"retrain eurusd-1m refused": 360},
        RECOVERED: {"retrain eurusd-1m refused": 360, "retrain eurusd-1m finished": 360},
    },
    "Answers in shadow / A": {
        COLLAPSED: {},
        SHADOW + 3 * TICK: {f"eurusd-1m {NEW}": 120},
        RECOVERED: {},
    },
    "Agreement with the champion / A": {
        COLLAPSED: {},
        SHADOW + 3 * TICK: {f"eurusd-1m {NEW}": 0.41},
    },
    "Shadows / A": {COLLAPSED: {"promoted": 0}, PROMOTION: {"promoted": 1}},
    "Alerts that fire / A": ALERTS,
    "Judged and answered per second / A": always(
        {f"{name}, judged": rate for name, rate in RATES.items()}
    ),
    "Judged and answered per second / B": always(
        {f"{name}, answered": rate for name, rate in RATES.items()}
    ),
    "Last round of the loop / A": always(each(1)),
    "Judged behind / A": always(each(4)),
    "Leaders / A": always(each(1)),
    "Rounds that failed / A": {TROUBLE: each(1), HEALTHY: each(0)},
    "Canaries / A": always({"passed": 3 * 6 * 5}),
    "Drift reports / A": {HEALTHY: {"written": 0}, 3600: {"written": 3}},
    "Inputs computed again / A": {HEALTHY: {"equal": 0}, 3600: {"equal": 3}},
    "Alerts received / A": {HEALTHY: {"accepted": 0}, ALARM + TICK: {"accepted": 1}},
}

MODEL: dict[str, Expected] = {
    "Verdict now / A": told(WELL, verdict("flat"), WELL),
    "What is the matter / A": ONE_VERDICT,
    "What the monitor does / A": ONE_VERDICT,
    "What you do / A": ONE_VERDICT,
    "Incident / A": told(0, status("retraining"), 0, "eurusd-1m trading"),
    "Attempts left / A": {HEALTHY: {}, COLLAPSED: {"eurusd-1m": 0}},
    "Sizes withheld / A": told(0, 1, 0),
    "Answers per second / A": told(2, 2, 2),
    "Newest bar / A": told(60, 60, 60),
    "Judged behind / A": told(4, 4, 4),
    "Verdict over time / A": {
        HEALTHY: {OLD: WELL},
        COLLAPSED: {OLD: verdict("flat")},
        PROMOTION + 2 * TICK: {NEW: verdict("insufficient_data")},
        RECOVERED: {NEW: WELL},
    },
    "$action: share of the answers / A": true(lambda said: said.share("HOLD"), "{}"),
    "$action: share of the answers / B": true(
        lambda said: said.share("HOLD"), "last 5 min", RECENT
    ),
    "$action: share of the answers / C": told(0.42, 0.42, 0.42, "low"),
    "$action: share of the answers / D": told(0.5, 0.5, 0.5, "reference"),
    "How much the answer depends on the question / A": true(Window.information, "{} action"),
    "How much the answer depends on the question / B": true(
        Window.information, "last 5 min action", RECENT
    ),
    "Mean confidence / A": true(Window.confidence, "{} action"),
    "Mean confidence / B": true(Window.confidence, "last 5 min action", RECENT),
    "Variety of actions / A": true(Window.variety, "{}"),
    "Variety of actions / B": true(Window.variety, "last 5 min", RECENT),
    "Spread of the outputs, of that in the reference / A": true_of_choices(Window.spread),
    "Spread of the outputs, of that in the reference / B": true(
        lambda said: max(said.spread(name) for name in ACTIONS), "liveliest, last 5 min", RECENT
    ),
    "Spread of the outputs, of that in the reference / C": told(0.8, 0.8, 0.8, "low"),
    "Spread of the outputs, of that in the reference / D": told(1.25, 1.25, 1.25, "reference"),
    "Mean probability of each choice / A": true_of_choices(Window.probability),
    "Mean probability of each choice / B": always(
        {"SELL, reference": 0.31, "HOLD, reference": 0.38, "BUY, reference": 0.31}
    ),
    "How far the outputs have moved / A": true_of_choices(Window.shift),
    "Confidence of the answers / A": confidence(),
    "Evidence now, of what makes an alarm / A": evidence(),
    "Evidence, of what makes an alarm / A": evidence(),
    "Repeated inputs / A": {HEALTHY: {OLD: 0}, RECOVERED: {NEW: 0}},
    "Repeated inputs / B": {HEALTHY: {"last 5 min": 0}},
    "Columns of zeros / A": {HEALTHY: {OLD: 0.25}, RECOVERED: {NEW: 0.25}},
    "Columns that drifted / A": {HEALTHY: {OLD: 3 / 24}, RECOVERED: {NEW: 3 / 24}},
    "Wrong when computed again / A": {
        TROUBLE: each(0, ("answers client", "answers model", "windows model"))
        | {"windows client": 1},
        HEALTHY: each(0, ("answers client", "answers model", "windows model", "windows client")),
    },
    "Log loss gained over the best constant / A": {
        HEALTHY: {f"{OLD} action": 0.021},
        RECOVERED: {f"{NEW} action": 0.021},
    },
    "Log loss gained over the best constant / B": told(0.004, 0.004, 0.004, "low"),
    "Log loss gained over the best constant / C": told(0.038, 0.038, 0.038, "interval"),
    "Evidence of outcomes / A": always(
        each(0.1, ("anti_signal action", "miscalibrated action", "no_signal action"))
    ),
    "Outcomes / A": {HEALTHY: {"joined": 30 * (HEALTHY / TICK + 1), "repeated": 12}},
}

FEED: dict[str, Expected] = {
    "Verdict now / A": {FROZEN: {"btcusd-5m": verdict("frozen_feed")}},
    "Repeated inputs / A": {FROZEN: {OLD: (FROZEN - FREEZE) / FROZEN}},
    "Repeated inputs / B": {FROZEN: {"last 5 min": 1}},
    "Incident / A": {FROZEN: {"btcusd-5m trading": status("called")}},
}
"""The same dashboard of the model whose feed freezes."""

SERVICE: dict[str, Expected] = {
    "Replicas up / A": always({"": 1}),
    "Requests per second / A": always({"": 1.5 * ALL + 4 * 6 / 60 + REFUSED}),
    "Refused or failed / A": always({"": REFUSED / (1.5 * ALL + 4 * 6 / 60 + REFUSED)}),
    "99 of 100 within / A": {HEALTHY: {"": 0.009725}},
    "Fullest spool / A": always({"": 0.03}),
    "Rows lost / A": {TROUBLE: {"": 8}, HEALTHY: {"": 0}},
    "Requests per second, by route / A": always(
        {"/predict": ALL + REFUSED, "/outcomes": ALL / 2, "/healthz": 4 * 6 / 60}
    ),
    "Requests per second, by status / A": {
        HEALTHY: {"200": 1.5 * ALL + 4 * 6 / 60, "422": REFUSED, "503": 0},
        TROUBLE: {"200": 1.5 * ALL + 4 * 6 / 60, "422": REFUSED, "503": 2 / 240},
    },
    "Refused, by reason / A": always({"non_finite": REFUSED}),
    "How long /predict takes / A": always({"50%": 0.005}),
    "How long /predict takes / B": {HEALTHY: {"95%": 0.008625}},
    "How long /predict takes / C": {HEALTHY: {"99%": 0.009725}},
    "Satisfied clients / A": always({"apdex": 1}),
    "In flight and queued / A": always({"in flight": 8}),
    "In flight and queued / B": always({"queued": 0}),
    "In flight and queued / C": always({"not taken": 4}),
    "Answers per second, by version / A": {
        HEALTHY: {f"{name} {OLD}": rate for name, rate in RATES.items()},
        FROZEN: {
            f"eurusd-1m {NEW}": 2,
            f"btcusd-5m {OLD}": 0.5,
            f"gold-1h {OLD}": 4 / 60,
        },
    },
    "Sizes withheld / A": WITHHELD,
    "Availability: what fell short / A": {TROUBLE: {"5 min": 2 / (5 * 2 * 60.1 + 2)}},
    "Availability: what fell short / B": {HEALTHY: {"1 h": 0}},
    "Availability: what fell short / C": {HEALTHY: {"3 days": 2 / (85 * 2 * 60.1 + 2)}},
    **{
        f"{name}: what fell short / {letter}": always({words: 0})
        for name in ("Latency", "Freshness")
        for letter, words in (("A", "5 min"), ("B", "1 h"), ("C", "3 days"))
    },
    "Builds / A": always({"monitor 3.11 4f1c2ab 0.3.0": 3, "service 3.11 4f1c2ab 0.3.0": 4}),
    "Models that the replicas serve / A": {
        at: {
            f"{1 if version == OLD else 2} {instance} plumbline-service {name} trading champion "
            f"plumbline-service-{name} {version}": 1
            for instance, name, version in (
                (SERVICES[0], "eurusd-1m", serving),
                (SERVICES[1], "eurusd-1m", serving),
                (SERVICES[2], "btcusd-5m", OLD),
                (SERVICES[3], "gold-1h", OLD),
            )
        }
        for at, serving in ((HEALTHY, OLD), (RECOVERED, NEW))
    },
    "Processor / A": always(each(0.2, PROCESSES)),
    "Memory / A": always(each(3.1e8, SERVICES) | each(4.4e8, PROCESSES[4:])),
    "Open files / A": always(each(42, PROCESSES)),
    "Workers that were restarted / A": {TROUBLE: each(1, SERVICES), RECOVERED: each(0, SERVICES)},
    "Rows that wait / A": always(dict(zip(SERVICES, (120, 120, 60, 8), strict=True))),
    "Rows per second / A": always({"predictions, kept": ALL, "outcomes, kept": ALL / 2}),
    "Rows per second / B": always(
        {"predictions, in the store": ALL, "outcomes, in the store": ALL / 2}
    ),
    "Space for waiting rows / A": always(each(0.03, SERVICES)),
    "Rows lost, by reason / A": {
        TROUBLE: {"queue_full": 8, "spool_full": 0, "spool_failed": 0},
        HEALTHY: {"queue_full": 0, "spool_full": 0, "spool_failed": 0},
    },
    "Judged, of what was answered / A": always(each(1)),
    "Outcomes, of what was predicted / A": always({"outcomes": 0.5}),
    "How long the store takes / A": always(
        {"monitor list": 0.025 + 0.95 * 0.025, "service put": 0.01 + 0.95 * 0.015}
    ),
    "Errors of the store / A": {HEALTHY: each(0, STORE)},
    "Last answer / A": always(each(0)),
}

PAGES = {"fleet": FLEET, "incident": INCIDENT, "model": MODEL, "service": SERVICE}
