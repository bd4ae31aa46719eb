"""Where the broker is, and what it has to prove: several addresses, TLS, log-in by certificate, memory alarms."""

import asyncio
from pathlib import Path

import pika
import pytest

from channels.mq.addresses import Brokers, brokers_of
from channels.mq.connection import BrokerUnavailable, ChannelRefused, LoginRefused, open_channel
from config.errors import ConfigurationError
from config.messages import Broker as BrokerSection
from tests.authority import Credential
from tests.broker import Broker, free_ports
from tests.guarded_broker import GuardedBroker


def section(*urls: str, **more: object) -> BrokerSection:
    """The settings of a broker."""
    return BrokerSection.model_validate({"urls": urls, **more})


def secured(broker: GuardedBroker, **more: object) -> Brokers:
    """The broker by TLS."""
    plain, port = f"{broker.address}:{broker.port}", f"localhost:{broker.tls_port}"
    url = broker.url.replace("amqp://", "amqps://").replace(plain, port)
    return brokers_of(section(url, **{"authority": str(broker.authority), **more}))


async def reached(brokers: Brokers) -> bool:
    """Whether a channel can be opened."""
    async with open_channel(brokers) as channel:
        return not channel.is_blocked


async def test_addresses_are_tried_in_their_order(broker: Broker) -> None:
    """One that is away, or refuses us, keeps nobody from the next."""
    away = f"amqp://gateway:x@127.0.0.1:{free_ports(1)[0]}/"
    refusing = broker.url_of("gateway", "wrong")

    assert await reached(brokers_of(section(away, refusing, broker.url)))
    with pytest.raises(LoginRefused):
        await reached(brokers_of(section(refusing)))
    with pytest.raises(BrokerUnavailable) as raised:
        await reached(brokers_of(section(refusing, away)))
    assert not isinstance(raised.value, LoginRefused)


async def test_a_broker_that_proves_who_it_is_is_spoken_to(guarded_broker: GuardedBroker) -> None:
    """Its certificate comes from the authority of the settings and names the host."""
    assert await reached(secured(guarded_broker))


async def test_a_broker_with_another_name_is_told_nothing(guarded_broker: GuardedBroker) -> None:
    """Whoever else has a certificate of that authority is not our broker."""
    brokers = secured(guarded_broker)
    [address] = brokers.addresses
    assert isinstance(address.ssl_options, pika.SSLOptions)
    address.ssl_options.server_hostname = "broker.example"

    with pytest.raises(BrokerUnavailable, match="Hostname mismatch"):
        await reached(brokers)


async def test_a_broker_of_another_authority_is_told_nothing(guarded_broker: GuardedBroker) -> None:
    """The system's authorities do not count once one is named, and none of them made this one."""
    with pytest.raises(BrokerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await reached(secured(guarded_broker, authority=None))


async def test_a_certificate_of_our_own_logs_in_without_a_password(guarded_broker: GuardedBroker) -> None:
    """SASL EXTERNAL: the broker takes the name from it."""
    own = guarded_broker.certificate("gateway")
    url = f"amqps://localhost:{guarded_broker.tls_port}/%2f"
    files = {"authority": guarded_broker.authority, "certificate": own.certificate, "key": own.key}

    assert await reached(brokers_of(section(url, **files)))


def test_every_fault_of_addresses_and_files_is_told_at_once_and_no_password(tmp_path: Path) -> None:
    """An operator mends them in one go."""
    text = tmp_path / "text"
    text.write_text("no PEM")
    with pytest.raises(ConfigurationError) as raised:
        files = {"authority": text, "certificate": text, "key": text}
        brokers_of(section("amqp://a:forged@h:many/", "amqps://a:b@h/?forged=1", **files))

    assert ["authority", "certificate", "urls: address 1", "urls: address 2"] == [
        next(word for word in ("authority", "certificate", "urls: address 1", "urls: address 2") if word in fault)
        for fault in raised.value.faults
    ]
    assert "forged" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="go together"):
        brokers_of(section("amqp://a:b@h/", certificate=text))


def test_what_an_address_says_of_heartbeats_counts_and_what_it_says_of_tls_does_not(signer: Credential) -> None:
    """No address can switch the verification off."""
    weak = str({"cafile": str(signer.certificate), "server_hostname": "other.example"})
    urls = ("amqp://a:b@h/?heartbeat=7", f"amqps://a:b@h/?ssl_options={weak}")
    [first, second] = brokers_of(section(*urls, heartbeat_seconds=9, blocked_seconds=5)).addresses

    assert (7, 9, 5.0) == (first.heartbeat, second.heartbeat, second.blocked_connection_timeout)
    assert second.ssl_options is not None
    assert (second.ssl_options.server_hostname, second.ssl_options.context.check_hostname) == ("h", True)
    assert "b@h" not in repr(Brokers((first,)))


async def test_a_broker_that_holds_us_up_too_long_counts_as_away(broker: Broker) -> None:
    """A memory alarm: the broker says that it takes nothing, and we leave instead of waiting for ever."""
    held = brokers_of(section(broker.url, blocked_seconds=0.5))
    async with open_channel(held) as channel:
        await asyncio.to_thread(broker.control, "set_vm_memory_high_watermark", "0")
        try:
            outcome = channel.send("", "nowhere", b"", pika.BasicProperties(message_id="held up"))
            lost = await asyncio.wait_for(channel.lost, 30)
            assert isinstance(await outcome, BrokerUnavailable)
        finally:
            await asyncio.to_thread(broker.control, "set_vm_memory_high_watermark", "0.4")

    assert "blocked" in repr(lost).lower()
    assert await reached(held)


async def test_a_second_channel_may_be_closed_by_the_broker_without_harm_to_the_first(broker: Broker) -> None:
    """So it can be asked whether an exchange is there."""
    async with open_channel(brokers_of(section(broker.url))) as channel:
        with pytest.raises(ChannelRefused, match="NOT_FOUND"):
            async with channel.another_channel() as second:
                await second.ask("exchange_declare", exchange="there is none", passive=True)
        await channel.ask("exchange_declare", exchange="amq.direct", passive=True)
