"""The SFTP door with everything behind it: log-ins, gathering, custody, and what senders get and see."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from channels.sftp.admission import AdmissionLimits
from channels.sftp.server import Door, DoorSettings, Premises, open_door
from channels.sftp.share import ShareLimits
from channels.sftp.sockets import handed_over
from config.roles import Role
from config.settings import Settings
from gateway import parties
from gateway.gatekeeper import Gatekeeper, login_policy, open_gatekeeper
from gateway.reception import Patience, Reception
from gateway.rounds import Round, Turn
from gateway.senders import NameRules, Upload, check_sender, in_words
from gateway.serving.equipment import Equipment
from gateway.serving.turns import running
from gateway.turnstile import Turnstile, open_turnstile
from schemas import catalogue
from spool import processes
from spool.ebox import Ebox
from spool.intake import Intake
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.outbox import Outbox
from spool.processes import Process
from spool.records import Records
from spool.seats import SEATS, Seats

log = structlog.get_logger()


@dataclass(slots=True)
class NamesAtDoor:
    """Says of a name what the acknowledgement would, before the file comes; if ``are_checked`` it is refused then."""

    settings: Settings
    journal: Journal
    are_checked: bool

    def fault(self, mailbox: Mailbox, name: str) -> str:
        """What is wrong with it, in words with codes; empty if nothing is.  Blocks on the journal.

        Raises:
            TemporaryError: it cannot be told now.
        """
        intake = self.settings.intake
        with self.journal.read() as connection:
            sender = parties.find_sender(connection, mailbox.sender)
        if sender is None:
            return ""
        rules = NameRules(datetime.now(ZoneInfo(intake.time_zone)).date(), intake.max_age_days, intake.max_parts)
        types = catalogue.current(self.settings.schemas.folder)
        return in_words(check_sender(Upload(name, mailbox.sender, mailbox.directory, now()), sender, rules, types))


@dataclass(slots=True)
class Inside:
    """What is behind the door and has limits, and the turnstile by which sets pass just now."""

    intake: Intake
    reception: Reception
    turnstile: Turnstile
    names: NamesAtDoor

    def passing(self, sender: str) -> AbstractAsyncContextManager[None]:
        """What a set of ``sender`` is taken in."""
        return self.turnstile.passing(sender)


@dataclass(frozen=True, slots=True)
class Entrance:
    """The open door, who says who may come in, and what is behind."""

    door: Door
    gatekeeper: Gatekeeper
    inside: Inside
    equipment: Equipment

    def reload(self, settings: Settings) -> None:
        """Take over host keys, the limits of the door and of intake, and the rules of accounts; nobody is sent away.

        Who waits at the turnstile passes by the limits it came with.

        Raises:
            ConfigurationError: they cannot be used, and everything stays as it was.
        """
        intake, inside = settings.intake, self.inside
        self.door.reload(_door_settings(settings))
        self.gatekeeper.policy = login_policy(settings.accounts)
        limits = replace(
            self.equipment.limits,
            file_bytes=intake.max_file_bytes,
            files=intake.max_waiting_files,
            sender_bytes=intake.max_waiting_bytes,
        )
        inside.intake.take_over(limits)
        inside.names.are_checked = settings.sftp.refuse_bad_names
        inside.reception.patience = _patience(settings)
        inside.turnstile = open_turnstile(self.equipment.journal, intake.max_unjudged, intake.slow_seconds)


def _patience(settings: Settings) -> Patience:
    return Patience(settings.intake.parts_grace_seconds, settings.intake.start_file_hours * 3600)


@asynccontextmanager
async def open_sftp(equipment: Equipment, me: Process) -> AsyncIterator[Entrance]:
    """Take uploads and give answers for the time of the block.

    Raises:
        ConfigurationError: a key cannot be used, or the port cannot be had.
        JournalError: the journal cannot be read or written.
    """
    settings, journal, rounds = equipment.settings, equipment.journal, equipment.rounds
    spool = settings.spool.path
    hung = settings.journal.lease_seconds
    intake = Intake(spool / "incoming", equipment.limits, is_shared=journal.has_many_hosts, hung=hung)
    reception = Reception(intake, equipment.custody, journal, _patience(settings), partial(rounds.ring, Round.JUDGE))
    turnstile = open_turnstile(journal, settings.intake.max_unjudged, settings.intake.slow_seconds)
    names = NamesAtDoor(settings, journal, settings.sftp.refuse_bad_names)
    inside = Inside(intake, reception, turnstile, names)
    # Beside another door nobody can tell what is left from what is in use; stale uploads run out by themselves.
    others = [one for one in processes.alive(spool) if one.id != me.id and Role.SFTP in one.roles]
    torn = 0 if others else await asyncio.to_thread(intake.recover)
    if torn:
        log.info("intake.recovered", torn_uploads=torn)
    async with AsyncExitStack() as stack:
        stack.callback(reception.close)
        await stack.enter_async_context(
            running([rounds.go(Round.GATHER, _sweeping(reception), _pause(reception.patience))])
        )
        gatekeeper = open_gatekeeper(settings.accounts, journal)
        stack.callback(gatekeeper.close)
        seats = Seats(spool / "incoming" / SEATS) if journal.has_many_hosts else None
        if seats is not None:
            stack.callback(seats.close)
        premises = Premises(
            reception,
            intake,
            Outbox(spool / "answers", is_shared=equipment.is_shared, hung=hung),
            Records(journal, equipment.zone),
            Ebox(journal),
            seats=seats,
            names=names,
            notice=equipment.calendar.banner,
            passing=inside.passing,
        )
        sockets = handed_over(os.environ)
        door = await stack.enter_async_context(open_door(_door_settings(settings), gatekeeper, premises, sockets))
        entrance = Entrance(door, gatekeeper, inside, equipment)
        equipment.taking_over.insert(0, entrance.reload)  # the only one that may refuse
        yield entrance


def _sweeping(reception: Reception) -> Turn:
    async def turn() -> float:
        await reception.sweep()
        return _pause(reception.patience)

    return turn


def _pause(patience: Patience) -> float:
    return min(15.0, max(0.2, patience.parts / 4))


def _door_settings(settings: Settings) -> DoorSettings:
    sftp = settings.sftp
    return DoorSettings(
        host=sftp.host,
        port=sftp.port,
        host_keys=tuple(path for path in (sftp.host_key, sftp.rsa_host_key) if path is not None),
        login_timeout=sftp.login_seconds,
        max_tries=sftp.max_tries,
        max_handles=sftp.max_handles,
        max_sessions=sftp.max_sessions,
        share=ShareLimits(sftp.sender_threads, sftp.max_requests, sftp.max_listing),
        idle_timeout=sftp.idle_seconds,
        finish_timeout=sftp.closing_seconds * 2 / 3,
        drain_timeout=sftp.closing_seconds / 3,
        admission=AdmissionLimits(
            start=sftp.login_start,
            rate=sftp.login_rate,
            full=sftp.login_full,
            source_starts=sftp.source_logins,
            connections=sftp.max_connections,
            user_sessions=sftp.user_connections,
            source_sessions=sftp.source_connections,
        ),
        password_alone=sftp.password_alone,
        reuse_port=sftp.reuse_port,
    )
