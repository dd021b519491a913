"""The report in a real browser: it opens at once, loads nothing else, and its tables sort by mouse and by keyboard.

The browser is driven over a pipe by the protocol of its developer tools, so nothing but the browser is needed.
"""

import itertools
import json
import os
import select
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.report.assemble import Drawn, meta, sections
from pipeline_lib.report.build import build
from tests.unit import reports

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
SWITCHES = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
PATIENCE = 60  # seconds that a browser may say nothing
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason=f"no browser to look with: none of {', '.join(NAMES)} is on the PATH"),
]

VALUES = [0.25, 100.0, np.nan, -3.0, 20.0, np.inf]  # as text, 100 would come before 20


class Browser:
    """One page of a browser without a window."""

    def __init__(self, profile):
        inward, self._out = os.pipe()
        self._in, outward = os.pipe()

        def connect():  # the browser reads commands from descriptor 3 and answers on 4
            ends = os.dup(inward), os.dup(outward)
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        command = [BROWSER, *SWITCHES, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, preexec_fn=connect, close_fds=False, **quiet)
        os.close(inward)
        os.close(outward)
        self._numbers, self._waiting, self.events, self._session = itertools.count(1), b"", [], None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        """Send a command and return its answer; what happens meanwhile is kept in `events`."""
        message = {"id": next(self._numbers), "method": method, "params": parameters}
        os.write(self._out, json.dumps(message | ({"sessionId": self._session} if self._session else {})).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == message["id"]:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _read(self):
        while b"\0" not in self._waiting:
            assert select.select([self._in], [], [], PATIENCE)[0], "the browser does not answer"
            more = os.read(self._in, 1 << 16)
            assert more, "the browser has closed its end"
            self._waiting += more
        message, self._waiting = self._waiting.split(b"\0", 1)
        return json.loads(message)

    def open(self, path):
        """Open a file and wait until it has loaded."""
        self.events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        while not self.seen("Page.loadEventFired"):
            self.events.append(self._read())

    def seen(self, method):
        return [event["params"] for event in self.events if event.get("method") == method]

    def run(self, expression):
        """Return the value of a JavaScript expression."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key, **more):
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, **more)

    def click(self, element):
        """Click in the middle of an element, wherever it is."""
        script = f"(() => {{ const e = {element}; e.scrollIntoView({{block: 'center', behavior: 'instant'}});"
        box = self.run(script + " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def close(self):
        self.ask("Browser.close")
        self._process.wait(timeout=30)
        os.close(self._in)
        os.close(self._out)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


def write(study, folder):
    path = folder / "report.html"
    path.write_text(build(sections(study), meta(study)), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, tmp_path):
    """The small study, with a table to sort."""
    table = pd.DataFrame({"name": ["b", "a10", "a9", "c", "d", "e"], "value": VALUES})
    browser.open(write(reports.study(tables={**reports.study().tables, "sorting": (table, "s.csv")}), tmp_path))
    return browser


TABLE = "[...document.querySelectorAll('table')].find((t) => t.tHead.textContent === 'namevalue')"


def column(browser, place):
    return browser.run(f"[...{TABLE}.tBodies[0].rows].map((row) => row.cells[{place}].textContent)")


def direction(browser):
    return browser.run(f"[...{TABLE}.querySelectorAll('th')].map((head) => head.getAttribute('aria-sort'))")


def test_numbers_sort_by_size_and_what_is_missing_stays_below(opened):
    opened.click(f"{TABLE}.querySelectorAll('button')[1]")
    assert column(opened, 1) == ["-3", "0.25", "20", "100", "∞", "–"]
    assert direction(opened) == [None, "ascending"]
    opened.click(f"{TABLE}.querySelectorAll('button')[1]")
    assert column(opened, 1) == ["∞", "100", "20", "0.25", "-3", "–"]
    assert direction(opened) == [None, "descending"]


def test_words_sort_with_their_numbers(opened):
    opened.click(f"{TABLE}.querySelectorAll('button')[0]")
    assert column(opened, 0) == ["a9", "a10", "b", "c", "d", "e"]
    assert column(opened, 1)[0] == "–"  # the rows move as a whole


@pytest.mark.parametrize("key", [{"key": "Enter", "text": "\r"}, {"key": " ", "text": " "}], ids=["Enter", "Space"])
def test_a_keyboard_is_enough(opened, key):
    opened.run(f"{TABLE}.querySelectorAll('button')[0].focus()")
    opened.press("Tab", windowsVirtualKeyCode=9)
    opened.press(windowsVirtualKeyCode=ord(key["text"]), **key)
    assert direction(opened) == [None, "ascending"]
    assert column(opened, 1)[0] == "-3"


def test_equal_values_keep_their_order(opened):
    opened.click("document.querySelector('table button')")  # classes, all training counts of 1 and 2
    table = "document.querySelector('table')"
    before = opened.run(f"[...{table}.tBodies[0].rows].map((row) => row.cells[0].textContent)")
    opened.click(f"{table}.querySelectorAll('button')[2]")  # one test example each
    assert opened.run(f"[...{table}.tBodies[0].rows].map((row) => row.cells[0].textContent)") == before


def test_nothing_is_loaded_and_nothing_is_refused_or_fails(opened):
    addresses = [event["request"]["url"] for event in opened.seen("Network.requestWillBeSent")]
    assert len(addresses) > 1
    assert all(address.startswith(("file://", "data:")) for address in addresses)
    assert sum(address.startswith("file://") for address in addresses) == 1
    assert not opened.seen("Runtime.exceptionThrown")
    assert not [entry for entry in opened.seen("Log.entryAdded") if entry["entry"]["level"] in ("warning", "error")]


def test_names_from_the_data_are_text(opened):
    assert opened.run("document.scripts.length") == 1
    assert reports.HOSTILE in opened.run("document.body.innerText")
    assert not opened.seen("Page.javascriptDialogOpening")


def test_figures_are_shown(opened):
    shown = opened.run("[...document.images].map((image) => image.complete && image.naturalWidth)")
    assert shown == [1500] * len(reports.study().figures)


@pytest.mark.parametrize("width", [1400, 1000, 390])
def test_the_page_is_not_wider_than_the_window(opened, width):
    opened.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    assert opened.run("document.documentElement.scrollWidth") <= width
    opened.ask("Emulation.clearDeviceMetricsOverride")


def test_a_table_fits_on_paper(opened):
    opened.ask("Emulation.setEmulatedMedia", media="print")
    opened.ask("Emulation.setDeviceMetricsOverride", width=720, height=1000, deviceScaleFactor=1, mobile=False)  # A4
    widths = opened.run("[...document.querySelectorAll('table')].filter((t) => t.offsetWidth).map((t) => t.offsetWidth)")
    opened.ask("Emulation.clearDeviceMetricsOverride")
    opened.ask("Emulation.setEmulatedMedia", media="")
    assert len(widths) > 4
    assert max(widths) <= 720


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_by_day_and_by_night(opened, scheme):
    opened.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    colours = opened.run(
        "['main', '.note', 'nav a', 'summary', 'figcaption', '.good', '.bad', 'pre', 'th button', '.points dd'].map((name) => {"
        "  const element = document.querySelector(name);"
        "  let behind = element;"
        "  while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;"
        "  return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];"
        "})"
    )
    opened.ask("Emulation.setEmulatedMedia", features=[])
    assert min(contrast(*pair) for pair in colours) >= 4.5  # WCAG 2, level AA


def contrast(one: str, other: str) -> float:
    """The contrast of two colours "rgb(r, g, b)" by WCAG 2."""

    def luminance(colour):
        parts = np.array([int(part) for part in colour[4:-1].split(",")]) / 255
        return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_study_of_cifar_opens_within_two_seconds(browser, tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.random((5000, 12)), columns=[f"c{i}" for i in range(12)]).assign(index=0, group="easiest", runs=3)
    noise = reports.png_of(rng.integers(0, 256, (300, 800, 3), dtype=np.uint8))  # what cannot be packed: 700 kB
    drawing = reports.png(2000, 1500)
    figures = {f"examples/m{i}": Drawn(noise if i % 3 == 0 else drawing, table, "x.csv") for i in range(33)}
    path = write(reports.study(figures=figures), tmp_path)
    assert 10e6 < path.stat().st_size < 15e6
    browser.open(path)
    assert browser.run("performance.getEntriesByType('navigation')[0].loadEventEnd") < 2000  # milliseconds
