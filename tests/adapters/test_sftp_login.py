"""Who comes in through the door, by what proof, and what everybody else is told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh
import paramiko
import pytest
from structlog.testing import capture_logs

from channels.ports import Account
from channels.sftp import algorithms, login
from channels.sftp.admission import AdmissionLimits
from channels.sftp.login import Login
from channels.sftp.tree import Tree
from config.errors import ConfigurationError, TemporaryError
from tests.adapters.sftp_door import SENDER, USER, House, Register, open_house, write_key


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An open door."""
    async with open_house(tmp_path / "house") as opened:
        yield opened


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [
        ("ssh-ed25519", {}),
        ("ecdsa-sha2-nistp256", {}),
        ("ecdsa-sha2-nistp384", {}),
        ("ecdsa-sha2-nistp521", {}),
        ("ssh-rsa", {"key_size": 2048}),
    ],
)
async def test_good_keys_come_in(house: House, algorithm: str, options: dict[str, Any]) -> None:
    """Each accepted type of key works, and the account is that of the user."""
    key = asyncssh.generate_private_key(algorithm, **options)
    house.accounts.add("beta", "654321", key)
    with capture_logs() as logs:
        assert await house.lets_in("beta", keys=[key])
    assert {"event": "sftp.login.accepted", "sender": "654321", "username": "beta", "source": "127.0.0.1"}.items() <= (
        next(entry for entry in logs if entry["event"] == "sftp.login.accepted").items()
    )


@pytest.mark.parametrize(("algorithm", "options"), [("ssh-rsa", {"key_size": 1024}), ("ssh-ed448", {})])
async def test_weak_and_odd_keys_stay_out(house: House, algorithm: str, options: dict[str, Any]) -> None:
    """A registered key that is too short or of another type is refused, and would not be registered."""
    key = asyncssh.generate_private_key(algorithm, **options)
    house.accounts.add("beta", "654321", key)
    assert not await house.lets_in("beta", keys=[key])
    with pytest.raises(ValueError, match=r"RSA key must have|type are not"):
        algorithms.read_public_key(key.export_public_key().decode())


async def test_the_signature_algorithm_is_enforced(house: House) -> None:
    """A client that signs with SHA-1 (ssh-rsa) is refused with the key that is accepted with SHA-2."""
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    house.accounts.add("beta", "654321", key)
    with capture_logs() as logs:
        assert not await house.lets_in("beta", keys=[key], signature_algs=["ssh-rsa"])
    assert "weak signature algorithm" in [entry.get("reason") for entry in logs]
    assert await house.lets_in("beta", keys=[key], signature_algs=["rsa-sha2-256"])


@pytest.mark.parametrize(
    ("option", "unwanted", "offered"),
    [
        ("KexAlgorithms", "diffie-hellman-group14-sha1", algorithms.KEY_EXCHANGES),
        ("Ciphers", "aes128-cbc", algorithms.CIPHERS),
        ("MACs", "hmac-sha1", algorithms.MACS),
        ("HostKeyAlgorithms", "ssh-rsa", ("rsa-sha2-512", "rsa-sha2-256")),
    ],
)
async def test_the_door_offers_its_lists_and_nothing_else(
    tmp_path: Path, option: str, unwanted: str, offered: tuple[str, ...]
) -> None:
    """OpenSSH, asking for something old, is told exactly our list; ssh-rsa is no host key algorithm."""
    write_key(tmp_path / "rsa", "ssh-rsa", key_size=2048)
    async with open_house(tmp_path / "house", host_keys=[tmp_path / "rsa"]) as house:
        options = [argument.replace("LogLevel=ERROR", "LogLevel=INFO") for argument in house.options()]
        cipher = ["-o", "Ciphers=aes128-ctr"] if option == "MACs" else []
        ended = await house.run(
            *("ssh", *options, "-o", f"{option}={unwanted}", *cipher, "-p", str(house.door.port), "x@127.0.0.1")
        )
    offer = ended.err.strip().rpartition("Their offer: ")[2].split(",")
    strict = {"kex-strict-s-v00@openssh.com", "ext-info-s"}
    assert [name for name in offer if name not in strict] == list(offered)


async def test_rsa_host_keys_serve_both_algorithms_at_once(tmp_path: Path) -> None:
    """Connections that want different signatures of one host key do not disturb each other."""
    write_key(tmp_path / "rsa", "ssh-rsa", key_size=2048)
    async with open_house(tmp_path / "house", host_keys=[tmp_path / "rsa"]) as house:
        wanted = ["rsa-sha2-256", "rsa-sha2-512"] * 5
        got = await asyncio.gather(*(house.lets_in(server_host_key_algs=[name]) for name in wanted))
        assert got == [True] * 10
        assert not await house.lets_in(server_host_key_algs=["ssh-rsa"])


@pytest.mark.parametrize(("alone", "methods"), [(False, ["publickey"]), (True, ["publickey", "password"])])
async def test_what_is_asked_for_is_the_sites_choice(tmp_path: Path, alone: bool, methods: list[str]) -> None:
    """A password only if the site lets users in by it alone; keyboard-interactive never; the same for every name."""

    def talk(house: House, username: str) -> list[str]:
        transport = house.paramiko_transport()
        try:
            with pytest.raises(paramiko.BadAuthenticationType) as caught:
                transport.auth_none(username)
            return caught.value.allowed_types
        finally:
            transport.close()

    async with open_house(tmp_path / "house", password_alone=alone) as house:
        for username in (USER, "nobody"):
            assert methods == await asyncio.to_thread(talk, house, username)
        stranger = asyncssh.generate_private_key("ssh-ed25519")
        assert not await house.lets_in(keys=[stranger], password="secret")


async def test_an_unknown_and_a_blocked_user_are_refused_alike(house: House) -> None:
    """Whether a user exists cannot be told from the answers."""
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    told = []
    for username in (USER, "nobody"):
        with pytest.raises(asyncssh.PermissionDenied) as caught:
            await house.connect(username, [stranger])
        told.append(str(caught.value).replace(username, "?"))
    assert told[0] == told[1]


async def test_a_key_belongs_to_its_user(house: House) -> None:
    """The key of one user lets nobody else in, and lines that are no keys let nobody in."""
    house.accounts.add("beta", "654321", asyncssh.generate_private_key("ssh-ed25519"))
    house.accounts.accounts["gamma"] = Account("gamma", "111111", ["", "nonsense", "ssh-ed25519 !!!!"])
    assert not await house.lets_in("beta")
    assert not await house.lets_in("gamma")
    assert await house.lets_in()


async def test_the_account_is_that_of_the_last_user_name(house: House) -> None:
    """A client that changes its name midway is the user it has proved to be."""
    house.accounts.add("beta", "654321", house.key)

    def talk(first: str, second: str) -> bool:
        transport = house.paramiko_transport()
        try:
            write_key(house.folder / f"wrong-{first}")
            wrong = paramiko.Ed25519Key.from_private_key_file(str(house.folder / f"wrong-{first}"))
            with pytest.raises(paramiko.AuthenticationException):
                transport.auth_publickey(first, wrong)
            transport.auth_publickey(second, house.paramiko_key())
            return transport.is_authenticated()
        finally:
            transport.close()

    with capture_logs() as logs:
        assert await asyncio.to_thread(talk, "beta", USER)
        assert await asyncio.to_thread(talk, USER, "beta")
    accepted = [entry["sender"] for entry in logs if entry["event"] == "sftp.login.accepted"]
    assert accepted == [SENDER, "654321"]


class UnavailableAccounts(Register):
    """The account store is away."""

    async def find(self, username: str) -> Account | None:
        """Never answers."""
        raise TemporaryError(f"no store for {username}")


async def test_nobody_comes_in_while_accounts_cannot_be_asked(tmp_path: Path) -> None:
    """Trouble of ours is a refusal, and an event without the text of the exception."""
    async with open_house(tmp_path / "house", accounts=UnavailableAccounts()) as house:
        with capture_logs() as logs:
            assert not await house.lets_in()
    assert "sftp.login.failed" in [entry["event"] for entry in logs]
    assert "no store" not in repr(logs)


@pytest.mark.parametrize(
    "name",
    [
        "begin_auth",
        "public_key_auth_supported",
        "validate_public_key",
        "auth_completed",
        "session_requested",
        "_check",
    ],
)
async def test_a_callback_that_raises_lets_nobody_in(house: House, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whichever callback of a log-in fails, nothing can be done with the connection, and the next one works."""

    def broken(*_arguments: object) -> bool:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(Login, name, broken)
        assert not await house.lets_in()
    assert await house.lets_in()


@pytest.mark.parametrize("name", ["weakness", "is_registered", "is_strong_signature", "is_safe"])
async def test_a_check_that_raises_lets_nobody_in(house: House, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The same for what the callbacks rely on."""

    def broken(*_arguments: object) -> bool:
        raise RuntimeError("broken")

    monkeypatch.setattr(login, name, broken)
    assert not await house.lets_in()


@pytest.mark.parametrize("answer", [False, None, 0])
async def test_a_falsy_begin_lets_nobody_in(house: House, monkeypatch: pytest.MonkeyPatch, answer: bool | None) -> None:
    """The library would end the log-in with success there; without a proof it does not succeed here."""
    monkeypatch.setattr(Login, "begin_auth", lambda *_: answer)
    with pytest.raises(asyncssh.PermissionDenied):
        await house.connect(keys=[asyncssh.generate_private_key("ssh-ed25519")])


@pytest.mark.parametrize("username", ["", "alpha", "ALPHA", "a" * 200, "x\ny", "../etc"])
def test_begin_is_never_falsy(username: str) -> None:
    """Whatever the user name, a proof is asked for."""
    assert Login(None).begin_auth(username) is True  # type: ignore[arg-type] # no door is needed to begin


async def test_odd_user_names_reach_neither_accounts_nor_logs(house: House) -> None:
    """Line breaks and paths in a user name end at the door."""

    def talk(username: str) -> None:
        transport = house.paramiko_transport()
        try:
            with pytest.raises(paramiko.SSHException):
                transport.auth_publickey(username, house.paramiko_key())
        finally:
            transport.close()

    with capture_logs() as logs:
        for username in ("evil\nname", "../../etc/passwd", "a" * 200, "evil;id", "\u202eevil"):
            await asyncio.to_thread(talk, username)
    assert house.accounts.asked == []
    assert not any(word in repr(logs) for word in ("evil", "passwd", "aaaa"))


async def test_tries_are_bounded(tmp_path: Path) -> None:
    """After so many failures the connection ends, with a reason; the right key comes too late."""
    async with open_house(tmp_path / "house", max_tries=3) as house:
        wrong = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(3)]
        with pytest.raises(asyncssh.DisconnectError, match="too many authentication failures"):
            await house.connect(keys=[*wrong, house.key])
        assert await house.lets_in()


async def test_connections_are_bounded(tmp_path: Path) -> None:
    """One connection too many is told so before it costs anything; when one leaves, another may come."""
    async with open_house(tmp_path / "house", admission=AdmissionLimits(connections=2)) as house:
        async with house.connect(), house.connect():
            assert 2 == house.door.connections
            reader, writer = await asyncio.open_connection("127.0.0.1", house.door.port)
            told = await reader.read()
            writer.close()
            assert told.startswith(b"SSH-2.0-BatchGateway\r\n")
            assert b"too many connections; try again later" in told
            assert not await house.lets_in()
            assert 2 == house.door.connections
        assert await house.lets_in()


async def test_sessions_of_a_connection_are_bounded(tmp_path: Path) -> None:
    """One channel too many is refused; when one ends, another may begin."""
    async with open_house(tmp_path / "house", max_sessions=2) as house, house.connect() as connection:
        first, second = await connection.start_sftp_client(), await connection.start_sftp_client()
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.start_sftp_client()
        second.exit()
        await second.wait_closed()
        async with connection.start_sftp_client() as third:
            assert "IN" in await third.listdir("/")
        first.exit()


async def test_a_client_that_never_logs_in_is_sent_away(tmp_path: Path) -> None:
    """Neither silence nor half a handshake holds a connection."""
    async with open_house(tmp_path / "house", login_timeout=0.1) as house:
        for words in (b"", b"SSH-2.0-slow\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", house.door.port)
            writer.write(words)
            assert (await reader.read()).startswith(b"SSH-2.0-")
            writer.close()


async def test_a_client_that_asks_nothing_is_sent_away(tmp_path: Path) -> None:
    """An idle connection ends, with an event; the time begins with the log-in."""
    with capture_logs() as logs:
        async with open_house(tmp_path / "house", idle_timeout=0.1) as house:
            connection = await house.connect()
            await connection.wait_closed()
    assert "sftp.idle" in [entry["event"] for entry in logs]


@pytest.mark.parametrize(
    "noise", [b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-\xff\xfe\r\n", b"SSH-1.5-old\r\n", b"\x00" * 5000]
)
async def test_noise_before_log_in_harms_nobody(house: House, noise: bytes) -> None:
    """Something else than SSH is cut off; others are served."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.door.port)
    writer.write(noise)
    writer.write_eof()
    with suppress(ConnectionResetError):
        await reader.read()
    writer.close()
    assert await house.lets_in()


FORBIDDEN: list[Callable[[asyncssh.SSHClientConnection], object]] = [
    lambda connection: connection.run("id", check=True),
    lambda connection: connection.run(None, check=True),
    lambda connection: connection.run("id", term_type="xterm", check=True),
    lambda connection: connection.create_process(subsystem="netconf"),
    lambda connection: connection.open_connection("127.0.0.1", 1),
    lambda connection: connection.open_unix_connection("/run/x"),
    lambda connection: connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 1),
    lambda connection: connection.forward_remote_path("/tmp/x", "/tmp/y"),  # noqa: S108 - refused
    lambda connection: connection.create_tun(asyncssh.SSHTunTapSession),
]


@pytest.mark.parametrize("act", FORBIDDEN)
async def test_there_is_nothing_but_sftp(house: House, act: Callable[[asyncssh.SSHClientConnection], object]) -> None:
    """No shell, command, terminal, other subsystem or forwarding; SFTP goes on working on the connection."""
    async with house.connect() as connection:
        with pytest.raises((asyncssh.Error, OSError, asyncssh.ChannelListenError)):
            await act(connection)  # type: ignore[misc] # each is a coroutine of its own type
        async with connection.start_sftp_client() as client:
            assert "IN" in await client.listdir("/")


async def test_no_environment_is_taken(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that a client sends are dropped, and it is served all the same."""
    kept: list[Mapping[str, str]] = []

    def noting(tree: Tree, path: bytes) -> bytes:
        kept.append(tree.env)
        return b"/"

    monkeypatch.setattr(Tree, "realpath", noting)
    async with house.connect() as connection, connection.start_sftp_client(env={"LD_PRELOAD": "/x"}) as client:
        await client.realpath(".")
    assert kept == [{}]


async def test_openssh_gets_no_shell_agent_or_display(house: House) -> None:
    """``ssh`` with agent, X11 and terminal requests gets nothing."""
    ended = await house.run(
        *("ssh", *house.options(), "-A", "-X", "-tt", "-p", str(house.door.port), f"{USER}@127.0.0.1", "id")
    )
    assert (ended.status, ended.out) == (255, "") or ended.status == 1


def test_faulty_host_keys_are_all_reported(tmp_path: Path) -> None:
    """Missing, unreadable, weak, doubled: one report."""
    write_key(tmp_path / "good")
    write_key(tmp_path / "second")
    write_key(tmp_path / "weak", "ssh-rsa", key_size=1024)
    (tmp_path / "text").write_text("hello")
    names = ("good", "second", "weak", "text", "absent")
    with pytest.raises(ConfigurationError) as caught:
        algorithms.load_host_keys([tmp_path / name for name in names])
    assert [fault.partition(": ")[0].rpartition("/")[2] for fault in caught.value.faults] == list(names[1:])
    with pytest.raises(ConfigurationError, match="no host key"):
        algorithms.load_host_keys([])


async def test_an_address_in_use_is_our_own_trouble(tmp_path: Path) -> None:
    """The door says which address it cannot have."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TemporaryError, match=f"127.0.0.1 port {port}"):
            async with open_house(tmp_path / "house", port=port):
                pass
