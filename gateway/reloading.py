"""What does a running gateway take over from its settings when it is told to (SIGHUP), and what needs a restart?

Everything is read and checked first: a fault leaves all as it was.  What was taken over, what will not count before a
restart, and every fault are an event and stand in the spool (:mod:`gateway.in_force`), where ``gateway reload`` reads
it.  Authorities, types of message and the register need no reload: they are read anew wherever they are asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import structlog

from config.errors import ConfigurationError
from config.scanner import too_small_for
from config.settings import Settings
from gateway import in_force, log_rules
from gateway.events_catalogue_doors import DOORS
from gateway.events_catalogue_work import WORK
from gateway.in_force import Flat, InForce, Outcome
from gateway.log_rules import LEVELS
from gateway.logs import change_logging
from spool.journal import now
from spool.processes import Process

log = structlog.get_logger()

TakeOver = Callable[[Settings], None]
"""Takes what it knows over from new settings; raises ConfigurationError, and then has changed nothing."""

EVENTS: Final = frozenset(event.name for event in (*DOORS, *WORK))


class Counts(Enum):
    """When a setting that was changed counts."""

    RELOAD = "after a reload"
    AT_ONCE = "at once"
    RESTART = "after a restart"


_NOT_LIVE: Final = frozenset({"logging.stream", "sftp.host", "sftp.port", "sftp.reuse_port"})
_LIVE: Final = frozenset(
    f"accounts.{key}"
    for key in (
        "password_rules",
        "password_days",
        "password_history",
        "user_tries",
        "source_tries",
        "everywhere_tries",
        "lock_seconds",
        "user_lock_ceiling_seconds",
        "source_lock_ceiling_seconds",
    )
)
_LIMITS: Final = frozenset(
    {
        "intake.max_file_bytes",
        "intake.max_waiting_files",
        "intake.max_waiting_bytes",
        "intake.max_unjudged",
        "intake.slow_seconds",
        "intake.parts_grace_seconds",
        "intake.start_file_hours",
        "mq.max_message_bytes",
        "mq.parts_grace_seconds",
    }
)
_OF_COMMANDS: Final = frozenset({"accounts.first_password_days", "operations.token_days"})


def counts(key: str) -> Counts:
    """When ``section.key`` counts; what only commands read does so at once."""
    section = key.partition(".")[0]
    if key in _OF_COMMANDS or section == "promise":
        return Counts.AT_ONCE
    if key in _LIVE or key in _LIMITS or (section in {"logging", "sftp"} and key not in _NOT_LIVE):
        return Counts.RELOAD
    return Counts.RESTART


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that runs with one value, and has another in the file."""

    key: str
    runs: Any
    says: Any

    @property
    def counts(self) -> Counts:
        """When it counts."""
        return counts(self.key)

    @property
    def words(self) -> str:
        """The change in words; of a secret only that it is another."""
        if _is_secret(self.runs) or _is_secret(self.says):
            same = _shown(self.runs) == _shown(self.says)
            return f"{self.key}: {_shown(self.runs)} becomes {'another secret' if same else _shown(self.says)}"
        return f"{self.key}: {_shown(self.runs)} becomes {_shown(self.says)}"


def _is_secret(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return any(isinstance(item, dict) and item.keys() == {"secret"} for item in items)


def _shown(value: Any) -> str:
    if value is None or value in ([], {}):
        return "nothing"
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_shown(item)}" for key, item in value.items())
        return "a secret" if value.keys() == {"secret"} else "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def differences(runs: Flat, says: Flat) -> list[Difference]:
    """Every setting that differs, in the order of the settings; one that a release doesn't know is None there."""
    keys = dict.fromkeys((*says, *runs))
    return [Difference(key, runs.get(key), says.get(key)) for key in keys if runs.get(key) != says.get(key)]


def faults_of_rules(settings: Settings) -> list[str]:
    """The rules of [logging] that name no event there is."""
    return list(log_rules.faults_of(settings.logging, EVENTS))


def _faults_of_limits(began_with: Settings, settings: Settings) -> list[str]:
    """The limits that don't go with what a process began with and keeps."""
    if not too_small_for(began_with.scanner, settings.intake.max_file_bytes):
        return []
    most = began_with.scanner.max_bytes
    return [f"intake.max_file_bytes: {most} bytes at most before a restart, for scanner.max_bytes counts after one"]


def seen(settings: Settings) -> Mapping[str, Mapping[str, int]]:
    """The dates of all authorities and types of the site as they are now."""
    folders: Mapping[str, Path] = {"authorities": settings.trust.authorities, "types": settings.schemas.folder}
    return {name: in_force.dates(folder) for name, folder in folders.items()}


@dataclass
class Reloading:
    """Takes over new settings for one process.  Make it with :func:`reloadable`."""

    settings: Settings
    reread: Callable[[], Settings]
    process: Process
    take_over: Sequence[TakeOver]
    told: InForce = field(init=False)

    def __post_init__(self) -> None:
        """Tell what the process begins with."""
        salt = in_force.new_salt()
        flat = in_force.flat(self.settings, salt)
        self.told = InForce(version("batch-gateway"), now(), salt, flat, seen(self.settings))
        self._tell(self.told)

    def reload(self) -> None:
        """Take over what can be taken over; what can't be used is an event, and everything stays as it was."""
        number = self.told.last.number + 1
        try:
            settings = self._taken_over()
        except ConfigurationError as fault:
            log.error("gateway.reload_refused", faults=list(fault.faults))
            self._tell(replace(self.told, last=Outcome(number, now(), faults=fault.faults)))
            return
        # By whichever rules say more, so that the log has the line.
        is_quieter = LEVELS[settings.logging.level] > LEVELS[self.told.settings["logging.level"]]
        if not is_quieter:
            change_logging(settings.logging)
        says = in_force.flat(settings, self.told.salt)
        differing = differences(self.told.settings, says)
        waiting = tuple(one.key for one in differing if one.counts is Counts.RESTART)
        changed = tuple(one.key for one in differing if one.counts is not Counts.RESTART)
        runs = {**self.told.settings, **{one.key: one.says for one in differing if one.key in changed}}
        log.info("gateway.reloaded", changed=list(changed), needs_restart=list(waiting))
        if is_quieter:
            change_logging(settings.logging)
        last = Outcome(number, now(), changed=changed, needs_restart=waiting)
        self._tell(replace(self.told, settings=runs, seen=seen(settings), last=last))

    def _taken_over(self) -> Settings:
        settings = self.reread()
        if faults := [*faults_of_rules(settings), *_faults_of_limits(self.settings, settings)]:
            raise ConfigurationError(faults)
        for take in self.take_over:
            take(settings)
        return settings

    def _tell(self, told: InForce) -> None:
        self.told = told
        try:
            in_force.tell(self.process, told)
        except OSError as fault:
            # A full disk stops no reload: it is told by the event alone.
            log.warning("gateway.not_told", errno=fault.errno)


def reloadable(
    settings: Settings, reread: Callable[[], Settings], process: Process, take_over: Sequence[TakeOver] = ()
) -> Reloading:
    """What lets a process take over settings while it runs; from now on it tells which it has.

    Args:
        settings: those it has started with.
        reread: reads them anew.
        process: who it is.
        take_over: what it can change while it runs, besides the log; the likeliest to fail first.

    Raises:
        ConfigurationError: a rule of the log names no event.
    """
    if faults := faults_of_rules(settings):
        raise ConfigurationError(faults)
    return Reloading(settings, reread, process, take_over)
