"""How are the broker's connections closed, and its bindings looked at?  Over its management interface.

Source: the HTTP API of RabbitMQ 3.10's plugin ``rabbitmq_management``.  What an answer may cost is bounded; what goes
wrong is temporary trouble, in words that hold no password.
"""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import aiohttp

from channels.mq.connection import BrokerUnavailable

_SECONDS: Final = 10
_MAX_BYTES: Final = 64 * 1024**2


class Management:
    """The management interface of a broker; made by ``open_management``."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def connected_users(self) -> frozenset[str]:
        """The names of all who have a connection, to whichever node of the cluster.

        Raises:
            BrokerUnavailable: it could not be asked.
        """
        return frozenset(
            str(row["user"]) for row in await self._ask("GET", "connections?columns=user") if "user" in row
        )

    async def close_connections(self, username: str, reason: str) -> None:
        """Close every connection of ``username``, to whichever node; ``reason`` is what its client is told.

        Raises:
            BrokerUnavailable: it could not be asked.
        """
        await self._ask("DELETE", f"connections/username/{quote(username, safe='')}", {"X-Reason": reason})

    async def bindings(self, vhost: str, exchange: str) -> frozenset[tuple[str, str]]:
        """Key and queue of everything that is bound to ``exchange``.

        Raises:
            BrokerUnavailable: it could not be asked.
        """
        rows = await self._ask("GET", f"exchanges/{quote(vhost, safe='')}/{quote(exchange, safe='')}/bindings/source")
        return frozenset((str(row["routing_key"]), str(row["destination"])) for row in rows)

    async def _ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
        try:
            async with self._session.request(method, f"{self._base}/api/{path}", headers=headers) as response:
                if response.status >= 300:
                    raise BrokerUnavailable(f"the broker's management interface answers {response.status}")
                body = await response.content.read(_MAX_BYTES) if method == "GET" else b"[]"
                rows: list[dict[str, Any]] = json.loads(body)
                return rows
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as fault:
            # Its words may quote the address, in which there is a password.
            raise BrokerUnavailable(f"the broker's management interface is away: {type(fault).__name__}") from None


@asynccontextmanager
async def open_management(url: str, authority: Path | None = None) -> AsyncIterator[Management]:
    """The management interface at ``url``, whose certificate, if it has one, comes from ``authority``."""
    parts = urlsplit(url)
    login = aiohttp.encode_basic_auth(unquote(parts.username or ""), unquote(parts.password or ""), "utf-8")
    base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    verified = ssl.create_default_context(cafile=authority) if parts.scheme == "https" else None
    connector = aiohttp.TCPConnector(ssl=verified) if verified is not None else aiohttp.TCPConnector()
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(headers={"Authorization": login}, connector=connector, timeout=timeout) as session:
        yield Management(session, base)
