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
from gateway.cli.output import RefusedError, print_rows, when, with_config, with_json
from gateway.parties import RegisteredCertificate, UnknownCertificateError, microseconds
from gateway.registrations import Period, holder_key_file
from gateway.site import open_site, settings_file
from signing.holder import create_key, holder_of, read_key
from spool.journal import now

_DAY: Final = 86_400_000_000
_moment = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"])


class SenderNumber(click.ParamType[str]):
    """Six digits that the network gives to senders."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The number as it stands."""
        if not re.fullmatch(r"[0-9]{6}", value) or value in {"000000", "999999"}:
            self.fail("a sender number has six digits, 000001 to 999998", param, ctx)
        return str(value)


@click.group()
def certificate() -> None:
    """Register, list and end the certificates a sender signs with; each counts at the moment of receipt."""


@certificate.command()
@click.argument("number", type=SenderNumber())
@click.argument("file", type=click.File("rb"))
@click.option("--from", "start", type=_moment, help="The sender's from then on; a bare date is UTC.  [default: always]")
@click.option("--to", "end", type=_moment, help="The sender's before this moment.  [default: always]")
@click.option("--holder", is_flag=True, help="Register its holder: renewed certificates of the same issuer count too.")
@with_config
def add(
    number: str, file: Any, start: datetime | None, end: datetime | None, config: Path | None, *, holder: bool
) -> None:
    """Register the certificate in FILE (PEM, DER) for sender NUMBER, or give a registered one other dates.

    With --holder, as for an identity card, every certificate counts that the same issuer gives the same serial number
    in its subject. Of that number only a keyed hash is kept.
    """
    shown = read_certificate(file.read(), file.name)
    period = Period(_microseconds(start), _microseconds(end))
    if period.start is not None and period.end is not None and period.start >= period.end:
        raise click.UsageError("--to must be later than --from")
    settings, journal = open_site(settings_file(config))
    with journal.write() as connection:
        if parties.find_sender(connection, number) is None:
            raise RefusedError(f"there is no sender {number}")
        mark = _mark(connection, shown, settings) if holder else None
        fingerprint = parties.add_certificate(connection, number, shown, period, mark)
    click.echo(f"Sender {number}: certificate {fingerprint}{' and its holder' if holder else ''}.")


@certificate.command("list")
@click.argument("number", type=SenderNumber())
@with_json
@with_config
def list_certificates(number: str, config: Path | None, *, as_json: bool) -> None:
    """List the certificates registered for sender NUMBER, also those that have ended."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        rows = [_facts(registered, now()) for registered in parties.registered_certificates(connection, number)]
    columns = ("certificate", "holder", "issuer", "from", "to", "not_after", "days_left")
    print_rows(rows, columns, as_json=as_json)


@certificate.command()
@click.argument("number", type=SenderNumber())
@click.argument("fingerprint")
@click.option("--at", type=_moment, help="When it ends; a bare date is UTC.  [default: now]")
@with_config
def end(number: str, fingerprint: str, at: datetime | None, config: Path | None) -> None:
    """End a registration of sender NUMBER; FINGERPRINT may be its first eight digits or more.

    What was received before the end is judged as before.
    """
    if not re.fullmatch(r"[0-9a-f]{8,64}", fingerprint):
        raise click.UsageError("a fingerprint has 8 to 64 digits of 0-9 and a-f")
    moment = _microseconds(at) or now()
    _, journal = open_site(settings_file(config))
    with journal.write() as connection:
        try:
            found = parties.end_certificate(connection, number, fingerprint, moment)
        except UnknownCertificateError:
            raise RefusedError(f"sender {number} has not exactly one certificate {fingerprint}") from None
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


def _microseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _facts(registered: RegisteredCertificate, at: int) -> dict[str, Any]:
    registration = registered.registration
    return {
        "certificate": registration.fingerprint,
        "holder": registration.holder and registration.holder[:16],
        "issuer": registered.issuer,
        "from": when(registration.period.start),
        "to": when(registration.period.end),
        "not_after": when(registered.not_after),
        "days_left": max(0, (registered.not_after - at) // _DAY),
    }
