"""The status page over HTTP, on real journals: what it shows and to whom, and what it never does."""

import asyncio
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import sqlalchemy as sa
from lxml import etree, html

from config.administration import Operations
from config.errors import ConfigurationError
from config.settings import Settings
from gateway.health import Part
from gateway.operations import tokens
from gateway.operations.app import open_operations
from gateway.operations.page import admission, promised
from gateway.operations.page.looking import looking
from gateway.operations.page.sights import Sights
from gateway.register import history
from spool import submissions
from spool.journal import Journal, JournalError, now, open_journal
from spool.submissions import Ruling, State
from spool.tables import submissions as table_of_submissions
from tests.register_world import BECAUSE, OPERATOR, give_token, make_world, served, settings_in
from tests.status_made import make_day, make_site
from tests.submissions_made import receive

ADDRESSES: Final = tuple(
    f"/status{end}" for end in ("", "/answers", "/ending", "/senders", "/ticket", "/ticket?ticket=MG8K2Q0XLATE1")
)
WORD: Final = "w" * 40
POLICY: Final = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
COOKIE: Final = "__Host-gateway-status"


FOREVER: Final = sa.text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT max(i) FROM n"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Journal, int]]:
    """A gateway's day with all its troubles, and its page."""
    folder = tmp_path_factory.mktemp("status")
    (folder / "word").write_text(f"{WORD}\n")
    (folder / "word").chmod(0o600)
    settings = make_site(folder, Operations(port=0, status_page=True, status_token=folder / "word"))
    journal = open_journal(folder / "journal.sqlite3", create=True)
    make_day(journal, now())
    with served(settings, journal) as port:
        yield settings, journal, port
    journal.close()


@pytest.fixture
def viewer(site: tuple[Settings, Journal, int]) -> Iterator[httpx.Client]:
    """Somebody who shows the word of the file."""
    shown = {"Authorization": f"Bearer {WORD}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{site[2]}", headers=shown) as client:
        yield client


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_is_whole_html_for_everybody(viewer: httpx.Client, address: str) -> None:
    """One heading of the first rank, tables with captions and heads, names for what is used, no script, no style."""
    page = viewer.get(address)
    assert page.status_code == 200
    tree = html.document_fromstring(page.text)
    assert page.text.startswith("<!doctype html>\n")
    assert [] == _not_closed(page.text)
    assert tree.get("lang") == "en"
    assert [1, 1, 1] == [len(tree.findall(path)) for path in (".//h1", ".//title", ".//main")]
    assert {"script", "style", "iframe", "img", "object"}.isdisjoint(
        element.tag for element in tree.iter(etree.Element)
    )
    attributes = {name for element in tree.iter(etree.Element) for name in element.attrib}
    assert not [name for name in attributes if name == "style" or name.startswith("on")]
    names = tree.xpath("//@id")
    assert len(names) == len(set(names))
    assert set(tree.xpath("//@aria-labelledby | //label/@for")) <= set(names)
    for table in tree.findall(".//table"):
        assert table.findtext("caption")
        heads = table.findall("thead/tr/th")
        assert {"col"} == {head.get("scope") for head in heads}
        for row in table.findall("tbody/tr"):
            assert [head.text_content() for head in heads] == [cell.get("data-label") for cell in row]


def _not_closed(text: str) -> list[str]:
    """Elements that are opened and never closed, or closed out of turn."""
    opened: list[str] = []
    for end, name, empty in re.findall(r"<(/?)([a-z0-9]+)[^>]*?(/?)>", text):
        if end:
            if not opened or opened.pop() != name:
                return [name]
        elif not empty and name not in {"meta", "link", "input"}:
            opened.append(name)
    return opened


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_page_names_persons_users_or_addresses(viewer: httpx.Client, address: str) -> None:
    """Tickets, sender numbers and codes only."""
    text = viewer.get(address).text
    assert not [word for word in ("payroll", "192.0.2", "nobody", "CN=", "SHA256:made") if word in text]


def test_every_link_leads_somewhere(viewer: httpx.Client) -> None:
    """From every page."""
    links = {
        link
        for address in ADDRESSES
        for link in html.document_fromstring(viewer.get(address).text).xpath("//a/@href | //link/@href")
        if not link.startswith("#")
    }
    assert len(links) > 20
    assert {200} == {viewer.get(link).status_code for link in links}


def test_every_answer_forbids_what_a_page_of_text_does_not_need(viewer: httpx.Client) -> None:
    """No content but our own sheet, in nobody's frame, kept nowhere; refusals too."""
    wanted = {
        "content-security-policy": POLICY,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
    }  # fmt: skip
    for answer in (
        viewer.get("/status"),
        viewer.get("/status/ticket?ticket=NONE"),
        viewer.get("/status", headers={"Authorization": "x"}),
    ):
        assert wanted.items() <= dict(answer.headers).items()
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "set-cookie" not in answer.headers
        assert "server" not in answer.headers
    sheet = viewer.get("/status/status.css")
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert wanted["content-security-policy"] == sheet.headers["content-security-policy"]
    assert not re.search(r"url\(|@import", sheet.text)


def test_the_pages_say_what_stands_in_the_journal(viewer: httpx.Client) -> None:
    """Each in its place."""
    overview = _text(viewer, "/status")
    for words in ("waiting to be judged", "The revocation list of staff is too old", "Maintenance is announced",
                  "new disks", "The signature is invalid.", "2 locked out", "3 declarations parked"):  # fmt: skip
        assert words in overview
    # What was held, and what was late, came before this hour, which may be the first of its day.
    days = {str((datetime.now(UTC) - timedelta(minutes=past)).date()) for past in (0, 30, 40)}
    answers = "".join(_text(viewer, f"/status/answers?day={day}") for day in days)
    assert "TrustUnavailable: no list of 'staff' counts any more" in answers
    assert "2 min 30 s" in answers
    ending = _text(viewer, "/status/ending")
    assert "too old, for 3 h" in ending
    assert "signing.certificate" in ending
    senders = _text(viewer, "/status/senders")
    assert "an address, whatever the name" in senders
    assert "waits for a corrected file, as agreed" in senders
    assert "the queue refused it: too large" in senders
    ticket = _text(viewer, "/status/ticket?ticket=mg8k2q0xlate1")
    assert "declaration.forwarded \N{MULTIPLICATION SIGN} 3" in ticket
    assert "GO.DIMN.234567." in ticket


def _text(viewer: httpx.Client, address: str) -> str:
    [found] = html.document_fromstring(viewer.get(address).text).xpath("//main")
    return " ".join(found.text_content().split())


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/ticket?ticket=NONE", 404),
        ("/ticket?ticket=%3Cscript%3E", 404),
        ("/ticket?ticket=", 200),
        ("/answers?day=today", 422),
        ("/answers?day=1999-01-01", 422),
        ("/answers?day=9999-12-31", 422),
        ("/answers?day=2026-11-01", 200),
        ("/answers?" + "&".join(["day=x"] * 20), 200),
        ("?refresh=on", 200),
    ],
)
def test_a_question_may_be_anything(viewer: httpx.Client, address: str, status: int) -> None:
    """And nothing of it comes back but a ticket."""
    answer = viewer.get(f"/status{address}")
    assert status == answer.status_code
    assert "<script" not in answer.text
    assert ("http-equiv" in answer.text) == ("refresh" in address)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_is_to_look_at_only(viewer: httpx.Client, method: str) -> None:
    """No page takes anything."""
    assert {405} == {viewer.request(method, address).status_code for address in ADDRESSES}


def test_whoever_shows_nothing_good_sees_a_form_and_no_more(site: tuple[Settings, Journal, int]) -> None:
    """Nothing, a wrong word, a person's token, two of them."""
    _, journal, port = site
    with journal.write() as connection:
        operator = give_token(connection, None)
        ended = give_token(connection, None, days=-1)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for shown in ({}, {"Authorization": f"Basic {WORD}"}, {"Authorization": f"Bearer {ended}"}):
            refused = client.get("/status/ticket?ticket=MG8K2Q0XLATE1", headers=shown)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert 'name="token"' in refused.text
            assert "MG8K" not in refused.text
        assert client.get("/status", headers={"Authorization": f"Bearer {operator}"}).status_code == 200


def log_in(client: httpx.Client, word: str, **headers: str) -> httpx.Response:
    """What the form's button does."""
    return client.post("/status/login", data={"token": word}, headers=headers)


def test_a_browser_logs_in_with_a_token_and_stays_as_long_as_it_is_good(tmp_path: Path) -> None:
    """By a cookie that is sent to us alone and is nothing of the token; who came in stands in the history."""
    journal = open_journal(tmp_path / "journal.sqlite3", create=True)
    world = make_world(journal)
    settings = settings_in(tmp_path, Operations(port=0, status_page=True))
    with served(settings, journal) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert log_in(client, world.tokens["alpharae"]).status_code == 401
        done = log_in(client, world.tokens["operator"], **{"Sec-Fetch-Site": "same-origin"})
        assert (done.status_code, done.headers["location"]) == (303, "/status")
        cookie, *attributes = done.headers["set-cookie"].split("; ")
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age=43200"} == set(attributes)
        word = cookie.removeprefix(f"{COOKIE}=")
        assert word not in {cookie, world.tokens["operator"]}
        kept = {"Cookie": f"{COOKIE}={word}"}
        assert client.get("/status/senders", headers=kept).status_code == 200
        assert client.get("/status/senders", headers={"Cookie": f"{COOKIE}={word[:-1]}"}).status_code == 401
        with journal.read() as connection:
            [change] = [one for one in history.changes(connection) if one.act == "status.opened"]
            assert ("operator:portal", True) == (change.actor, change.subject.startswith("token:"))

        second = log_in(client, world.tokens["operator"]).headers["set-cookie"].partition("=")[2].partition(";")[0]
        gone = client.post("/status/logout", data={"x": "x"}, headers={"Cookie": f"{COOKIE}={second}"})
        assert (gone.status_code, "Max-Age=0" in gone.headers["set-cookie"]) == (303, True)
        assert client.get("/status", headers={"Cookie": f"{COOKIE}={second}"}).status_code == 401
        with journal.write() as connection:
            tokens.revoke(connection, OPERATOR, change.subject[6:], at=now(), reason=BECAUSE)
        assert client.get("/status/senders", headers=kept).status_code == 401
    journal.close()


def test_the_page_of_another_cannot_use_a_browser_against_us(site: tuple[Settings, Journal, int]) -> None:
    """Neither by a form of its own, nor by a name of its own for our address."""
    with httpx.Client(base_url=f"http://127.0.0.1:{site[2]}") as client:
        assert log_in(client, WORD, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert client.post("/status/login", json={"token": WORD}).status_code == 403
        assert client.get("/status", headers={"Host": "evil.example"}).status_code == 421
        assert client.post("/status/logout", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_wrong_words_are_bounded_and_whoever_is_in_notices_nothing(tmp_path: Path) -> None:
    """After ten the eleventh has to wait, with a good word too; a cookie goes on; another word in the file ends it."""
    (tmp_path / "word").write_text(WORD)
    (tmp_path / "word").chmod(0o600)
    journal = open_journal(tmp_path / "journal.sqlite3", create=True)
    settings = settings_in(tmp_path, Operations(port=0, status_page=True, status_token=tmp_path / "word"))
    with served(settings, journal) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        kept = {"Cookie": log_in(client, WORD).headers["set-cookie"].partition(";")[0]}
        found = [log_in(client, f"wrong {number}").status_code for number in range(12)]
        assert [401] * 10 == found[:10]
        assert found[11] == 429
        refused = log_in(client, WORD)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
        assert client.get("/status", headers=kept).status_code == 200
        (tmp_path / "word").write_text("v" * 40)
        assert client.get("/status", headers=kept).status_code == 401
    journal.close()


def test_it_is_off_unless_the_settings_want_it(journal: Journal, tmp_path: Path) -> None:
    """And a word that others may read, or a short one, keeps the gateway from starting."""
    with served(settings_in(tmp_path, Operations(port=0)), journal) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/status").status_code == 404
    with pytest.raises(ValueError, match="needs a socket or a port"):
        Operations(status_page=True)
    word = tmp_path / "word"
    settings = settings_in(tmp_path, Operations(port=0, status_page=True, status_token=word))
    named = settings_in(tmp_path, Operations(port=0, status_page=True, status_token="credential:status"))
    [fault] = admission.faults(named)
    assert "systemd hands out no credentials here" in fault
    for content, mode in ((None, 0), (WORD, 0o644), ("short", 0o600), (f"{WORD} {WORD}", 0o600)):
        if content is not None:
            word.write_text(content)
            word.chmod(mode)
        assert admission.faults(settings)
        with pytest.raises(ConfigurationError, match="status_token"):
            asyncio.run(_opened(settings, journal))


async def _opened(settings: Settings, journal: Journal) -> None:
    async with open_operations(settings, journal):
        pass


def test_by_a_trusted_socket_whoever_could_open_it_looks(journal: Journal, tmp_path: Path) -> None:
    """By the file's mode, our own user alone; under another's name, as behind a forwarded port, nobody."""
    path = tmp_path / "s"
    operations = Operations(socket=path, port=0, status_page=True, trust_socket=True)
    with served(make_site(tmp_path, operations, stale=False), journal) as port:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost:8024") as client:
            assert "All is well" in client.get("/status").text
            assert client.get("/status", headers={"Host": "evil.example"}).status_code == 403
        assert httpx.get(f"http://127.0.0.1:{port}/status").status_code == 401


HOSTILE: Final = "<script>alert(1)</script>\x1b[2J\u202e\"'.79110399569"


def test_hostile_values_are_only_read(journal: Journal, tmp_path: Path) -> None:
    """The name of a file with markup, escape codes and a number of a person; reasons and findings with the same."""
    name = HOSTILE[:100]
    receive(journal, "MG8K2Q0XEVIL1", name=name)
    receive(journal, "MG8K2Q0XEVIL2", name=name)
    with journal.write() as connection:
        submissions.settle(connection, "MG8K2Q0XEVIL1", Ruling(State.REJECTED, ((HOSTILE, HOSTILE),)))
        submissions.hold(connection, "MG8K2Q0XEVIL2", state=State.HELD, attempts=1, next_attempt_at=0, reason=HOSTILE)
    sights = Sights(settings_in(tmp_path, Operations(port=0, status_page=True)), journal)
    asked = [("ticket", {"ticket": f"MG8K2Q0XEVIL{number}"}) for number in (1, 2)]
    for make, question in (*asked, ("overview", {}), ("answers", {}), ("senders", {})):
        text = getattr(sights, make)(question).body.decode()
        assert not [bad for bad in ("<script", "\x1b", "\u202e", "79110399569", "alert(1)</script") if bad in text]
        assert [] == _not_closed(text)
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.every_database
def test_every_page_can_be_made_on_every_database(journal: Journal, tmp_path: Path) -> None:
    """The same troubles on both; and a page that takes too long is ended by the database, which goes on."""
    make_day(journal, now(), 60)
    sights = Sights(settings_in(tmp_path, Operations(port=0, status_page=True)), journal)
    overview = sights.overview({}).body.decode()
    assert "3 declarations parked" in overview
    assert "by type: all 65 of the last 24 hours" in overview.lower()
    assert "not within the promise" in overview
    for make, question in (("answers", {}), ("ending", {}), ("senders", {}), ("ticket", {"ticket": "MG8K2Q0XLATE1"})):
        assert getattr(sights, make)(question).status == 200
    with pytest.raises(JournalError), looking(journal, 0.05) as connection:
        connection.execute(FOREVER)
    with looking(journal) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(table_of_submissions)).scalar() == 65


def test_no_page_reads_more_of_the_journal_than_an_index_leads_to(
    site: tuple[Settings, Journal, int], tmp_path: Path
) -> None:
    """Whatever the number of submissions: none of the large tables is read from its beginning."""
    settings, journal, _ = site
    asked: list[tuple[str, Any]] = []

    def hear(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    sa.event.listen(journal._engine, "before_cursor_execute", hear)
    try:
        sights = Sights(settings, journal)
        for make, question in (
            ("overview", {}),
            ("answers", {"day": "2026-11-01"}),
            ("ticket", {"ticket": "MG8K2Q0XLATE1"}),
        ):
            assert getattr(sights, make)(question).status == 200
    finally:
        sa.event.remove(journal._engine, "before_cursor_execute", hear)
    large = re.compile(
        r"^SCAN (submissions|events|effects|files|answers|routing_queue|institution_messages|disclosures)\b"
    )
    scanned = []
    with journal.read() as connection:
        for statement, parameters in asked:
            if statement.startswith("SELECT"):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                scanned += [(row[3], statement) for row in plan if large.match(row[3])]
    assert len(asked) > 20
    assert [] == scanned


def test_a_day_that_is_too_large_to_measure_keeps_nothing_else_from_being_seen(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database ends the question; the overview says so in its place, and the day's own page as a whole."""

    def too_slow(*_: Any) -> None:
        raise JournalError("the time was up")

    make_day(journal, now(), 40)
    sights = Sights(settings_in(tmp_path, Operations(port=0, status_page=True)), journal)
    monkeypatch.setattr(promised, "look", too_slow)
    overview = sights.overview({}).body.decode()
    assert "Today could not be measured in time" in overview
    assert "3 declarations parked" in overview
    assert sights.answers({}).status == 503


def test_without_its_journal_the_page_says_so(tmp_path: Path) -> None:
    """503 in words; and when it is back, so is the page."""
    (tmp_path / "word").write_text(WORD)
    (tmp_path / "word").chmod(0o600)
    journal = open_journal(tmp_path / "journal.sqlite3", create=True)
    settings = settings_in(tmp_path, Operations(port=0, status_page=True, status_token=tmp_path / "word"))
    shown = {"Authorization": f"Bearer {WORD}"}
    with served(settings, journal) as port:
        address = f"http://127.0.0.1:{port}/status"
        with journal.write() as connection:
            connection.execute(sa.text("ALTER TABLE effects RENAME TO elsewhere"))
        away = httpx.get(address, headers=shown)
        assert away.status_code == 503
        assert "The journal cannot be read now" in away.text
        assert "SELECT" not in away.text
        with journal.write() as connection:
            connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO effects"))
        assert httpx.get(address, headers=shown).status_code == 200
    journal.close()


def test_what_is_not_ready_stands_in_the_overview(journal: Journal, tmp_path: Path) -> None:
    """By the whole way: from the disk, over the process that says so, to the page."""
    (tmp_path / "word").write_text(WORD)
    (tmp_path / "word").chmod(0o600)
    settings = settings_in(tmp_path, Operations(port=0, status_page=True, status_token=tmp_path / "word"))
    full = settings.spool.model_copy(update={"path": tmp_path, "reserve": 1 << 60})
    shown = {"Authorization": f"Bearer {WORD}"}
    with served(settings.model_copy(update={"spool": full}), journal) as port:
        overview = httpx.get(f"http://127.0.0.1:{port}/status", headers=shown)
    assert overview.status_code == 200
    assert "Not ready, disk: the disk has less than its reserve left" in html.document_fromstring(
        overview.text
    ).xpath("string(//ul[@class='notices'])")  # fmt: skip
    sights = Sights(settings, journal)
    hangs = Part("made up", ready=False, words="it hangs")
    assert b"Not ready, made up: it hangs." in sights.overview({}, (hangs,)).body
    assert b"it hangs" not in sights.overview({}, (replace(hangs, ready=True),)).body
