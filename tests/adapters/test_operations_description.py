"""The description that the interface serves, held against the interface itself by schemathesis.

Whatever is made up from the description is answered as it says, to everybody; and whatever is made up, nobody is
answered by an act that the table of rights does not give.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from schemathesis.specs.openapi.checks import positive_data_acceptance
from structlog.testing import capture_logs

from gateway.operations.table import OPERATIONS
from tests.authority import Credential
from tests.interface_tries import PEOPLE, SECRET, STRANGERS, TRIES, Interface, forgetful, may, named

_METHODS: Final = {"get", "put", "post"}
FEW: Final = bounded(
    max_examples=2,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory, signer: Credential) -> Iterator[Interface]:
    """An interface that forgets."""
    with forgetful(tmp_path_factory.mktemp("interface"), signer) as opened:
        yield opened


@pytest.fixture(scope="module")
def described(interface: Interface) -> Any:
    """What it says of itself."""
    return schemathesis.openapi.from_url(f"{interface.client.base_url}/openapi.json")


def operation(described: Any, name: str) -> Any:
    """What is said of one row of the table."""
    row = named(name)
    return described[row.path][getattr(row, "method", "GET")]


def tried(strategy: Any, check: Callable[[Any], None]) -> None:
    """Try a few cases."""

    def one(case: Any) -> None:
        check(case)

    FEW(given(case=strategy)(one))()


def test_the_document_is_the_table(interface: Interface) -> None:
    """Every row and nothing else, each named once; and it is a document of OpenAPI 3.1."""
    document = interface.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    said = [
        (facts["operationId"], method.upper(), path)
        for path, methods in document["paths"].items()
        for method, facts in methods.items()
    ]
    assert sorted(said) == sorted((row.name, getattr(row, "method", "GET"), row.path) for row in OPERATIONS)
    assert {method.lower() for _, method, _ in said} <= _METHODS
    assert document["security"] == [{"token": []}]


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize("name", TRIES)
def test_it_answers_as_it_says(
    interface: Interface, described: Any, name: str, mode: schemathesis.GenerationMode
) -> None:
    """To good requests and to bad ones: status, media type and form of every answer are in the description."""

    def check(case: Any) -> None:
        # What is of the right form can still be no enterprise number or no INSS: then it is refused in words.
        answer = case.call_and_validate(
            headers=interface.world.shown("operator"), excluded_checks=[positive_data_acceptance]
        )
        if mode is schemathesis.GenerationMode.POSITIVE:
            assert "faults" not in answer.json()

    tried(operation(described, name).as_strategy(generation_mode=mode), check)


@pytest.mark.parametrize("name", TRIES)
def test_nobody_is_let_in_by_what_he_says(interface: Interface, described: Any, name: str) -> None:
    """Whatever is asked about the employer's things: who has no right is refused, a stranger learns nothing."""
    attempt = TRIES[name]

    def check(case: Any) -> None:
        for who in (*PEOPLE, *STRANGERS):
            answer = case.call_and_validate(
                headers=interface.world.shown(who), excluded_checks=[positive_data_acceptance]
            )
            if who in STRANGERS:
                assert not [word for word in SECRET if word in answer.text.lower()]
            elif not may(attempt, who):
                assert answer.status_code != 200

    path = {key: value for key, value in attempt.place.items() if f"{{{key}}}" in named(name).path}
    about = operation(described, name).as_strategy(path_parameters=path)
    with capture_logs():
        tried(about, check)
