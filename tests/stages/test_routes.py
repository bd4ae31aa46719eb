"""Where a declaration goes by the routes of the settings, and which settings of routes cannot be meant."""

import pytest

from config.messages import Route, Routing
from gateway.routes import Declared, Place, faults, place, unmet

TYPES = frozenset({"DIMN", "DMFA", "DIMONA", "WECH", "WECH001"})


def declared(**changes: object) -> Declared:
    """A Dimona of sender 123456 about employer 123456749."""
    facts: dict[str, object] = {
        "environment": "R",
        "purpose": "DIMN",
        "form_code": "DIMONA",
        "sender": "123456",
        "employers": ("123456749",),
    }
    return Declared(**(facts | changes))  # type: ignore[arg-type]  # the test says what it replaces


def test_without_routes_a_declaration_goes_to_the_usual_exchange_by_its_form() -> None:
    """The key is environment, purpose and form code; a form without one has a word all the same."""
    assert Place(0, "declarations", "R.DIMN.DIMONA") == place(declared(), Routing())
    assert "R.DIMN.-" == place(declared(form_code=""), Routing()).key


def test_the_first_route_that_fits_decides() -> None:
    """What a route does not say is as without a route."""
    routing = Routing(
        routes=(
            Route(message_types=("DMFA",), exchange="dmfa"),
            Route(message_types=("DIMN",), exchange="dimona", key="{form_code}.{sender}", payload="reference"),
            Route(payload="file"),
        )
    )

    assert Place(2, "dimona", "DIMONA.123456", "reference") == place(declared(), routing)
    assert Place(3, "declarations", "R.WECH.WECH001", "file") == place(
        declared(purpose="WECH", form_code="WECH001"), routing
    )


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (Route(), None),
        (Route(environments=("R",), message_types=("DIMONA",), senders=("123456",), employers=("0123456749",)), None),
        (Route(environments=("T", "S")), "environment R is none of T, S"),
        (Route(message_types=("DMFA", "WECH001")), "type DIMN, DIMONA is none of DMFA, WECH001"),
        (Route(message_types=("DIMN",), senders=("654321",)), "sender 123456 is none of 654321"),
        (Route(employers=("987654321",)), "it names none of the employers 987654321"),
    ],
)
def test_every_condition_of_a_route_has_to_hold(route: Route, words: str | None) -> None:
    """The first that does not is told; a type may be a purpose or the code of a form."""
    assert words == unmet(declared(), route)


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (Route(message_types=("DIMX",)), "message_types: 'DIMX' is neither a purpose nor the code of a form"),
        (Route(employers=("BE123",)), "employers: 'BE123' is no number"),
        (Route(employers=("000",)), "employers: '000' is no number"),
        (Route(senders=("12345",)), "senders: '12345' does not have six digits"),
        (Route(exchange=""), "exchange: '' is no name"),
        (Route(exchange="amq.topic"), "exchange: 'amq.topic' is the broker's own"),
        (Route(exchange="x" * 128), "1 to 127 bytes"),
        (Route(key="{environment}.{inss}"), "the unknown placeholder {inss}"),
        (Route(key="{}"), "the unknown placeholder {}"),
        (Route(key="{sender"), "cannot be read"),
        (Route(key="{sender!r}"), "may not say how {sender} is written"),
        (Route(key="{purpose:>300}"), "may not say how {purpose} is written"),
        (Route(key="{sender.__class__}"), "the unknown placeholder {sender.__class__}"),
        (Route(key=""), "is no routing key"),
        (Route(key="k" * 250 + "{sender}"), "longer than 255 bytes"),
    ],
)
def test_a_route_that_cannot_be_meant_is_a_fault_that_names_it(route: Route, words: str) -> None:
    """So that it shows when the settings are checked, and not when a declaration is on its way."""
    [fault] = faults(Routing(routes=(Route(senders=("123456",)), route)), TYPES)

    assert fault.startswith("routing.routes, number 2: ")
    assert words in fault


def test_faults_are_told_all_at_once_and_a_route_behind_one_that_fits_everything_is_one() -> None:
    """Nothing is wrong with the defaults."""
    routing = Routing(exchange="amq.direct", alternate="amq.direct", routes=(Route(), Route(senders=("1",))))

    assert [] == faults(Routing(), TYPES)
    assert [] == faults(Routing(alternate="", routes=(Route(message_types=("DIMN",), key="{purpose}"), Route())), TYPES)
    assert [
        "routing.exchange: 'amq.direct' is the broker's own",
        "routing.alternate: 'amq.direct' is the broker's own",
        "routing.alternate: has to be another exchange than routing.exchange",
        "routing.routes, number 2: senders: '1' does not have six digits",
        "routing.routes, number 2: never used, for number 1 fits everything",
    ] == faults(routing, TYPES)
