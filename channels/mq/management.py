"""How are the broker's connections closed, its bindings seen, its policies set?  Over its management interface.

Source: the HTTP API of RabbitMQ 3.10's plugin ``rabbitmq_management``.  What an answer may cost is bounded; what goes
wrong is temporary trouble, in words that hold no password.
"""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import aiohttp

from channels.mq.connection import BrokerUnavailable
from config.errors import ConfigurationError

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

    async def policies(self, vhost: str) -> list[dict[str, Any]]:
        """Every policy of ``vhost``: ``name``, ``pattern``, ``apply-to``, ``priority``, ``definition``.

        Raises:
            BrokerUnavailable: it could not be asked.
        """
        return await self._ask("GET", f"policies/{quote(vhost, safe='')}")

    async def set_policy(self, vhost: str, name: str, facts: Mapping[str, Any]) -> None:
        """Make the policy ``name`` of ``vhost`` one of these ``facts``, called as in ``policies``.

        Raises:
            BrokerUnavailable: it could not be asked, or refuses.
        """
        await self._ask("PUT", f"policies/{quote(vhost, safe='')}/{quote(name, safe='')}", facts=facts)

    async def _ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, facts: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        address = f"{self._base}/api/{path}"
        try:
            async with self._session.request(method, address, headers=headers, json=facts) as response:
                if response.status >= 300:
                    raise BrokerUnavailable(f"the broker's management interface answers {response.status}")
                rows: list[dict[str, Any]] = json.loads(await _whole(response)) if method == "GET" else []
                return rows
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as fault:
            # Its words may quote the address, in which there is a password.
            raise BrokerUnavailable(f"the broker's management interface is away: {type(fault).__name__}") from None


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _MAX_BYTES:
            raise BrokerUnavailable("the broker's management interface answers more than can be taken")
    return bytes(body)


@asynccontextmanager
async def open_management(url: str, authority: Path | None = None) -> AsyncIterator[Management]:
    """The management interface at ``url``, whose certificate, if it has one, comes from ``authority``.

    Raises:
        ConfigurationError: this is no address of one.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise ConfigurationError(["mq.management: must begin with http:// or https://"])
    login = aiohttp.encode_basic_auth(unquote(parts.username or ""), unquote(parts.password or ""), "utf-8")
    base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    verified = ssl.create_default_context(cafile=authority) if parts.scheme == "https" else None
    connector = aiohttp.TCPConnector(ssl=verified) if verified is not None else aiohttp.TCPConnector()
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(headers={"Authorization": login}, connector=connector, timeout=timeout) as session:
        yield Management(session, base)
