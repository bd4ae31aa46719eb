"""``gateway sender``: who may send."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.engine import Connection

from gateway import parties
from gateway.cli import logins
from gateway.cli.certificates import SenderNumber, certificate, read_certificate, remark_on
from gateway.cli.changing import add_user, changing, with_note, write_down
from gateway.cli.output import RefusedError, print_rows, with_config, with_json
from gateway.cli.sender_channels import channel, remark_on_broker
from gateway.cli.user_keys import public_key
from gateway.openings import Channel
from gateway.parties import Sender, SignatureProfile
from gateway.register import channels, enterprises
from gateway.site import open_site, settings_file
from gateway.user_names import NAME_RULE, is_user_name
from schemas.wording import Language
from signing.evidence import Format
from signing.policy import Leniency

_DEFAULT = "default"


@click.group()
def sender() -> None:
    """Register, list and block senders, their channels and certificates."""


sender.add_command(certificate)
sender.add_command(channel)
sender.add_command(logins.sources)
sender.add_command(logins.login)


@sender.command()
@click.argument("number", type=SenderNumber())
@click.option("--user", required=True, help="The technical user who logs in for this sender.")
@click.option("--ssh-key", "ssh_keys", multiple=True, type=click.File(), help="A public key of the user (OpenSSH).")
@click.option("--certificate", "files", multiple=True, type=click.File("rb"), help="A signing certificate (PEM, DER).")
@click.option(
    "--signature",
    type=click.Choice([profile.value for profile in SignatureProfile]),
    help="Signed in FS files beside the data, by an XML signature inside the FI, or by the channel's login alone."
    "  [default: detached]",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice([*map(str, Format), _DEFAULT]),
    help="Take its signatures only in this format.  [default: every format of the site]",
)
@click.option(
    "--tolerate",
    "leniencies",
    multiple=True,
    type=click.Choice([*map(str, Leniency), _DEFAULT]),
    help="Tolerate this in its signatures.  [default: what the site tolerates]",
)
@click.option("--environments", help="Letters of the environments it may send in.  [default: RTS]")
@click.option("--purpose", "purposes", multiple=True, help="A purpose code it may send, such as DIMN.  [default: all]")
@click.option(
    "--language",
    type=click.Choice([language.value for language in Language]),
    help="The language of what its answers say.  [default: fr]",
)
@click.option(
    "--any-employer/--own-employers",
    "any_employer",
    default=None,
    help="Send for every employer, or only for those it is or is mandated by.  [default: --own-employers]",
)
@click.option("--quality", type=click.IntRange(1), metavar="NUMBER", help="The registered quality it sends as.")
@click.option(
    "--channel",
    "doors",
    multiple=True,
    type=click.Choice([Channel.SFTP.value, Channel.MQ.value]),
    help="By what it sends.  [default: sftp]",
)
@with_note
@with_config
def add(  # noqa: PLR0913, PLR0917 - a command line has as many options as it has
    number: str,
    user: str,
    ssh_keys: tuple[Any, ...],
    files: tuple[Any, ...],
    signature: str | None,
    environments: str | None,
    purposes: tuple[str, ...],
    formats: tuple[str, ...],
    leniencies: tuple[str, ...],
    language: str | None,
    quality: int | None,
    doors: tuple[str, ...],
    reason: str,
    config: Path | None,
    *,
    any_employer: bool | None,
) -> None:
    """Register sender NUMBER, or give a known one another user, key, certificate or other rights.

    Of a known sender only what is named here changes; --format default and --tolerate default take back what it had.
    """
    if environments is not None and not re.fullmatch(r"[RTS]{1,3}", environments):
        raise click.UsageError("--environments takes letters of R, T and S")
    keys = [public_key(file.read(), file.name) for file in ssh_keys]
    certificates = [read_certificate(file.read(), file.name) for file in files]
    settings, journal = open_site(settings_file(config))
    with journal.write() as connection:
        known = parties.find_sender(connection, number)
        if known is not None and not known.active:
            raise RefusedError(f"sender {number} is blocked; unblock it first")
        if not is_user_name(user) and (known is None or user not in known.users):
            raise click.UsageError(NAME_RULE)
        entry = known or Sender(number, SignatureProfile.DETACHED, "RTS", ("*",), active=True)
        changed = replace(
            entry,
            signature=SignatureProfile(signature) if signature else entry.signature,
            environments=environments or entry.environments,
            purposes=purposes or entry.purposes,
            formats=frozenset(map(Format, _chosen(formats))) if formats else entry.formats,
            leniencies=frozenset(map(Leniency, _chosen(leniencies))) if leniencies else entry.leniencies,
            language=Language(language) if language else entry.language,
            quality=quality or entry.quality,
            any_employer=entry.any_employer if any_employer is None else any_employer,
        )
        _register(connection, changed, list(map(Channel, doors)))
        add_user(connection, number, user, keys)
        for registered in certificates:
            parties.add_certificate(connection, number, registered)
        before = None if known is None else _rights(known)
        write_down(connection, "sender.registered", f"sender:{number}", reason, _rights(changed), before)
    click.echo(f"Sender {number}: {user}, {len(keys)} keys and {len(certificates)} certificates added.")
    for registered in certificates:
        if remark := remark_on(registered, settings):
            click.echo(f"gateway: {parties.fingerprint_of(registered.public_bytes(Encoding.DER))}: {remark}", err=True)
    remark_on_broker(map(Channel, doors))


@sender.command("list")
@with_json
@with_config
def list_senders(config: Path | None, *, as_json: bool) -> None:
    """List every sender."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        rows = [
            {
                "number": item.number,
                "state": "active" if item.active else "blocked",
                "users": list(item.users),
                "signature": item.signature.value,
                "environments": item.environments,
                "purposes": list(item.purposes),
                "certificates": sorted(registered.fingerprint for registered in item.certificates),
                "formats": sorted(item.formats),
                "tolerated": sorted(item.leniencies),
                "language": item.language.value,
                "quality": item.quality,
                "any_employer": item.any_employer,
            }
            for item in parties.all_senders(connection)
        ]
    rights = ("quality", "any_employer", "environments", "purposes")
    columns = ("number", "state", "users", *rights, "signature", "formats", "tolerated", "language")
    print_rows(rows, columns, as_json=as_json)


@sender.command()
@click.argument("number", type=SenderNumber())
@with_note
@with_config
def block(number: str, reason: str, config: Path | None) -> None:
    """Let sender NUMBER log in no more."""
    _set_active(number, config, reason, active=False)


@sender.command()
@click.argument("number", type=SenderNumber())
@with_note
@with_config
def unblock(number: str, reason: str, config: Path | None) -> None:
    """Let sender NUMBER log in again."""
    _set_active(number, config, reason, active=True)


def _set_active(number: str, config: Path | None, reason: str, *, active: bool) -> None:
    state = "active" if active else "blocked"
    with changing(config) as (connection, _):
        parties.set_active(connection, number, active=active)
        act = "sender.unblocked" if active else "sender.blocked"
        write_down(connection, act, f"sender:{number}", reason, {"state": state})
    click.echo(f"Sender {number} is {state}.")


def _register(connection: Connection, entry: Sender, doors: list[Channel]) -> None:
    """Register a sender, as a quality perhaps: one that is active and has no other sender number."""
    if entry.quality is not None:
        found = enterprises.quality(connection, entry.quality)
        if found is None or not found.active:
            raise RefusedError(f"there is no active quality {entry.quality}")
        if (other := channels.sender_of(connection, entry.quality)) not in {None, entry.number}:
            raise RefusedError(f"quality {entry.quality} is sender {other}")
        known = parties.find_sender(connection, entry.number)
        if known is not None and known.quality not in {None, entry.quality}:
            raise RefusedError(f"sender {entry.number} stays with its quality {known.quality}")
    parties.add_sender(connection, entry, doors or None)
    if entry.quality is not None:
        channels.take_over(connection, entry.number, entry.quality)


def _rights(entry: Sender) -> dict[str, Any]:
    """What the history says of a sender's rights."""
    return {
        "signature": entry.signature.value,
        "environments": entry.environments,
        "purposes": list(entry.purposes),
        "formats": sorted(entry.formats),
        "tolerated": sorted(entry.leniencies),
        "language": entry.language.value,
        "quality": entry.quality,
        "any_employer": entry.any_employer,
    }


def _chosen(words: Iterable[str]) -> list[str]:
    """What is chosen; the word for the site's own choice stands for nothing."""
    return [word for word in words if word != _DEFAULT]
