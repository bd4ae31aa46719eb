"""``gateway signing``: the gateway's own keys."""

from datetime import UTC, datetime
from pathlib import Path

import click

from config.settings import read_settings
from gateway.cli.output import print_rows, with_config, with_json
from gateway.site import settings_file
from signing.own.own_keys import OwnCertificate, own_certificates, remarks


@click.group(short_help="Show the gateway's own keys.")
def signing() -> None:
    """Show the keys and certificates that sign the gateway's answers."""


@signing.command(short_help="Show the present key and the next.")
@with_json
@with_config
def show(config: Path | None, *, as_json: bool) -> None:
    """Show the present key and the next: whose certificate, until when, and which of them signs.

    Senders need the next certificate before it takes over.  The keys themselves are not opened; check-config does that.
    """
    settings = read_settings(settings_file(config)).signing
    certificates = own_certificates(settings)
    now = datetime.now(UTC)
    rows = [_row(own, now) for own in certificates]
    print_rows(rows, ("setting", "state", "subject", "fingerprint", "not_after", "signs_from"), as_json=as_json)
    for remark in remarks(certificates, now):
        click.echo(f"gateway: {remark}", err=True)


def _row(own: OwnCertificate, now: datetime) -> dict[str, str | None]:
    state = "signs" if own.signs(now) else "replaced" if own.is_replaced(now) else "next"
    return {
        "setting": own.setting,
        "state": state,
        "key": own.key,
        "subject": own.subject,
        "fingerprint": own.fingerprint,
        "not_before": own.not_before.isoformat(),
        "not_after": own.not_after.isoformat(),
        "signs_from": own.begins.isoformat() if own.begins else None,
    }
