"""People are told by a webhook: once, in order, whatever fails; never in the loop's way."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from plumbline.bundle.finding import Verdict
from plumbline.cli.main import app
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.monitor import Monitor
from plumbline.monitoring.notification.notifier import MOST_WAITING, Notifier
from plumbline.monitoring.notification.receiver import Receiver
from plumbline.store.delivery import Deliveries, Delivery, DeliveryStatus
from plumbline.store.errors import StoreError
from plumbline.store.incident import (
    EventKind,
    Incident,
    IncidentBook,
    IncidentEvent,
    IncidentStatus,
)
from plumbline.store.objects import Objects
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control, judgement, value, wait_for
from tests.support.monitored import log_rows
from tests.support.receiver import Inbox, Said, receiver
from tests.support.served import free_ports
from tests.support.watched import build, published, stepping, until

PAUSES = (0.05, 0.1)
ALL = ("called", "opened", "ended", "retrain", "promoted", "refused")
SENT = "plumbline_monitoring_messages_total"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A receiver."""
    with receiver() as made:
        yield made


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A store with a champion."""
    made = Control(tmp_path)
    made.serve(0)
    return made


def opened(number: int = 1, *, minutes: float = 0.0, text: str = "c") -> Incident:
    """Return an incident that was opened so many minutes ago."""
    when = datetime.now(UTC) - timedelta(minutes=minutes)
    diagnosis = judgement(Verdict.FLAT).diagnosis
    events = tuple(
        IncidentEvent(time=when, kind=kind, detail=text)
        for kind in (EventKind.ALARMED, EventKind.DIAGNOSED)
    )
    return Incident(
        id=f"{number:016x}",
        model=MODEL,
        version="0123456789abcdef",
        verdict=Verdict.FLAT,
        status="open",
        trigger="verdict",
        actor="verdict",
        opened=when,
        detected_after=20,
        diagnosis=diagnosis,
        events=events,
    )


@contextmanager
def notifying(control: Control, inbox: Inbox, **settings: object) -> Iterator[Notifier]:
    """A notifier that tries again at once, so that a test need not wait."""
    loaded = control.loaded(**{"notify_url": inbox.url, "notify_format": "json", **settings})
    metrics = Metrics(model=MODEL)
    made = Notifier(control.objects, loaded, metrics=metrics, clock=control.clock, pauses=PAUSES)
    made.metrics = metrics
    try:
        yield made
    finally:
        made.close()


def told(control: Control, incident: Incident, message: str = "0") -> DeliveryStatus | None:
    """How a message fares, as the store has it."""
    head = Deliveries(control.objects, MODEL).newest(incident.id, message)
    return head.value.status if head else None


@pytest.mark.slow
def test_people_hear_of_a_collapse_from_alarm_to_end(tmp_path, inbox):
    """A real stream: opened, retrained, promoted, resolved; each once, in order, with links."""
    control = Control(tmp_path)
    control.plan(seed=1, rows=900)
    version = control.registry.write(*small_bundle(MODEL, seed=0, rows=900)).version
    control.registry.promote(version, actor="a person", reason="a test")
    broken = control.registry.open(version)
    settings = {"notify_url": inbox.url, "notify_format": "json", "notify_on": ALL}
    with stepping(build(control, **settings)) as monitor:
        until(lambda: monitor.status.watch is not None)
        log_rows(control.objects, broken, actions=[0] * 250, ago_seconds=-1)
        until(lambda: control.registry.alias().value.version != broken.version)
        successor = control.registry.open(control.registry.alias().value.version)
        until(lambda: monitor.status.watch.version == successor.version)
        log_rows(control.objects, successor, rows=300, ago_seconds=-1)
        until(lambda: len(inbox.got) >= 4)
    (incident,) = control.incidents()

    assert [each["occasion"] for each in inbox.got] == ["opened", "retrain", "promoted", "ended"]
    assert {each["incident"] for each in inbox.got} == {incident.id}
    assert {each["id"] for each in inbox.got} == {h["idempotency-key"] for h in inbox.headers}
    assert inbox.got[0]["cause"] == incident.diagnosis.cause
    assert inbox.got[0]["meaning"].startswith(incident.verdict.facts.meaning)
    assert inbox.got[0]["page"].endswith(f"/#incident-{incident.id}")
    assert "The retrain ends, or is killed" in inbox.got[1]["ahead"][0]
    assert inbox.got[3]["status"] == "resolved"
    assert value(monitor.metrics, SENT, model=MODEL, result="sent") == 4


def test_a_call_is_told_by_default(control, inbox):
    """The loop gives up: one message that says so, and links the runbook."""
    begun = opened(minutes=1)
    last = IncidentEvent(time=control.clock(), kind=EventKind.CALLED, detail="2 attempts")
    update = {"status": IncidentStatus.CALLED, "closed": last.time, "events": (*begun.events, last)}
    with notifying(control, inbox) as notifier:
        notifier.step([begun.model_copy(update=update)], (), leads=True)
        wait_for(lambda: len(inbox.got) == 2)

    assert [each["occasion"] for each in inbox.got] == ["opened", "called"]
    assert inbox.got[1]["runbook"].endswith("/RetrainExhausted.md")
    assert "nothing more is tried" in inbox.got[1]["meaning"]


def test_a_restarted_monitor_repeats_nothing_and_loses_nothing(control, inbox):
    """What was sent stays sent; what was in line is sent by the next."""
    first, second = opened(1, minutes=2), opened(2, minutes=1)
    with notifying(control, inbox) as notifier:
        notifier.step([first], (), leads=True)
        wait_for(lambda: told(control, first) is DeliveryStatus.SENT)
        inbox.always = Said(503, "away")
        notifier.step([second, first], (), leads=True)
        wait_for(lambda: told(control, second) is DeliveryStatus.FAILED)
    inbox.always = None
    count = len(inbox.got)
    with notifying(control, inbox) as restarted:
        restarted.step([second, first], (), leads=True)
        wait_for(lambda: told(control, second) is DeliveryStatus.SENT)
        for _ in range(3):
            restarted.step([second, first], (), leads=True)
        wait_for(lambda: restarted.state.waiting == 0)

    assert [each["incident"] for each in inbox.got[count:]] == [second.id]
    assert [each["incident"] for each in inbox.got].count(first.id) == 1


@pytest.mark.slow
def test_a_killed_monitor_is_succeeded_by_one_that_tells(control, inbox, tmp_path):
    """A real process, `kill -9` while its receiver is away, and another one afterwards."""
    version = control.registry.alias().value.version
    incident = opened().model_copy(update={"version": version})
    IncidentBook(control.objects, MODEL).open(incident)
    (port,) = free_ports(1)
    command = (sys.executable, "-m", "plumbline.cli.main", "monitor", "--store", control.url)
    options = ("--port", str(port), "--service-url", "", "--state", str(tmp_path / "state"))
    env = {
        **os.environ,
        "PLUMBLINE_MONITORING_NOTIFY_URL": inbox.url,
        "PLUMBLINE_MONITORING_LEASE_SECONDS": "1",
    }
    failed = 0
    for said, status in ((Said(503), DeliveryStatus.FAILED), (None, DeliveryStatus.SENT)):
        inbox.always, failed = said, len(inbox.got)
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen([*command, *options], env=env, stdout=log, stderr=log)
        try:
            wait_for(lambda status=status: told(control, incident) is status, seconds=60)
        finally:
            process.kill()
            process.wait()
    texts = [each["text"] for each in inbox.got[failed:]]

    assert sum("an incident was opened" in text for text in texts) == 1
    assert "secretpath" not in (tmp_path / "log").read_text()


def test_two_monitors_that_both_believe_they_lead_tell_once(control, inbox):
    """Each message is claimed in the store before it is sent."""
    some = [opened(number, minutes=9 - number / 10) for number in range(1, 11)]
    inbox.always = Said(held=0.01)
    with notifying(control, inbox) as one, notifying(control, inbox) as other:
        for each in (one, other):
            each.step(some, (), leads=True)
        wait_for(lambda: one.state.waiting == other.state.waiting == 0)

    assert sorted(each["incident"] for each in inbox.got) == [each.id for each in some]


def test_what_a_dead_monitor_had_claimed_is_sent_when_its_claim_ends(control, inbox):
    """Not before: it might be on its way. And under the same id, for who wants to know."""
    incident = opened()
    claim = Delivery(
        incident=incident.id,
        message="0",
        occasion="opened",
        status=DeliveryStatus.SENDING,
        attempts=1,
        time=control.clock(),
        due=control.clock() + timedelta(minutes=5),
        receiver="a host",
    )
    Deliveries(control.objects, MODEL).advance(claim, after=0)
    with notifying(control, inbox) as notifier:
        notifier.step([incident], (), leads=True)
        time.sleep(4 * PAUSES[0])
        before = len(inbox.got)
        control.offset = timedelta(minutes=5)
        wait_for(lambda: told(control, incident) is DeliveryStatus.SENT)
    (delivery,) = Deliveries(control.objects, MODEL).of(incident.id)

    assert before == 0
    assert [each["id"] for each in inbox.got] == [f"{incident.id}-0"]
    assert delivery.attempts == 2


def test_one_that_stands_by_tells_nobody(control, inbox):
    """And one that loses the lead forgets what it had in line."""
    inbox.always = Said(503)
    with notifying(control, inbox) as notifier:
        notifier.step([opened()], (), leads=False)
        assert notifier.state.waiting == 0
        notifier.step([opened()], (), leads=True)
        wait_for(lambda: notifier.state.failures > 0)
        notifier.step([opened()], (), leads=False)

        assert notifier.state.waiting == 0


def test_a_failing_receiver_is_tried_again_and_holds_the_order(control, inbox):
    """500, 429 with its pause, a hang-up: then all of it, the oldest first."""
    inbox.answers = [Said(500, "oops"), Said(429, "slow", {"Retry-After": "1"})]
    some = [opened(3, minutes=3), opened(2, minutes=2), opened(1, minutes=1)]
    began = time.monotonic()
    with notifying(control, inbox) as notifier:
        notifier.step(some[::-1], (), leads=True)
        wait_for(lambda: notifier.state.failures == 2)
        failing = notifier.state
        wait_for(lambda: notifier.state.waiting == 0)
        metrics, last = notifier.metrics, notifier.state
    order = [each["incident"] for each in inbox.got]

    assert (failing.waiting, failing.detail) == (3, "429 slow")
    assert time.monotonic() - began >= 1.0
    assert order == [some[0].id] * 3 + [some[1].id, some[2].id]
    assert value(metrics, SENT, model=MODEL, result="failed") == 2
    assert value(metrics, SENT, model=MODEL, result="sent") == 3
    assert (last.failures, last.last_sent is not None) == (0, True)


def test_a_message_the_receiver_will_never_take_holds_nobody_up(control, inbox):
    """A refusal of the message itself gives it up; the next one goes out."""
    inbox.answers = [Said(400, "invalid_payload")]
    bad, good = opened(1, minutes=2), opened(2, minutes=1)
    with notifying(control, inbox) as notifier:
        notifier.step([good, bad], (), leads=True)
        wait_for(lambda: notifier.state.waiting == 0)

    assert told(control, bad) is DeliveryStatus.GIVEN_UP
    assert told(control, good) is DeliveryStatus.SENT


def test_a_message_that_cannot_be_made_holds_nobody_up(control, inbox, monkeypatch):
    """A fault of ours costs the one message, and is logged."""
    from plumbline.monitoring.notification import notifier as module

    bad, good, real = opened(1, minutes=2), opened(2, minutes=1), module.compose

    def failing(incident, *rest, **more):
        if incident.id == bad.id:
            raise KeyError("a fault of ours")
        return real(incident, *rest, **more)

    monkeypatch.setattr(module, "compose", failing)
    with capture_logs() as logged, notifying(control, inbox) as notifier:
        notifier.step([good, bad], (), leads=True)
        wait_for(lambda: notifier.state.waiting == 0)

    assert [each["incident"] for each in inbox.got] == [good.id]
    assert [each["event"] for each in logged] == ["message_left_out", "message_sent"]


def test_what_nobody_took_for_a_day_is_old(control, inbox):
    """It is neither lined up nor tried for ever."""
    with notifying(control, inbox) as notifier:
        notifier.step([opened(1, minutes=1441)], (), leads=True)
        assert notifier.state.waiting == 0
        inbox.always = Said(503)
        late = opened(2)
        notifier.step([late], (), leads=True)
        wait_for(lambda: told(control, late) is DeliveryStatus.FAILED)
        control.offset = timedelta(days=1, seconds=1)
        wait_for(lambda: told(control, late) is DeliveryStatus.GIVEN_UP)


def test_the_line_is_bounded_and_never_blocks(control, inbox, monkeypatch):
    """A receiver that hangs: rounds go on at once, and what finds no room stays in the store."""
    monkeypatch.setattr("plumbline.monitoring.notification.notifier._STOP_SECONDS", 0.1)
    inbox.always = Said(held=30)
    some = [opened(number, minutes=number) for number in range(1, MOST_WAITING + 51)]
    with notifying(control, inbox) as notifier:
        notifier.step(some, (), leads=True)
        wait_for(lambda: len(inbox.got) == 1)
        began = time.monotonic()
        for _ in range(20):
            notifier.step(some, (), leads=True)

        assert time.monotonic() - began < 1.0
        assert notifier.state.waiting == MOST_WAITING
        began = time.monotonic()
    assert time.monotonic() - began < 1.0


def test_a_store_that_fails_after_the_answer_sends_nothing_twice(control, inbox, monkeypatch):
    """What came back is remembered until it can be written down."""
    monkeypatch.setattr("plumbline.monitoring.notification.notifier._STORE_PAUSE", 0.05)
    real, failures = Objects.create, []

    def failing(self: Objects, key: str, data: bytes) -> None:
        if key.startswith("deliveries/") and b'"sent"' in data and len(failures) < 3:
            failures.append(key)
            raise StoreError("away")
        real(self, key, data)

    monkeypatch.setattr(Objects, "create", failing)
    incident = opened()
    with notifying(control, inbox) as notifier:
        notifier.step([incident], (), leads=True)
        wait_for(lambda: told(control, incident) is DeliveryStatus.SENT)

    assert len(failures) == 3
    assert len(inbox.got) == 1


def test_a_redirect_is_not_followed(control, inbox):
    """Neither message nor token goes to another host, and the page says where it would have."""
    with receiver() as elsewhere:
        where = elsewhere.url.replace("127.0.0.1", "localhost")
        inbox.always = Said(307, headers={"Location": f"{where}?key=hidden"})
        with notifying(control, inbox) as notifier:
            notifier.step([opened()], (), leads=True)
            wait_for(lambda: notifier.state.failures > 0)
            detail = notifier.state.detail

        assert elsewhere.got == []
    assert "redirects to localhost:" in detail
    assert "secretpath" not in detail
    assert "hidden" not in detail


def test_secrets_come_from_files_and_are_told_to_nobody(control, inbox, tmp_path, caplog, capfd):
    """Read at each message, so that they can be changed; neither logged, nor stored, nor shown."""
    url, token = tmp_path / "url", tmp_path / "token"
    token.write_text("first-token\n")
    files = {"notify_url": None, "notify_url_file": url, "notify_token_file": token}
    incident = opened()
    caplog.set_level(logging.DEBUG, "plumbline")
    with notifying(control, inbox, **files) as notifier:
        notifier.step([incident], (), leads=True)
        wait_for(lambda: told(control, incident) is DeliveryStatus.FAILED)
        assert "notify_url_file: cannot read" in notifier.state.detail
        url.write_text(inbox.url + "\n")
        wait_for(lambda: told(control, incident) is DeliveryStatus.SENT)
        token.write_text("second-token\n")
        notifier.step([opened(2)], (), leads=True)
        wait_for(lambda: len(inbox.got) == 2)
        shown = notifier.state.to_json().decode()
    kept = b"".join(path.read_bytes() for path in (control.folder / "store").rglob("*.json"))
    said = caplog.text + "".join(capfd.readouterr()) + shown + kept.decode()

    assert [each["authorization"] for each in inbox.headers] == [
        "Bearer first-token",
        "Bearer second-token",
    ]
    assert "127.0.0.1" in shown
    assert "secretpath" not in said
    assert "-token" not in said


def test_a_receiver_that_does_not_answer_is_a_failed_attempt(control, inbox):
    """Nobody listens, nobody answers, or it is no HTTP at all: a sentence each time."""
    gone = inbox.url.replace(inbox.url.split(":")[2].split("/")[0], "1")
    answer = Receiver(control.loaded(notify_url=gone)).send(_trial(control))

    assert not answer.sent
    assert "ConnectError" in answer.detail
    assert not answer.final


def _trial(control: Control):
    from plumbline.monitoring.notification.message import trial

    return trial(control.loaded(), datetime.now(UTC))


def test_the_page_says_when_messages_do_not_arrive(control, inbox):
    """And says nothing of it while they do; that an incident was superseded waits behind."""
    inbox.always = Said(404, "no_service")
    IncidentBook(control.objects, MODEL).open(opened())
    settings = {"notify_url": inbox.url, "token": "secret"}
    monitor: Monitor = build(control, **settings)
    monitor.step()
    with published(monitor) as url:
        quiet = httpx.get(url).text
        wait_for(lambda: len(inbox.got) == 1)
        wait_for(lambda: (monitor.step() or monitor.status.messages.failures) > 0)
        loud, state = httpx.get(url).text, httpx.get(f"{url}/api/status").json()["messages"]
    monitor.close()

    assert "do not arrive" not in quiet
    assert "Messages to 127.0.0.1:" in loud
    assert "404 no_service" in loud
    assert (state["waiting"], state["failures"]) == (2, 1)
    assert "secretpath" not in loud


def test_nobody_is_told_anything_without_an_address(control):
    """No thread, no state, no claim in the store."""
    monitor = build(control)
    monitor.step()
    monitor.close()

    assert monitor.status.messages is None
    assert "notifier" not in {thread.name for thread in threading.enumerate()}


def run(*words: str, **env: str):
    """Run the command line in this process."""
    return CliRunner().invoke(app, ["notify", *words], env=env)


def test_the_command_tries_the_receiver(inbox):
    """With the settings of the environment; what came back is said, and a failure exits 1."""
    address = {"PLUMBLINE_MONITORING_NOTIFY_URL": inbox.url}
    taken = run("--test", "--json", **address)
    inbox.always = Said(403, "invalid_token")
    refused = run("--test", **address)

    assert taken.exit_code == 0
    assert json.loads(taken.stdout)["detail"] == "200 ok"
    assert "this is a test" in inbox.got[0]["text"]
    assert refused.exit_code == 1
    assert "has not taken it: 403 invalid_token" in refused.stderr
    assert "secretpath" not in taken.stdout + refused.stderr
    assert "notify_url is not set" in run("--test").stderr


def test_the_command_lists_what_was_told(control, inbox):
    """From the store alone."""
    incident = opened()
    IncidentBook(control.objects, MODEL).open(incident)
    before = run("--store", control.url)
    with notifying(control, inbox) as notifier:
        notifier.step([incident], (), leads=True)
        wait_for(lambda: told(control, incident) is DeliveryStatus.SENT)
    (line,) = json.loads(run("--store", control.url, "--json").stdout)["messages"]

    assert "nobody was told anything" in before.stdout
    assert line["message"] == f"{incident.id}-0"
    assert (line["occasion"], line["status"], line["attempts"]) == ("opened", "sent", 1)
