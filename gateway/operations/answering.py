"""How is one request answered, in a thread of its own?

In this order: who shows the token; then whether the request is well made; then the act, by the rights of whom the token
stands for, in a transaction in which the token is looked at again.  A thing that isn't there and a thing that is
another's are answered alike, with no word of it; and what isn't well made is in no answer and no exception.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, assert_never

from pydantic import ValidationError
from sqlalchemy.engine import Connection

from config.settings import Settings
from gateway.operations.operation import Asked, Body, Change, Operation, Place, Read, Told
from gateway.operations.problem import problem
from gateway.operations.tokens import Bearer, bearer
from gateway.passwords import Hashing
from gateway.register.actor import Operator, Refusal, Why
from gateway.register.passwords import FirstPassword, draw
from spool.journal import Journal, now

_JSON: Final = "application/json"
_MOST_FAULTS: Final = 20

_STATUS: Final[Mapping[Why, HTTPStatus]] = {
    Why.UNKNOWN: HTTPStatus.NOT_FOUND,
    Why.NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    Why.CONFLICT: HTTPStatus.CONFLICT,
    Why.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
}


@dataclass(frozen=True, slots=True)
class Requested:
    """A request, as far as an answer depends on it; ``word`` is the token, None where none was shown."""

    word: str | None
    path: Mapping[str, str]
    query: Sequence[tuple[str, str]]
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer: ``good`` ones are JSON, others a problem; ``token`` is what the log calls the one that was shown."""

    status: HTTPStatus
    body: bytes
    good: bool = False
    token: str | None = None


class _RefusedError(Exception):
    """The request is answered with a refusal; what was begun for it is undone."""

    def __init__(self, status: HTTPStatus, detail: str | None = None, faults: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(status.phrase)
        self.answered = Answered(status, problem(status, detail, faults))


class Answering:
    """Answers requests; from any thread."""

    def __init__(self, settings: Settings, journal: Journal, hashing: Hashing) -> None:
        self._settings = settings
        self._journal = journal
        self._hashing = hashing

    def answer(self, row: Operation, requested: Requested) -> Answered:
        """The answer to a request for what ``row`` says.

        Raises:
            JournalError: the journal failed; nothing was changed.
        """
        token = None
        try:
            shown = self._known(requested.word)
            token = shown.token.name
            told = self._told(row, requested, shown)
        except _RefusedError as refused:
            return Answered(refused.answered.status, refused.answered.body, token=token)
        return Answered(HTTPStatus.OK, told.model_dump_json().encode(), good=True, token=token)

    def _known(self, word: str | None) -> Bearer:
        # Without the write lock, which only who has a good token may ever make others wait for.
        with self._journal.read() as connection:
            found = None if word is None else bearer(connection, word, now())
        if found is None:
            raise _RefusedError(HTTPStatus.UNAUTHORIZED)
        return found

    def _told(self, row: Operation, requested: Requested, shown: Bearer) -> Told:
        if row.for_operators and not isinstance(shown.actor, Operator):
            raise _RefusedError(HTTPStatus.NOT_FOUND)
        place = _place(row, requested)
        match row:
            case Read():
                with self._journal.read() as connection:
                    return _kept(row.do(self._asked(requested, shown, connection), place))
            case Change():
                body = _body(row.body, requested)
                # A password costs a hash, for which nobody should wait.
                first = self._draw(place) if row.draws_password else None
                with self._journal.write() if row.writes else self._journal.read() as connection:
                    return _kept(row.do(self._asked(requested, shown, connection, first), place, body))
        assert_never(row)

    def _asked(
        self, requested: Requested, shown: Bearer, connection: Connection, first: FirstPassword | None = None
    ) -> Asked:
        """Who asks, if the token is good still: it may have been revoked, or its person blocked, a moment ago."""
        at = now()
        if requested.word is None or bearer(connection, requested.word, at) != shown:
            raise _RefusedError(HTTPStatus.UNAUTHORIZED)
        return Asked(shown.actor, shown.token, at, connection, self._settings, first)

    def _draw(self, place: Any) -> FirstPassword:
        return draw(place.username, self._hashing, self._settings.accounts, now())


def _kept(result: Any) -> Told:
    """What was answered; a refusal rolls back what was done before it was found."""
    if isinstance(result, Refusal):
        # Not even its words for what is not known: they must be the same whatever was asked for.
        unknown = result.why is Why.UNKNOWN
        raise _RefusedError(_STATUS[result.why], None if unknown else result.words)
    told: Told = result
    return told


def _place(row: Operation, requested: Requested) -> Place:
    names = [name for name, _ in requested.query]
    if len(set(names)) != len(names) or set(names) & set(requested.path):
        raise _RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "a parameter was given twice")
    try:
        found: Place = row.place.model_validate({**dict(requested.query), **requested.path})
    except ValidationError as fault:
        faults = fault.errors(include_url=False, include_context=False, include_input=False)
        # What cannot be the name of anything names nothing that is there.
        if any(error["loc"][:1] and error["loc"][0] in requested.path for error in faults):
            raise _RefusedError(HTTPStatus.NOT_FOUND) from None
        raise _invalid(fault) from None
    return found


def _body(model: type[Body], requested: Requested) -> Body:
    if requested.media_type.partition(";")[0].strip().lower() != _JSON:
        raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body must be {_JSON}")
    try:
        return model.model_validate_json(requested.body)
    except ValidationError as fault:
        if any(error["type"] == "json_invalid" for error in fault.errors(include_input=False)):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
        raise _invalid(fault) from None


def _invalid(fault: ValidationError) -> _RefusedError:
    errors = fault.errors(include_url=False, include_context=False, include_input=False)
    faults = [{"at": _pointer(error["loc"]), "words": error["msg"]} for error in errors[:_MOST_FAULTS]]
    return _RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "something in the request is never right", faults)


def _pointer(steps: Sequence[Any]) -> str:
    # A key that there is not was the caller's word: told only if it looks like a name.
    return "".join(f"/{step}" if re.fullmatch(r"\w{1,40}", str(step)) else "/?" for step in steps)
