"""How long are keys and certificates good, how fresh are revocation lists, and can every type of message be used?"""

import os
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from config.errors import ConfigurationError, TemporaryError
from gateway.doctor.finding import Finding, Patient, fine, lasting, of_fault, trouble, unknown
from gateway.site import own_types
from gateway.watch import authority_expiries
from schemas import catalogue
from signing.own import own_keys
from signing.own.private_key import describe
from signing.trust.authorities import Authority, current

_SOON: Final = timedelta(days=30)
_HOUR: Final = timedelta(hours=1)


def keys(patient: Patient) -> Iterator[Finding]:
    """The files of keys and their rights, and until when each certificate of our own is good."""
    sftp, signing, broker = patient.settings.sftp, patient.settings.signing, patient.settings.broker
    named = {
        "sftp.host_key": sftp.host_key,
        "sftp.rsa_host_key": sftp.rsa_host_key,
        "signing.key": signing.key,
        "signing.next_key": signing.next_key,
        "broker.key": broker.key,
    }
    for setting, key in named.items():
        if isinstance(key, Path):
            yield from _of_key(setting, key)
        elif key is not None:
            yield fine(f"{setting}: {describe(key)}")
    try:
        own = own_keys.own_certificates(signing)
    except ConfigurationError as fault:
        yield from map(of_fault, fault.faults)
        own = ()
    for setting, end in own_keys.expiries(own, patient.at):
        yield _ending(f"{setting}", end, patient.at, "GatewayOwnCertificateEnds")
    if broker.certificate is not None:
        yield _of_certificate(broker.certificate, patient.at)


def _of_key(setting: str, path: Path) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
    except PermissionError:
        yield unknown(f"{setting}: {path} cannot be looked at by this user")
        return
    except OSError as fault:
        yield trouble(f"{setting}: {path}: {fault.strerror}", "Put it there, or correct the setting.")
        return
    if mode & stat.S_IRWXO:
        yield trouble(f"{setting}: everybody may open {path}", f"chmod o-rwx {path}; if others had it, change the key.")
    elif os.access(path, os.R_OK):
        yield fine(f"{setting}: {path}, for its owner and group only")
    else:
        yield unknown(f"{setting}: {path} cannot be read by this user")


def _of_certificate(path: Path, at: datetime) -> Finding:
    try:
        end = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except PermissionError:
        return unknown(f"broker.certificate: {path} cannot be read by this user")
    except (OSError, ValueError):
        return trouble(f"broker.certificate: {path} is no certificate that can be read", "Correct the setting.")
    return _ending("broker.certificate", end, at, "GatewayOwnCertificateEnds")


def _ending(name: str, end: datetime, at: datetime, alert: str) -> Finding:
    if end <= at:
        return trouble(f"{name}: ended {lasting(at - end)} ago", "Renew it now.", alert)
    words = f"{name}: good for {lasting(end - at)}"
    return fine(words) if end - at > _SOON else trouble(words, "Renew it in time.", alert)


def authorities(patient: Patient) -> Iterator[Finding]:
    """Every accepted authority: how long it is good, and how old its lists are."""
    folder = patient.settings.trust.authorities
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        yield unknown(f"{folder} cannot be read by this user")
        return
    try:
        found = current(folder)
    except (TemporaryError, ConfigurationError) as fault:
        yield trouble(f"the accepted authorities cannot be used: {fault}", "`gateway check-config` says which file.")
        return
    if not list(found):
        yield trouble("no authority is accepted: every signature is refused", "`gateway authority add`.")
    for entry, expiry in zip(found, authority_expiries(found), strict=True):
        yield _ending(f"authority {entry.name}", expiry.not_after, patient.at, "GatewayAuthorityEnds")
        yield _of_lists(entry, patient.at)
    yield from _made_by_root(folder)


def _made_by_root(folder: Path) -> Iterator[Finding]:
    """What somebody has added as root: the gateway, whose the folder is, could store no list there."""
    if not folder.is_dir() or not folder.stat().st_uid:
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.lstat().st_uid:
            words = f"{path} belongs to root: revocation lists that are fetched cannot be stored there"
            yield trouble(words, f"`chown -R --reference={folder} {path}`; type commands as the gateway's user.")


def _of_lists(entry: Authority, at: datetime) -> Finding:
    made, until = entry.made, entry.fresh_until
    if made is None or until is None:
        return fine(f"authority {entry.name}: no revocation list")
    to_do = "Fetch one and give it to `gateway authority revocation`; ask the authority."
    if until <= at:
        words = f"authority {entry.name}: its lists count no more since {lasting(at - until)}; its senders are held"
        return trouble(words, to_do, "GatewayRevocationStale")
    words = f"authority {entry.name}: its oldest list is {lasting(at - made)} old and counts for {lasting(until - at)}"
    return fine(words) if until - at > _HOUR else trouble(words, to_do, "GatewayRevocationStale")


def types(patient: Patient) -> Iterator[Finding]:
    """How many types of message there are, and whether the site's own can be read."""
    try:
        found = catalogue.load(*own_types(patient.settings))
    except (ConfigurationError, OSError) as fault:
        yield trouble(f"types of message cannot be used: {fault}", "`gateway schemas check` says why.")
        return
    yield fine(f"{len(list(found))} types of message can be read")
