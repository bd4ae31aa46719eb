"""Which pictures of the status page does the handbook show?  ``python -m scripts.status_pictures`` makes them anew.

A gateway's interface for programs is opened on an invented day, and a headless Chromium looks at it.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.administration import Operations
from scripts.palette import small
from spool.journal import now, open_journal
from tests.browser import Browser, opened
from tests.register_world import give_token, served
from tests.status_made import make_day, make_site

PICTURES: Final = Path(__file__).resolve().parents[1] / "docs" / "pictures"
LARGEST: Final = 150_000
"""Most bytes of a picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its name, the page, the size of the screen in pixels (height None: all of the page), how light."""

    name: str
    page: str
    width: int
    height: int | None
    dark: bool = False


ALL: Final = (
    Picture("status-overview", "", 1280, 1000),
    Picture("status-overview-wall", "", 1920, 1080, dark=True),
    Picture("status-overview-phone", "", 360, 780, dark=True),
    Picture("status-answers", "/answers", 1280, None),
    Picture("status-ends", "/ending", 1280, None),
    Picture("status-senders", "/senders", 1280, None),
    Picture("status-ticket", "/ticket?ticket=MG8K2Q0XLATE1", 1280, None),
    Picture("status-ticket-phone", "/ticket?ticket=MG8K2Q0XLATE1", 360, 780),
)
_HEIGHT: Final = "Math.ceil(document.querySelector('footer').getBoundingClientRect().bottom)"


def take(browser: Browser, root: str, picture: Picture) -> bytes:
    """A picture as PNG, of a good size for a book."""
    browser.look(picture.width, picture.height or 600, dark=picture.dark)
    browser.go(root + picture.page)
    if picture.height is None:
        browser.look(picture.width, int(browser.tell(_HEIGHT)), dark=picture.dark)
    return small(browser.picture())


def main() -> int:
    """Make every picture; answers 1 if one of them is too large."""
    PICTURES.mkdir(exist_ok=True)
    sizes = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        journal = open_journal(folder / "journal.sqlite3", create=True)
        make_day(journal, now(), 4_000)
        with journal.write() as connection:
            token = give_token(connection, None)
        settings = make_site(folder, Operations(port=0, status_page=True))
        with served(settings, journal) as port, opened(folder / "profile") as browser:
            browser.headers(Authorization=f"Bearer {token}")
            for picture in ALL:
                content = take(browser, f"http://127.0.0.1:{port}/status", picture)
                (PICTURES / f"{picture.name}.png").write_bytes(content)
                sizes[picture.name] = len(content)
        journal.close()
    for name, size in sizes.items():
        print(f"docs/pictures/{name}.png  {size} bytes")
    return int(max(sizes.values()) > LARGEST)


if __name__ == "__main__":
    sys.exit(main())
