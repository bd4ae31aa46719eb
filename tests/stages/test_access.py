"""What RabbitMQ may be told: what isn't exactly one of its four questions is refused, and so is nearly every act."""

from dataclasses import replace

import httpx
import pytest
from structlog.testing import capture_logs

from channels.mq.access import Enter, Guest, LogIn, Premises, Use, UseKey, allows, by_certificate, read
from channels.mq.access_app import access_app
from channels.ports import Authentication

USER = "payroll01"
PREMISES = Premises("/batch", "batch.in", "batch.out")
GUEST = Guest(USER, "123456", Authentication.PASSWORD, (), frozenset("T"))
PASSWORD = "a-secret-of-7-words"


class Everybody:
    """A porter that lets everybody in, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    async def may_log_in(self, question: LogIn) -> bool:
        """Yes."""
        self.asked.append(question)
        return True

    async def may_enter(self, question: Enter) -> bool:
        """Yes."""
        self.asked.append(question)
        return True

    async def may_use(self, question: Use | UseKey) -> bool:
        """Yes."""
        self.asked.append(question)
        return True

    async def knows(self, username: str) -> bool:
        """Yes."""
        return bool(username)


class Faulty(Everybody):
    """A porter whose journal is away."""

    async def may_log_in(self, question: LogIn) -> bool:
        """Fail."""
        raise OSError("no journal")


def fields(**said: str) -> list[tuple[str, str]]:
    """Form fields."""
    return list(said.items())


@pytest.mark.parametrize(
    ("path", "said", "expected"),
    [
        ("user", fields(username=USER, password=PASSWORD), LogIn(USER, PASSWORD)),
        ("user", fields(username=USER, password=""), LogIn(USER, "")),
        ("user", fields(username=USER), LogIn(USER, None)),
        ("vhost", fields(username=USER, vhost="/", ip="::1", tags=""), Enter(USER, "/", "::1")),
        (
            "resource",
            fields(username=USER, vhost="/", resource="queue", name="q", permission="read", tags=""),
            Use(USER, "/", "queue", "q", "read"),
        ),
        (
            "topic",
            fields(username=USER, vhost="/", resource="topic", name="x", permission="write", routing_key="T"),
            UseKey(USER, "/", "x", "write", "T"),
        ),
        ("user", fields(username=""), None),
        ("user", fields(username="x" * 65), None),
        ("user", fields(username="a\0b"), None),
        ("user", fields(password=PASSWORD), None),
        ("user", [*fields(username=USER), ("username", "root")], None),
        ("user", fields(username=USER, password="x" * 4096), None),
        ("vhost", fields(username=USER, vhost="/"), None),
        ("resource", fields(username=USER, vhost="/", resource="queue", name="q"), None),
        ("topic", fields(username=USER, vhost="/", name="x", permission="write"), None),
        ("else", fields(username=USER), None),
    ],
)
def test_a_question_is_read_or_is_none(path: str, said: list[tuple[str, str]], expected: object) -> None:
    """Fields that are missing, said twice or too long make no question; no password is not an empty one."""
    assert expected == read(path, said)


RESOURCES = ("exchange", "queue", "topic", "")
NAMES = (
    "batch.in",
    "batch.in.payroll01",
    "batch.in.payroll02",
    "batch.out",
    "batch.out.123456",
    "batch.out.654321",
    "batch.out.notice",
    "batch.out.notice.123456",
    "batch.out.notice.654321",
    "batch.in.T",
    "batch.dead",
    "amq.default",
    "",
)


def test_of_everything_a_guest_may_write_to_the_door_and_read_its_answers() -> None:
    """All resources, names and permissions: four combinations are allowed."""
    allowed = {
        (resource, name, permission)
        for resource in RESOURCES
        for name in NAMES
        for permission in ("configure", "write", "read", "")
        if allows(Use(USER, "/batch", resource, name, permission), GUEST, PREMISES)
    }
    assert {
        ("exchange", "batch.in", "write"),
        ("exchange", "batch.in.payroll01", "write"),
        ("queue", "batch.out.123456", "read"),
        ("queue", "batch.out.notice.123456", "read"),
    } == allowed


def test_without_an_environment_answers_can_still_be_read() -> None:
    """A sender whose channel was closed may fetch what it was sent, and write nothing."""
    guest = replace(GUEST, environments=frozenset())
    assert not allows(Use(USER, "/batch", "exchange", "batch.in", "write"), guest, PREMISES)
    assert allows(Use(USER, "/batch", "queue", "batch.out.123456", "read"), guest, PREMISES)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (UseKey(USER, "/batch", "batch.in", "write", "T"), True),
        (UseKey(USER, "/batch", "batch.in", "write", "R"), False),
        (UseKey(USER, "/batch", "batch.in", "write", "#"), False),
        (UseKey(USER, "/batch", "batch.in", "read", "T"), False),
        (UseKey(USER, "/batch", "amq.topic", "write", "T"), False),
        (UseKey(USER, "/", "batch.in", "write", "T"), False),
        (Use(USER, "/", "exchange", "batch.in", "write"), False),
        (Enter(USER, "/batch", "192.0.2.7"), True),
        (Enter(USER, "/", "192.0.2.7"), False),
    ],
)
def test_keys_and_virtual_hosts(question: Enter | Use | UseKey, expected: bool) -> None:
    """A key is that of an environment, and the virtual host is the gateway's."""
    assert expected is allows(question, GUEST, PREMISES)


@pytest.mark.parametrize(
    ("source", "expected"), [("192.0.2.7", True), ("::ffff:192.0.2.7", True), ("198.51.100.1", False), ("", False)]
)
def test_a_sender_with_an_address_list_comes_from_there(source: str, expected: bool) -> None:
    """An address that the broker doesn't know lies in no list."""
    guest = replace(GUEST, sources=("192.0.2.0/24",))
    assert expected is allows(Enter(USER, "/batch", source), guest, PREMISES)


@pytest.mark.parametrize("way", list(Authentication))
def test_a_certificate_is_enough_for_those_who_prove_a_key_alone(way: Authentication) -> None:
    """Whoever has to say a password says it."""
    assert (way is Authentication.KEY) is by_certificate(replace(GUEST, authentication=way))


async def ask(porter: Everybody, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
    """One request to the application, past no network."""
    transport = httpx.ASGITransport(access_app(porter), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        response = await client.request(method, path, content=body)
        return response.status_code, response.text


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/user", b"username=payroll01&password=x%2By", (200, "allow")),
        ("GET", "/user?username=payroll01&password=x", b"", (200, "allow")),
        ("POST", "/user?username=payroll01", b"", (200, "deny")),
        ("POST", "/user", b"", (200, "deny")),
        ("POST", "/user", b"username=payroll01&username=root", (200, "deny")),
        ("POST", "/user", b"username=payroll01&password=%FF", (200, "deny")),
        ("POST", "/user", b"username=payroll01&password=\xff", (200, "deny")),
        ("POST", "/user", b"username=payroll01&password", (200, "deny")),
        ("POST", "/user", b"&".join(b"a%d=1" % number for number in range(100)), (200, "deny")),
        ("PUT", "/user", b"username=payroll01", (405, "Method Not Allowed")),
        ("POST", "/", b"username=payroll01", (404, "Not Found")),
        ("POST", "/user/more", b"username=payroll01", (404, "Not Found")),
        ("POST", "/docs", b"", (404, "Not Found")),
    ],
)
async def test_the_words_are_allow_and_deny(method: str, path: str, body: bytes, expected: tuple[int, str]) -> None:
    """No tags behind them; what isn't a question is denied, and other paths are not found."""
    assert expected == await ask(Everybody(), method, path, body)


async def test_a_fault_lets_nobody_in() -> None:
    """An exception is no 200, which the broker takes for a refusal."""
    status, text = await ask(Faulty(), "POST", "/user", b"username=payroll01&password=x")
    assert (500, False) == (status, "allow" in text)


async def test_no_secret_is_logged() -> None:
    """Neither of a question that is denied nor of one that can't be read."""
    with capture_logs() as logs:
        await ask(Everybody(), "POST", "/user", f"username=&password={PASSWORD}".encode())
        await ask(Everybody(), "POST", "/user", f"username=a&username=b&password={PASSWORD}".encode())
    assert 2 == len(logs)
    assert PASSWORD not in str(logs)
    assert PASSWORD not in repr(LogIn(USER, PASSWORD))
