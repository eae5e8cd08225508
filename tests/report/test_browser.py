"""The page in a real browser: it sorts, filters, changes its light, and fetches nothing."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1200,1000",
]  # fmt: skip


class Browser:
    """Enough of the WebDriver protocol to look at a page (no client library needed)."""

    def __init__(self, driver: str, chromium: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        port = next(
            line.rsplit(" ", 1)[-1].strip(".\n")
            for line in self.process.stdout
            if "started successfully on port" in line
        )
        self.root = f"http://127.0.0.1:{port}"
        options = {"binary": chromium, "args": [*FLAGS, f"--user-data-dir={folder}"]}
        wanted = {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{session['sessionId']}"

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(self.root + path, data=data, headers=headers, method=method)
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, page: Path) -> None:
        self._call("POST", f"{self.session}/url", {"url": page.as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        body = {"script": script, "args": list(arguments)}
        return self._call("POST", f"{self.session}/execute/sync", body)

    def devtools(self, command: str, **parameters: Any) -> Any:
        body = {"cmd": command, "params": parameters}
        return self._call("POST", f"{self.session}/goog/cdp/execute", body)

    def press(self, key: str) -> None:
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        body = {"actions": [{"type": "key", "id": "keys", "actions": actions}]}
        self._call("POST", f"{self.session}/actions", body)

    def log(self, kind: str) -> list[dict[str, Any]]:
        return list(self._call("POST", f"{self.session}/se/log", {"type": kind}))

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._call("GET", f"{self.session}/screenshot")))

    def close(self) -> None:
        try:
            self._call("DELETE", self.session)
        except URLError:
            pass
        finally:
            self.process.terminate()
            self.process.communicate(timeout=30)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    driver = shutil.which("chromedriver")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if driver is None or chromium is None:
        pytest.skip("no Chromium with its driver (Debian: apt install chromium chromium-driver)")
    opened = Browser(driver, chromium, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def shown(browser: Browser, page: Path) -> Browser:
    """Return the browser with the page freshly loaded and its logs emptied."""
    browser.log("browser")
    browser.log("performance")
    browser.open(page)
    return browser


def column(browser: Browser, table: str, index: int) -> list[str]:
    script = """return [...document.querySelector(arguments[0]).querySelectorAll('tbody tr')]
        .filter(r => !r.hidden).map(r => r.cells[arguments[1]].dataset.order)"""
    return list(browser.run(script, table, index))


def click(browser: Browser, selector: str) -> None:
    browser.run("document.querySelector(arguments[0]).click()", selector)


def test_no_console_message_and_no_request(shown: Browser, page: Path) -> None:
    assert shown.log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in shown.log("performance")]
    asked = {
        event["params"]["request"]["url"].split(",")[0]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert page.as_uri() in asked
    own = ("data:", "chrome:")  # what the page holds, and the browser's own first tab
    assert {url for url in asked if not url.startswith(own)} == {page.as_uri()}


def test_every_figure_is_drawn(shown: Browser) -> None:
    sizes = shown.run("return [...document.images].map(i => [i.complete, i.naturalWidth, i.alt])")
    assert len(sizes) >= 4
    assert all(complete and width > 300 and alt for complete, width, alt in sizes)


def test_tables_sort_by_number_and_by_name(shown: Browser) -> None:
    mean = "#table-statistics th:nth-child(6)"
    click(shown, f"{mean} button")
    values = [float(v) for v in column(shown, "#table-statistics", 5)]
    assert values == sorted(values)
    assert shown.run("return document.querySelector(arguments[0]).ariaSort", mean) == "ascending"
    click(shown, f"{mean} button")
    values = [float(v) for v in column(shown, "#table-statistics", 5)]
    assert values == sorted(values, reverse=True)
    click(shown, "#table-statistics th:nth-child(3) button")
    names = column(shown, "#table-statistics", 2)
    assert names == sorted(names)
    assert shown.run("return document.querySelector(arguments[0]).ariaSort", mean) is None


def test_what_is_not_known_sorts_last_both_ways(shown: Browser) -> None:
    shown.run(
        """document.querySelector('#table-statistics tbody tr').cells[5].dataset.order = ''"""
    )
    for _ in range(2):
        click(shown, "#table-statistics th:nth-child(6) button")
        assert column(shown, "#table-statistics", 5)[-1] == ""


def test_headers_sort_from_the_keyboard(shown: Browser) -> None:
    shown.run("document.querySelector('#table-headline-2010s th:nth-child(3) button').focus()")
    shown.press("\ue007")
    values = [float(v) for v in column(shown, "#table-headline-2010s", 2)]
    assert values == sorted(values)


def test_filter_keeps_rows_with_every_word(shown: Browser) -> None:
    before = len(column(shown, "#table-statistics", 0))
    shown.run("""const box = document.querySelector('#table-statistics input');
        box.value = 'europe inver'; box.dispatchEvent(new Event('input'))""")
    kept = set(column(shown, "#table-statistics", 2))
    assert kept == {"europe"}
    assert 0 < len(column(shown, "#table-statistics", 0)) < before


def background(browser: Browser) -> str:
    return str(browser.run("return getComputedStyle(document.body).backgroundColor"))


def test_light_and_dark_by_system_and_by_hand(shown: Browser, tmp_path: Path) -> None:
    media = "Emulation.setEmulatedMedia"
    shown.devtools(media, features=[{"name": "prefers-color-scheme", "value": "light"}])
    assert background(shown) == "rgb(255, 255, 255)"
    click(shown, "#theme")
    assert background(shown) == "rgb(23, 27, 32)"
    shown.screenshot(tmp_path / "dark.png")
    click(shown, "#theme")
    assert background(shown) == "rgb(255, 255, 255)"
    shown.open(Path(shown.run("return location.pathname")))
    shown.devtools(media, features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert background(shown) == "rgb(23, 27, 32)"
    shown.devtools(media, features=[])


def test_nothing_is_wider_than_a_phone(shown: Browser) -> None:
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    shown.devtools("Emulation.setDeviceMetricsOverride", **size)
    assert shown.run("return document.documentElement.scrollWidth") <= 390
    shown.devtools("Emulation.clearDeviceMetricsOverride")


def test_prints_light_and_without_what_only_a_screen_needs(shown: Browser, tmp_path: Path) -> None:
    printed = shown.devtools("Page.printToPDF", preferCSSPageSize=True)
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")
    shown.devtools("Emulation.setEmulatedMedia", media="print")
    assert background(shown) == "rgb(255, 255, 255)"
    hidden = shown.run("return getComputedStyle(document.querySelector('nav')).display")
    assert hidden == "none"
    long_table = "getComputedStyle(document.querySelector('#table-statistics')).display"
    assert shown.run(f"return {long_table}") == "none"
    header = "document.querySelector('#table-headline-2010s th button')"
    assert shown.run(f"return getComputedStyle({header}).display") != "none"
    count = "return document.querySelectorAll('#headline details[open]').length"
    for event, opened in (("beforeprint", 2), ("afterprint", 0)):
        shown.run("dispatchEvent(new Event(arguments[0]))", event)
        assert shown.run(count) == opened
    shown.devtools("Emulation.setEmulatedMedia", media="")
