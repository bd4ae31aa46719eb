"""The SFTP door with everything behind it: log-ins, gathering, custody, and what senders get and see."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from channels.sftp.admission import AdmissionLimits
from channels.sftp.server import Door, DoorSettings, Premises, open_door
from channels.sftp.share import ShareLimits
from channels.sftp.sockets import handed_over
from config.roles import Role
from config.settings import Settings
from gateway.gatekeeper import Gatekeeper, login_policy, open_gatekeeper
from gateway.reception import Patience, Reception
from gateway.rounds import Round, Turn
from gateway.serving.equipment import Equipment
from gateway.serving.turns import running
from gateway.turnstile import open_turnstile
from spool import processes
from spool.ebox import Ebox
from spool.intake import Intake
from spool.outbox import Outbox
from spool.processes import Process
from spool.records import Records

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entrance:
    """The open door and who says who may come in."""

    door: Door
    gatekeeper: Gatekeeper

    def reload(self, settings: Settings) -> None:
        """Take over host keys, the limits of the door and the rules of accounts; nobody is sent away.

        Raises:
            ConfigurationError: they cannot be used, and everything stays as it was.
        """
        self.door.reload(_door_settings(settings))
        self.gatekeeper.policy = login_policy(settings.accounts)


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
    patience = Patience(settings.intake.parts_grace_seconds, settings.intake.start_file_hours * 3600)
    reception = Reception(intake, equipment.custody, journal, patience, partial(rounds.ring, Round.JUDGE))
    # Beside another door nobody can tell what is left from what is in use; stale uploads run out by themselves.
    others = [one for one in processes.alive(spool) if one.id != me.id and Role.SFTP in one.roles]
    torn = 0 if others else await asyncio.to_thread(intake.recover)
    if torn:
        log.info("intake.recovered", torn_uploads=torn)
    async with AsyncExitStack() as stack:
        stack.callback(reception.close)
        pause = min(15.0, max(0.2, settings.intake.parts_grace_seconds / 4))
        await stack.enter_async_context(running([rounds.go(Round.GATHER, _sweeping(reception, pause), pause)]))
        gatekeeper = open_gatekeeper(settings.accounts, journal)
        stack.callback(gatekeeper.close)
        premises = Premises(
            reception,
            intake,
            Outbox(spool / "answers", is_shared=equipment.is_shared, hung=hung),
            Records(journal, equipment.zone),
            Ebox(journal),
            notice=equipment.calendar.banner,
            passing=open_turnstile(journal, settings.intake.max_unjudged, settings.intake.slow_seconds).passing,
        )
        sockets = handed_over(os.environ)
        door = await stack.enter_async_context(open_door(_door_settings(settings), gatekeeper, premises, sockets))
        yield Entrance(door, gatekeeper)


def _sweeping(reception: Reception, pause: float) -> Turn:
    async def turn() -> float:
        await reception.sweep()
        return pause

    return turn


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
