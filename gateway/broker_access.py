"""What is RabbitMQ told about the users who would come in by it, and how are they sent away again?

They are the technical users that SFTP knows, with the same passwords and the same ways to prove who they are.  A key is
that of a TLS certificate here, which the broker verifies.  Whose sender has no channel ``mq`` doesn't get in.

RabbitMQ asks about a password without saying where it comes from.  So failures are counted by name, and lock as those
of a name from everywhere do: late, and for an hour at most.  Otherwise anybody could lock out anybody, or everybody.
The address is looked at in the next question, before there is a connection.

A channel that is open keeps the answers it got, for as long as it is used; RabbitMQ doesn't ask again.  So twice a
second everybody who came in is looked at, and the connections of those whose rights have changed are closed, by the
broker's management interface.  Where none is configured, no message of theirs is taken any more, and they can open
nothing new; what they have open they keep until they leave.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa
import structlog

from channels.mq.access import Enter, Guest, LogIn, Premises, Use, UseKey, allows, by_certificate
from channels.mq.access_app import access_app
from channels.mq.addresses import connection_parameters
from channels.mq.management import Management, open_management
from channels.ports import Answer, Attempt, Authentication, TooManyAtOnceError
from config.credential import revealed
from config.errors import TemporaryError
from config.settings import Settings
from gateway import accounts, openings
from gateway.gatekeeper import Gatekeeper, LoginPolicy, hashing_limits, login_policy
from gateway.openings import Channel
from gateway.operations.hosting import HostingLimits, hosted
from gateway.passwords import Hashing
from spool.journal import Journal, now
from spool.tables import technical_users

log = structlog.get_logger()

SOURCE: Final = "mq"
"""What failures to log in at the broker are counted by, in place of an address."""

LOOK_SECONDS: Final = 0.5
_REASON: Final = "the gateway has withdrawn or changed the rights of this user"
_SECOND: Final = 1_000_000
_CLOSING: Final = 2 * _SECOND
"""For how long the connections of somebody who has to go are closed: one may be half open the first time."""
_LIMITS: Final = HostingLimits(head=16 * 1024, body=16 * 1024, connections=256)
_LISTED_EVERY: Final = 5 * _SECOND
_UNLISTED: Final = 60 * _SECOND
"""How long after somebody came in the broker may not have listed him yet."""
_AGAIN: Final = 60 * _SECOND
"""For how long a password counts for the sessions of the connection that said it."""


def broker_policy(policy: LoginPolicy) -> LoginPolicy:
    """The rules for log-ins whose address nobody knows: a name locks as it does from everywhere, and no source does."""
    locks = replace(
        policy.locks,
        user_tries=policy.locks.everywhere_tries,
        user_ceiling_seconds=policy.locks.source_ceiling_seconds,
        source_tries=sys.maxsize,
    )
    return replace(policy, locks=locks)


@dataclass(frozen=True, slots=True)
class _Visit:
    """Who came in last when, with which rights, and since when he has to go, if he has (microseconds)."""

    guest: Guest
    at: int
    leaving_since: int | None = None


class BrokerAccess:
    """The users of the journal, as RabbitMQ asks for them."""

    def __init__(self, journal: Journal, gatekeeper: Gatekeeper, premises: Premises) -> None:
        self._journal = journal
        self._gatekeeper = gatekeeper
        self._premises = premises
        self._inside: dict[str, _Visit] = {}
        self._proved: dict[str, int] = {}

    async def may_log_in(self, question: LogIn) -> bool:
        """Whether that user may log in."""
        if question.password is None:
            guest = await self._find(question.username)
            return guest is not None and (by_certificate(guest) or self._has_just_proved(question.username))
        attempt = Attempt(question.username, SOURCE, question.password, place_later=True)
        try:
            verdict = await self._gatekeeper.check_password(attempt)
        except TooManyAtOnceError:
            log.warning("access.too_many")
            return False
        if verdict.answer is not Answer.GOOD:
            # A name that nobody has may be a password.
            username = "" if await self._find(question.username) is None else question.username
            log.info("access.password_refused", username=username, why=verdict.answer.name.lower())
            return False
        if await self._find(question.username) is None:
            return False
        self._proved[question.username] = now()
        return True

    def _has_just_proved(self, username: str) -> bool:
        """Whether its password was right a moment ago: a session of AMQP 1.0 asks anew, and then without one."""
        since = now() - _AGAIN
        self._proved = {name: at for name, at in self._proved.items() if at > since}
        return username in self._proved

    async def may_enter(self, question: Enter) -> bool:
        """Whether that user, who has logged in, may use the virtual host from where it is."""
        guest = await self._find(question.username)
        if guest is None or not allows(question, guest, self._premises):
            return False
        known = self._inside.get(question.username)
        if known is not None and known.leaving_since is not None:
            return False  # until the connections with his former rights are closed
        # Who is inside already keeps the rights he came in with: a connection from before a change has them still.
        self._inside[question.username] = _Visit(known.guest if known is not None else guest, now())
        return True

    async def may_use(self, question: Use | UseKey) -> bool:
        """Whether that user may do that."""
        guest = await self._find(question.username)
        return guest is not None and allows(question, guest, self._premises)

    async def knows(self, username: str) -> bool:
        """Whether there is a user of that name, whatever it may do."""
        return username in await asyncio.to_thread(self._known, {username})

    async def keep_looking(self, management: Management) -> None:
        """Send away who may not stay as he is; ends by cancellation only."""
        listed_at = 0
        while True:
            try:
                if now() - listed_at >= _LISTED_EVERY:
                    await self.compare(management)
                    listed_at = now()
                await self.look(management)
            except TemporaryError as fault:
                log.warning("access.not_looked", fault=type(fault).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, management: Management) -> None:
        """Close the connections of those whose rights are not what they were when they came in."""
        inside = tuple(self._inside.values())
        standing = await asyncio.to_thread(self._guests, [visit.guest.username for visit in inside])
        for visit in inside:
            if visit.leaving_since is not None or standing.get(visit.guest.username) != visit.guest:
                await self._send_away(visit, management)

    async def compare(self, management: Management) -> None:
        """Take in who came in while another process answered for us, and forget who has left."""
        asked_at = now()
        names = await management.connected_users()
        guests = await asyncio.to_thread(self._known, names - self._inside.keys())
        for username, guest in guests.items():
            self._inside.setdefault(username, _Visit(guest, asked_at))
        gone = [name for name, visit in self._inside.items() if name not in names and asked_at - visit.at > _UNLISTED]
        for name in gone:
            del self._inside[name]

    async def _send_away(self, visit: _Visit, management: Management) -> None:
        username, since = visit.guest.username, visit.leaving_since
        if since is None:
            since = now()
            self._inside[username] = replace(visit, leaving_since=since)
            log.info("access.withdrawn", username=username)
        await management.close_connections(username, _REASON)
        if now() - since >= _CLOSING:
            self._inside.pop(username, None)

    async def _find(self, username: str) -> Guest | None:
        return (await asyncio.to_thread(self._guests, (username,))).get(username)

    # --- in threads

    def _guests(self, usernames: Collection[str]) -> dict[str, Guest]:
        at = now()
        with self._journal.read() as connection:
            found = accounts.standing(connection, usernames, at)
            opened = {one.sender: openings.openings_of(connection, one.sender) for one in found.values()}
        guests = {}
        for username, account in found.items():
            of_messages = [one for one in opened[account.sender] if one.channel is Channel.MQ]
            if of_messages:
                environments = frozenset(one.environment for one in of_messages if at in one.period)
                guests[username] = Guest(
                    username, account.sender, account.authentication, account.sources, environments
                )
        return guests

    def _known(self, usernames: Collection[str]) -> dict[str, Guest]:
        """Technical users among ``usernames``, as they are now; of one that may not be in, a guest that nobody is."""
        guests = self._guests(usernames)
        with self._journal.read() as connection:
            query = sa.select(technical_users.c.username).where(technical_users.c.username.in_(usernames))
            names = connection.execute(query).scalars().all()
        nobody = Guest("", "", Authentication.KEY, (), frozenset())
        return {name: guests.get(name) or replace(nobody, username=name) for name in names}


@asynccontextmanager
async def open_broker_access(settings: Settings, journal: Journal) -> AsyncIterator[int | None]:
    """Answer RabbitMQ for the time of the block, and send away who may not stay, where the settings name a port for it.

    Passwords are compared apart from those of SFTP: a flood at one door keeps nobody out at the other.

    Raises:
        ConfigurationError: the port cannot be had.
    """
    mq = settings.mq
    if mq.access_port is None:
        yield None
        return
    async with AsyncExitStack() as stack:
        gatekeeper = Gatekeeper(
            journal, Hashing(hashing_limits(settings.accounts)), broker_policy(login_policy(settings.accounts))
        )
        stack.callback(gatekeeper.close)
        access = BrokerAccess(journal, gatekeeper, premises_at(settings))
        if mq.management is not None:
            url = revealed(mq.management)
            management = await stack.enter_async_context(open_management(url, settings.broker.authority))
            await stack.enter_async_context(_looking(access, management))
        app = access_app(access)
        hosting = hosted(app, host=mq.access_host, port=mq.access_port, limits=_LIMITS, section="mq.access")
        port = await stack.enter_async_context(hosting)
        log.info("access.ready", host=mq.access_host, port=port, closes=mq.management is not None)
        yield port


@asynccontextmanager
async def _looking(access: BrokerAccess, management: Management) -> AsyncIterator[None]:
    looking = asyncio.create_task(access.keep_looking(management), name="users of the broker")
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


def premises_at(settings: Settings) -> Premises:
    """What the gateway has at the broker; its virtual host is that of the first address."""
    urls = settings.broker.urls
    vhost = connection_parameters(revealed(urls[0])).virtual_host if urls else "/"
    return Premises(vhost, settings.mq.exchange, settings.mq.answers)
