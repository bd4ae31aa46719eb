"""Where is the broker, and what has it to prove before we tell it our password?

One or several addresses, tried in their order (RabbitMQ, "Networking" and "TLS support").  With ``amqps`` the broker's
certificate has to come from the authority that the settings name, or from one that the system trusts, and has to be
made out to the host of the address.  An address without user and password, together with a certificate of our own,
logs in by that certificate (SASL EXTERNAL).

Nothing here connects; nothing that is raised or printed repeats an address, for it holds a password.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pika
from pika.credentials import ExternalCredentials

from config.credential import revealed
from config.errors import ConfigurationError
from config.messages import Broker

HEARTBEAT: Final = 30
"""Seconds of silence asked of the broker; a dead peer is noticed within about two of them."""

_FAULT: Final = "cannot be read; expected amqp[s]://user:password@host:port/vhost"


@dataclass(frozen=True, slots=True)
class Brokers:
    """The addresses of one broker, in the order in which they are tried."""

    addresses: tuple[pika.ConnectionParameters, ...] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """``host:port`` of each: what a log may say."""
        return tuple(f"{address.host}:{address.port}" for address in self.addresses)


def connection_parameters(url: str) -> pika.URLParameters:
    """Read ``amqp[s]://user:password@host:port/vhost?option=value`` and add our heartbeat where it names none.

    Raises ConfigurationError, whose text repeats nothing of the URL: it holds a password.
    """
    if not url.startswith(("amqp://", "amqps://")):
        raise ConfigurationError((f"the broker's URL {_FAULT}",))
    try:
        parameters = pika.URLParameters(url)
    except (TypeError, ValueError, SyntaxError):
        raise ConfigurationError((f"the broker's URL {_FAULT}",)) from None  # the cause may quote the password
    if parameters.heartbeat is None:
        parameters.heartbeat = HEARTBEAT
    return parameters


def brokers_of(settings: Broker) -> Brokers:
    """The addresses that the settings name, each with its TLS, heartbeat and patience.

    Raises:
        ConfigurationError: with a line for every address and file that cannot be used.
    """
    faults: list[str] = []
    context = _context(settings, faults)
    addresses = []
    for number, secret in enumerate(settings.urls, 1):
        try:
            url = revealed(secret)
        except ConfigurationError as fault:
            faults.extend(f"broker.urls: address {number}: {line}" for line in fault.faults)
            continue
        try:
            addresses.append(_address(url, settings, context))
        except ConfigurationError:
            faults.append(f"broker.urls: address {number} {_FAULT}")
    if faults:
        raise ConfigurationError(faults)
    return Brokers(tuple(addresses))


def _address(url: str, settings: Broker, context: ssl.SSLContext) -> pika.ConnectionParameters:
    parameters = connection_parameters(url)
    parts = urlsplit(url)
    if parts.scheme == "amqps":
        # Whatever the address says of TLS: what the broker has to prove stands in the settings only.
        parameters.ssl_options = pika.SSLOptions(context, parameters.host)
        if settings.certificate is not None and parts.username is None:
            parameters.credentials = ExternalCredentials()
    if "heartbeat=" not in parts.query:
        parameters.heartbeat = settings.heartbeat_seconds
    parameters.blocked_connection_timeout = settings.blocked_seconds
    return parameters


def _context(settings: Broker, faults: list[str]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.authority is not None:
        trusted = ssl.SSLContext(
            ssl.PROTOCOL_TLS_CLIENT
        )  # which trusts nobody yet, and holds the name against the host
        trusted.minimum_version = ssl.TLSVersion.TLSv1_2
        context = trusted
        try:
            context.load_verify_locations(settings.authority)
        except (OSError, ssl.SSLError) as fault:
            faults.append(_unusable("authority", settings.authority, fault))
    if (settings.certificate is None) != (settings.key is None):
        faults.append("broker: certificate and key go together")
    elif settings.certificate is not None:
        try:
            context.load_cert_chain(settings.certificate, settings.key)
        except (OSError, ssl.SSLError) as fault:
            faults.append(_unusable("certificate", settings.certificate, fault))
    return context


def _unusable(key: str, path: Path, fault: OSError) -> str:
    reason = "is not PEM, or does not fit its key" if isinstance(fault, ssl.SSLError) else fault.strerror
    return f"broker.{key}: {path}: {reason}"
