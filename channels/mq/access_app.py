"""How does RabbitMQ ask who may do what?  The HTTP side of ``access``: four paths, form fields, ``allow`` or ``deny``.

The fields may come in the body of a POST, as they should (a password in a URL ends in somebody's log), or in the query
of a GET.  Whatever goes wrong is a denial, which the broker would make of it anyway.  Nothing of a question is logged
here but its kind and the user's name; bounds of size and time are those of the host that serves it.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, assert_never
from urllib.parse import parse_qsl

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from channels.mq.access import Enter, LogIn, Question, Use, UseKey, read

log = structlog.get_logger()

_MOST_FIELDS: Final = 32
PATHS: Final = ("user", "vhost", "resource", "topic")


class Porter(Protocol):
    """Who knows the users."""

    async def may_log_in(self, question: LogIn) -> bool:
        """Whether that user may log in."""

    async def may_enter(self, question: Enter) -> bool:
        """Whether that user, who has logged in, may use the virtual host from where it is."""

    async def may_use(self, question: Use | UseKey) -> bool:
        """Whether that user may do that."""

    async def knows(self, username: str) -> bool:
        """Whether there is a user of that name, whatever it may do."""


def access_app(porter: Porter) -> Starlette:
    """The application that answers what RabbitMQ asks; every other path is not found."""
    return Starlette(routes=[Route(f"/{path}", _endpoint(path, porter), methods=["GET", "POST"]) for path in PATHS])


def _endpoint(path: str, porter: Porter) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        question = await _question(path, request)
        allowed = question is not None and await _ask(porter, question)
        if not allowed:
            # A name that nobody has may be a password.
            is_known = question is not None and await porter.knows(question.username)
            facts = {"username": question.username} if is_known and question is not None else {}
            log.info("access.denied", question=path, **facts)
        return PlainTextResponse("allow" if allowed else "deny")

    return answer


async def _question(path: str, request: Request) -> Question | None:
    text = await request.body() if request.method == "POST" else request.url.query.encode()
    try:
        fields = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,  # no password is a certificate, an empty one is not
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        return None
    return read(path, fields)


async def _ask(porter: Porter, question: Question) -> bool:
    match question:
        case LogIn():
            return await porter.may_log_in(question)
        case Enter():
            return await porter.may_enter(question)
        case Use() | UseKey():
            return await porter.may_use(question)
    assert_never(question)
