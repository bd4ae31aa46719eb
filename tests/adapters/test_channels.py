"""Channels, sender numbers and choices of what comes back, in a real register."""

from dataclasses import replace
from typing import Any, Final

import pytest

from gateway import accounts, parties
from gateway.openings import Channel, Opening, openings_of
from gateway.parties import Sender, SignatureProfile
from gateway.register import channels, choices, credentials, technical
from gateway.register.actor import Actor, Person, Refusal, Why
from gateway.register.channels import NoNumberLeftError, close_channel, open_channel
from gateway.register.choices import Choice, Recipient, Route, SentBy, choose, end_choice, recipient_of
from gateway.register.credentials import Shown
from gateway.register.history import changes
from gateway.register.mandates import end_mandate
from gateway.registrations import ALWAYS, Period
from spool.journal import Journal
from tests.authority import Credential
from tests.enterprises_made import HELPDESK, granted
from tests.market_made import GL, Market

pytestmark = pytest.mark.every_database

WHY: Final = {"reason": "made for a test"}
KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


def opened(market: Market, quality: int, opening: Opening, actor: Actor = HELPDESK) -> str | Refusal:
    """Open a channel."""
    return open_channel(market.connection, actor, quality, opening, **WHY)


def why(result: object) -> Why | None:
    """Of what kind the refusal is; None if it is none."""
    return result.why if isinstance(result, Refusal) else None


# --- sender numbers


def test_the_first_channel_gives_the_number_and_the_next_keep_it(market: Market) -> None:
    """Another quality gets another number; the technical user that was named before acts for its quality's."""
    granted(technical.name(market.connection, Person(GL), market.provider, "sendpay01", **WHY))
    granted(credentials.add_key(market.connection, Person(GL), "sendpay01", KEY, ALWAYS, **WHY))
    assert accounts.owner(market.connection, "sendpay01") is None
    assert accounts.standing(market.connection, ["sendpay01"], 1) == {}
    first = granted(opened(market, market.provider, Opening(Channel.SFTP, "R"), Person(GL)))
    second = granted(opened(market, market.provider, Opening(Channel.MQ, "T"), Person(GL)))
    other = granted(opened(market, market.rival, Opening(Channel.SFTP, "R")))
    sender = parties.find_sender(market.connection, first)

    assert (first, int(first) + 1) == (second, int(other))
    assert sender is not None
    assert (market.provider, "RT", False, ("sendpay01",)) == (
        *(sender.quality, sender.environments, sender.any_employer, sender.users),
    )
    assert first == accounts.standing(market.connection, ["sendpay01"], 1)["sendpay01"].sender


def test_no_number_is_given_twice(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the highest is used up the lowest that is free is given, and then none; here there are four."""
    monkeypatch.setattr(channels, "LAST", 4)
    for number in ("000001", "000004"):
        parties.add_sender(market.connection, Sender(number, SignatureProfile.DETACHED, "R", (), active=False))
    given = [opened(market, quality, Opening(Channel.SFTP, "R")) for quality in (market.provider, market.rival)]

    assert ["000002", "000003"] == given
    with pytest.raises(NoNumberLeftError):
        opened(market, market.secretariat, Opening(Channel.SFTP, "R"))


# --- when a channel is open


def test_a_channel_is_open_in_its_environment_for_its_time(market: Market) -> None:
    """It may be opened again behind its end, never beside itself."""
    here = Opening(Channel.SFTP, "R", Period(10, 20))
    number = granted(opened(market, market.provider, here))
    rivals = (Period(19, 25), Period(1, None))
    again = [opened(market, market.provider, Opening(Channel.SFTP, "R", each)) for each in rivals]
    granted(opened(market, market.provider, Opening(Channel.SFTP, "R", Period(20, None))))
    granted(close_channel(market.connection, HELPDESK, market.provider, here, 30, **WHY))
    nothing = close_channel(market.connection, HELPDESK, market.provider, here, 30, **WHY)
    asked = [("sftp", "R", at) for at in (9, 10, 19, 20, 29, 30)] + [("sftp", "T", 15), ("mq", "R", 15)]

    assert [Why.CONFLICT] * 2 == [why(each) for each in again]
    assert Why.CONFLICT is why(nothing)
    assert [False, True, True, True, True, False, False, False] == [
        channels.active(market.connection, number, *each) for each in asked
    ]
    assert ["channel.closed", "channel.opened", "channel.opened"] == [
        change.act for change in changes(market.connection, subjects=[f"sender:{number}"])
    ]


def test_what_would_open_after_the_close_never_does(market: Market) -> None:
    """Its period becomes empty; the line stays."""
    later = Opening(Channel.SFTP, "R", Period(50, 60))
    number = granted(opened(market, market.provider, later))
    granted(close_channel(market.connection, HELPDESK, market.provider, later, 40, **WHY))

    assert [Period(50, 50)] == [one.period for one in openings_of(market.connection, number)]


@pytest.mark.parametrize(
    "opening", [Opening(Channel.SFTP, "X"), Opening(Channel.SFTP, ""), Opening(Channel.SFTP, "R", Period(5, 5))]
)
def test_what_is_no_channel_is_not_opened(market: Market, opening: Opening) -> None:
    """Nor does it give a number."""
    assert Why.INVALID is why(opened(market, market.provider, opening))
    assert channels.sender_of(market.connection, market.provider) is None


def test_channels_keys_and_certificates_are_the_qualitys_own(market: Market, signer: Credential) -> None:
    """Its managers' to change; a user of it may not, and to others it is as if there were none."""
    granted(technical.name(market.connection, HELPDESK, market.first.quality, "bakepay01", **WHY))
    number = granted(opened(market, market.first.quality, Opening(Channel.SFTP, "R"), Person(market.first.gl)))
    shown = Shown(signer.read(), ALWAYS)
    asked = {name: Person(name) for name in (market.first.gl, market.first.user, market.second.gl)}
    answers = {
        name: [
            why(opened(market, market.first.quality, Opening(Channel.MQ, "T"), who)),
            why(credentials.add_certificate(market.connection, who, number, shown, **WHY)),
            why(credentials.add_key(market.connection, who, "bakepay01", KEY, ALWAYS, **WHY)),
            why(credentials.end_key(market.connection, who, "bakepay01", "SHA256:", 5, **WHY)),
            why(credentials.end_certificate(market.connection, who, number, "", 5, **WHY)),
        ]
        for name, who in asked.items()
    }
    strangers = credentials.add_key(market.connection, asked[market.second.gl], "nobody001", KEY, ALWAYS, **WHY)

    assert {
        market.first.gl: [None] * 5,
        market.first.user: [Why.NOT_ALLOWED] * 5,
        market.second.gl: [Why.UNKNOWN] * 5,
    } == answers
    assert Refusal(Why.UNKNOWN, "there is no user nobody001") == strangers


def test_who_was_deleted_gets_no_key_and_is_not_let_in_again(market: Market) -> None:
    """By no command: the account is as one that never was."""
    granted(technical.name(market.connection, HELPDESK, market.first.quality, "bakepay01", **WHY))
    granted(technical.delete(market.connection, HELPDESK, "bakepay01", **WHY))

    assert Why.UNKNOWN is why(credentials.add_key(market.connection, HELPDESK, "bakepay01", KEY, ALWAYS, **WHY))
    with pytest.raises(accounts.UnknownUserError):
        accounts.set_active(market.connection, "bakepay01", active=True)


def test_a_persons_name_is_no_technical_users(market: Market) -> None:
    """User names are one name space; and one that waits for the number of its quality is no other sender's."""
    parties.add_sender(market.connection, Sender("900000", SignatureProfile.DETACHED, "R", (), active=True))
    granted(technical.name(market.connection, HELPDESK, market.first.quality, "bakepay01", **WHY))

    for taken in (market.first.gl, "bakepay01"):
        with pytest.raises(ValueError, match=taken):
            parties.add_user(market.connection, "900000", taken, [])


@pytest.mark.parametrize(
    ("environments", "named", "expected"),
    [
        (("R",), None, {"sftp R"}),
        (("R",), [Channel.MQ], {"mq R"}),
        (("R", "RT"), None, {"sftp R", "sftp T"}),
        (("R", "RT"), [Channel.MQ], {"mq R", "mq T"}),
    ],
)
def test_a_sender_registered_by_hand_has_its_channels(
    journal: Journal, environments: tuple[str, ...], named: list[Channel] | None, expected: set[str]
) -> None:
    """In the environments it is given, and in those it is given later, the same."""
    with journal.write() as connection:
        for each in environments:
            sender = Sender("123456", SignatureProfile.DETACHED, each, ("*",), active=True)
            parties.add_sender(connection, sender, named if each == environments[0] else None)
        found = openings_of(connection, "123456")

    assert expected == {f"{one.channel} {one.environment}" for one in found}
    assert len(expected) == len(found)


# --- what comes back


def chosen(market: Market, actor: str = "", **parts: Any) -> Choice | Refusal:
    """What the GL of the first employer chooses: the e-Box of the employer for everything, but for what is given."""
    own = market.first.quality
    route = replace(Route(own, own, "*", "R", Channel.EBOX, Period(10, None)), **parts)
    return choose(market.connection, Person(actor or market.first.gl), route, **WHY)


def test_a_choice_takes_effect_for_its_type_and_time(market: Market) -> None:
    """The newest counts, one for a type before one for all; behind its end the one before counts again."""
    granted(market.notify(Period(10, 50)))
    number = granted(opened(market, market.provider, Opening(Channel.SFTP, "R")))
    granted(chosen(market))
    to_provider = granted(chosen(market, recipient=market.provider, channel=Channel.SFTP, purpose="NOTI"))
    granted(chosen(market, purpose="NOTI", period=Period(20, 30)))
    own, provider = Recipient(market.first.quality, Channel.EBOX, None, True), market.provider
    asked = [("DMPI", 15), ("NOTI", 15), ("NOTI", 25), ("NOTI", 35), ("NOTI", 50), ("NOTI", 5)]
    found = [recipient_of(market.connection, market.first.quality, purpose, "R", at) for purpose, at in asked]
    back = Recipient(provider, Channel.SFTP, number, True)

    # From 50 on the mandate is over, and before 10 nothing was chosen.
    assert [own, back, own, back, own, Recipient(market.first.quality, Channel.EBOX, None)] == found
    granted(end_choice(market.connection, Person(market.first.gl), to_provider.number, 12, **WHY))
    assert own == recipient_of(market.connection, market.first.quality, "NOTI", "R", 15)
    assert Recipient(market.first.quality, Channel.EBOX, None) == recipient_of(
        market.connection, market.first.quality, "NOTI", "T", 15
    )


def test_a_mandate_that_ends_or_a_channel_that_closes_takes_the_choice_along(market: Market) -> None:
    """At once, and not before."""
    mandate = granted(market.notify(Period(10, None)))
    opening = Opening(Channel.SFTP, "R")
    number = granted(opened(market, market.provider, opening))
    granted(chosen(market, recipient=market.provider, channel=Channel.SFTP))
    granted(close_channel(market.connection, HELPDESK, market.provider, opening, 30, **WHY))
    granted(opened(market, market.provider, Opening(Channel.SFTP, "R", Period(40, None))))
    granted(end_mandate(market.connection, HELPDESK, mandate.number, 50, **WHY))
    found = [recipient_of(market.connection, market.first.quality, "NOTI", "R", at) for at in (29, 30, 40, 50)]

    assert [number, None, number, None] == [one.sender for one in found]
    assert [True, False, True, False] == [one.chosen for one in found]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"channel": Channel.SFTP}, Why.CONFLICT),
        ({"channel": Channel.MQ}, Why.CONFLICT),
        ({"recipient": 999}, Why.CONFLICT),
        ({"purpose": "noti"}, Why.INVALID),
        ({"environment": "X"}, Why.INVALID),
        ({"period": Period(10, 10)}, Why.INVALID),
        ({"employer": 999}, Why.UNKNOWN),
    ],
)
def test_a_choice_needs_a_mandate_and_a_channel(market: Market, parts: dict[str, Any], expected: Why) -> None:
    """Its own e-Box everybody has."""
    assert expected is why(chosen(market, **parts))
    assert [] == choices.choices_of(market.connection, market.first.quality)


def test_a_provider_without_a_mandate_then_gets_nothing(market: Market) -> None:
    """Nor one whose mandate begins later, nor with a channel that it has in another environment."""
    granted(market.notify(Period(20, None)))
    granted(opened(market, market.provider, Opening(Channel.SFTP, "T")))
    for_provider: dict[str, Any] = {"recipient": market.provider, "channel": Channel.SFTP}

    assert Why.CONFLICT is why(chosen(market, **for_provider))
    assert Why.CONFLICT is why(chosen(market, period=Period(20, None), **for_provider))
    assert why(chosen(market, period=Period(20, None), environment="T", **for_provider)) is None


def test_only_gl_and_co_gl_choose(market: Market) -> None:
    """As the table has it."""
    answers = {role: why(chosen(market, actor=name)) for role, name in market.first.by_role.items()}
    given = granted(chosen(market))
    strange = end_choice(market.connection, Person(market.second.gl), given.number, 20, **WHY)
    refused = Why.NOT_ALLOWED

    assert {"rae": refused, "co-rae": refused, "gl": None, "co-gl": None, "user": refused} == answers
    assert Why.UNKNOWN is why(chosen(market, actor=market.second.gl))
    assert Refusal(Why.UNKNOWN, f"there is no choice {given.number}") == strange


def test_without_a_choice_it_goes_back_to_who_sent_it(market: Market) -> None:
    """By the channel that was used while it is open, else by another, else to its e-Box; else to the employer."""
    connection, employer = market.connection, market.first.quality
    number = granted(opened(market, market.provider, Opening(Channel.SFTP, "R", Period(0, 20))))
    granted(opened(market, market.provider, Opening(Channel.MQ, "R", Period(0, 30))))
    own = granted(opened(market, employer, Opening(Channel.MQ, "R", Period(0, 20))))
    parties.add_sender(connection, Sender("900000", SignatureProfile.DETACHED, "R", (), active=True))
    found = [
        recipient_of(connection, employer, "NOTI", "R", at, sent_by)
        for at, sent_by in (
            (10, SentBy(number, "mq")),
            (10, SentBy(number, "sftp")),
            (25, SentBy(number, "sftp")),
            (35, SentBy(number, "sftp")),
            (10, SentBy("900000", "mq")),
            (10, None),
            (25, None),
        )
    ]

    assert [
        Recipient(market.provider, Channel.MQ, number),
        Recipient(market.provider, Channel.SFTP, number),
        Recipient(market.provider, Channel.MQ, number),
        Recipient(market.provider, Channel.EBOX, None),
        Recipient(None, Channel.SFTP, "900000"),
        Recipient(employer, Channel.MQ, own),
        Recipient(employer, Channel.EBOX, None),
    ] == found
    with pytest.raises(ValueError, match="nobody"):
        recipient_of(connection, None, "NOTI", "R", 10)
