"""Mandates in a real register: who may give and end them, how many there may be, and what they are worth."""

from collections import Counter
from typing import Final

import pytest
import sqlalchemy as sa

from gateway.employers import SendsAs, Standing
from gateway.register import enterprises, speaking, withdrawal
from gateway.register.actor import Person, Refusal, Why
from gateway.register.enterprises import Kind
from gateway.register.history import changes
from gateway.register.mandates import Mandate, Means, end_mandate, notify_mandate
from gateway.registrations import ALWAYS, Period
from schemas.codes import Code
from schemas.identifiers import Kind as Number
from schemas.inspection import Employer
from spool.journal import Journal
from spool.register_tables import enterprises as enterprises_table
from spool.register_tables import mandates as mandates_table
from spool.register_tables import qualities
from tests.enterprises_made import ENTERPRISES, HELPDESK, ONSS_NUMBERS, granted
from tests.market_made import GL, OFFICE, Market

pytestmark = pytest.mark.every_database

_NUMBER: Final = Employer(Number.ONSS, ONSS_NUMBERS[0])
_NEXT: Final = Employer(Number.ONSS, ONSS_NUMBERS[1])


def why(result: Mandate | Refusal) -> Why | None:
    """Of what kind the refusal is; None if it is none."""
    return result.why if isinstance(result, Refusal) else None


# --- giving


@pytest.mark.parametrize(
    ("before", "period", "expected"),
    [
        ([], ALWAYS, None),
        ([Period(10, 20)], Period(20, None), None),
        ([Period(10, 20)], Period(5, 10), None),
        ([Period(10, 20)], Period(19, None), Why.CONFLICT),
        ([Period(10, 20)], Period(5, 11), Why.CONFLICT),
        ([Period(10, None)], Period(20, 30), Why.CONFLICT),
        ([Period(10, 20), Period(30, 40)], Period(20, 30), None),
        ([], Period(20, 20), Why.INVALID),
        ([], Period(20, 10), Why.INVALID),
    ],
)
def test_one_provider_at_a_time(market: Market, before: list[Period], period: Period, expected: Why | None) -> None:
    """Whoever it is: one mandate ends before the next begins."""
    for each in before:
        granted(market.notify(each, market.rival))

    assert expected is why(market.notify(period))


def test_beside_the_secretariat_one_other_provider_is_mandated(market: Market) -> None:
    """And never a second secretariat, nor a secretariat without an affiliation."""
    secretariat, other = granted(market.affiliate(Period(1, None))), granted(market.notify(Period(1, None)))
    again = market.affiliate(Period(5, None))

    assert (Means.SECRETARIAT, Means.PROVIDER) == (secretariat.means, other.means)
    assert Why.CONFLICT is why(again)
    assert Why.UNKNOWN is why(market.notify(Period(1, None), market.secretariat))
    assert Why.UNKNOWN is why(market.affiliate(Period(1, None), market.provider))


def test_who_is_no_provider_is_no_provider_to_anybody(market: Market) -> None:
    """Another employer, itself and nobody get the same answer."""
    answers = [market.notify(ALWAYS, number) for number in (market.second.quality, market.first.quality, 999)]

    assert ["there is no provider"] * 3 == [
        answer.words.partition(";")[0].rpartition(" ")[0] for answer in answers if isinstance(answer, Refusal)
    ]


def test_only_the_employers_people_give_its_mandates(market: Market) -> None:
    """Those of the table who may change the data of a quality; to strangers it is as if it were not there."""
    roles = market.first.by_role
    answers = {
        role: why(market.notify(Period(10 * at, 10 * at + 5), actor=name))
        for at, (role, name) in enumerate(roles.items())
    }

    assert {"rae": None, "co-rae": None, "gl": None, "co-gl": None, "user": Why.NOT_ALLOWED} == answers
    assert Why.UNKNOWN is why(market.notify(Period(100, None), actor=market.second.gl))
    foreign = notify_mandate(market.connection, HELPDESK, market.provider, market.rival, ALWAYS, reason="test")
    assert Why.INVALID is why(foreign)


# --- ending


def test_an_end_holds_from_its_date_and_is_not_put_off(market: Market) -> None:
    """An earlier one may follow; what has ended by then already stays so."""
    given = granted(market.notify(Period(10, None)))
    act = {"reason": "by form"}
    ended = granted(end_mandate(market.connection, Person(market.first.gl), given.number, 50, **act))
    later = end_mandate(market.connection, Person(market.first.gl), given.number, 60, **act)
    earlier = granted(end_mandate(market.connection, Person(market.first.gl), given.number, 40, **act))
    never = granted(end_mandate(market.connection, HELPDESK, given.number, 5, **act))

    assert [Period(10, 50), Period(10, 40), Period(10, 10)] == [ended.period, earlier.period, never.period]
    assert Why.CONFLICT is why(later)
    assert ["mandate.ended"] * 3 + ["mandate.given"] == [
        change.act for change in changes(market.connection, subjects=[f"mandate:{given.number}"])
    ]


def test_the_provider_ends_a_mandate_too(market: Market) -> None:
    """It may lay it down; to give itself one it may not."""
    given = granted(market.notify(Period(10, None)))

    assert isinstance(end_mandate(market.connection, Person(GL), given.number, 50, reason="laid down"), Mandate)
    assert Why.UNKNOWN is why(market.notify(Period(50, None), actor=GL))


def test_a_mandate_of_others_is_none(market: Market) -> None:
    """To end it is refused in the words for one that is not there; by a user of the employer, by the table."""
    given = granted(market.notify(Period(10, None)))
    asked = ((market.second.rae, given.number), (market.first.rae, 999), (market.first.user, given.number))
    refused = [end_mandate(market.connection, Person(name), number, 50, reason="by form") for name, number in asked]

    assert [Why.UNKNOWN, Why.UNKNOWN, Why.NOT_ALLOWED] == [why(answer) for answer in refused]


# --- what they are worth


@pytest.mark.parametrize(
    ("period", "at", "expected"),
    [
        (Period(10, 20), 9, Standing.LAPSED),
        (Period(10, 20), 10, Standing.MANDATED),
        (Period(10, 20), 19, Standing.MANDATED),
        (Period(10, 20), 20, Standing.LAPSED),
        (Period(10, None), 10**18, Standing.MANDATED),
    ],
)
@pytest.mark.parametrize("employer", [_NUMBER, Employer(Number.ENTERPRISE, ENTERPRISES[0].lstrip("0"))])
def test_a_mandate_counts_from_its_first_moment_to_before_its_last(
    market: Market, period: Period, at: int, expected: Standing, employer: Employer
) -> None:
    """By whichever of its numbers the employer is named; to another provider it means nothing."""
    granted(market.notify(period))

    assert expected is market.standing(market.provider, employer, at)
    assert Standing.NEVER is market.standing(market.rival, employer, at)
    assert Standing.NEVER is market.standing(market.provider, _NEXT, at)
    assert Standing.ITSELF is market.standing(market.first.quality, employer, at)


@pytest.mark.parametrize(
    "employer", [Employer(Number.ONSS, "100200"), Employer(Number.PPL, ONSS_NUMBERS[0]), Employer(Number.INSS, "1")]
)
def test_who_is_not_registered_is_as_one_without_a_mandate(market: Market, employer: Employer) -> None:
    """The same number of another kind is another employer's."""
    granted(market.notify(Period(10, None)))

    assert Standing.NEVER is market.standing(market.provider, employer, 15)


def test_an_employer_that_is_over_has_no_mandates_left(market: Market) -> None:
    """They were, and count no more."""
    granted(market.notify(Period(10, None)))
    granted(withdrawal.close_quality(market.connection, HELPDESK, market.first.quality, reason="test"))

    assert Standing.LAPSED is market.standing(market.provider, _NUMBER, 15)
    assert SendsAs.NOBODY is speaking.sends_as(market.connection, market.first.quality)
    assert not speaking.employer_qualities(market.connection, [_NUMBER])


def test_what_a_quality_sends_as(market: Market) -> None:
    """Only employers and providers speak for employers."""
    act = enterprises.activate_quality
    hospital = granted(act(market.connection, HELPDESK, OFFICE, Kind.HOSPITAL, reason="test")).number
    asked = (None, 999, hospital, market.first.quality, market.provider, market.secretariat)

    assert [
        *(SendsAs.NOBODY, SendsAs.NOBODY, SendsAs.NOBODY, SendsAs.EMPLOYER, SendsAs.PROVIDER, SendsAs.PROVIDER)
    ] == [speaking.sends_as(market.connection, number) for number in asked]
    assert {market.first.quality} == speaking.employer_qualities(market.connection, [_NUMBER])


def test_what_a_file_is_told(market: Market) -> None:
    """A provider of one employer names two; an employer another; nobody anybody."""
    granted(market.notify(Period(10, None)))
    named = [_NUMBER, _NEXT]
    found = {
        quality: [finding.code for finding in speaking.check(market.connection, quality, named, 15)]
        for quality in (market.provider, market.first.quality, None)
    }

    assert {
        market.provider: [Code.PROXY_UNKNOWN],
        market.first.quality: [Code.EMPLOYER_NOT_ALLOWED],
        None: [Code.SENDER_NOT_AUTHORISED] * 2,
    } == found


@pytest.mark.sqlite_only
def test_thousands_of_employers_are_looked_up_by_a_few_queries(journal: Journal) -> None:
    """One technical user sends for all of them; the queries are counted, since they are what a look-up costs."""
    count = 2000
    with journal.write() as connection:
        of = [{"number": f"{at:010}", "name": "x", "state": "active", "created_at": 0} for at in range(count + 1)]
        connection.execute(sa.insert(enterprises_table), of)
        rows = [
            {"number": at + 1, "enterprise": f"{at:010}", "kind": "employer", "registration": str(at)}
            for at in range(count)
        ]
        rows.append({"number": count + 1, "enterprise": f"{count:010}", "kind": "provider-legal", "registration": ""})
        connection.execute(sa.insert(qualities), [row | {"state": "active", "created_at": 0} for row in rows])
        given = {"provider": count + 1, "kind": "provider", "valid_from": 0, "given_by": "test", "created_at": 0}
        connection.execute(sa.insert(mandates_table), [given | {"employer": at + 1} for at in range(0, count, 2)])
    asked: list[str] = []
    named = [Employer(Number.ONSS, str(at)) for at in range(count)]

    with journal.read() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *words: asked.append(words[2]))
        found = speaking.mandated(connection, count + 1, named, 5)
        queries = [query for query in asked if query.startswith("SELECT")]
        plans = [
            " ".join(
                row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", (0,) * query.count("?"))
            )
            for query in dict.fromkeys(queries)
        ]

    assert {Standing.MANDATED: count // 2, Standing.NEVER: count // 2} == Counter(found.values())
    assert 8 == len(queries)
    assert all("USING INDEX" in plan and "SCAN" not in plan for plan in plans)
