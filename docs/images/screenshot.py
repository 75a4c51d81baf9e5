"""Take the pictures of the status page in the docs.

Usage: ``python -m docs.images.screenshot docs/images`` from the root of the repository. A model is
served for an hour that passes in a moment, collapses, and is being retrained when the camera
clicks; all of it on a monitor of its own. Needs Chromium.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from plumbline.bundle.archive import Bundle
from plumbline.store.pointer import Pointer
from plumbline.store.registry import AliasTarget
from plumbline.store.report import list_reports
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control
from tests.support.monitored import log_rows
from tests.support.watched import build, published, stepping, until

ROWS, EVERY_US = 900, 3_600_000
TAKEN = (
    # name, path, width, height, colours
    ("status-page", "", 1200, 1500, "light"),
    ("status-page-dark", "", 1200, 1500, "dark"),
    ("status-page-phone", "", 390, 1500, "light"),
    ("models-page", "models", 900, 360, "light"),
    ("drift-report-phone", "report", 390, 1100, "dark"),
)


def main() -> None:
    """Stage a collapse and take all pictures of it."""
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as place:
        control = Control(Path(place), settings={"token": "secret"})
        control.plan(seed=1, rows=ROWS, seconds=120.0)
        bundle = _serve(control)
        log_rows(control.objects, bundle, rows=ROWS, every_us=EVERY_US, ago_seconds=100)
        monitor = build(control)
        with stepping(monitor), published(monitor) as url:
            until(lambda: bool(list_reports(control.objects, MODEL)), seconds=90)
            log_rows(control.objects, bundle, actions=[1] * 90, every_us=1_000_000, ago_seconds=5)
            until(lambda: bool(monitor.status.incidents), seconds=60)
            time.sleep(3)
            report = list_reports(control.objects, MODEL)[0].name
            with sync_playwright() as playwright:
                _take(playwright, url, folder, report)


def _serve(control: Control) -> Bundle:
    """Promote a version as if it had been an hour ago; another model is in the store as well."""
    then = datetime.now(UTC) - timedelta(hours=1)
    found = {}
    for model, seed in ((MODEL, 0), ("btcusdt-1m", 3)):
        registry = type(control.registry)(control.objects, model)
        found[model] = registry.write(*small_bundle(model, rows=ROWS, seed=seed))
        target = AliasTarget(
            version=found[model].version, actor="ada", reason="the first model", time=then
        )
        pointer = Pointer(control.objects, f"models/{model}/aliases/champion", AliasTarget)
        pointer.advance(target, after=0)
    return found[MODEL]


def _take(playwright: Any, url: str, folder: Path, report: str) -> None:
    browser = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
    )
    for name, path, width, height, colours in TAKEN:
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=colours)
        page.goto(f"{url}/{f'reports/{report}' if path == 'report' else path}")
        page.wait_for_timeout(1_500)
        page.screenshot(path=folder / f"{name}.png")
        page.close()
    browser.close()


if __name__ == "__main__":
    main()
