"""Takes the picture of the console that README.md shows, from a run with the demo's traders: ``make screenshot``."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

from infra.chromium import find_chromium
from infra.settings import ROOT
from tests.browser.conftest import ARGUMENTS
from tests.infra.stack import RunningStack

PICTURE = ROOT / "docs" / "console.png"
TRADES_S = 120
"""So long the demo's traders trade before the picture is taken."""


def main() -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, RunningStack(Path(folder) / "local", DEMO="") as stack:
        (address,) = re.findall(r"http://\S+/console#token=\S+", stack.output)
        time.sleep(TRADES_S)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(address)
            page.locator("#liveness[data-state=live]").wait_for()
            page.get_by_label(re.compile(r"^Amount \(")).fill("0.5")
            page.get_by_label(re.compile(r"^Limit price")).fill("346500")
            page.locator("#ticket").get_by_role("button", name=re.compile("^Buy ")).click()
            page.locator("#ticket-said", has_text="now.").wait_for()
            page.locator("#orders tr", has_text="limit").wait_for()
            page.locator("#summary dd").first.wait_for()
            page.wait_for_timeout(2_000)
            page.screenshot(path=PICTURE)
            browser.close()


if __name__ == "__main__":
    main()
