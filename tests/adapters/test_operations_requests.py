"""What a request has to look like, and what every answer does: strict, short, and for nobody else's eyes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from config.administration import Operations
from config.settings import Settings
from gateway.operations import tokens
from gateway.operations.answering import Answering, Requested
from gateway.operations.app import make_app, open_operations
from gateway.operations.hosting import hosted
from gateway.operations.operation import Asked, Because, Change, Place, Told
from gateway.passwords import Hashing, HashingLimits
from gateway.register import enterprises
from gateway.register.actor import Refusal, Why
from gateway.register.history import changes
from spool.journal import Journal, JournalError, open_journal
from tests.register_world import (
    BECAUSE,
    NOBODY,
    OPERATOR,
    ForgetfulJournal,
    World,
    make_world,
    served,
    settings_in,
)

WORD = "Verzonnen-79110399569"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, World]]:
    """An interface that forgets, and what there is."""
    folder = tmp_path_factory.mktemp("interface")
    journal = open_journal(folder / "journal.sqlite3", create=True)
    world = make_world(journal)
    settings = settings_in(folder, Operations(port=0, socket=folder / "operations.socket"))
    with (
        capture_logs(),
        served(settings, ForgetfulJournal.like(journal)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield client, world
    journal.close()


Served = tuple[httpx.Client, World]


def post(place: Served, content: bytes | str, kind: str = "application/json") -> httpx.Response:
    """What an operator is answered who sends ``content`` to enter an enterprise."""
    client, world = place
    headers = {**world.shown("operator"), "Content-Type": kind}
    return client.put(f"/v1/enterprises/{NOBODY}", headers=headers, content=content)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (f'{{"name": "{WORD}", "reason": "because"}}', "application/json; charset=utf-8", 200),
        (f'{{"name": "{WORD}"', "application/json", 400),
        ("", "application/json", 400),
        (b'{"name": "\xff", "reason": "because"}', "application/json", 400),
        (f'{{"name": "{WORD}\\ud800", "reason": "because"}}', "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        (f"name={WORD}&reason=because", "application/x-www-form-urlencoded", 415),
        (f'{{"name": "{WORD}", "reason": "because"}}', "text/plain", 415),
        (f'{{"name": "{WORD}"}}', "application/json", 422),
        (f'{{"name": "{WORD}", "reason": ""}}', "application/json", 422),
        (f'{{"name": "{WORD}", "reason": "two\\nlines"}}', "application/json", 422),
        (f'{{"name": "{WORD}", "reason": "{"x" * 501}"}}', "application/json", 422),
        (f'{{"name": "{WORD}", "reason": "because", "{WORD}": 1}}', "application/json", 422),
        ('{"name": 5, "reason": "because"}', "application/json", 422),
        (f'["{WORD}"]', "application/json", 422),
    ],
)
def test_a_body_is_what_the_description_says_or_refused(
    place: Served, content: bytes | str, kind: str, status: int
) -> None:
    """Nothing more, nothing of another type; and what was sent is not repeated."""
    answer = post(place, content, kind)
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert WORD not in answer.text


def test_a_refusal_says_where(place: Served) -> None:
    """By JSON pointers; a key that there is not is not named."""
    faults = post(place, f'{{"name": 5, "{WORD}": 1}}').json()["faults"]
    assert sorted(fault["at"] for fault in faults) == ["/?", "/name", "/reason"]


def test_the_list_of_faults_is_bounded(place: Served) -> None:
    """However many there are."""
    many = ", ".join(f'"k{number}": 1' for number in range(500))
    assert len(post(place, f"{{{many}}}").json()["faults"]) == 20


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1&limit=2", "at=yesterday", "x=1"])
def test_a_question_is_what_the_description_says_or_refused(place: Served, query: str) -> None:
    """Nothing twice, and nothing that is not in it."""
    client, world = place
    answer = client.get(f"/v1/qualities/{world.employer}/mandates?{query}", headers=world.shown("alpharae"))
    assert answer.status_code == 422


@pytest.mark.every_database
def test_what_no_database_can_hold_is_refused_before_it_is_asked(journal: Journal, tmp_path: Path) -> None:
    """PostgreSQL knows no NUL in a text: that is no trouble that passes by asking again."""
    world = make_world(journal)
    with served(settings_in(tmp_path, Operations(port=0)), journal) as port:
        root, shown = f"http://127.0.0.1:{port}/v1", world.shown("operator")
        answers = [
            httpx.get(f"{root}/changes?subject=%00", headers=shown),
            httpx.post(f"{root}/persons/search", headers=shown, json={"state": "x\0"}),
            httpx.post(f"{root}/persons/search", headers=shown, json={"application": "x\0", "quality": 1}),
        ]
    assert [answer.status_code for answer in answers] == [422, 422, 422]


@pytest.mark.every_database
def test_long_lists_are_read_page_by_page(journal: Journal, tmp_path: Path) -> None:
    """No page costs more than what is on it."""
    world = make_world(journal)
    read: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        read.append(statement)

    def pages(path: str, what: str, key: str) -> list[str]:
        found: list[str] = []
        after = ""
        while True:
            answer = client.get(path, params={"limit": 2, "after": after}, headers=world.shown("operator")).json()
            if not answer[what]:
                return found
            found += [item[key] for item in answer[what]]
            after = found[-1]

    sa.event.listen(journal._engine, "before_cursor_execute", note)
    with (
        served(settings_in(tmp_path, Operations(port=0)), journal) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}/v1") as client,
    ):
        numbers, names = pages("/enterprises", "enterprises", "enterprise"), pages("/tokens", "tokens", "token")
        own = client.get("/tokens", params={"after": names[0]}, headers=world.shown("gammarae")).json()["tokens"]
    listings = [statement for statement in read if "ORDER BY enterprises" in statement or "ORDER BY api" in statement]
    with journal.read() as connection:
        kept = [token.name for token in tokens.tokens(connection)]
    assert (len(numbers), kept) == (3, names)
    assert own == []
    assert listings
    assert all("LIMIT" in statement for statement in listings)


def test_a_part_of_the_path_is_not_given_again_as_a_question(place: Served) -> None:
    """Or one would be checked and the other taken."""
    client, world = place
    answer = client.get(f"/v1/qualities/{world.stranger}?quality={world.employer}", headers=world.shown("gammarae"))
    assert answer.status_code == 422


def test_another_method_is_told_which_there_are(place: Served) -> None:
    """No preflight is answered either: no page of another origin may ask."""
    client, _ = place
    for method in ("DELETE", "OPTIONS", "PATCH"):
        answer = client.request(method, f"/v1/enterprises/{NOBODY}", headers={"Origin": "https://example.org"})
        assert answer.status_code == 405
        assert {"GET", "PUT"} <= set(answer.headers["allow"].replace(" ", "").split(","))
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_every_answer_is_for_nobody_else(place: Served) -> None:
    """Whatever it says: no cache keeps it, no frame shows it, no script of a page reads it."""
    client, world = place
    answers = [
        client.get("/openapi.json"),
        client.get("/v1/me", headers=world.shown("operator")),
        client.head("/v1/me", headers=world.shown("operator")),
        client.get("/v1/me"),
        client.get("/nothing"),
        client.get("/v1/me", headers={**world.shown("operator"), "Host": "attacker.example"}),
        client.put("/v1/me"),
        client.get("/v1/me/", headers={"Host": "attacker.example"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 401, 404, 421, 405, 404]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_socket_does_not_ask_for_whom_a_request_is_meant(place: Served, tmp_path_factory: Any) -> None:
    """No browser opens one."""
    client, world = place
    path = next(tmp_path_factory.getbasetemp().glob("interface*/operations.socket"))
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://whoever") as other:
        assert (
            other.get("/v1/me", headers=world.shown("operator")).json()
            == client.get("/v1/me", headers=world.shown("operator")).json()
        )


class Nothing(Told):
    """An answer with nothing in it."""


def _regret(asked: Asked, _: Place, body: Because) -> Refusal:
    enterprises.register_enterprise(asked.connection, OPERATOR, NOBODY, "Regretted", reason=body.reason)
    return Refusal(Why.CONFLICT, "on second thoughts no")


def _fail(_: Asked, __: Place, ___: Because) -> Nothing:
    raise ValueError(WORD)


ROWS = (
    Change("regret", "POST", "/v1/regret", "Done, then refused.", Place, Because, Nothing, _regret),
    Change("fail", "POST", "/v1/fail", "A fault of ours.", Place, Because, Nothing, _fail),
)


class BrokenJournal(Journal):
    """Can be read, and not be written."""

    def write(self) -> NoReturn:
        """No transaction."""
        raise JournalError(WORD)


@contextmanager
def answering(journal: Journal) -> Iterator[Answering]:
    """Answers requests over ``journal``."""
    hashing = Hashing(HashingLimits())
    yield Answering(Settings(), journal, hashing)
    hashing.close()


def test_what_is_refused_after_it_was_begun_is_undone(journal: Journal) -> None:
    """A refusal has changed nothing."""
    world = make_world(journal)
    requested = Requested(world.tokens["operator"], {}, (), "application/json", b'{"reason": "because"}')
    with answering(journal) as answers:
        answered = answers.answer(ROWS[0], requested)
    assert (answered.status, answered.good) == (409, False)
    with journal.read() as connection:
        assert enterprises.enterprise(connection, NOBODY) is None
        assert not list(changes(connection, subjects=[f"enterprise:{NOBODY}"]))


@pytest.mark.parametrize(("broken", "path", "status"), [(False, "fail", 500), (True, "regret", 503)])
async def test_a_fault_of_ours_is_answered_without_words(
    journal: Journal, broken: bool, path: str, status: int
) -> None:
    """The log names its kind; neither says what it was about."""
    world = make_world(journal)
    at_hand = BrokenJournal(journal._engine) if broken else journal
    with capture_logs() as lines, answering(at_hand) as answers, ThreadPoolExecutor(1) as threads:
        async with hosted(make_app(answers, threads, ROWS), port=0) as port, httpx.AsyncClient() as client:
            address = f"http://127.0.0.1:{port}/v1/{path}"
            answer = await client.post(address, headers=world.shown("operator"), json={"reason": BECAUSE})
    assert answer.status_code == status
    assert answer.json() == {
        "type": "about:blank",
        "title": httpx.codes(status).name.replace("_", " ").title(),
        "status": status,
    }
    assert answer.headers["cache-control"] == "no-store"
    assert WORD not in str(lines)
    assert [line["fault"] for line in lines if "fault" in line] == ["JournalError" if broken else "ValueError"]


async def test_nothing_is_served_that_was_not_asked_for(tmp_path: Path, journal: Journal) -> None:
    """Without a socket and a port in the settings nobody listens."""
    async with open_operations(settings_in(tmp_path, Operations()), journal) as port:
        assert port is None
