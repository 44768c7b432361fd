"""Write docs/images/*.png: the first page and a trace over the demonstration's data. Needs Chromium and playwright.

Run after a change of how the dashboard looks: `.venv/bin/python scripts/write_images.py`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

__all__: list[str] = []

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
ADDRESS = "127.0.0.1:18790"
KEY = "hg_images_0123456789abcdefghijklmnopqrstuvwx"
SECONDS = 60
HISTORY = "2d"
READY_SECONDS = 120


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "headgate", "demo", "--seconds", str(SECONDS), "--history", HISTORY]
        with (Path(directory) / "log").open("wb") as log:
            demo = subprocess.Popen(
                [*command, "--listen", ADDRESS, "--data", f"{directory}/demo"],
                env=os.environ | {"HEADGATE_BOOTSTRAP_KEY": KEY},
                stdout=log,
                stderr=log,
            )
        try:
            _wait()
            # The last of the traffic, but not the last answer: somebody is being served.
            time.sleep(SECONDS - 5)
            _draw()
        finally:
            demo.terminate()
            demo.wait(timeout=30)


def _wait() -> None:
    due = time.monotonic() + READY_SECONDS
    while time.monotonic() < due:
        try:
            urllib.request.urlopen(f"http://{ADDRESS}/healthz", timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the demonstration does not start")


def _draw() -> None:
    program = next(path for name in ("chromium", "google-chrome") if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
            _sign_in(page)
            page.goto(f"http://{ADDRESS}/?range=24h")
            page.wait_for_timeout(1500)
            page.screenshot(path=str(IMAGES / f"dashboard-{scheme}.png"))
            if scheme == "light":
                page.goto(f"http://{ADDRESS}{_failed_over(page)}")
                page.wait_for_timeout(500)
                page.screenshot(path=str(IMAGES / "trace-light.png"))
        browser.close()


def _sign_in(page: Page) -> None:
    """As somebody who may read what was asked and answered."""
    page.goto(f"http://{ADDRESS}/sign-in")
    page.get_by_label("Headgate key").fill(KEY)
    page.get_by_role("button", name="Sign in with the key").click()
    page.wait_for_load_state()


def _failed_over(page: Page) -> str:
    """A request that two endpoints were asked for, in a language that every machine has the letters of."""
    page.goto(f"http://{ADDRESS}/traces?range=24h&feature=rehearse-failure&outcome=ok")
    # The newest first; several attempts stand there as ×2 or ×3.
    rows = page.locator("#rows tbody tr", has_text="×")
    paths = [rows.nth(place).locator("a").first.get_attribute("href") or "" for place in range(rows.count())]
    for path in paths:
        page.goto(f"http://{ADDRESS}{path}")
        if re.fullmatch(r"[\x00-\u024f\u2010-\u2027\s]*", page.locator("main").inner_text().replace("→", "")):
            return path
    raise SystemExit("no request of the demonstration failed over")


if __name__ == "__main__":
    main()
