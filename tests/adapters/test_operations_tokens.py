"""The life of a token: shown once, good for one person's rights or an operator's, and at once good for nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from structlog.testing import capture_logs

from config.administration import Operations
from gateway.operations import tokens
from gateway.register import roles, withdrawal
from gateway.register.actor import Person, Refusal, Why
from gateway.register.history import changes
from spool.journal import Journal, now
from spool.register_tables import TABLES, api_tokens, enterprises
from tests.command_line import done, typed
from tests.gateway_process import Site
from tests.register_world import BECAUSE, EMPLOYER, OPERATOR, World, give_token, make_world, served, settings_in

WHO = "alphauser"


@pytest.fixture
def world(journal: Journal) -> World:
    """What there is."""
    return make_world(journal)


@pytest.fixture
def client(journal: Journal, tmp_path: Path) -> Iterator[httpx.Client]:
    """Asks the interface."""
    settings = settings_in(tmp_path, Operations(port=0))
    with served(settings, journal) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as opened:
        yield opened


def status(client: httpx.Client, word: str) -> int:
    """What somebody with that token is answered."""
    return client.get("/v1/me", headers={"Authorization": f"Bearer {word}"}).status_code


def test_a_token_is_kept_as_a_hash_and_nowhere_as_itself(journal: Journal, world: World, tmp_path: Path) -> None:
    """Whoever reads the journal can use none of it; the history says that it was given."""
    word = world.tokens[WHO]
    with journal.read() as connection:
        kept = next(tokens.tokens(connection, username=WHO))
        told = next(changes(connection, subjects=[f"token:{kept.name}"]))
        rows = [str(row) for table in TABLES for row in connection.execute(sa.select(table))]
    assert told.act == "token.given"
    assert [row for row in rows if kept.mark in row]
    assert not [row for row in rows if word[8:] in row]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path.name for path in files if word[8:].encode() in path.read_bytes()]


def test_no_two_tokens_are_alike(journal: Journal, world: World) -> None:
    """They are drawn by chance, with 256 bits each."""
    with journal.write() as connection:
        words = {give_token(connection, WHO) for _ in range(20)} | {world.tokens[WHO]}
    assert len(words) == 21
    assert {len(word) for word in words} == {len("gwt_") + 43}


def test_it_acts_as_its_person(client: httpx.Client, world: World) -> None:
    """And as an operator where it is none's."""
    told = {who: client.get("/v1/me", headers=world.shown(who)).json() for who in (WHO, "operator")}
    assert (told[WHO]["actor"], told[WHO]["operator"]) == (WHO, False)
    assert (told["operator"]["actor"], told["operator"]["operator"]) == ("operator:portal", True)


def test_a_revoked_token_stops_at_once(client: httpx.Client, journal: Journal, world: World) -> None:
    """By anybody who may, and for good; once more changes nothing."""
    own = client.get("/v1/me", headers=world.shown(WHO)).json()["token"]
    because = {"reason": "lost on a train"}
    for who, expected in (("alpharae", 404), (WHO, 200), (WHO, 401), ("operator", 200)):
        answer = client.post(f"/v1/tokens/{own}/revoke", headers=world.shown(who), json=because)
        assert answer.status_code == expected
    assert status(client, world.tokens[WHO]) == 401
    with journal.read() as connection:
        assert [change.act for change in changes(connection, subjects=[f"token:{own}"])] == [
            "token.revoked",
            "token.given",
        ]


def test_an_expired_token_is_good_for_nothing(client: httpx.Client, journal: Journal, world: World) -> None:
    """Its last moment is the one before ``valid_to``."""
    assert world.tokens
    with journal.write() as connection:
        late = give_token(connection, WHO, days=-0.001)
    assert status(client, late) == 401


@pytest.mark.parametrize("way", ["block", "report_lost", "delete"])
def test_a_person_who_is_sent_away_is_out_at_once(
    client: httpx.Client, journal: Journal, world: World, way: str
) -> None:
    """With every token; who is unblocked has them again, whose loss was reported and who was deleted has not."""
    act = {"block": withdrawal.block, "report_lost": withdrawal.report_lost, "delete": withdrawal.delete}[way]
    assert status(client, world.tokens[WHO]) == 200
    with journal.write() as connection:
        act(connection, OPERATOR, WHO, reason=BECAUSE)
    assert status(client, world.tokens[WHO]) == 401
    with journal.write() as connection:
        withdrawal.unblock(connection, OPERATOR, WHO, reason=BECAUSE)
    assert status(client, world.tokens[WHO]) == (200 if way == "block" else 401)


def test_whoever_loses_the_last_role_loses_the_tokens(client: httpx.Client, journal: Journal, world: World) -> None:
    """There is no account without a role."""
    with journal.write() as connection:
        roles.delete_user(connection, OPERATOR, world.employer, WHO, reason=BECAUSE)
    assert status(client, world.tokens[WHO]) == 401


def test_nobody_acts_for_an_enterprise_that_ended(client: httpx.Client, journal: Journal, world: World) -> None:
    """Not even its RAE."""
    with journal.write() as connection:
        connection.execute(sa.update(enterprises).where(enterprises.c.number == EMPLOYER).values(state="closed"))
    assert status(client, world.tokens["alpharae"]) == 401
    assert status(client, world.tokens["gammarae"]) == 200


def test_every_token_that_is_not_good_is_answered_alike(client: httpx.Client, journal: Journal, world: World) -> None:
    """What is wrong with it is nobody's business."""
    with journal.write() as connection:
        expired = give_token(connection, WHO, days=-1)
        blocked = world.tokens["alphacogl"]
        withdrawal.block(connection, OPERATOR, "alphacogl", reason=BECAUSE)
    good = world.tokens[WHO]
    shown = [
        [],
        *([("Authorization", value)] for value in ("", "Bearer", f"Basic {good}", good, "Bearer \xff")),
        *(
            [("Authorization", f"Bearer {word}")]
            for word in (expired, blocked, good[:-1], good + "A", "gwt_", "x" * 9000)
        ),
        [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")],
    ]
    answers = {
        (answer.status_code, answer.content, tuple(sorted(answer.headers.items())))
        for answer in (
            client.get("/v1/me", headers=[(a.encode(), b.encode("latin-1")) for a, b in each]) for each in shown
        )
    }
    assert len(answers) == 1
    assert {code for code, _, _ in answers} == {401}


def test_nobody_unknown_or_blocked_gets_a_token(client: httpx.Client, journal: Journal, world: World) -> None:
    """Both with the same answer."""
    with journal.write() as connection:
        withdrawal.block(connection, OPERATOR, WHO, reason=BECAUSE)
    answers = [
        client.post(
            "/v1/tokens", headers=world.shown("operator"), json={"username": name, "label": "x", "reason": BECAUSE}
        )
        for name in (WHO, "nobody123")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}


def test_a_token_by_the_interface_lives_no_longer_than_the_settings_let_it(client: httpx.Client, world: World) -> None:
    """However long it was asked for."""
    body = {"username": WHO, "label": "payroll", "days": 10_000, "reason": BECAUSE}
    given = client.post("/v1/tokens", headers=world.shown("operator"), json=body).json()
    assert status(client, given["token"]) == 200
    listed = client.get("/v1/tokens", headers=world.shown(WHO)).json()["tokens"]
    assert [item["label"] for item in listed] == [WHO, "payroll"]
    assert listed[-1]["valid_to"] == given["valid_to"]
    assert given["token"] not in str(listed)


def test_a_label_has_its_bounds(journal: Journal, world: World) -> None:
    """It stands in every line of the history that an operator's token writes."""
    assert world.tokens
    with journal.write() as connection:
        for label in ("", "x" * 61, "two\nlines"):
            refused = tokens.give(connection, OPERATOR, None, label, now() + 1, reason=BECAUSE)
            assert isinstance(refused, Refusal)
            assert refused.why is Why.INVALID


def test_the_beginning_of_a_name_must_be_long_and_fit_one_token(journal: Journal, world: World) -> None:
    """Or the wrong one would stop."""
    assert world.tokens
    with journal.write() as connection:
        kept = next(tokens.tokens(connection, username=WHO))
        for actor, name in ((OPERATOR, kept.mark[:7]), (OPERATOR, ""), (Person("gammarae"), kept.mark)):
            refused = tokens.revoke(connection, actor, name, at=now(), reason=BECAUSE)
            assert isinstance(refused, Refusal)
            assert refused.why is Why.UNKNOWN
        assert not isinstance(tokens.revoke(connection, OPERATOR, kept.mark[:8], at=now(), reason=BECAUSE), Refusal)


class RevokedMeanwhileJournal(Journal):
    """In which every token is revoked between the first look at it and the act."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that begins a moment too late."""
        self._revoke()
        with super().write() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction after which it is too late."""
        with super().read() as connection:
            yield connection
        self._revoke()

    def _revoke(self) -> None:
        with super().write() as connection:
            connection.execute(sa.update(api_tokens).values(revoked_at=1))


def test_a_token_that_was_revoked_meanwhile_changes_nothing(journal: Journal, world: World, tmp_path: Path) -> None:
    """It is looked at again in the transaction of the act."""
    late = RevokedMeanwhileJournal(journal._engine)
    with served(settings_in(tmp_path, Operations(port=0)), late) as port:
        address = f"http://127.0.0.1:{port}/v1/persons/{WHO}/block"
        answer = httpx.post(address, headers=world.shown("alpharae"), json={"reason": BECAUSE})
        with journal.write() as connection:
            connection.execute(sa.update(api_tokens).values(revoked_at=None))
        told = httpx.get(f"http://127.0.0.1:{port}/v1/persons/{WHO}", headers=world.shown("alpharae"))
    assert (answer.status_code, told.status_code) == (401, 401)
    with journal.read() as connection:
        assert not [change for change in changes(connection) if change.act == "person.blocked"]


def test_a_log_names_the_token_and_neither_persons_nor_addresses(
    journal: Journal, world: World, tmp_path: Path
) -> None:
    """What is asked for is personal; which operation it was is not."""
    settings = settings_in(tmp_path, Operations(port=0))
    with capture_logs() as lines, served(settings, journal) as port, httpx.Client() as client:
        root = f"http://127.0.0.1:{port}/v1"
        own = client.get(f"{root}/me?x=79110399569", headers=world.shown("operator"))
        client.get(f"{root}/persons/{WHO}", headers=world.shown("alpharae"))
        body = {"inss": "79110399569", "reason": "asked by the person"}
        client.post(f"{root}/disclosures", headers=world.shown("operator"), json=body)
    answered = [line for line in lines if line["event"] == "operations.answered"]
    assert own.status_code == 422
    assert [line["operation"] for line in answered] == ["showMe", "showPerson", "askDisclosures"]
    assert {frozenset(line) for line in answered} == {
        frozenset({"event", "log_level", "operation", "status", "token", "seconds"})
    }
    said = str(lines)
    assert not [word for word in ("79110399569", WHO, "asked by", *world.tokens.values()) if word in said]


def test_operators_give_list_and_revoke_tokens(site: Site) -> None:
    """By the command line; the token is the one line of the output, so that it can be piped."""
    journal_path = site.settings.journal.path
    assert journal_path.is_file()
    word = done(site, "token", "give", "--operator", "portal", "--days", "3", "--reason", "the portal").splitlines()[0]
    assert word.startswith("gwt_")
    [row] = site.listing("token", "list")
    assert (row["acts_as"], row["label"], row["state"]) == ("operator", "portal", "active")
    assert word not in str(row)
    assert "is revoked" in done(site, "token", "revoke", row["token"], "--reason", "no portal")
    assert [each["state"] for each in site.listing("token", "list")] == ["revoked"]


def test_a_command_that_cannot_be_done_says_why(site: Site) -> None:
    """And gives no token."""
    for words, said in (
        (("give",), "name a person"),
        (("give", "somebody1", "--operator", "portal"), "name a person"),
        (("give", "--operator", "portal", "--days", "91"), "90 days"),
        (("give", "nobody123"), "there is no person"),
        (("revoke", "00000000"), "there is no token"),
    ):
        result = typed(site, "token", *words, "--reason", BECAUSE)
        assert result.exit_code in {1, 2}
        assert said in result.output
        assert "gwt_" not in result.output
