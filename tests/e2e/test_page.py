"""The status page in a real browser: it updates by itself, and nothing in it can run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from plumbline.bundle.archive import Bundle
from plumbline.monitoring.monitor import Monitor
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control
from tests.support.monitored import log_rows
from tests.support.programs import require_program
from tests.support.watched import build, published, stepping, until

pytestmark = pytest.mark.tools

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
TOKEN = "let ada in"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    path = require_program("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A store whose bundles have a long reference."""
    made = Control(tmp_path, settings={"token": TOKEN})
    made.plan(seed=1, rows=900, seconds=1.0)
    return made


@pytest.fixture
def bundle(control: Control) -> Bundle:
    """The champion; one of its features has a hostile name."""
    manifest, files = small_bundle(MODEL, rows=900)
    names = (HOSTILE, "momentum", "volatility", "hour")
    (given,) = manifest.inputs
    manifest = manifest.model_copy(update={"inputs": (given.model_copy(update={"names": names}),)})
    made = control.registry.write(manifest, files)
    control.registry.promote(made.version, actor=HOSTILE, reason="a test")
    return made


@pytest.fixture
def monitor(control: Control, bundle: Bundle) -> Iterator[Monitor]:
    """A monitor that goes round."""
    with stepping(build(control)) as made:
        until(lambda: made.status.watch is not None)
        yield made


class Noticed:
    """A page, and everything it complained about or asked for."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(url)

    def sign_in(self, token: str = TOKEN) -> None:
        """Fill in the form and send it."""
        self.page.fill("#sign-in input[name=actor]", "ada")
        self.page.fill("#sign-in input[name=token]", token)
        self.page.click("#sign-in button")

    def verdict(self, text: str) -> None:
        """Wait until the page shows a verdict."""
        self.page.get_by_role("heading", name=text, level=2).wait_for(timeout=20_000)


@pytest.fixture
def noticed(browser: Any, monitor: Monitor) -> Iterator[Noticed]:
    """The status page, opened once and never loaded again."""
    with published(monitor) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        yield Noticed(page, url)
        page.close()


@pytest.mark.slow
def test_the_page_follows_an_episode_by_itself(noticed, control, bundle, tmp_path):
    """Healthy, collapsed, retrained, healthy again: seen without loading the page anew."""
    page = noticed.page
    noticed.verdict("insufficient data")
    log_rows(control.objects, bundle, rows=300, ago_seconds=-1)
    noticed.verdict("healthy")
    drawn = page.locator("#shares path").first.get_attribute("d")
    log_rows(control.objects, bundle, actions=[0] * 250, start=300, ago_seconds=-1)
    page.locator("#verdict.bad").wait_for(timeout=20_000)
    page.locator("#incidents details[open]").wait_for(timeout=20_000)
    page.get_by_text("retrain started").wait_for(timeout=20_000)
    page.get_by_text("passed its gate and serves").wait_for(timeout=20_000)
    version = control.registry.alias().value.version
    page.locator("#verdict .facts code", has_text=version).wait_for(timeout=20_000)
    log_rows(control.objects, control.registry.open(version), rows=300, ago_seconds=-1)
    noticed.verdict("healthy")
    page.locator("#incidents .status.resolved").wait_for(timeout=20_000)
    shot = tmp_path / "page.png"
    page.screenshot(path=shot, full_page=True)

    assert page.locator("#shares path").first.get_attribute("d") != drawn
    assert page.locator("#evidence meter").count() >= 5
    assert shot.stat().st_size > 20_000
    assert noticed.errors == []
    assert sum(address.endswith("/") for address in noticed.requests) == 1


def test_hostile_names_are_shown_and_never_run(noticed, control, bundle):
    """A name that would rewrite the title stays text, in the page and in what it fetches."""
    log_rows(control.objects, bundle, rows=200, symbol=HOSTILE, ago_seconds=-1)
    noticed.verdict("healthy")
    page = noticed.page

    assert HOSTILE in page.locator("#verdict").inner_text()
    assert page.locator("main img").count() == 0
    assert "owned" not in page.title()
    assert noticed.errors == []


def test_nothing_is_asked_of_anybody_else(noticed):
    """All requests go to the monitor's own address."""
    page = noticed.page
    page.wait_for_timeout(1_500)
    own = page.url

    assert {address.split("/")[2] for address in noticed.requests} == {own.split("/")[2]}


def test_what_a_reader_opened_stays_open(noticed, control):
    """A refresh does not fold the incidents away."""
    from plumbline.bundle.finding import Verdict
    from plumbline.store.incident import IncidentBook
    from tests.support.control import judgement

    book = IncidentBook(control.objects, MODEL)
    for number in range(2):
        book.open(_incident(f"{number:016x}", judgement(Verdict.FLAT).diagnosis, control))
    page = noticed.page
    second = page.locator("#incident-0000000000000000")
    second.wait_for(timeout=20_000)
    second.locator("summary").click()
    page.wait_for_timeout(2_500)

    assert second.get_attribute("open") is not None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_in_dark(browser, monitor, scheme):
    """Body text and the verdict stand out from what is behind them (WCAG 2.2, 1.4.3)."""
    with published(monitor) as url:
        page = browser.new_page(color_scheme=scheme)
        page.goto(url)
        body = page.evaluate(COLOURS, ["body", "body"])
        verdict = page.evaluate(COLOURS, ["#verdict h2", "#verdict"])
        page.close()

    assert contrast(*body) >= 7.0
    assert contrast(*verdict) >= 3.0  # large text


def test_the_page_fits_a_telephone(browser, control, bundle, monitor):
    """Nothing reaches beyond the right edge, of the smallest of them either (WCAG 2.2, 1.4.10)."""
    log_rows(control.objects, bundle, rows=300, ago_seconds=-1)
    until(lambda: bool(monitor.status.watch.points))
    with published(monitor) as url:
        for width in (320, 360):
            page = browser.new_page(viewport={"width": width, "height": 740})
            page.goto(url)
            reached = page.evaluate("document.documentElement.scrollWidth")
            page.close()

            assert reached <= width


def test_what_a_reader_selected_stays_selected(noticed, control, bundle):
    """The version can be copied while everything around it goes on."""
    log_rows(control.objects, bundle, rows=300, ago_seconds=-1)
    noticed.verdict("healthy")
    page = noticed.page
    page.evaluate(
        "getSelection().selectAllChildren(document.querySelector('#verdict .facts code'))"
    )
    judged = page.locator("#verdict dd").nth(1).inner_text()
    log_rows(control.objects, bundle, rows=100, start=300, ago_seconds=-1)
    page.wait_for_function(
        "was => document.querySelectorAll('#verdict dd')[1].innerText !== was", arg=judged
    )

    assert page.evaluate("getSelection().toString()") == bundle.version


@pytest.mark.slow
def test_the_button_copies_the_version(noticed, control, bundle):
    """To the clipboard, whole."""
    log_rows(control.objects, bundle, rows=120, ago_seconds=-1)
    noticed.verdict("healthy")
    page = noticed.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#verdict .facts button.copy").click()
    page.get_by_text(f"copied {bundle.version}").wait_for()

    assert page.evaluate("navigator.clipboard.readText()") == bundle.version


@pytest.mark.slow
def test_a_range_is_chosen_without_loading_the_page(noticed, control, bundle):
    """The axis changes, the address says so, and no update takes the choice back."""
    log_rows(control.objects, bundle, rows=120, ago_seconds=-1)
    noticed.verdict("healthy")
    page = noticed.page
    page.get_by_role("link", name="7 days").click()
    page.locator("a[aria-current=true]", has_text="7 days").wait_for()
    page.wait_for_timeout(2_200)

    assert page.locator("a[aria-current=true]").inner_text() == "7 days"
    assert page.url.endswith("?range=7d")
    assert sum(address.endswith("/") for address in noticed.requests) == 1


def test_a_person_acts_behind_a_login(noticed, control, bundle):
    """Turned away with a wrong token; then a promotion under their name, with what they typed."""
    other = control.registry.write(*small_bundle(MODEL, rows=900, seed=7)).version
    page = noticed.page
    noticed.sign_in("a guess")
    page.get_by_text("that is not the monitor's token").wait_for()
    noticed.sign_in()
    page.get_by_text("You are signed in as ada.").wait_for()
    page.locator(f"#order-promote option[value='{other}']").wait_for(state="attached")
    page.select_option("#order-promote select", other)
    page.fill("#order-promote input[name=reason]", "it is newer")
    page.wait_for_timeout(2_200)
    page.click("#order-promote button")
    page.get_by_text(f"{other} is promoted").wait_for()
    target = control.registry.alias().value

    assert (target.version, target.actor, target.reason) == (other, "ada", "it is newer")
    assert TOKEN not in page.url
    assert not any(TOKEN in address for address in noticed.requests)


@pytest.mark.slow
def test_an_incident_is_acknowledged(noticed, control):
    """In its timeline, with the note; the form is gone after it."""
    from plumbline.bundle.finding import Verdict
    from plumbline.store.incident import IncidentBook
    from tests.support.control import judgement

    IncidentBook(control.objects, MODEL).open(
        _incident("0" * 16, judgement(Verdict.FLAT).diagnosis, control)
    )
    page = noticed.page
    noticed.sign_in()
    page.fill(f"#acknowledge-{'0' * 16} input[name=reason]", "I am on it")
    page.click(f"#acknowledge-{'0' * 16} button")
    page.get_by_text("by ada: I am on it").wait_for()

    assert page.locator(f"#acknowledge-{'0' * 16}").count() == 0


def test_every_model_of_the_store_is_on_one_page(noticed, control):
    """With its verdict, whoever watches it; one that nobody does is marked."""
    from plumbline.bundle.finding import Verdict
    from plumbline.store.board import Bulletin, verdict_board
    from plumbline.store.registry import ModelRegistry
    from tests.support.control import judgement

    registry = ModelRegistry(control.objects, "btc-1m")
    version = registry.write(*small_bundle("btc-1m")).version
    registry.promote(version, actor="bob", reason="a test")
    bulletin = Bulletin(
        version=version, diagnosis=judgement(Verdict.FLAT).diagnosis, time=control.clock(), rows=9
    )
    verdict_board(control.objects, "btc-1m").advance(bulletin, after=0)
    page = noticed.page
    page.get_by_role("link", name="all models").click()
    page.locator("#models").wait_for()
    said = [line.inner_text() for line in page.locator("#models > li").all()]

    assert [text.splitlines()[0] for text in said] == ["btc-1m", MODEL]
    assert "flat" in said[0]
    assert "No monitor watches it now" in said[0]
    assert "No monitor watches it now" not in said[1]


@pytest.mark.parametrize(
    "seen",
    [
        {"width": 360, "scheme": "dark"},
        pytest.param({"width": 1280, "scheme": "light"}, marks=pytest.mark.slow),
        pytest.param({"width": 1280, "scheme": "dark"}, marks=pytest.mark.slow),
        pytest.param({"width": 360, "scheme": "light"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_axe_finds_nothing(browser, control, bundle, monitor, seen):
    """No violation of WCAG 2.2 A and AA, nor of axe's best practices, on any page."""
    log_rows(control.objects, bundle, rows=300, ago_seconds=-1)
    log_rows(control.objects, bundle, actions=[0] * 250, start=300, ago_seconds=-1)
    found = {}
    with published(monitor) as url:
        size = {"width": seen["width"], "height": 900}
        page = browser.new_page(color_scheme=seen["scheme"], viewport=size)
        noticed = Noticed(page, url)
        page.locator("#incidents details").first.wait_for(timeout=20_000)
        found["signed out"] = violations(page)
        noticed.sign_in()
        page.locator("#sign-out").wait_for()
        found["signed in"] = violations(page)
        for path in ("models", "reports"):
            page.goto(f"{url}/{path}")
            found[path] = violations(page)
        page.close()

    assert {path: said for path, said in found.items() if said} == {}


def violations(page: Any) -> list[str]:
    """Return what axe holds against a page: the rule, and where."""
    result = Axe().run(page)
    assert len(result.response["passes"]) > 10
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in result.response["violations"]
    ]


def test_text_on_a_telephone_is_large_enough(browser, control, bundle, monitor):
    """No letter below 12 pixels, those beside the charts too."""
    log_rows(control.objects, bundle, rows=300, ago_seconds=-1)
    with published(monitor) as url:
        page = browser.new_page(viewport={"width": 360, "height": 740})
        page.goto(url)
        page.get_by_role("heading", name="healthy", level=2).wait_for(timeout=20_000)
        page.locator("#shares path").first.wait_for()
        small = page.evaluate(SMALL_TEXT)
        width = page.evaluate("document.documentElement.scrollWidth")
        page.close()

    assert small == []
    assert width <= 360


SMALL_TEXT = """() => [...document.querySelectorAll("body *")]
  .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
  .filter((one) => parseFloat(getComputedStyle(one).fontSize) < 12)
  .map((one) => one.outerHTML.slice(0, 100))"""


def test_a_drift_report_can_be_read_on_a_telephone(browser, control, monitor, bundle):
    """Nothing reaches beyond the edge, no letter is small, axe finds nothing, and it leads back."""
    from plumbline.monitoring.drift_report import build_drift_report
    from plumbline.store.log import PredictionLog
    from plumbline.store.report import write_report

    log_rows(control.objects, bundle, rows=200)
    rows = PredictionLog(control.objects, MODEL).read()
    report = build_drift_report(bundle, rows)
    key = write_report(control.objects, MODEL, report.page, control.clock())
    with published(monitor) as url:
        page = browser.new_page(viewport={"width": 360, "height": 740})
        page.goto(f"{url}/reports/{key.rsplit('/', 1)[-1]}")
        width = page.evaluate("document.documentElement.scrollWidth")
        title, small = page.title(), page.evaluate(SMALL_TEXT)
        page.get_by_role("link", name=f"{MODEL} now").click()
        page.locator("#verdict").wait_for()
        page.set_content(report.page)  # axe is a script, and where it is served none runs
        found = violations(page)
        page.close()

    assert width <= 360
    assert title.startswith(f"Drift of {MODEL}")
    assert small == []
    assert found == []


def test_a_monitor_that_is_gone_is_said_to_be(browser, monitor):
    """An old picture is not shown as if it were new."""
    page = browser.new_page()
    with published(monitor) as url:
        page.goto(url)
    page.get_by_text("the monitor does not answer").wait_for(timeout=20_000)
    page.close()


COLOURS = """([text, behind]) => [
  getComputedStyle(document.querySelector(text)).color,
  getComputedStyle(document.querySelector(behind)).backgroundColor,
]"""


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours written as ``rgb(r, g, b)``."""
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour[4:-1].split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _incident(incident_id: str, diagnosis: Any, control: Control) -> Any:
    from datetime import timedelta

    from plumbline.store.incident import Incident, IncidentStatus

    opened = control.clock() + timedelta(seconds=int(incident_id, 16))
    return Incident(
        id=incident_id,
        model=MODEL,
        version="0123456789abcdef",
        verdict=diagnosis.verdict,
        status=IncidentStatus.RESOLVED,
        trigger="verdict",
        actor="verdict",
        opened=opened,
        closed=opened,
        detected_after=1,
        diagnosis=diagnosis,
    )
