"""What an operator can set: one TOML file, read once, every fault reported at once.

Relative paths are relative to the file's folder.  Unknown keys are refused: a misspelt limit must not be a default.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from config.errors import ConfigurationError

EXAMPLE: Final = Path(__file__).with_name("example.toml")

Count = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]


def _as_path(value: object) -> object:
    return Path(value).expanduser() if isinstance(value, str) and value else value


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Spool(_Section):
    """Where files are kept; ``reserve`` is the disk space in bytes below which intake is refused."""

    path: Path = Path("var/spool")
    reserve: Count = 256 * 1024**2

    _path = field_validator("path", mode="before")(_as_path)


class JournalFile(_Section):
    """The SQLite journal."""

    path: Path = Path("var/journal.sqlite3")

    _path = field_validator("path", mode="before")(_as_path)


class Sftp(_Section):
    """The SFTP door; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: Port = 8022
    reuse_port: bool = False
    host_key: Path = Path("keys/ssh_host_ed25519_key")
    rsa_host_key: Path | None = None
    password_alone: bool = True
    login_seconds: Seconds = 30.0
    idle_seconds: Seconds = 600.0
    max_connections: Count = 200
    max_tries: Annotated[int, Field(ge=4)] = 6
    max_handles: Count = 16
    max_sessions: Count = 4
    max_requests: Count = 1000
    max_listing: Count = 20_000
    sender_threads: Count = 8
    login_start: Count = 50
    login_rate: Annotated[int, Field(ge=1, le=100)] = 30
    login_full: Count = 150
    source_logins: Count = 20
    user_connections: Count = 20
    source_connections: Count = 100

    _path = field_validator("host_key", "rsa_host_key", mode="before")(_as_path)

    @model_validator(mode="after")
    def _start_is_below_full(self) -> "Sftp":
        if self.login_start >= self.login_full:
            raise ValueError("login_start must be below login_full")
        return self


class Accounts(_Section):
    """Passwords of technical users, and when failed log-ins lock."""

    password_rules: Literal["default", "manual-2008"] = "default"  # noqa: S105 - a name of rules
    password_days: Count = 180
    first_password_days: Count = 30
    password_history: Annotated[int, Field(ge=0, le=24)] = 5
    hash_memory_kib: Annotated[int, Field(ge=8192)] = 19456
    hash_passes: Count = 2
    hashes_at_once: Annotated[int, Field(ge=1, le=16)] = 2
    hashes_waiting: Count = 30
    user_tries: Count = 5
    source_tries: Count = 20
    everywhere_tries: Count = 100
    lock_seconds: Seconds = 60.0
    user_lock_ceiling_seconds: Seconds = 86_400.0
    source_lock_ceiling_seconds: Seconds = 3_600.0


class Intake(_Section):
    """What is taken in; sizes in bytes, see ``example.toml``."""

    max_file_bytes: Count = 35 * 1024**2
    max_waiting_files: Count = 20_000
    max_waiting_bytes: Count = 4 * 1024**3
    max_parts: Annotated[int, Field(ge=1, le=9)] = 9
    max_age_days: Count = 366
    parts_grace_seconds: Seconds = 60.0
    start_file_hours: Seconds = 24.0
    time_zone: str = "Europe/Brussels"

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, LookupError):
            raise ValueError("not a known time zone") from None
        return value


KeyReference = Path | Annotated[str, Field(pattern="^(credential|pkcs11):.")]


def _as_key(value: object) -> object:
    return value if isinstance(value, str) and value.startswith(("credential:", "pkcs11:")) else _as_path(value)


class Signing(_Section):
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
    _paths = field_validator("certificate", "next_certificate", mode="before")(_as_path)

    @model_validator(mode="after")
    def _next_is_whole(self) -> "Signing":
        named = (self.next_key, self.next_certificate, self.next_from)
        if any(named) and not all(named):
            raise ValueError("next_key, next_certificate and next_from go together")
        return self


class Trust(_Section):
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

    _path = field_validator("authorities", mode="before")(_as_path)
    _lists = field_validator("formats", "leniencies", mode="before")(_as_tuple)


class SchemaFolder(_Section):
    """Where the site's own types of message are, beside those that ship."""

    folder: Path = Path("types")

    _path = field_validator("folder", mode="before")(_as_path)


class Answers(_Section):
    """What answers look like, a file above so many bytes is compressed; and how long they stay in OUT."""

    compress_above_bytes: Count = 50 * 1024**2
    fetched_days: Seconds = 30.0
    unfetched_days: Seconds = 180.0


class Judging(_Section):
    """The worker processes that read untrusted bytes, and what a file may cost."""

    workers: Count = 2
    worker_memory_bytes: Annotated[int, Field(ge=256 * 1024**2)] = 1024**3
    worker_seconds: Seconds = 120.0
    max_forms: Count = 20_000
    retry_seconds: Seconds = 5.0
    retry_ceiling_seconds: Seconds = 300.0
    max_failures: Count = 10
    alert_seconds: Seconds = 900.0


class Routing(_Section):
    """Where accepted declarations go; no ``url`` means the embedded queue."""

    url: SecretStr | None = None
    exchange: str = "batch.declarations"
    queue: str = "batch.declarations"
    declare: bool = True
    confirm_seconds: Seconds = 30.0

    @field_validator("url")
    @classmethod
    def _is_amqp(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and urlsplit(value.get_secret_value()).scheme not in {"amqp", "amqps"}:
            raise ValueError("must begin with amqp:// or amqps://")
        return value


class Logging(_Section):
    """What is written to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(_Section):
    """Everything that can be set."""

    spool: Spool = Spool()
    journal: JournalFile = JournalFile()
    sftp: Sftp = Sftp()
    accounts: Accounts = Accounts()
    intake: Intake = Intake()
    signing: Signing = Signing()
    trust: Trust = Trust()
    schemas: SchemaFolder = SchemaFolder()
    answers: Answers = Answers()
    judging: Judging = Judging()
    routing: Routing = Routing()
    logging: Logging = Logging()


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
    return f"{key}: {error['msg']}"


def _resolved(settings: Settings, base: Path) -> Settings:
    sections = {}
    for name in type(settings).model_fields:
        section: _Section = getattr(settings, name)
        paths = {key: base / value for key, value in section if isinstance(value, Path)}
        sections[name] = section.model_copy(update=paths)
    return settings.model_copy(update=sections)
