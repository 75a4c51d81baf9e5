"""Take the picture of the status page in docs/monitoring.md from a running monitor.

Usage: ``python docs/images/screenshot.py http://127.0.0.1:3001 docs/images/status-page.png``, for
instance after ``plumbline drill always-hold``.
"""

from __future__ import annotations

import shutil
import sys

from playwright.sync_api import sync_playwright


def main() -> None:
    """Open the page in Chromium, give it a second to update, and save what is seen."""
    url, path = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 1000}, color_scheme="light")
        page.goto(url)
        page.locator("#verdict").wait_for()
        page.wait_for_timeout(1_500)
        page.screenshot(path=path, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
