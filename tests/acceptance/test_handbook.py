"""The handbook is made without a warning, has every page, and asks nobody on any network for anything."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.documented_commands import PAGES, ROOT

_LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""What a browser asks for by itself when it shows a page, and where that stands; links that one may follow do not."""


class _Loads(HTMLParser):
    """Collects the addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element."""
        address = dict(attrs).get(_LOADED.get(tag, ""))
        if address is not None:
            self.found.append(address)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The handbook, made by the script; every warning would have ended it."""
    folder = tmp_path_factory.mktemp("handbook") / "html"
    done = subprocess.run([ROOT / "scripts" / "handbook", folder], capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr), done.stdout + done.stderr
    return folder


def test_every_page_is_in_it(book: Path) -> None:
    """And the first page leads to all of them."""
    assert [] == [page for page in PAGES if not (book / page).with_suffix(".html").is_file()]
    assert (book / "index.html").read_text().count("docs/index.html") == 2


def test_nothing_is_loaded_from_elsewhere(book: Path) -> None:
    """Neither by an element of a page, nor by a style sheet or a script of the theme."""
    for page in book.rglob("*.html"):
        loads = _Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        assert [] == [address for address in loads.found if re.match(r"([a-z]+:)?//", address)], page
    for style in book.rglob("*.css"):
        asked = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s]+)", style.read_text(encoding="utf-8"))
        assert [] == [address for address in asked if re.match(r"([a-z]+:)?//", address)], style
    for script in book.rglob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert [] == re.findall(r"(?:fetch|import|importScripts|open)\(\s*['\"](?:GET['\"],\s*['\"])?https?://", text)
