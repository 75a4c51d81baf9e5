"""One cause, one message: what a real Alertmanager keeps back, and what reaches the monitor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from plumbline.monitoring.monitor import Monitor
from tests.support.alerting import alertmanager, wait_for
from tests.support.control import MODEL, Control
from tests.support.declared import alerts
from tests.support.watched import build, published

pytestmark = pytest.mark.tools

OF_COLLAPSE = {"OneClass", "Saturated", "MutualInformationLow", "InputDrift"}
OF_OUTPUTS = OF_COLLAPSE | {
    "CollapseEvidence",
    "Flat",
    "CalibrationOff",
    "SkillLost",
    "OutputsUnexplained",
}
KEPT_BACK = {
    "InputBroken": OF_OUTPUTS | {"RepeatedInputs"},
    "RepeatedInputs": OF_COLLAPSE | {"Flat"},
    "CollapseEvidence": OF_COLLAPSE,
    "Flat": OF_COLLAPSE,
    "ServiceDown": {"NoModelServed", "ErrorBudgetBurnsFast", "ErrorBudgetBurnsSlowly"},
    "ErrorBudgetBurnsFast": {"ErrorBudgetBurnsSlowly"},
}
"""While the first fires, the others of the same model and namespace are not told."""


@pytest.fixture
def monitor(tmp_path) -> Iterator[Monitor]:
    """A monitor that has gone round once."""
    control = Control(tmp_path)
    control.serve(0)
    made = build(control)
    made.step()
    yield made
    made.controller.close()


def post(url: str, *names: str, ended: bool = False, **labels: str) -> None:
    """Tell Alertmanager of alerts, as Prometheus does."""
    now = datetime.now(UTC)
    began, end = now - timedelta(minutes=1), now - timedelta(seconds=1)
    told = [
        {
            "labels": {"alertname": name, **alerts()[name]["labels"], **labels},
            "annotations": {"summary": name},
            "startsAt": began.isoformat(),
            **({"endsAt": end.isoformat()} if ended else {}),
        }
        for name in names
    ]
    httpx.post(f"{url}/api/v2/alerts", json=told, timeout=10).raise_for_status()


def suppressed(url: str, labels: Mapping[str, str]) -> set[str]:
    """Return the names of the alerts with these labels that Alertmanager keeps back."""
    matchers = [f'{name}="{value}"' for name, value in labels.items()]
    answer = httpx.get(f"{url}/api/v2/alerts", params={"filter": matchers}, timeout=10)
    found = answer.raise_for_status().json()
    return {a["labels"]["alertname"] for a in found if a["status"]["state"] == "suppressed"}


def test_each_cause_keeps_back_what_follows_from_it(tmp_path):
    """For each cause a namespace in which it fires, with all that keeps nothing else back."""
    with alertmanager(tmp_path, monitor_url="http://127.0.0.1:9") as url:
        for cause, follows in KEPT_BACK.items():
            told = alerts().keys() - KEPT_BACK.keys() | follows | {cause}
            post(url, *told, namespace=cause, model="m")
        for cause, follows in KEPT_BACK.items():

            def kept(cause: str = cause, follows: set[str] = follows) -> bool:
                return suppressed(url, {"namespace": cause}) == follows

            wait_for(kept, seconds=10, what=f"{sorted(follows)} to be kept back by {cause}")


def test_a_broken_feed_keeps_collapse_from_the_controller(tmp_path, monitor):
    """Not delivered while the feed is broken, whatever is beside it; delivered once that ends."""

    def asked() -> int:
        return len(monitor.controller.requests.pending(datetime.now(UTC)))

    with published(monitor) as port, alertmanager(tmp_path, monitor_url=port) as url:
        place = {"namespace": "n", "model": MODEL, "version": "v"}
        post(url, "InputBroken", **place, verdict="frozen_feed")
        post(url, "CollapseEvidence", **place, verdict="flat")
        wait_for(
            lambda: suppressed(url, place) == {"CollapseEvidence"}, seconds=10, what="inhibition"
        )
        post(url, "CollapseEvidence", **{**place, "namespace": "beside"}, verdict="flat")
        wait_for(lambda: asked() == 1, seconds=10, what="the delivery from beside")

        post(url, "InputBroken", **place, verdict="frozen_feed", ended=True)
        wait_for(lambda: asked() == 2, seconds=10, what="the delivery that was kept back")
