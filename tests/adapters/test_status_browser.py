"""The status page in a real browser: as people use it, on a phone and on a screen on the wall, by keys alone."""

from pathlib import Path
from typing import Final

import httpx
import pytest

from config.administration import Operations
from spool.journal import Journal, now
from tests.browser import Browser, opened
from tests.register_world import give_token, served
from tests.status_made import make_day, make_site

PAGES: Final = ("", "/answers", "/ending", "/senders", "/ticket?ticket=MG8K2Q0XLATE1")
SCREENS: Final = ((360, 740, True), (1440, 900, False))
TAB: Final = ("Tab", 9)
ENTER: Final = ("Enter", 13, "\r")
_TOO_WIDE: Final = """
[...document.querySelectorAll("main *, header *, footer *")]
    .filter(element => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scroll, thead"))
    .map(element => element.tagName)
"""
_FOCUS: Final = "document.activeElement.name || document.activeElement.textContent.trim()"


@pytest.mark.timeout(180)
def test_people_log_in_look_round_and_find_a_ticket_by_keys_alone(journal: Journal, tmp_path: Path) -> None:
    """No page is wider than a phone, every page has its sheet, light or dark, and the cookie holds."""
    make_day(journal, now(), 120)
    with journal.write() as connection:
        token = give_token(connection, None)
    settings = make_site(tmp_path, Operations(port=0, status_page=True))
    with served(settings, journal) as port, opened(tmp_path / "profile") as browser:
        root = f"http://127.0.0.1:{port}/status"
        _log_in(browser, root, token)
        assert "Overview" == browser.tell("document.querySelector('h1').textContent")
        _look_round(browser, root)
        _find(browser, root)
        _follow_every_link(browser, root)


def _log_in(browser: Browser, root: str, token: str) -> None:
    browser.look(360, 740)
    browser.go(root)
    browser.press(*TAB)
    assert "To the content" == browser.tell(_FOCUS)
    browser.press(*TAB)
    assert "token" == browser.tell(_FOCUS)
    browser.write(token)
    browser.press(*ENTER)
    browser.wait_for_page()
    assert root == browser.tell("location.href")
    assert "" == browser.tell("document.cookie")


def _look_round(browser: Browser, root: str) -> None:
    for width, height, dark in SCREENS:
        browser.look(width, height, dark=dark)
        for page in PAGES:
            browser.go(root + page)
            assert width == browser.tell("document.documentElement.scrollWidth"), page
            assert [] == browser.tell(_TOO_WIDE), page
            ground = browser.tell("getComputedStyle(document.body).backgroundColor")
            assert ("rgb(14, 20, 27)" if dark else "rgb(244, 245, 247)") == ground
            assert 0 == browser.tell("document.scripts.length")
            picture = browser.picture()
            assert (width, height) == (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24]))


def _find(browser: Browser, root: str) -> None:
    browser.look(360, 740)
    browser.go(root + "/ticket")
    for _ in range(12):
        browser.press(*TAB)
        if browser.tell(_FOCUS) == "ticket":
            break
    browser.write("mg8k2q0xpark1")
    browser.press(*ENTER)
    browser.wait_for_page()
    assert "Ticket MG8K2Q0XPARK1" == browser.tell("document.querySelector('h1').textContent")


def _follow_every_link(browser: Browser, root: str) -> None:
    links = set()
    for page in PAGES:
        browser.go(root + page)
        links |= set(browser.tell("[...document.links].map(link => link.href.split('#')[0])"))
    cookies = browser.ask("Network.getCookies", urls=[root])["cookies"]
    [cookie] = [one for one in cookies if one["name"].startswith("__Host-")]
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
    with httpx.Client(headers={"Cookie": f"{cookie['name']}={cookie['value']}"}) as client:
        assert {200} == {client.get(link).status_code for link in links}
