"""Write docs/images/dashboard-*.png: the first page over the demonstration's data, light and dark. Needs Chromium and playwright.

Run after a change of how the dashboard looks: `.venv/bin/python scripts/write_images.py`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

__all__: list[str] = []

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
ADDRESS = "127.0.0.1:18790"
SECONDS = 75


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "headgate", "demo", "--seconds", str(SECONDS), "--listen", ADDRESS]
        with (Path(directory) / "log").open("wb") as log:
            demo = subprocess.Popen([*command, "--data", f"{directory}/demo"], stdout=log, stderr=log)
        try:
            _wait()
            time.sleep(SECONDS - 5)
            _draw()
        finally:
            demo.terminate()
            demo.wait(timeout=30)


def _wait() -> None:
    for _ in range(200):
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
            page.goto(f"http://{ADDRESS}/?range=1h")
            page.wait_for_timeout(1500)
            page.screenshot(path=str(IMAGES / f"dashboard-{scheme}.png"))
        browser.close()


if __name__ == "__main__":
    main()
