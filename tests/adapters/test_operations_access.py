"""Every operation of the interface by everybody: what each may, and that a stranger learns nothing, not even whether.

The interface is really served; what it does is undone after each request, so that everybody finds the same world.
"""

from collections.abc import Iterator

import pytest

from gateway.operations.operation import Change
from gateway.operations.table import OPERATIONS
from tests.authority import Credential
from tests.interface_tries import ELSEWHERE, PEOPLE, SECRET, STRANGERS, TRIES, Interface, forgetful, may, named
from tests.register_world import NOBODY, PROVIDER


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory, signer: Credential) -> Iterator[Interface]:
    """An interface that forgets."""
    with forgetful(tmp_path_factory.mktemp("interface"), signer) as opened:
        yield opened


def test_every_operation_is_tried() -> None:
    """A row of the table that stands not here would be one that nobody has looked at."""
    assert sorted(TRIES) == sorted(row.name for row in OPERATIONS)


@pytest.mark.parametrize("name", TRIES)
def test_everybody_may_what_the_table_of_rights_says(interface: Interface, name: str) -> None:
    """RAE, Co-RAE, GL, Co-GL, user and operator, each with the token of one."""
    row, attempt = named(name), TRIES[name]
    answers = {who: interface.ask(row, attempt, who).status_code for who in PEOPLE}
    assert answers == {who: attempt.status if may(attempt, who) else attempt.others for who in PEOPLE}
    assert interface.ask(row, attempt, "operator").status_code == attempt.status


@pytest.mark.parametrize("name", TRIES)
def test_nobody_may_anything_without_a_token(interface: Interface, name: str) -> None:
    """And hears nothing but that, whatever was asked."""
    answer = interface.ask(named(name), TRIES[name], None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {"type": "about:blank", "title": "Unauthorized", "status": 401}


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("name", TRIES)
def test_a_stranger_is_answered_as_if_there_were_nothing(interface: Interface, name: str, who: str) -> None:
    """The same bytes for what is another's as for what isn't there; and nothing of the other's in any answer."""
    row, attempt = named(name), TRIES[name]
    if (name, who) in ITS_OWN:
        return
    theirs = interface.ask(row, attempt, who)
    assert theirs.status_code == attempt.strangers
    assert not [word for word in SECRET if word in theirs.text.lower()]
    if attempt.place:
        nothing = interface.ask(
            row, attempt, who, {key: ELSEWHERE.get(key, value) for key, value in attempt.place.items()}
        )
        assert (nothing.status_code, nothing.content, nothing.headers) == (
            theirs.status_code,
            theirs.content,
            theirs.headers,
        )


ITS_OWN = {("endMandate", "betasrae")}
"""What a stranger may after all: the provider sees and ends the mandate that it holds."""


def test_both_sides_of_a_mandate_may_end_it(interface: Interface) -> None:
    """The provider's people as well as the employer's."""
    for who in ("alphagl1", "betasrae"):
        answer = interface.ask(named("endMandate"), TRIES["endMandate"], who)
        assert answer.status_code == 200
        assert answer.json()["valid_to"] is not None


def test_a_provider_sees_the_mandate_and_nothing_of_the_employer(interface: Interface) -> None:
    """Its number, and the number of the employer's quality."""
    shown = interface.world.shown("betasrae")
    answer = interface.client.get(f"/v1/qualities/{interface.world.provider}/mandates", headers=shown)
    assert [item["employer"] for item in answer.json()["mandates"]] == [interface.world.employer]
    assert PROVIDER not in answer.text
    assert not [word for word in SECRET if word in answer.text]


def test_what_cannot_be_a_name_is_unknown_too(interface: Interface) -> None:
    """What it would have to look like is no more told than whether it is there."""
    shown = interface.world.shown("gammarae")
    unknown = interface.client.get(f"/v1/enterprises/{NOBODY}", headers=shown)
    for path in ("/v1/enterprises/x", "/v1/qualities/-1", "/v1/qualities/9e99", "/v1/persons/%00", "/v1/nothing"):
        answer = interface.client.get(path, headers=shown)
        assert (answer.status_code, answer.content) == (404, unknown.content)


def test_changes_are_the_only_ones_with_a_body(interface: Interface) -> None:
    """So that what this file tries is all that there is."""
    for row in OPERATIONS:
        assert (TRIES[row.name].body is not None) == isinstance(row, Change)
    assert interface.world.employer == 1
