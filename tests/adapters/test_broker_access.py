"""RabbitMQ asks the gateway who may do what: a real broker, real clients, and the accounts of a real journal."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pika
import pytest
from pika import exceptions

from channels.ports import Authentication
from gateway import accounts, openings, parties
from gateway.openings import Channel, Opening
from spool.journal import Journal, now
from tests.adapters.broker_house import OTHER, PASSWORD, SENDER, USER, BrokerHouse, open_broker_house
from tests.guarded_broker import GuardedBroker

REFUSED = (exceptions.ProbableAuthenticationError, exceptions.ProbableAccessDeniedError)
SOON = 5.0
"""Seconds after which something that happens within one has not happened."""


@pytest.fixture
async def house(guarded_broker: GuardedBroker, journal: Journal) -> AsyncIterator[BrokerHouse]:
    """A user with a password and the channel of messages, in the environment T."""
    async with open_broker_house(guarded_broker, journal) as opened:
        await asyncio.to_thread(opened.add_user, USER)
        yield opened


def message(user_id: str | None = USER) -> pika.BasicProperties:
    """The properties of a message of ``user_id``."""
    return pika.BasicProperties(user_id=user_id, message_id=secrets.token_hex(8), delivery_mode=2)


def refusal(connection: Any, act: Callable[[Any], object]) -> int | None:
    """What ``act`` is refused with, on a channel of its own; None if it isn't."""
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        act(channel)
    except exceptions.ChannelClosedByBroker as closed:
        return int(closed.reply_code)
    channel.close()
    return None


async def test_a_user_writes_to_the_door_and_reads_its_own_answers(house: BrokerHouse) -> None:
    """What the channel is for is allowed, by the password that SFTP takes."""

    def use() -> tuple[int, bytes]:
        own = f"batch.out.{SENDER}"
        with house.connected() as connection, pika.BlockingConnection(pika.URLParameters(house.broker.url)) as gateway:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish("batch.in", "T", b"<a/>", message(), mandatory=True)
            gateway.channel().basic_publish("batch.out", SENDER, b"answer")
            _, _, body = next(channel.consume(own, auto_ack=True, inactivity_timeout=SOON))
            channel.cancel()
            return gateway.channel().queue_purge("batch.in.T").method.message_count, body

    assert (1, b"answer") == await asyncio.to_thread(use)


async def test_an_entrance_says_whose_message_it_is(house: BrokerHouse) -> None:
    """Its user alone writes there, and the delivery names it, also where another key was added by a header."""

    def use() -> tuple[int | None, list[str]]:
        house.add_user("wordholder02")
        with house.connected() as connection, pika.BlockingConnection(pika.URLParameters(house.broker.url)) as gateway:
            other = refusal(connection, lambda channel: channel.basic_publish("batch.in.wordholder02", "T", b""))
            channel, theirs = connection.channel(), gateway.channel()
            for environment in "RT":
                theirs.queue_purge(f"batch.in.{environment}")
            channel.confirm_delivery()
            channel.basic_publish(f"batch.in.{USER}", "T", b"<a/>", pika.BasicProperties(headers={"CC": ["R"]}))
            seen = []
            for environment in "RT":
                taken = theirs.consume(f"batch.in.{environment}", auto_ack=True, inactivity_timeout=SOON)
                seen.append(next(taken)[0].exchange)
                theirs.cancel()
            return other, seen

    assert (403, [f"batch.in.{USER}"] * 2) == await asyncio.to_thread(use)


ACTS: dict[str, Callable[[Any], object]] = {
    "declare a queue": lambda channel: channel.queue_declare("mine"),
    "declare a queue without a name": lambda channel: channel.queue_declare("", exclusive=True),
    "declare an exchange": lambda channel: channel.exchange_declare("mine"),
    "delete its queue": lambda channel: channel.queue_delete(f"batch.out.{SENDER}"),
    "bind its queue": lambda channel: channel.queue_bind(f"batch.out.{SENDER}", "batch.out", OTHER),
    "bind its queue to the door": lambda channel: channel.queue_bind(f"batch.out.{SENDER}", "batch.in", "R"),
    "read the door": lambda channel: channel.basic_get("batch.in.T"),
    "read another's answers": lambda channel: channel.basic_get(f"batch.out.{OTHER}"),
    "read the dead letters": lambda channel: channel.basic_get("batch.dead"),
    "consume another's answers": lambda channel: channel.basic_consume(f"batch.out.{OTHER}", print),
    "purge the door": lambda channel: channel.queue_purge("batch.in.T"),
    "write an answer": lambda channel: channel.basic_publish("batch.out", SENDER, b"", message()),
    "write a dead letter": lambda channel: channel.basic_publish("batch.dead", "", b"", message()),
    "write by the default exchange": lambda channel: channel.basic_publish("", "batch.in.R", b"", message()),
    "write by a topic exchange": lambda channel: channel.basic_publish("amq.topic", "T", b"", message()),
}


async def test_nothing_else_is_allowed(house: BrokerHouse) -> None:
    """Configure, bind, read and write anything but that: 403, each on a channel of its own."""

    def try_all() -> dict[str, int | None]:
        house.add_sender(OTHER)
        with house.connected() as connection:
            return {name: refusal(connection, act) for name, act in ACTS.items()}

    assert dict.fromkeys(ACTS, 403) == await asyncio.to_thread(try_all)


async def test_nobody_writes_in_another_s_name(house: BrokerHouse) -> None:
    """The broker holds ``user_id`` against who has logged in, for no user here is its impersonator."""

    def forge() -> int | None:
        with house.connected() as connection:
            return refusal(
                connection, lambda channel: channel.basic_publish("batch.in", "T", b"", message("wordholder02"))
            )

    assert 406 == await asyncio.to_thread(forge)


async def test_a_user_has_no_tag_and_so_no_management(house: BrokerHouse) -> None:
    """The name and password that open the door open no interface of the broker."""
    url = house.broker.management_url.rpartition("@")[2]
    async with httpx.AsyncClient(auth=(USER, PASSWORD)) as client:
        assert 401 == (await client.get(f"http://{url}/api/whoami")).status_code


def _block(house: BrokerHouse) -> None:
    house.block(USER)


def _block_sender(house: BrokerHouse) -> None:
    with house.journal.write() as connection:
        parties.set_active(connection, SENDER, active=False)


def _expire(house: BrokerHouse) -> None:
    with house.journal.write() as connection:
        accounts.expire_password(connection, USER)


def _both(house: BrokerHouse) -> None:
    with house.journal.write() as connection:
        accounts.set_authentication(connection, USER, Authentication.BOTH)


def _key(house: BrokerHouse) -> None:
    with house.journal.write() as connection:
        accounts.set_authentication(connection, USER, Authentication.KEY)


def _elsewhere(house: BrokerHouse) -> None:
    with house.journal.write() as connection:
        accounts.set_sources(connection, SENDER, ["192.0.2.0/24"])


@pytest.mark.parametrize("change", [_block, _block_sender, _expire, _both, _key, _elsewhere])
async def test_who_may_not_come_in_is_refused(house: BrokerHouse, change: Callable[[BrokerHouse], None]) -> None:
    """Blocked, with a password to be changed, with a key to be proved, or from another address: not in."""

    def try_it() -> None:
        change(house)
        with pytest.raises(REFUSED), house.connected():
            pass

    await asyncio.to_thread(try_it)


async def test_strangers_and_wrong_passwords_are_refused_and_the_gateway_comes_in(house: BrokerHouse) -> None:
    """A user that isn't there, an empty password, another's; a user without this channel; another virtual host.

    The gateway's own user is the broker's, and is asked of nobody.
    """

    def try_them() -> None:
        house.add_sender(OTHER, channels=(Channel.SFTP,))
        house.add_user("fileholder01", sender=OTHER)
        house.broker.control("add_vhost", "elsewhere")
        for username, password in ((USER, "wrong-password-1"), (USER, ""), ("nobody0001", PASSWORD)):
            with pytest.raises(REFUSED), house.connected(username, password):
                pass
        with pytest.raises(REFUSED), house.connected("fileholder01"):
            pass
        with pytest.raises(REFUSED), house.connected(vhost="elsewhere"):
            pass
        with house.connected():
            pass

    await asyncio.to_thread(try_them)


async def test_a_certificate_lets_in_who_proves_a_key_and_nobody_else(house: BrokerHouse) -> None:
    """EXTERNAL: the name is the certificate's; a user with a password, or both, does not get by without it."""

    def try_them() -> None:
        for username, way in (("keyholder01", Authentication.KEY), ("bothholder01", Authentication.BOTH)):
            house.add_user(username, way)
        with house.certified(house.broker.certificate("keyholder01")) as connection:
            assert refusal(connection, lambda channel: channel.basic_get(f"batch.out.{SENDER}")) is None
            forged = message("keyholder01")
            assert refusal(connection, lambda channel: channel.basic_publish("batch.in", "T", b"", forged)) is None
        for username in (USER, "bothholder01", "nobody0001"):
            with pytest.raises(REFUSED), house.certified(house.broker.certificate(username)):
                pass
        with pytest.raises(REFUSED), house.connected("keyholder01"):
            pass

    await asyncio.to_thread(try_them)


def _close_channel(house: BrokerHouse) -> None:
    with house.journal.write() as connection:
        openings.end_openings(connection, SENDER, Opening(Channel.MQ, "T"), now())


@pytest.mark.parametrize("withdraw", [_block, _block_sender, _elsewhere, _close_channel])
async def test_whose_rights_are_withdrawn_is_out_at_once(
    house: BrokerHouse, withdraw: Callable[[BrokerHouse], None]
) -> None:
    """A connection that is writing all the time, whose channel the broker asks no more about, is closed."""

    def write_until_closed() -> float:
        with house.connected() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish("batch.in", "T", b"", message())
            withdraw(house)
            since = time.monotonic()
            with pytest.raises((exceptions.AMQPConnectionError, exceptions.ConnectionClosedByBroker)):
                while time.monotonic() - since < SOON:
                    channel.basic_publish("batch.in", "T", b"", message())
                    connection.process_data_events(0.02)
            return time.monotonic() - since

    assert await asyncio.to_thread(write_until_closed) < SOON


async def test_who_was_blocked_while_the_gateway_was_away_is_sent_away_when_it_is_back(
    guarded_broker: GuardedBroker, journal: Journal
) -> None:
    """A gateway that starts looks at who is in already, and leaves the others in."""

    def come_in(house: BrokerHouse, username: str) -> Any:
        house.add_user(username)
        credentials = pika.PlainCredentials(username, PASSWORD)
        return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", guarded_broker.port, "/", credentials))

    async with open_broker_house(guarded_broker, journal) as house:
        blocked = await asyncio.to_thread(come_in, house, USER)
        stays = await asyncio.to_thread(come_in, house, "wordholder02")
    with pytest.raises(REFUSED), house.connected("wordholder02"):  # nobody answers: nobody gets in
        pass
    house.block(USER)

    def wait() -> None:
        with pytest.raises((exceptions.AMQPConnectionError, exceptions.ConnectionClosedByBroker)):
            blocked.process_data_events(SOON * 4)
        stays.process_data_events(0)
        stays.close()

    async with open_broker_house(guarded_broker, journal):
        await asyncio.to_thread(wait)


async def test_without_management_a_blocked_user_can_open_nothing_new(
    guarded_broker: GuardedBroker, journal: Journal
) -> None:
    """A channel that was not used yet is refused, and so is a new connection; the rest is refused by who judges."""

    def block_and_try(house: BrokerHouse) -> int | None:
        house.add_user(USER)
        with house.connected() as connection:
            house.block(USER)
            refused = refusal(connection, lambda channel: channel.basic_publish("batch.in", "T", b"", message()))
            with pytest.raises(REFUSED), house.connected():
                pass
            return refused

    async with open_broker_house(guarded_broker, journal, management=False) as house:
        assert 403 == await asyncio.to_thread(block_and_try, house)


async def test_a_name_locks_late_and_no_other_name_with_it(house: BrokerHouse) -> None:
    """The broker tells no address: a hundred failures lock one name for a time, and keep out nobody else."""

    def fail(times: int, username: str) -> None:
        for _ in range(times):
            with pytest.raises(REFUSED), house.connected(username, "wrong-password-1"):
                pass

    await asyncio.to_thread(fail, 25, "nobody0001")
    await asyncio.to_thread(fail, 6, USER)

    def come_in() -> None:
        with house.connected():
            pass

    await asyncio.to_thread(come_in)
