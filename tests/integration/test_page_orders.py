"""What people order from the status page: who may, what is refused, and what goes on record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.monitor import Monitor
from plumbline.store.acceptance import Acceptances
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control
from tests.support.watched import build, published

TOKEN = "let ada in"


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A store with a champion, and one before it."""
    made = Control(tmp_path)
    made.serve(0)
    made.serve(1, said=Verdict.HEALTHY)
    return made


@pytest.fixture
def monitor(control: Control) -> Iterator[Monitor]:
    """A monitor that has gone round once."""
    made = build(control, token=TOKEN)
    made.step()
    yield made
    made.controller.close()


@pytest.fixture
def client(monitor: Monitor) -> Iterator[httpx.Client]:
    """A browser without scripts."""
    with published(monitor) as url, httpx.Client(base_url=url, follow_redirects=True) as made:
        yield made


def sign_in(client: httpx.Client, token: str = TOKEN, actor: str = "ada") -> httpx.Response:
    """Send the form of the page."""
    return client.post("/session", data={"actor": actor, "token": token})


def order(client: httpx.Client, what: str, **form: str) -> httpx.Response:
    """Send an order as the page would, with the proof it was given."""
    found = re.search(r'name="proof" value="(\w+)"', client.get("/").text)
    proof = found[1] if found else ""
    return client.post(f"/orders/{what}", data={"proof": proof, **form})


def test_a_reader_who_is_not_signed_in_can_order_nothing(client, control):
    """401, and nothing has happened."""
    before = control.registry.alias().number

    assert order(client, "rollback", reason="r").status_code == 401
    assert "order-retrain" not in client.get("/").text
    assert control.registry.alias().number == before


def test_a_wrong_token_is_turned_away(client):
    """The page says so, and gives no cookie."""
    answer = sign_in(client, "wrong")

    assert "that is not the monitor" in answer.text
    assert "plumbline_session" not in client.cookies


@pytest.mark.parametrize("actor", ["", " ", "a|b", "a\nb", "a" * 101])
def test_nobody_can_take_a_name_that_is_none(client, actor):
    """Names stand in incidents and in the log."""
    sign_in(client, actor=actor)

    assert "plumbline_session" not in client.cookies


def test_the_cookie_is_out_of_reach(client):
    """Of scripts and of other sites; over https it is never sent without."""
    form = {"actor": "ada", "token": TOKEN}
    plain = client.post("/session", data=form, follow_redirects=False)
    https = client.post(
        "/session", data=form, follow_redirects=False, headers={"x-forwarded-proto": "https"}
    )
    cookies = [
        next(c for c in answer.headers.get_list("set-cookie") if c.startswith("plumbline_session"))
        for answer in (plain, https)
    ]

    assert all("httponly" in c.lower() and "samesite=strict" in c.lower() for c in cookies)
    assert ["secure" in c.lower() for c in cookies] == [False, True]
    assert plain.headers["location"] == "./"


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        ({"reason": "r"}, {}, 403),
        ({"reason": "r", "proof": "0" * 64}, {}, 403),
        ({"reason": "r", "proof": "0" * 64}, {"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_a_form_of_another_site_is_refused(client, control, form, headers, status):
    """Although the browser is signed in."""
    sign_in(client)
    answer = client.post("/orders/rollback", data=form, headers=headers)

    assert answer.status_code == status
    assert len(control.registry.history()) == 2


def test_each_order_goes_on_record_under_the_person_s_name(client, control, monitor):
    """Roll back, promote, accept inputs, retrain."""
    sign_in(client)
    first, second = (move.value.version for move in control.registry.history())
    back = order(client, "rollback", reason="too wild")
    forth = order(client, "promote", version=second, reason="after all")
    accepted = order(client, "accept-inputs", reason="upgraded", clients="c1, c2")
    wished = order(client, "retrain", reason="new data")
    moves = [move.value for move in control.registry.history()][2:]
    (acceptance,) = Acceptances(control.objects, MODEL).history()
    (request,) = monitor.controller.requests.pending(control.clock())

    assert f"{first} serves again" in back.text
    assert f"{second} is promoted" in forth.text
    assert "are accepted" in accepted.text
    assert "A retrain is ordered" in wished.text
    assert [(move.version, move.actor, move.reason) for move in moves] == [
        (first, "ada", "too wild"),
        (second, "ada", "after all"),
    ]
    assert acceptance.value.clients == ("c1", "c2")
    assert (request.actor, request.reason) == ("ada", "new data")


@pytest.mark.parametrize(
    ("what", "form", "why"),
    [
        ("promote", {"version": "ffff", "reason": "r"}, "has no version"),
        ("promote", {"version": "refused", "reason": "r"}, "did not pass its gate"),
        ("promote", {"version": "champion", "reason": " "}, "stays on record"),
        ("rollback", {"generation": "1", "reason": "r"}, "somebody has moved the champion"),
        ("acknowledge", {"incident": "../x"}, "is not the id of an incident"),
        ("acknowledge", {"incident": "0" * 16}, "there is no incident"),
        ("dance", {"reason": "r"}, "is no order"),
    ],
)
def test_an_order_that_cannot_be_carried_out_says_why(client, control, what, form, why):
    """The same rules hold as on a command line."""
    if form.get("version") == "refused":
        refused = control.registry.write(*small_bundle(MODEL, seed=5, passed=False)).version
        form = {**form, "version": refused}
    sign_in(client)
    answer = order(client, what, **form)

    assert why in answer.text
    assert len(control.registry.history()) == 2


def test_a_notice_is_shown_once(client):
    """And then no more."""
    assert "You are signed in as ada." in sign_in(client).text
    assert "You are signed in as ada." not in client.get("/").text


def test_who_signs_out_is_out(client):
    """The page asks for the token again."""
    sign_in(client)
    found = re.search(r'name="proof" value="(\w+)"', client.get("/").text)
    client.post("/session/end", data={"proof": found[1]})

    assert "sign-in" in client.get("/").text


def test_without_a_token_the_page_says_how_to_set_one(control):
    """Nobody can sign in."""
    with published(build(control)) as url:
        page = httpx.get(url).text
        answer = httpx.post(f"{url}/session", data={"actor": "ada", "token": ""})

    assert "PLUMBLINE_MONITORING_TOKEN" in page
    assert "plumbline_session" not in answer.cookies


def test_the_page_is_shown_while_the_store_is_away(client, monitor):
    """With what was there before; what fails is said by the next round."""
    before = client.get("/").text
    monitor.objects.keys = monitor.objects.folders = _gone
    monitor.status = monitor.status.model_copy(update={"error": "the store is away"})

    assert client.get("/").status_code == 200
    assert "the store is away" in client.get("/").text
    assert "former champion" in before


def _gone(*_: object, **__: object) -> list[str]:
    from plumbline.store.errors import StoreError

    raise StoreError("cannot list")


def test_versions_are_listed_with_where_they_come_from(client, control):
    """Their gate, their role, and who put them there."""
    control.registry.write(*small_bundle(MODEL, seed=5, passed=False))
    versions = client.get("/api/status").json()["holdings"]["versions"]
    roles = {line["role"]: line for line in versions}

    assert set(roles) == {"champion", "former champion", ""}
    assert roles["champion"]["why"] == "promoted by a person: a test"
    assert roles["champion"]["verdict"] == "insufficient_data"  # the monitor's own, and newer
    assert roles[""]["passed"] is False
    assert "one action holds 99 %" in roles[""]["why"]
