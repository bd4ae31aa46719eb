"""What an operator can set of the doors: how senders come in by SFTP, prove who they are, and leave files."""

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from config.section import Count, Port, Seconds, Section, as_path


class Sftp(Section):
    """The SFTP door; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: Port = 8022
    reuse_port: bool = False
    host_key: Path = Path("keys/ssh_host_ed25519_key")
    rsa_host_key: Path | None = None
    password_alone: bool = True
    refuse_bad_names: bool = False
    login_seconds: Seconds = 30.0
    idle_seconds: Seconds = 600.0
    closing_seconds: Annotated[Seconds, Field(le=90)] = 30.0
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

    _path = field_validator("host_key", "rsa_host_key", mode="before")(as_path)

    @model_validator(mode="after")
    def _start_is_below_full(self) -> "Sftp":
        if self.login_start >= self.login_full:
            raise ValueError("login_start must be below login_full")
        return self


class Accounts(Section):
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


class Intake(Section):
    """What is taken in; sizes in bytes, see ``example.toml``."""

    max_file_bytes: Count = 35 * 1024**2
    max_waiting_files: Count = 20_000
    max_waiting_bytes: Count = 4 * 1024**3
    max_parts: Annotated[int, Field(ge=1, le=9)] = 9
    max_age_days: Count = 366
    max_unjudged: Annotated[int, Field(ge=1, le=100_000)] = 20
    slow_seconds: Seconds = 5.0
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
