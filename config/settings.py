"""What an operator can set: one TOML file, read once, every fault reported at once.

Relative paths are relative to the file's folder.  Unknown keys are refused: a misspelt limit must not be a default.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AwareDatetime,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from config.administration import Evidence, Operations, Parties, Promised
from config.credential import revealed
from config.doors import Accounts, Intake, Sftp
from config.errors import ConfigurationError
from config.logs import Logging
from config.messages import Broker, Mq, Routing, WayBack
from config.retention import Retention
from config.scanner import Scanner, too_small_for
from config.section import Count, Seconds, Section, as_path, as_tuple
from config.traces import Traces

EXAMPLE: Final = Path(__file__).with_name("example.toml")


class Spool(Section):
    """Where files are kept; ``reserve`` is the disk space in bytes below which intake is refused."""

    path: Path = Path("var/spool")
    reserve: Count = 256 * 1024**2

    _path = field_validator("path", mode="before")(as_path)


class JournalDatabase(Section):
    """Where the journal is: a SQLite file, or with ``url`` a PostgreSQL database."""

    path: Path = Path("var/journal.sqlite3")
    url: SecretStr | None = None
    lease_seconds: Annotated[float, Field(ge=3.0, le=3600.0)] = 30.0

    _path = field_validator("path", mode="before")(as_path)

    @property
    def place(self) -> Path | str:
        """The file, or the URL if there is one.

        Raises:
            ConfigurationError: the URL is a credential that cannot be read.
        """
        return self.path if self.url is None else revealed(self.url)


KeyReference = Path | Annotated[str, Field(pattern="^(credential|pkcs11):.")]


def _as_key(value: object) -> object:
    return value if isinstance(value, str) and value.startswith(("credential:", "pkcs11:")) else as_path(value)


class Signing(Section):
    """The gateway's own keys and certificates, which sign its answers, and where it gets timestamps.

    A key is a file, ``credential:NAME`` (of systemd) or ``pkcs11:…`` (RFC 7512).
    """

    key: KeyReference = Path("keys/gateway.key")
    certificate: Path = Path("keys/gateway.pem")
    next_key: KeyReference | None = None
    next_certificate: Path | None = None
    next_from: AwareDatetime | None = None
    timestamp_url: HttpUrl | None = None
    timestamp_seconds: Seconds = 10.0
    timestamp_required: bool = False

    _keys = field_validator("key", "next_key", mode="before")(_as_key)
    _paths = field_validator("certificate", "next_certificate", mode="before")(as_path)

    @model_validator(mode="after")
    def _next_is_whole(self) -> "Signing":
        named = (self.next_key, self.next_certificate, self.next_from)
        if any(named) and not all(named):
            raise ValueError("next_key, next_certificate and next_from go together")
        return self


class Trust(Section):
    """Where the accepted authorities are, what a signature may look like, and whether revocation data is fetched."""

    authorities: Path = Path("authorities")
    formats: tuple[Literal["cms", "xml", "xades"], ...] = ("cms", "xml", "xades")
    leniencies: tuple[Literal["text-mode", "pem-armour", "sha1", "rsa-1024"], ...] = ("text-mode",)
    signed_ahead_seconds: Seconds = 300.0
    signed_before_days: Count = 366
    later_revocation: Literal["accept", "refuse"] = "accept"
    fetch: bool = False
    fetch_minutes: Seconds = 60.0
    fetch_seconds: Seconds = 30.0
    fetch_max_bytes: Count = 64 * 1024**2

    _path = field_validator("authorities", mode="before")(as_path)
    _lists = field_validator("formats", "leniencies", mode="before")(as_tuple)


class SchemaFolder(Section):
    """Where the site's own types of message are, beside those that ship."""

    folder: Path = Path("types")

    _path = field_validator("folder", mode="before")(as_path)


class Answers(Section):
    """What answers look like, a file above so many bytes is compressed; and how long they stay in OUT."""

    compress_above_bytes: Count = 50 * 1024**2
    fetched_days: Seconds = 30.0
    unfetched_days: Seconds = 180.0


class Judging(Section):
    """The worker processes that read untrusted bytes, and what a file may cost."""

    workers: Count = 2
    worker_memory_bytes: Annotated[int, Field(ge=256 * 1024**2)] = 1024**3
    worker_seconds: Seconds = 120.0
    max_forms: Count = 20_000
    retry_seconds: Seconds = 5.0
    retry_ceiling_seconds: Seconds = 300.0
    max_failures: Count = 10
    alert_seconds: Seconds = 900.0


class Settings(Section):
    """Everything that can be set."""

    spool: Spool = Spool()
    journal: JournalDatabase = JournalDatabase()
    sftp: Sftp = Sftp()
    accounts: Accounts = Accounts()
    intake: Intake = Intake()
    signing: Signing = Signing()
    trust: Trust = Trust()
    schemas: SchemaFolder = SchemaFolder()
    answers: Answers = Answers()
    judging: Judging = Judging()
    scanner: Scanner = Scanner()
    broker: Broker = Broker()
    mq: Mq = Mq()
    routing: Routing = Routing()
    back: WayBack = WayBack()
    parties: Parties = Parties()
    operations: Operations = Operations()
    evidence: Evidence = Evidence()
    retention: Retention = Retention()
    promise: Promised = Promised()
    logging: Logging = Logging()
    traces: Traces = Traces()

    @model_validator(mode="after")
    def _everything_can_be_scanned(self) -> "Settings":
        largest = max(self.intake.max_file_bytes, self.back.max_message_bytes if self.back.enabled else 0)
        if too_small_for(self.scanner, largest):
            raise ValueError(f"scanner.max_bytes must be at least {largest}, the most that is taken in")
        return self


def read_settings(path: Path) -> Settings:
    """The settings in the TOML file at ``path``, with absolute paths.

    Raises:
        ConfigurationError: with a line for every fault, each beginning with the key's path.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ConfigurationError([f"{path}: {fault.strerror}; `gateway init` makes a site"]) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigurationError([f"{path}: not a TOML file: {fault}"]) from fault
    try:
        settings = Settings.model_validate(document)
    except ValidationError as fault:
        raise ConfigurationError([_describe(error) for error in fault.errors(include_input=False)]) from fault
    return _resolved(settings, path.resolve().parent)


def _describe(error: Any) -> str:
    key = ".".join(str(step) for step in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{key}: there is no such key"
    return f"{key}: {error['msg']}" if key else str(error["msg"])


def _resolved(settings: Settings, base: Path) -> Settings:
    sections = {}
    for name in type(settings).model_fields:
        section: Section = getattr(settings, name)
        paths = {key: base / value for key, value in section if isinstance(value, Path)}
        sections[name] = section.model_copy(update=paths)
    return settings.model_copy(update=sections)
