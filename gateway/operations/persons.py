"""What can be asked of persons: who they are, and what becomes of their accounts."""

from typing import Annotated, Any, Final, Self

from pydantic import Field

from gateway.operations.fields import Emails, Limit, OfPerson, Serial, UserName, inss_mark
from gateway.operations.operation import (
    PRINTABLE,
    Asked,
    Because,
    Body,
    Change,
    Moment,
    Operation,
    Place,
    Read,
    Reason,
    Told,
    moment,
)
from gateway.operations.passwords import ToldPassword
from gateway.operations.roles import ToldRole
from gateway.register import persons, withdrawal
from gateway.register.actor import Refusal
from gateway.register.persons import Edits, Registered
from gateway.register.search import Criteria, search
from schemas.wording import Language

Word = Annotated[str, Field(min_length=1, max_length=100, pattern=PRINTABLE)]


class ToldPerson(Told):
    """A person; of the INSS it is only said whether it is known."""

    username: str
    enterprise: str
    last_name: str
    first_name: str
    title: str
    language: str
    emails: list[str]
    state: str
    has_inss: bool
    created_at: Moment

    @classmethod
    def of(cls, known: Registered, **more: Any) -> Self:
        """A person in an answer."""
        return cls(
            username=known.username,
            enterprise=known.enterprise,
            last_name=known.last_name,
            first_name=known.first_name,
            title=known.title,
            language=known.language,
            emails=list(known.emails),
            state=known.state,
            has_inss=known.has_inss,
            created_at=moment(known.created_at),
            **more,
        )


class PersonWithRoles(ToldPerson):
    """A person, with the roles that who asks may see."""

    roles: list[ToldRole]


class PersonsFound(Told):
    """Persons, by user name."""

    persons: list[PersonWithRoles]


class Wanted(Body):
    """Whom to look for; what is left out fits everybody.  Names, title and e-mail fit by what they contain."""

    quality: Serial | None = None
    username: UserName | None = None
    last_name: Word | None = None
    first_name: Word | None = None
    title: Word | None = None
    inss: Annotated[str, Field(max_length=20)] | None = None
    language: Language | None = None
    email: Word | None = None
    state: Annotated[str, Field(max_length=8, pattern=PRINTABLE)] | None = None
    application: Annotated[str, Field(max_length=40, pattern=PRINTABLE)] | None = None
    limit: Limit = 100


class PersonEdits(Body):
    """What is to be changed of a person's data; what is left out stays."""

    language: Language | None = None
    emails: Emails | None = None
    last_name: Word | None = None
    first_name: Word | None = None
    title: Annotated[str, Field(max_length=20)] | None = None
    reason: Reason


def _search(asked: Asked, _: Place, body: Wanted) -> PersonsFound | Refusal:
    mark = None if body.inss is None else inss_mark(asked, body.inss)
    if isinstance(mark, Refusal):
        return mark
    same = ("quality", "username", "last_name", "first_name", "title", "language", "email", "state", "application")
    criteria = Criteria(**{name: getattr(body, name) for name in same}, inss_mark=mark)
    found = search(asked.connection, asked.actor, criteria, body.limit)
    if isinstance(found, Refusal):
        return found
    return PersonsFound(
        persons=[PersonWithRoles.of(item.person, roles=[ToldRole.of(held) for held in item.roles]) for item in found]
    )


def _show(asked: Asked, place: OfPerson) -> PersonWithRoles | Refusal:
    found = persons.see(asked.connection, asked.actor, place.username)
    if isinstance(found, Refusal):
        return found
    known, held = found
    return PersonWithRoles.of(known, roles=[ToldRole.of(item) for item in held])


def _edit(asked: Asked, place: OfPerson, body: PersonEdits) -> ToldPerson | Refusal:
    edits = Edits(
        language=body.language,
        emails=body.emails,
        last_name=body.last_name,
        first_name=body.first_name,
        title=body.title,
    )
    return _told(persons.edit(asked.connection, asked.actor, place.username, edits, reason=body.reason))


def _block(asked: Asked, place: OfPerson, body: Because) -> ToldPerson | Refusal:
    return _told(withdrawal.block(asked.connection, asked.actor, place.username, reason=body.reason))


def _unblock(asked: Asked, place: OfPerson, body: Because) -> ToldPerson | Refusal:
    return _told(withdrawal.unblock(asked.connection, asked.actor, place.username, reason=body.reason))


def _delete(asked: Asked, place: OfPerson, body: Because) -> ToldPerson | Refusal:
    return _told(withdrawal.delete(asked.connection, asked.actor, place.username, reason=body.reason))


def _report_lost(asked: Asked, place: OfPerson, body: Because) -> ToldPerson | Refusal:
    return _told(withdrawal.report_lost(asked.connection, asked.actor, place.username, reason=body.reason))


def _give_password(asked: Asked, place: OfPerson, body: Because) -> ToldPassword | Refusal:
    first = asked.drawn()
    done = persons.give_password(asked.connection, asked.actor, place.username, first, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldPassword.of(first)


def _told(done: Registered | Refusal) -> ToldPerson | Refusal:
    return done if isinstance(done, Refusal) else ToldPerson.of(done)


_ROOT: Final = "/v1/persons/{username}"

OPERATIONS: Final[tuple[Operation, ...]] = (
    # A question, but with names and an INSS in it, which belong in no address.
    Change(
        "searchPersons",
        "POST",
        "/v1/persons/search",
        "Look for persons.",
        Place,
        Wanted,
        PersonsFound,
        _search,
        writes=False,
    ),
    Read("showPerson", _ROOT, "A person.", OfPerson, PersonWithRoles, _show),
    Change("editPerson", "POST", f"{_ROOT}/edit", "Change a person's data.", OfPerson, PersonEdits, ToldPerson, _edit),
    Change("blockPerson", "POST", f"{_ROOT}/block", "Block an account.", OfPerson, Because, ToldPerson, _block),
    Change("unblockPerson", "POST", f"{_ROOT}/unblock", "Unblock an account.", OfPerson, Because, ToldPerson, _unblock),
    Change("deletePerson", "POST", f"{_ROOT}/delete", "End an account.", OfPerson, Because, ToldPerson, _delete),
    Change(
        "reportPersonLost",
        "POST",
        f"{_ROOT}/lost",
        "Make an account useless at once, with its password and its tokens.",
        OfPerson,
        Because,
        ToldPerson,
        _report_lost,
    ),
    Change(
        "givePersonPassword",
        "POST",
        f"{_ROOT}/password",
        "Give a first password, which is told here and never again.",
        OfPerson,
        Because,
        ToldPassword,
        _give_password,
        draws_password=True,
    ),
)
