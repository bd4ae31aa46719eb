"""``gateway sender certificate``: with what a sender signs, from when to when."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.engine import Connection

from config.errors import ConfigurationError
from config.settings import Settings
from gateway import parties
from gateway.cli.acting import acting, actor_of, granted, looking, with_actor
from gateway.cli.changing import with_note
from gateway.cli.moments import microseconds_of, period_of, with_end, with_period
from gateway.cli.output import RefusedError, print_rows, when, with_config, with_json
from gateway.logs import cap_libraries
from gateway.parties import RegisteredCertificate
from gateway.register import credentials
from gateway.register.actor import Actor
from gateway.register.credentials import Shown
from gateway.registrations import holder_key_file
from signing.holder import create_key, holder_of, read_key
from signing.trust import authorities
from signing.trust.change import AcceptedBy, difference
from spool.journal import now

_DAY: Final = 86_400_000_000


class SenderNumber(click.ParamType[str]):
    """Six digits that the network gives to senders."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The number as it stands."""
        if not re.fullmatch(r"[0-9]{6}", value) or value in {"000000", "999999"}:
            self.fail("a sender number has six digits, 000001 to 999998", param, ctx)
        return str(value)


@click.group(short_help="Register, list and end a sender's certificates.")
def certificate() -> None:
    """Register, list and end the certificates a sender signs with; each counts at the moment of receipt.

    WHEN is a day, such as 2026-12-01, or a moment with its zone, such as 2026-12-01T08:00:00+01:00.
    """


@certificate.command(short_help="Register a certificate, or give it other dates.")
@click.argument("number", type=SenderNumber())
@click.argument("file", type=click.File("rb"))
@with_period
@click.option("--holder", is_flag=True, help="Register its holder: renewed certificates of the same issuer count too.")
@with_note
@with_actor
@with_config
def add(  # noqa: PLR0913, PLR0917 - a command line has as many options as it has
    number: str,
    file: Any,
    start: datetime | None,
    end: datetime | None,
    reason: str,
    as_user: str | None,
    config: Path | None,
    *,
    holder: bool,
) -> None:
    """Register the certificate in FILE (PEM, DER) for sender NUMBER, or give a registered one other dates.

    With --holder, as for an identity card, every certificate counts that the same issuer gives the same serial number
    in its subject. Of that number only a keyed hash is kept. A certificate whose signatures would be refused as things
    are is registered all the same, with a remark.
    """
    shown = read_certificate(file.read(), file.name)
    period = period_of(start, end)
    actor = actor_of(as_user)
    with acting(config) as (connection, settings):
        _ask_for(connection, actor, number)
        mark = _mark(connection, shown, settings) if holder else None
        wanted = Shown(shown, period, mark)
        fingerprint = granted(credentials.add_certificate(connection, actor, number, wanted, reason=reason))
    click.echo(f"Sender {number}: certificate {fingerprint}{' and its holder' if holder else ''}.")
    if remark := remark_on(shown, settings):
        click.echo(f"gateway: {remark}", err=True)


@certificate.command("list", short_help="List a sender's certificates.")
@click.argument("number", type=SenderNumber())
@with_actor
@with_json
@with_config
def list_certificates(number: str, as_user: str | None, config: Path | None, *, as_json: bool) -> None:
    """List the certificates registered for sender NUMBER, also those that have ended."""
    with looking(config) as (connection, _):
        _ask_for(connection, actor_of(as_user), number)
        rows = [_facts(registered, now()) for registered in parties.registered_certificates(connection, number)]
    columns = ("certificate", "holder", "issuer", "from", "to", "not_after", "days_left")
    print_rows(rows, columns, as_json=as_json)


@certificate.command(short_help="End a registration.")
@click.argument("number", type=SenderNumber())
@click.argument("fingerprint")
@with_end
@with_note
@with_actor
@with_config
def end(
    number: str, fingerprint: str, at: datetime | None, reason: str, as_user: str | None, config: Path | None
) -> None:
    """End a registration of sender NUMBER; FINGERPRINT may be its first eight digits or more.

    It is the SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` writes it too. What was received before
    the end is judged as before.
    """
    digits = fingerprint.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{8,64}", digits):
        raise click.UsageError("a fingerprint has 8 to 64 digits of 0-9 and a-f")
    present = now()
    moment = microseconds_of(at) or present
    actor = actor_of(as_user)
    with acting(config) as (connection, _):
        _ask_for(connection, actor, number)
        if at is None and (ended := _ended(connection, number, digits, present)):
            raise RefusedError(f"it ended at {when(ended)}; --at gives it another end")
        found = granted(credentials.end_certificate(connection, actor, number, digits, moment, reason=reason))
    click.echo(f"Sender {number}: certificate {found} ends at {when(moment)}.")


def read_certificate(data: bytes, name: str) -> x509.Certificate:
    """A certificate, PEM or DER, from the file of that name.

    Raises:
        click.UsageError: it is none.
    """
    try:
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError as fault:
        raise click.UsageError(f"{name}: not a certificate") from fault


def _ask_for(connection: Connection, actor: Actor, number: str) -> None:
    if (refused := credentials.sender_refusal(connection, actor, number)) is not None:
        granted(refused)


def _ended(connection: Connection, number: str, digits: str, at: int) -> int | None:
    """When the only registration that is meant ended, if it has: to end it once more would lengthen it."""
    known = [item.registration for item in parties.registered_certificates(connection, number)]
    ends = [item.period.end for item in known if item.fingerprint.startswith(digits)]
    return ends[0] if len(ends) == 1 and ends[0] is not None and ends[0] <= at else None


def remark_on(shown: x509.Certificate, settings: Settings) -> str:
    """What an operator must hear of a certificate just registered; empty if it would be accepted."""
    cap_libraries()
    try:
        accepted = authorities.load(settings.trust.authorities)
    except ConfigurationError as fault:
        return "; ".join(fault.faults)
    der = shown.public_bytes(Encoding.DER)
    [found] = difference(accepted, accepted, {parties.fingerprint_of(der): der}, datetime.now(UTC))
    return "" if isinstance(found.after, AcceptedBy) else f"as things are it would not be accepted: {found.after}"


def _mark(connection: Connection, shown: x509.Certificate, settings: Settings) -> str:
    """The keyed hash of a certificate's holder; the key is made with the first, never while another one is missed."""
    holder = holder_of(shown.public_bytes(Encoding.DER))
    if holder is None:
        raise RefusedError("the certificate's subject has no serial number, or several: register it without --holder")
    path = holder_key_file(settings)
    if not path.exists() and not _has_holders(connection, now()):
        create_key(path)
    try:
        return holder.mark(read_key(path))
    except ConfigurationError as fault:
        raise RefusedError("\n".join(fault.faults)) from fault


def _has_holders(connection: Connection, at: int) -> bool:
    """Whether any registration by holder is in force then, or will be."""
    known = [registered.registration for registered in parties.registered_certificates(connection)]
    return any(item.holder is not None and (item.period.end is None or at < item.period.end) for item in known)


def _facts(registered: RegisteredCertificate, at: int) -> dict[str, Any]:
    registration = registered.registration
    end = (
        registered.not_after if registration.period.end is None else min(registered.not_after, registration.period.end)
    )
    return {
        "certificate": registration.fingerprint,
        "holder": registration.holder and registration.holder[:16],
        "issuer": registered.issuer,
        "from": when(registration.period.start),
        "to": when(registration.period.end),
        "not_after": when(registered.not_after),
        "days_left": max(0, (end - at) // _DAY),
    }
