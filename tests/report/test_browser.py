"""A real browser takes the page: charts, sorting, phone, print; and nothing in it runs that is not ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.report.page import page
from tests.report.chromium import Tab, found, tab
from tests.report.conftest import Made
from tests.report.hostile import HOSTILE, poisoned

pytestmark = pytest.mark.skipif(found() is None, reason="no Chromium is installed (Debian: apt install chromium)")

PHONE_WIDTH = 360  # pixels: the narrowest that is still sold
UNDRAWN = (
    "[...document.querySelectorAll('.chart')].filter(one => one.clientWidth && !one.querySelector('svg path')).length"
)
COLUMN = (
    "[...document.querySelectorAll('table.sortable')[0].tBodies[0].rows].map(row => Number(row.cells[1].dataset.value))"
)
HEAD = "document.querySelectorAll('table.sortable')[0].tHead.rows[0].cells[1]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    """One for all."""
    with tab() as made:
        yield made


@pytest.fixture(scope="module")
def report(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as a file."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(made.document), "utf-8")
    return path


def quiet(browser: Tab, file: Path) -> None:
    """Nothing was said on the console, and nothing asked for but files of this test."""
    assert browser.complaints == []
    assert {url for url in browser.requests if not url.startswith(file.parents[1].as_uri())} == set()


def test_every_chart_is_drawn(browser: Tab, report: Path, made: Made) -> None:
    """In each dimension's panel and below, in light and in dark."""
    for dark in (False, True):
        browser.open(report, dark=dark)
        tabs = browser.evaluate("document.querySelectorAll('[role=tab]').length")
        assert tabs == len(made.document["dimensions"])
        for number in range(tabs):
            browser.evaluate(f"document.querySelectorAll('[role=tab]')[{number}].click()")
            assert browser.evaluate(UNDRAWN) == 0
            assert browser.evaluate("[...document.querySelectorAll('.panel')].filter(one => !one.hidden).length") == 1
        assert browser.evaluate("document.querySelectorAll('.chart[data-drawn]').length") >= 2 * tabs + 3
    quiet(browser, report)


def test_tables_sort(browser: Tab, report: Path) -> None:
    """A click on a head sorts numbers as numbers, largest first; a second one turns that round; readers are told."""
    browser.open(report)
    browser.evaluate(f"{HEAD}.querySelector('button').click()")
    values = browser.evaluate(COLUMN)
    assert len(values) > 2
    assert values == sorted(values, reverse=True)
    assert browser.evaluate(f"{HEAD}.getAttribute('aria-sort')") == "descending"
    browser.evaluate(f"{HEAD}.querySelector('button').click()")
    assert browser.evaluate(COLUMN) == sorted(values)
    quiet(browser, report)


def test_a_phone_shows_it(browser: Tab, report: Path) -> None:
    """The page is as wide as the screen; what is wider scrolls in itself; letters can be read."""
    browser.open(report, PHONE_WIDTH, 700)
    assert browser.evaluate("document.documentElement.scrollWidth") <= PHONE_WIDTH
    assert browser.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 15
    assert browser.evaluate(UNDRAWN) == 0
    quiet(browser, report)


def test_it_prints(browser: Tab, report: Path) -> None:
    """On paper every dimension is there with its charts, on light ground, and afterwards the screen is as before."""
    browser.open(report, dark=True)
    browser.evaluate(
        "addEventListener('beforeprint', () => { window.atPrint = ["
        "[...document.querySelectorAll('.chart')].filter(one => !one.querySelector('svg path')).length,"
        "[...document.querySelectorAll('.panel[hidden]')].length,"
        "getComputedStyle(document.body).backgroundColor] })"
    )
    assert browser.pdf().startswith(b"%PDF")
    assert browser.evaluate("window.atPrint") == [0, 0, "rgb(255, 255, 255)"]
    assert browser.evaluate("document.querySelectorAll('.panel[hidden]').length") > 0
    quiet(browser, report)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_runs(browser: Tab, made: Made, tmp_path: Path, text: str) -> None:
    """Whatever texts want to be, they are shown, and the console stays silent: nothing was even tried and stopped."""
    path = tmp_path / "hostile.html"
    path.write_text(page(poisoned(made.document, text)), "utf-8")
    browser.open(path)
    browser.evaluate("document.querySelectorAll('th button').forEach(one => one.click())")
    browser.evaluate(
        "document.querySelectorAll('.chart svg').forEach(one => one.dispatchEvent(new MouseEvent('mousemove', "
        "{bubbles: true, clientX: one.getBoundingClientRect().x + 200, clientY: one.getBoundingClientRect().y + 80})))"
    )
    assert browser.evaluate(UNDRAWN) == 0
    assert browser.evaluate("document.querySelectorAll('script').length") == 3
    assert browser.evaluate("document.querySelectorAll('img, [onerror], [onload], [onmouseover]').length") == 0
    quiet(browser, path)


def test_the_policy_is_in_force(browser: Tab, report: Path, tmp_path: Path) -> None:
    """A script that somebody adds to the file does not run: the browser refuses it, and says so."""
    path = tmp_path / "added.html"
    path.write_text(report.read_text("utf-8").replace("</main>", "</main><script>window.hit = 1</script>"), "utf-8")
    browser.open(path)
    assert browser.evaluate("window.hit") is None
    assert any("Content Security Policy" in one for one in browser.complaints)
    browser.complaints.clear()
