"""The monitor's port: what it shows, whom it hears, and whom it turns away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.monitor import Monitor
from plumbline.monitoring.page.reply import MAX_BODY_BYTES
from plumbline.store.job_log import JobLogs
from plumbline.store.report import write_report
from plumbline.store.run import Runs
from tests.support.control import MODEL, Control, value
from tests.support.promcheck import complaints
from tests.support.runs import leave_run
from tests.support.watched import build, published

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A store with a champion."""
    made = Control(tmp_path)
    made.serve(0)
    return made


@pytest.fixture
def monitor(control: Control) -> Iterator[Monitor]:
    """A monitor that has gone round once."""
    made = build(control, token="secret")
    made.step()
    yield made
    made.controller.close()


@pytest.fixture
def client(monitor: Monitor) -> Iterator[httpx.Client]:
    """A client of its port."""
    with published(monitor) as url, httpx.Client(base_url=url) as made:
        yield made


def test_metrics_are_as_prometheus_wants_them(client):
    """Names, units and help texts; its own process among them; OpenMetrics for who asks."""
    plain = client.get("/metrics")
    rich = client.get("/metrics", headers={"accept": "application/openmetrics-text"})

    assert complaints(plain.text) == []
    assert rich.headers["content-type"].startswith("application/openmetrics-text")
    assert rich.text.endswith("# EOF\n")
    for name in (
        "process_cpu_seconds_total",
        "python_gc_collections_total",
        'plumbline_build_info{component="monitor"',
        'plumbline_store_operation_seconds_count{component="monitor",operation="list"}',
        f'plumbline_monitoring_attempts_left{{model="{MODEL}"}} 2.0',
        f'plumbline_monitoring_incident_attempts{{model="{MODEL}"}} 0.0',
        f'plumbline_monitoring_job_running{{kind="retrain",model="{MODEL}"}} 0.0',
        f'plumbline_monitoring_input_columns{{model="{MODEL}"',
        'check="answers"',
    ):
        assert name in plain.text


def delivery(status: str = "firing", *, model: str = MODEL, number: int = 1) -> dict[str, Any]:
    """Return what Alertmanager sends."""
    labels = {"alertname": "PlumblineCollapse", "model": model, "severity": "critical"}
    return {
        "version": "4",
        "groupKey": '{}:{alertname="PlumblineCollapse"}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "plumbline",
        "groupLabels": {"alertname": "PlumblineCollapse"},
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": [
            {
                "status": status,
                "labels": labels,
                "annotations": {"summary": "one action"},
                "startsAt": "2026-01-01T12:00:00.123Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus:9090/graph",
                "fingerprint": f"{number:016x}",
            }
        ],
    }


def test_the_same_delivery_again_changes_nothing(client, monitor, control):
    """Accepted once, then repeated; resolved takes it back."""
    answers = [client.post("/alerts", json=delivery()).json() for _ in range(3)]
    waiting = monitor.controller.requests.pending(control.clock())

    assert [answer["accepted"] for answer in answers] == [1, 0, 0]
    assert [answer["repeated"] for answer in answers] == [0, 1, 1]
    assert len(waiting) == 1

    client.post("/alerts", json=delivery("resolved"))

    assert monitor.controller.requests.pending(control.clock()) == ()
    assert value(monitor.metrics, "plumbline_monitoring_webhooks_total", result="repeated") == 2


def test_alerts_about_other_models_are_ignored(client, monitor, control):
    """One Alertmanager may serve many monitors."""
    answer = client.post("/alerts", json=delivery(model="another")).json()

    assert answer["ignored"] == 1
    assert monitor.controller.requests.pending(control.clock()) == ()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"version": "3"}, "version"),
        ({"alerts": "none"}, "alerts"),
        ({"status": "maybe"}, "status"),
        ({"alerts": [{"status": "firing"}]}, "alerts.0"),
        ({"alerts": delivery()["alerts"] * 1_001}, "alerts"),
    ],
)
def test_a_malformed_delivery_is_refused_with_its_place(client, change, place):
    """422, and the field by name."""
    answer = client.post("/alerts", json=delivery() | change)

    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith(place)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {"content-type": "application/json"}, 422),
        (b"\xff\xfe", {"content-type": "application/json"}, 422),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b" " * (MAX_BODY_BYTES + 1), {"content-type": "application/json"}, 413),
    ],
)
def test_bodies_that_are_no_delivery_are_refused(client, body, headers, status):
    """In one shape of error."""
    answer = client.post("/alerts", content=body, headers=headers)

    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message"}


def test_an_alert_token_is_asked_for_where_one_is_set(control):
    """401 without it or with a wrong one."""
    monitor = build(control, alert_token="listen")
    with published(monitor) as url:
        plain = httpx.post(f"{url}/alerts", json=delivery())
        wrong = httpx.post(
            f"{url}/alerts", json=delivery(), headers={"authorization": "Bearer nö".encode()}
        )
        right = httpx.post(
            f"{url}/alerts", json=delivery(), headers={"authorization": "Bearer listen"}
        )

    assert (plain.status_code, wrong.status_code, right.status_code) == (401, 401, 200)


def test_a_person_orders_a_retrain_with_the_token(client, monitor, control):
    """It is kept, and the controller opens an incident in that name."""
    order = {"actor": "ada", "reason": "new data"}
    allowed = {"authorization": "Bearer secret"}

    assert client.post("/retrain", json=order).status_code == 401

    answer = client.post("/retrain", json=order, headers=allowed)
    monitor.step()

    assert answer.status_code == 202
    assert [incident.actor for incident in control.incidents()] == ["ada"]

    monitor.step()

    assert len(control.incidents()) == 1


@pytest.mark.parametrize(
    "order",
    [
        {"actor": "", "reason": "r"},
        {"actor": "a|b", "reason": "r"},
        {"actor": "ada\n", "reason": "r"},
        {"actor": "ada"},
        {"actor": "ada", "reason": "r", "force": True},
    ],
)
def test_orders_that_are_not_in_order_are_refused(client, order):
    """No person is called verdict; unknown fields are refused."""
    allowed = {"authorization": "Bearer secret"}

    assert client.post("/retrain", json=order, headers=allowed).status_code == 422


def test_without_a_token_nobody_can_order(control):
    """And the message says how to allow it."""
    with published(build(control)) as url:
        answer = httpx.post(f"{url}/retrain", json={"actor": "ada", "reason": "r"})

    assert answer.status_code == 403
    assert "PLUMBLINE_MONITORING_TOKEN" in answer.text


def test_the_status_is_shown_as_page_and_as_json(client):
    """The same facts twice."""
    page, status = client.get("/"), client.get("/api/status")

    assert page.headers["content-type"].startswith("text/html")
    assert "insufficient data" in page.text
    assert status.json()["watch"]["diagnosis"]["verdict"] == Verdict.INSUFFICIENT_DATA
    assert client.get("/live").text in page.text


def test_pages_may_load_nothing_from_elsewhere(client):
    """The policy is a header, so that even injected markup could not call home."""
    policy = client.get("/").headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_static_files_are_served_and_nothing_beside_them(client):
    """Style, script and picture; no path leads out of the folder."""
    names = ("status.css", "status.js", "patch.js", "plumb.svg")

    assert {client.get(f"/static/{name}").status_code for name in names} == {200}
    assert client.get("/static/..%2fweb.py").status_code == 404
    assert client.get("/static/%2e%2e/web.py").status_code == 404


def test_reports_are_served_apart_from_the_site(client, control):
    """Nothing in them can run, whoever wrote them."""
    key = write_report(control.objects, MODEL, "<h1>drift</h1>", NOW)
    answer = client.get(f"/reports/{key.rsplit('/', 1)[-1]}")

    assert answer.text == "<h1>drift</h1>"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert client.get("/reports/..%2f..%2fplan.json").status_code == 404
    assert client.get("/reports/none.html").json()["error"]["code"] == "not_found"


def test_the_page_of_a_training_is_served_where_nothing_runs(client, control):
    """By the name of its run; others are not even looked for."""
    runs = Runs(control.objects, MODEL)
    run = leave_run(control.objects, MODEL, report="<h1>a training</h1>")
    answer = client.get(f"/runs/{run.id}")

    assert answer.text == "<h1>a training</h1>"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "allow-scripts" not in answer.headers["content-security-policy"]
    assert client.get("/runs/..%2f..%2fplan.json").status_code == 404
    assert client.get("/runs/20170601T120000Z-000000").json()["error"]["code"] == "not_found"
    assert runs.ids() == [run.id]


def test_the_end_of_a_jobs_log_is_served_as_text(client, control):
    """Markup in it is none."""
    JobLogs(control.objects, MODEL).keep("aaaa111122223333-1", "<b>epoch 1</b>\n")
    answer = client.get("/logs/aaaa111122223333-1")

    assert answer.text == "<b>epoch 1</b>\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/logs/aaaa111122223333-2").json()["error"]["code"] == "not_found"
    assert client.get("/logs/..%2f..%2fplan.json").status_code == 404


def test_metrics_can_be_scraped(client):
    """The verdict of the champion is 1, all others are 0."""
    text = client.get("/metrics").text
    lines = [line for line in text.splitlines() if line.startswith("plumbline_monitoring_verdict{")]

    assert len(lines) == len(Verdict)
    assert [line for line in lines if line.endswith(" 1.0")] == [
        line for line in lines if 'verdict="insufficient_data"' in line
    ]


def test_ready_means_that_the_loop_goes_round(control):
    """Alive at once; ready after the first round."""
    monitor = build(control)
    with published(monitor) as url:
        before = httpx.get(f"{url}/readyz")
        monitor.step()
        after = httpx.get(f"{url}/readyz")
    monitor.controller.close()

    assert (before.status_code, after.status_code) == (503, 200)


def test_wrong_methods_and_paths_have_the_same_shape_of_error(client):
    """405 and 404 in JSON."""
    answers = [client.get("/alerts"), client.post("/"), client.get("/nowhere")]

    assert [answer.status_code for answer in answers] == [405, 405, 404]
    assert all(set(json.loads(a.text)["error"]) == {"code", "message"} for a in answers)
