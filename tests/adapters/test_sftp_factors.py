"""Who comes in with which proofs: a key, a password, both, the wrong one of two, somebody else's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh
import paramiko
import pytest
from structlog.testing import capture_logs

from channels.ports import Account, Answer, Attempt, Authentication, TooManyAtOnceError, Verdict
from channels.sftp.login import Login
from gateway import accounts, defender
from gateway.registrations import Period
from spool.journal import Journal, now
from tests.adapters import sftp_door
from tests.adapters.gatehouse import NEW_PASSWORD, PASSWORD, Register, key_line, open_gatehouse, typed
from tests.adapters.sftp_door import SENDER, House, open_house

KEY, WORD, BOTH = "keyholder01", "wordholder01", "bothholder01"


@pytest.fixture
async def gatehouse(tmp_path: Path, journal: Journal) -> AsyncIterator[tuple[House, Register]]:
    """A door and three users: of a key, of a password, of both."""
    async with open_gatehouse(tmp_path / "house", journal) as (house, register):
        register.add(KEY, Authentication.KEY, house.key, password=PASSWORD)
        register.add(WORD, Authentication.PASSWORD, house.key, password=PASSWORD)
        register.add(BOTH, Authentication.BOTH, house.key, password=PASSWORD)
        yield house, register


@pytest.mark.parametrize(
    ("username", "key", "password", "comes_in"),
    [
        (KEY, True, None, True),
        (KEY, False, PASSWORD, False),
        (WORD, False, PASSWORD, True),
        (WORD, True, None, False),
        (WORD, False, NEW_PASSWORD, False),
        (BOTH, True, PASSWORD, True),
        (BOTH, True, None, False),
        (BOTH, False, PASSWORD, False),
        (BOTH, True, NEW_PASSWORD, False),
        ("nobody01", True, PASSWORD, False),
    ],
)
@pytest.mark.parametrize("client", ["asyncssh", "paramiko", "openssh"])
async def test_each_user_comes_in_by_what_is_wanted_of_it_and_nothing_else(
    gatehouse: tuple[House, Register], client: str, username: str, key: bool, password: str | None, comes_in: bool
) -> None:
    """Whatever the client: a wrong or missing second proof is as good as none."""
    house, _ = gatehouse
    if client == "asyncssh":
        keys = [house.key] if key else [asyncssh.generate_private_key("ssh-ed25519")]
        assert await house.lets_in(username, keys=keys, password=password) is comes_in
    elif client == "paramiko":
        assert await asyncio.to_thread(by_paramiko, house, username, key, password) is comes_in
    else:
        ended = await typed(house, username, [password or ""], key=key)
        assert ("INTEST" in ended.out) is comes_in, ended.err


def by_paramiko(house: House, username: str, key: bool, password: str | None) -> bool:
    """Whether paramiko comes in, offering first the key and then the password."""
    transport = house.paramiko_transport()
    try:
        left = ["password"]
        if key:
            left = transport.auth_publickey(username, house.paramiko_key())
        if left and password is not None:
            transport.auth_password(username, password, fallback=False)
        return transport.is_authenticated()
    except paramiko.AuthenticationException:
        return False
    finally:
        transport.close()


async def test_after_the_key_only_the_password_is_left(gatehouse: tuple[House, Register]) -> None:
    """The client is told that its key was good and what is asked for now; the log says by what it came in."""
    house, _ = gatehouse

    def talk() -> list[str]:
        transport = house.paramiko_transport()
        try:
            left = transport.auth_publickey(BOTH, house.paramiko_key())
            transport.auth_password(BOTH, PASSWORD, fallback=False)
            return left
        finally:
            transport.close()

    with capture_logs() as logs:
        assert ["password"] == await asyncio.to_thread(talk)
    accepted = [entry for entry in logs if entry["event"] == "sftp.login.accepted"]
    assert [["key", "password"]] == [entry["by"] for entry in accepted]


async def test_the_proofs_of_two_users_are_no_two_proofs(gatehouse: tuple[House, Register]) -> None:
    """The key of one and the password of another let in neither, in either order; nor do they after a change back."""
    house, register = gatehouse
    other = asyncssh.generate_private_key("ssh-ed25519")
    register.add("bothholder02", Authentication.BOTH, other, password=NEW_PASSWORD)

    def talk(*steps: tuple[str, str | None]) -> bool:
        transport = house.paramiko_transport()
        try:
            for username, password in steps:
                try:
                    if password is None:
                        transport.auth_publickey(username, house.paramiko_key())
                    else:
                        transport.auth_password(username, password, fallback=False)
                except paramiko.AuthenticationException:
                    pass
            return transport.is_authenticated()
        finally:
            transport.close()

    assert not await asyncio.to_thread(talk, (BOTH, None), ("bothholder02", NEW_PASSWORD))
    assert not await asyncio.to_thread(talk, (BOTH, None), (WORD, NEW_PASSWORD), (BOTH, NEW_PASSWORD))
    assert not await asyncio.to_thread(talk, (BOTH, None), ("bothholder02", None), (BOTH, PASSWORD))
    assert await asyncio.to_thread(talk, (KEY, NEW_PASSWORD), (BOTH, None), (BOTH, PASSWORD))


async def test_the_key_of_another_user_is_no_first_proof(gatehouse: tuple[House, Register]) -> None:
    """Who has only the password of a user of both, and a key of somebody else, stays out."""
    house, register = gatehouse
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    register.add("keyholder02", Authentication.KEY, stranger)
    assert not await house.lets_in(BOTH, keys=[stranger], password=PASSWORD)
    assert await house.lets_in("keyholder02", keys=[stranger])


async def test_keys_that_were_offered_before_a_wrong_password_are_no_second_failure(
    gatehouse: tuple[House, Register],
) -> None:
    """Many clients offer every key they have first; before a right password they are none."""
    house, register = gatehouse
    assert not await house.lets_in(WORD, password=NEW_PASSWORD)
    assert await house.lets_in(BOTH, password=PASSWORD)
    await house.door.close()
    with register.journal.read() as connection:
        counted = {(row.username, row.source): row.failures for row in defender.all_failures(connection)}
    assert {(WORD, "127.0.0.1"): 1, (WORD, ""): 1, ("", "127.0.0.1"): 1} == counted


# --- passwords that have to be changed


@pytest.mark.parametrize("way", [Authentication.PASSWORD, Authentication.BOTH])
async def test_a_first_password_is_changed_with_openssh_at_its_first_use(
    gatehouse: tuple[House, Register], way: Authentication
) -> None:
    """The change is asked for in the protocol itself, also as the second proof; afterwards the new one counts."""
    house, register = gatehouse
    register.add("newcomer01", way, house.key, given=PASSWORD)
    both = way is Authentication.BOTH
    first = await typed(house, "newcomer01", [PASSWORD, PASSWORD, NEW_PASSWORD, NEW_PASSWORD], key=both)
    assert "INTEST" in first.out, first.err
    assert "The password has to be changed" in first.err
    assert first.err.count("asked:") == 4
    assert "INTEST" in (await typed(house, "newcomer01", [NEW_PASSWORD], key=both)).out
    assert "INTEST" not in (await typed(house, "newcomer01", [PASSWORD], key=both)).out
    assert [{"sender": SENDER, "username": "newcomer01"}] == register.noted("user.password_changed")[3:]


async def test_an_expired_password_is_changed_and_no_earlier_one_comes_back(
    gatehouse: tuple[House, Register],
) -> None:
    """What the rules refuse is said in words, and asked for again."""
    house, register = gatehouse
    with register.journal.write() as connection:
        assert accounts.expire_password(connection, WORD)
    told: list[str] = []

    class Changing(asyncssh.SSHClient):
        choices = iter(["short", PASSWORD, NEW_PASSWORD])

        def password_change_requested(self, prompt: str, lang: str) -> tuple[str, str]:
            told.append(prompt)
            return PASSWORD, next(self.choices)

    assert await house.lets_in(WORD, keys=[], client_keys=None, password=PASSWORD, client_factory=Changing)
    assert "The password has to be changed" in told[0]
    assert "at least 15 characters" in told[1]
    assert "used before" in told[2]
    assert await house.lets_in(WORD, client_keys=None, password=NEW_PASSWORD)


async def test_changes_are_tries_too(gatehouse: tuple[House, Register]) -> None:
    """A client that goes on choosing bad passwords is sent away."""
    house, register = gatehouse
    register.add("newcomer01", Authentication.PASSWORD, given=PASSWORD)

    class Stubborn(asyncssh.SSHClient):
        asked = 0

        def password_change_requested(self, prompt: str, lang: str) -> tuple[str, str]:
            Stubborn.asked += 1
            return PASSWORD, "short"

    with pytest.raises(asyncssh.DisconnectError, match="too many authentication failures"):
        await house.connect("newcomer01", client_keys=None, password=PASSWORD, client_factory=Stubborn)
    assert Stubborn.asked == house.door.settings.max_tries - 1


async def test_who_does_not_change_an_expired_password_stays_out(gatehouse: tuple[House, Register]) -> None:
    """Neither the old one alone nor a change with a wrong old one is enough."""
    house, register = gatehouse
    register.add("newcomer01", Authentication.PASSWORD, given=PASSWORD)
    assert not await house.lets_in("newcomer01", client_keys=None, password=PASSWORD)

    class Guessing(asyncssh.SSHClient):
        def password_change_requested(self, prompt: str, lang: str) -> tuple[str, str]:
            return "not-the-password-1", NEW_PASSWORD

    assert not await house.lets_in("newcomer01", client_keys=None, password=PASSWORD, client_factory=Guessing)
    assert not await house.lets_in("newcomer01", client_keys=None, password=NEW_PASSWORD)


# --- addresses, keys and leniencies


async def test_a_sender_may_be_held_to_addresses(gatehouse: tuple[House, Register]) -> None:
    """From elsewhere neither key nor password helps; within the list both do."""
    house, register = gatehouse
    for networks, comes_in in ((["192.0.2.0/24", "2001:db8::/48"], False), (["192.0.2.1/32", "127.0.0.0/8"], True)):
        with register.journal.write() as connection:
            accounts.set_sources(connection, SENDER, networks)
        assert await house.lets_in(KEY) is comes_in
        assert await house.lets_in(WORD, client_keys=None, password=PASSWORD) is comes_in
        assert await house.lets_in(BOTH, password=PASSWORD) is comes_in


async def test_keys_overlap_and_end(gatehouse: tuple[House, Register]) -> None:
    """A key is taken from its first moment to its last; two may be taken at once."""
    house, register = gatehouse
    keys = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("over", "current", "next", "to come")}
    register.add("rotating01", Authentication.KEY)
    periods = {"over": (None, -1), "current": (-1, 1), "next": (-1, None), "to come": (1, None)}
    with register.journal.write() as connection:
        for name, days in periods.items():
            start, end = (None if day is None else now() + day * 86_400_000_000 for day in days)
            accounts.add_key(connection, "rotating01", key_line(keys[name]), Period(start, end))
    came_in = [name for name, key in keys.items() if await house.lets_in("rotating01", keys=[key])]
    assert ["current", "next"] == came_in


@pytest.mark.parametrize("tolerated", [False, True])
async def test_sha1_signatures_are_for_senders_that_are_allowed_them(
    gatehouse: tuple[House, Register], tolerated: bool
) -> None:
    """The switch ssh-rsa of one sender; another one's users are refused all the same."""
    house, register = gatehouse
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    register.add("oldclient01", Authentication.KEY, key)
    with register.journal.write() as connection:
        accounts.set_login_leniencies(connection, SENDER, ["ssh-rsa"] if tolerated else [])
    came_in = await house.lets_in("oldclient01", keys=[key], signature_algs=["ssh-rsa"])
    assert came_in is tolerated
    assert await house.lets_in("oldclient01", keys=[key])


# --- clients that do not wait for answers


def request(username: str, *fields: str | bool) -> paramiko.Message:
    """A request to log in (RFC 4252, 5)."""
    message = paramiko.Message()
    message.add_byte(bytes([50]))
    for word in (username, "ssh-connection", *fields):
        if isinstance(word, bool):
            message.add_boolean(word)
        else:
            message.add_string(word)
    return message


def pour(house: House, messages: list[paramiko.Message]) -> None:
    """Send ``messages`` one upon another, wait for no answer, take leave, and see the connection end."""
    transport = paramiko.Transport(("127.0.0.1", house.door.port))
    try:
        transport.start_client()
        transport._handler_table = {6: _ignore, 51: _ignore, 52: _ignore}  # type: ignore[attr-defined]
        service = paramiko.Message()
        service.add_byte(bytes([5]))
        service.add_string("ssh-userauth")
        leave = paramiko.Message()
        leave.add_byte(bytes([1]))
        leave.add_int(11)
        leave.add_string("done")
        leave.add_string("")
        with suppress(OSError, EOFError):  # the door may have closed before everything was sent
            for message in (service, *messages, leave):
                transport._send_message(message)  # type: ignore[attr-defined]  # it would wait for each answer
        transport.join(30)
    finally:
        transport.close()


def _ignore(*_arguments: object) -> None:
    pass


async def test_requests_that_overtake_each_other_are_bounded(gatehouse: tuple[House, Register]) -> None:
    """A request that the next one pushes aside never fails, and counts all the same."""
    house, register = gatehouse
    messages = [request(f"guess{number:05}", "password", False, "wrong-password-1") for number in range(2000)]
    before = register.hashing.compared
    with capture_logs() as logs:
        await asyncio.to_thread(pour, house, messages)
    assert {"too many requests", "too many tries"} & {entry.get("reason") for entry in logs}
    assert register.hashing.compared - before <= 3 * house.door.settings.max_tries
    assert await house.lets_in(KEY)


async def test_a_proof_that_is_overtaken_proves_nothing(gatehouse: tuple[House, Register]) -> None:
    """The right password of one user, and in the same breath a request of another: nobody is in."""
    house, _ = gatehouse
    with capture_logs() as logs:
        for other in (BOTH, KEY, "nobody01"):
            messages = [
                request(WORD, "password", False, PASSWORD),
                *(request(other, "password", False, "wrong-password-1") for _ in range(40)),
            ]
            await asyncio.to_thread(pour, house, messages)
    accepted = {entry["username"] for entry in logs if entry["event"] == "sftp.login.accepted"}
    assert accepted <= {WORD}


async def test_nothing_can_be_asked_before_log_in(gatehouse: tuple[House, Register]) -> None:
    """Neither before the first proof nor between the two."""
    house, _ = gatehouse

    def talk(proved: bool) -> None:
        transport = house.paramiko_transport()
        try:
            if proved:
                assert ["password"] == transport.auth_publickey(BOTH, house.paramiko_key())
            with pytest.raises((paramiko.SSHException, EOFError)):
                transport.open_session(timeout=30)
        finally:
            transport.close()

    for proved in (False, True):
        await asyncio.to_thread(talk, proved)


# --- callbacks that fail


class Failing(sftp_door.Register):
    """Accounts whose every answer to a password is an exception."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def check_password(self, attempt: Attempt) -> Verdict:
        """Raises."""
        raise self.error

    async def change_password(self, attempt: Attempt, new: str) -> Verdict:
        """Raises."""
        raise self.error


async def test_trouble_with_a_password_is_a_refusal(tmp_path: Path) -> None:
    """Whatever goes wrong while a password is looked at, nobody comes in, and its text is nowhere."""
    failing = Failing(RuntimeError("secret-inside"))
    async with open_house(tmp_path / "house", accounts=failing) as house:
        with capture_logs() as logs:
            assert not await house.lets_in(client_keys=None, password=PASSWORD)
    assert "sftp.login.failed" in [entry["event"] for entry in logs]
    assert "secret-inside" not in repr(logs)
    assert PASSWORD not in repr(logs)


async def test_too_many_passwords_at_once_are_told_so(tmp_path: Path) -> None:
    """The client is sent away with words, not kept waiting; it is no failure of its."""
    async with open_house(tmp_path / "house", accounts=Failing(TooManyAtOnceError("many"))) as house:
        with pytest.raises(asyncssh.DisconnectError, match="too many log-ins at once; try again later"):
            await house.connect(client_keys=None, password=PASSWORD)


@pytest.mark.parametrize("answer", [Verdict(Answer.GOOD), Verdict(Answer.WRONG, Account("x", SENDER, []))])
async def test_only_a_good_answer_with_an_account_lets_anybody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Verdict
) -> None:
    """An answer that contradicts itself is a refusal."""

    async def contradicting(*_arguments: object) -> Verdict:
        return answer

    monkeypatch.setattr(sftp_door.Register, "check_password", contradicting)
    async with open_house(tmp_path / "house") as house:
        assert not await house.lets_in(client_keys=None, password=PASSWORD)


@pytest.mark.parametrize("name", ["validate_password", "_judge", "_heed", "_may_stay", "password_auth_supported"])
async def test_a_callback_of_passwords_that_raises_lets_nobody_in(
    gatehouse: tuple[House, Register], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whichever fails, nothing can be done with the connection, and the next one works."""
    house, _ = gatehouse

    def broken(*_arguments: object) -> Any:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(Login, name, broken)
        assert not await house.lets_in(WORD, client_keys=None, password=PASSWORD)
        assert not await house.lets_in(BOTH, password=PASSWORD)
    assert await house.lets_in(WORD, client_keys=None, password=PASSWORD)
