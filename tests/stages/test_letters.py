"""What an institution's message says of itself, and whether that fits what it is about."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.letters import About, Letter, Published, Unfit, read_letter, recipient_sender
from schemas.filename import Environment
from schemas.identifiers import Kind
from schemas.inspection import Employer

TICKET = "0MI9K3Q2ABCDE"
ABOUT = About(TICKET, "123456", Environment.TEST, "mq", "theirs-1")


def published(user_id: str = "onss", message_id: str = "m1", **headers: Any) -> Published:
    """A message as the broker hands it over, with type and environment unless said otherwise."""
    said = {"Type": "NOTI", "Environment": "R"} | {name.capitalize(): value for name, value in headers.items()}
    return Published(user_id, message_id, said, "ab" * 32)


@pytest.mark.parametrize(
    ("headers", "letter"),
    [
        ({}, Letter("onss", "m1", "NOTI", Environment.PRODUCTION)),
        ({"sender": "6400"}, Letter("onss", "m1", "NOTI", Environment.PRODUCTION, "006400")),
        ({"sender": 123456}, Letter("onss", "m1", "NOTI", Environment.PRODUCTION, "123456")),
        ({"sender": b"123456"}, Letter("onss", "m1", "NOTI", Environment.PRODUCTION, "123456")),
        ({"ticket": TICKET}, Letter("onss", "m1", "NOTI", Environment.PRODUCTION, None, TICKET)),
        ({"type": "IDFL", "environment": "T"}, Letter("onss", "m1", "IDFL", Environment.TEST)),
        (
            {"employer": "0017001296"},
            Letter("onss", "m1", "NOTI", Environment.PRODUCTION, employer=Employer(Kind.ONSS, "17001296")),
        ),
        (
            {"employer": "enterprise:0123456749"},
            Letter("onss", "m1", "NOTI", Environment.PRODUCTION, employer=Employer(Kind.ENTERPRISE, "123456749")),
        ),
    ],
)
def test_a_message_says_what_it_is_and_whom_it_is_for(headers: dict[str, Any], letter: Letter) -> None:
    """Numbers may be numbers or text, with zeros before them or without."""
    assert read_letter(published(**headers)) == letter


def test_the_names_of_headers_may_be_small() -> None:
    """Programs differ in that."""
    said = Published("onss", "m1", {"type": "NOTI", "ENVIRONMENT": "S"}, "ab" * 32)

    assert read_letter(said) == Letter("onss", "m1", "NOTI", Environment.SIMULATION)


def test_without_an_id_the_content_is_one() -> None:
    """The same bytes again are the same message then."""
    assert read_letter(published(message_id="")) == Letter(
        "onss", "sha256:" + "ab" * 32, "NOTI", Environment.PRODUCTION
    )


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (published(user_id=""), "108"),
        (published(user_id="x" * 65), "108"),
        (published(message_id="x" * 256), "message_id"),
        (published(message_id="x\0"), "message_id"),
        (published(type="noti"), "158"),
        (published(type=""), "158"),
        (published(type=None), "158"),
        (published(type="ACRF"), "154"),
        (published(environment="P"), "117"),
        (published(environment=["R"]), "117"),
        (published(sender="1234567"), "108"),
        (published(sender="12x456"), "108"),
        (published(ticket="../../etc/pass"), "Ticket"),
        (published(employer="0"), "Employer"),
        (published(employer="bank:12"), "Employer"),
    ],
)
def test_what_is_wrong_with_it_is_said(said: Published, code: str) -> None:
    """With a code where there is one, and without repeating what a stranger wrote."""
    found = read_letter(said)

    assert isinstance(found, Unfit)
    assert code in found.reason
    assert "etc" not in found.reason


def test_everything_wrong_is_said_at_once() -> None:
    """One look at the dead-letter queue is enough."""
    found = read_letter(published(user_id="", type="x", environment="x", sender="x", ticket="x", employer="x"))

    assert isinstance(found, Unfit)
    assert 6 == len(found.reason.split("; "))


@given(
    st.dictionaries(
        st.sampled_from(["Type", "Environment", "Sender", "Ticket", "Employer", "x"]),
        st.text() | st.binary() | st.integers() | st.none() | st.lists(st.text()) | st.booleans(),
    ),
    st.text(),
    st.text(),
)
def test_any_headers_give_a_letter_or_words(headers: dict[str, Any], user_id: str, message_id: str) -> None:
    """Nothing that a stranger can write is more than that."""
    found = read_letter(Published(user_id, message_id, headers, "ab" * 32))

    assert isinstance(found, Letter | Unfit)


@pytest.mark.parametrize(
    ("headers", "about", "sender"),
    [
        ({}, None, None),
        ({"sender": "654321"}, None, "654321"),
        ({"ticket": TICKET, "environment": "T"}, ABOUT, "123456"),
        ({"ticket": TICKET, "environment": "T", "sender": "123456"}, ABOUT, "123456"),
    ],
)
def test_a_message_is_for_the_sender_that_it_names_or_that_sent_what_it_answers(
    headers: dict[str, Any], about: About | None, sender: str | None
) -> None:
    """Or for none, if it names an employer alone."""
    letter = read_letter(published(**headers))
    assert isinstance(letter, Letter)

    assert recipient_sender(letter, about) == sender


@pytest.mark.parametrize(
    ("headers", "about", "why"),
    [
        ({"ticket": TICKET}, None, "there is no submission"),
        ({"ticket": TICKET, "environment": "R"}, ABOUT, "117"),
        ({"ticket": TICKET, "environment": "T", "sender": "654321"}, ABOUT, "108"),
    ],
)
def test_an_answer_fits_what_it_answers(headers: dict[str, Any], about: About | None, why: str) -> None:
    """A ticket of nobody, of another environment or of another sender is a mistake, and nobody's to get."""
    letter = read_letter(published(**headers))
    assert isinstance(letter, Letter)

    found = recipient_sender(letter, about)

    assert isinstance(found, Unfit)
    assert found.reason.startswith(why)
