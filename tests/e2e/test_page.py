"""The status page in a real browser: it updates by itself, and nothing in it can run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plumbline.bundle.archive import Bundle
from plumbline.monitoring.monitor import Monitor
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control
from tests.support.monitored import log_rows
from tests.support.programs import require_program
from tests.support.watched import build, published, stepping, until

pytestmark = pytest.mark.tools

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
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
    made = Control(tmp_path)
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
    page.locator("#verdict code", has_text=version).wait_for(timeout=20_000)
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


def test_the_page_fits_a_telephone(browser, monitor):
    """Nothing reaches beyond the right edge."""
    with published(monitor) as url:
        page = browser.new_page(viewport={"width": 360, "height": 740})
        page.goto(url)
        width = page.evaluate("document.documentElement.scrollWidth")
        page.close()

    assert width <= 360


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
