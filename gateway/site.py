"""A site: the folder with settings, keys, authorities, spool and journal that one gateway runs on."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from channels.mq.clashes import faults_of_messages
from channels.mq.connection import brokers_of
from config.errors import ConfigurationError
from config.settings import EXAMPLE, Settings, read_settings
from gateway import routes
from gateway.operations import listening
from gateway.operations.page import admission
from gateway.register import inss
from gateway.reloading import faults_of_rules
from gateway.traces import following
from schemas import catalogue
from signing.own import own_keys
from signing.own.keys import create_signing_key
from signing.trust import authorities
from spool.journal import Journal, open_journal

PLACES: Final = (Path("gateway.toml"), Path("/etc/batch-gateway/gateway.toml"))


def settings_file(given: Path | None) -> Path:
    """The settings file to use: the one given, else the first that exists of ``PLACES``, else the first of them.

    What may not be looked at isn't there: ``runuser`` leaves the gateway's user in root's own folder.
    """
    return given or next((place for place in PLACES if os.path.isfile(place)), PLACES[0])  # noqa: PTH113 - is_file raises


def make_site(folder: Path) -> Path:
    """Make a site in ``folder``, which must not have one; answers its settings file.

    Raises:
        ConfigurationError: there is one already.
    """
    path = folder / "gateway.toml"
    if path.exists():
        raise ConfigurationError([f"{path} exists; a site is made once"])
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(EXAMPLE.read_bytes())
    settings = read_settings(path)
    settings.sftp.host_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _create_host_key(settings.sftp.host_key)
    inss.make_key(inss.key_file(settings))
    if isinstance(settings.signing.key, Path):
        create_signing_key(settings.signing.key, settings.signing.certificate, "Batch gateway")
    settings.trust.authorities.mkdir(parents=True, exist_ok=True)
    settings.schemas.folder.mkdir(parents=True, exist_ok=True)
    settings.spool.path.mkdir(mode=0o750, parents=True, exist_ok=True)
    open_journal(settings.journal.place, create=True).close()
    return path


def open_site(path: Path) -> tuple[Settings, Journal]:
    """The settings at ``path`` and their journal.

    Raises:
        ConfigurationError: one of them cannot be used.
    """
    settings = read_settings(path)
    return settings, open_journal(settings.journal.place)


def check_site(path: Path) -> Settings:
    """Everything that ``gateway serve`` would refuse to start with, found without starting it.

    Raises:
        ConfigurationError: with every fault.
    """
    settings = read_settings(path)
    faults: list[str] = []
    checks: tuple[Callable[[], object], ...] = (
        lambda: brokers_of(settings.broker),
        lambda: routes.check(settings.routing, catalogue.current(*own_types(settings))),
        lambda: own_keys.open_keys(settings.signing),
        lambda: authorities.load(settings.trust.authorities),
        lambda: catalogue.check(catalogue.load(*own_types(settings))),
        lambda: open_journal(settings.journal.place).close(),
    )
    for check in checks:
        try:
            check()
        except ConfigurationError as fault:
            faults.extend(fault.faults)
    for name, key in (("host_key", settings.sftp.host_key), ("rsa_host_key", settings.sftp.rsa_host_key)):
        if key is not None and not os.access(key, os.R_OK):
            faults.append(f"sftp.{name}: {key} cannot be read")
    if not os.access(settings.spool.path, os.W_OK | os.X_OK):
        faults.append(f"spool.path: {settings.spool.path} cannot be written to")
    faults.extend(listening.faults(settings.operations.socket, "operations"))
    faults.extend(admission.faults(settings))
    faults.extend(faults_of_messages(settings))
    faults.extend(following.faults(settings.traces))
    faults.extend(faults_of_rules(settings))
    if faults:
        raise ConfigurationError(faults)
    return settings


def own_types(settings: Settings) -> tuple[Path, ...]:
    """The folder of the site's own types of message, if there is one."""
    folder = settings.schemas.folder
    return (folder,) if folder.is_dir() else ()


def open_types(settings: Settings) -> None:
    """See to it that the folder of the site's own types is there, and that every type can be used.

    Raises:
        ConfigurationError: with every fault of every type.
    """
    folder = settings.schemas.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise ConfigurationError([f"schemas.folder: {fault}"]) from fault
    catalogue.check(catalogue.load(folder))


def remarks(settings: Settings) -> tuple[str, ...]:
    """What `serve` starts with all the same, but an operator must hear of: certificates of our own that aren't valid.

    Raises:
        ConfigurationError: one of them cannot be read.
    """
    return own_keys.remarks(own_keys.own_certificates(settings.signing), datetime.now(UTC))


def _create_host_key(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    path.with_name(f"{path.name}.pub").write_bytes(public + b"\n")
