"""Ways around the rules of the register, by sequences of acts each of which looks innocent."""

from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from gateway import accounts, parties
from gateway.cli import gateway
from gateway.openings import Channel, Opening, openings_of
from gateway.parties import Sender, SignatureProfile
from gateway.register import credentials, enterprises, persons, roles, technical, withdrawal
from gateway.register.actor import Person, Refusal, Why
from gateway.register.channels import close_channel, open_channel
from gateway.register.choices import Route, choose, recipient_of
from gateway.register.credentials import Shown
from gateway.register.history import changes
from gateway.registrations import ALWAYS, Period
from gateway.site import make_site
from spool.journal import now
from spool.register_tables import register_changes
from tests.authority import Credential
from tests.enterprises_made import APPLICATIONS, HELPDESK, candidate, granted
from tests.market_made import GL, OFFICE, Market

WHY: Final = {"reason": "made for a test"}
KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
INSS: Final = "88070412305"
DAY: Final = 86_400_000_000


def why(result: object) -> Why | None:
    """Of what kind the refusal is; None if it is none."""
    return result.why if isinstance(result, Refusal) else None


def technical_of(market: Market, username: str = "sendpay01") -> str:
    """The sender number of the provider, whose technical user gets the name and the key."""
    granted(technical.name(market.connection, Person(GL), market.provider, username, **WHY))
    granted(credentials.add_key(market.connection, Person(GL), username, KEY, ALWAYS, **WHY))
    return granted(open_channel(market.connection, HELPDESK, market.provider, Opening(Channel.SFTP, "R"), **WHY))


# --- keys and certificates


def test_a_lost_key_is_never_taken_again(market: Market) -> None:
    """Neither by another end nor by being registered anew: who has it now is not known."""
    technical_of(market)
    connection, actor = market.connection, Person(GL)
    granted(technical.report_lost(connection, actor, "sendpay01", **WHY))
    granted(technical.unblock(connection, actor, "sendpay01", **WHY))
    print_ = parties.key_fingerprint(KEY)

    assert Why.CONFLICT is why(credentials.end_key(connection, actor, "sendpay01", print_, now() + DAY, **WHY))
    assert Why.CONFLICT is why(credentials.add_key(connection, actor, "sendpay01", KEY, ALWAYS, **WHY))
    assert Why.CONFLICT is why(credentials.add_key(connection, HELPDESK, "sendpay01", KEY, ALWAYS, **WHY))
    assert accounts.standing(connection, ["sendpay01"], now() + 1)["sendpay01"].keys == ()


def test_an_end_is_not_put_off_by_ending_again(market: Market, signer: Credential) -> None:
    """Of a key or a certificate; another period is given on purpose, by registering it again."""
    number = technical_of(market)
    connection, actor = market.connection, Person(GL)
    print_ = granted(credentials.add_certificate(connection, actor, number, Shown(signer.read(), ALWAYS), **WHY))
    key = parties.key_fingerprint(KEY)
    granted(credentials.end_key(connection, actor, "sendpay01", key, now(), **WHY))
    granted(credentials.end_certificate(connection, actor, number, print_, now(), **WHY))

    assert Why.CONFLICT is why(credentials.end_key(connection, actor, "sendpay01", key, now() + DAY, **WHY))
    assert Why.CONFLICT is why(credentials.end_certificate(connection, actor, number, print_, now() + DAY, **WHY))
    granted(credentials.add_key(connection, actor, "sendpay01", KEY, ALWAYS, **WHY))


# --- technical users that an operator registers


def test_an_operators_user_of_a_quality_is_the_qualitys(market: Market) -> None:
    """Its GL blocks it, and with the quality it is closed; whichever of sender and quality was there first."""
    connection = market.connection
    number = technical_of(market)
    parties.add_user(connection, number, "payroll01", [KEY])
    entry = Sender("300001", SignatureProfile.DETACHED, "R", ("*",), active=True)
    parties.add_sender(connection, entry)
    parties.add_user(connection, "300001", "payroll02", [KEY])

    assert not isinstance(technical.block(connection, Person(GL), "payroll01", **WHY), Refusal)
    granted(withdrawal.close_quality(connection, HELPDESK, market.provider, **WHY))

    assert set(accounts.standing(connection, ["sendpay01", "payroll01", "payroll02"], now())) == {"payroll02"}


def test_a_sender_may_send_no_more_than_the_gl(market: Market) -> None:
    """Else a GL of one purpose would send all others by the technical user; and what the GL loses, it loses."""
    connection, staff = market.connection, market.first
    number = granted(open_channel(connection, Person(staff.gl), staff.quality, Opening(Channel.SFTP, "R"), **WHY))
    sender = parties.find_sender(connection, number)
    assert sender is not None
    assert APPLICATIONS == sender.purposes

    granted(roles.name_gl(connection, Person(staff.rae), staff.quality, staff.gl, ("DIMN", "portal"), **WHY))

    narrowed = parties.find_sender(connection, number)
    assert narrowed is not None
    assert ("DIMN",) == narrowed.purposes
    assert "sender.narrowed" == next(changes(connection, subjects=[f"sender:{number}"], limit=1)).act


# --- what comes back


def test_nothing_goes_to_a_quality_that_was_closed(market: Market) -> None:
    """A choice of it is as if it were not there, and it cannot be chosen."""
    connection, employer = market.connection, market.first.quality
    granted(market.notify(Period(1, None)))
    route = Route(employer, market.provider, "NOTI", "R", Channel.EBOX, ALWAYS)
    granted(choose(connection, Person(market.first.gl), route, **WHY))
    assert market.provider == recipient_of(connection, employer, "NOTI", "R", now()).quality
    granted(withdrawal.close_quality(connection, HELPDESK, market.provider, **WHY))

    assert employer == recipient_of(connection, employer, "NOTI", "R", now()).quality
    assert Why.CONFLICT is why(choose(connection, Person(market.first.gl), route, **WHY))


def test_a_channel_that_was_closed_is_opened_again(market: Market) -> None:
    """From now on, and not for the time in which it was closed."""
    connection, opening = market.connection, Opening(Channel.SFTP, "R")
    number = granted(open_channel(connection, HELPDESK, market.provider, opening, **WHY))
    closed_at = now() - DAY
    granted(close_channel(connection, HELPDESK, market.provider, opening, closed_at, **WHY))

    granted(open_channel(connection, HELPDESK, market.provider, opening, **WHY))

    assert [True, False, True] == [
        any(at in one.period for one in openings_of(connection, number))
        for at in (closed_at - 1, closed_at + 1, now() + 1)
    ]


def test_an_operator_opens_a_channel_behind_its_end(market: Market) -> None:
    """By `gateway sender add`: no two openings of a channel at a time, nor for a time that is over."""
    connection, opening = market.connection, Opening(Channel.MQ, "R", Period(None, now() + DAY))
    number = granted(open_channel(connection, HELPDESK, market.provider, opening, **WHY))
    sender = parties.find_sender(connection, number)
    assert sender is not None

    parties.add_sender(connection, sender, [Channel.MQ])

    first, second = openings_of(connection, number)
    assert (first.period.end, None) == (second.period.start, second.period.end)


# --- what is in no clear text


def test_an_inss_is_in_no_reason(market: Market) -> None:
    """However it is written; other numbers stay."""
    connection = market.connection
    for text in (f"asked by {INSS}", "asked by 88.07.04-123.05, ticket 12345678901", "for 88 07 04 123 05"):
        granted(
            enterprises.register_enterprise(connection, HELPDESK, OFFICE, f"Kantoor {text[:9]}{len(text)}", reason=text)
        )
    told = " ".join(str(row) for row in connection.execute(sa.select(register_changes.c.reason)))

    assert not any(part in told for part in (INSS, "123.05", "123 05"))
    assert "ticket 12345678901" in told


def test_no_user_name_is_an_inss(market: Market) -> None:
    """It would stand in every log and history."""
    connection = market.connection
    added = roles.add_user(connection, HELPDESK, market.first.quality, candidate(INSS), (), **WHY)

    assert Why.INVALID is why(added)
    assert Why.INVALID is why(technical.name(connection, HELPDESK, market.provider, INSS, **WHY))
    assert isinstance(added, Refusal)
    assert INSS not in added.words


# --- roles and accounts


def test_nobody_gets_around_a_block(market: Market) -> None:
    """Neither the blocked himself by any act, nor somebody below who blocked him."""
    connection, staff = market.connection, market.first
    granted(withdrawal.block(connection, Person(staff.rae), staff.gl, **WHY))
    for act in (withdrawal.unblock, withdrawal.report_lost, withdrawal.delete):
        assert isinstance(act(connection, Person(staff.gl), staff.gl, **WHY), Refusal)
        assert isinstance(act(connection, Person(staff.co_gl), staff.gl, **WHY), Refusal)
    assert isinstance(roles.delete_co_gl(connection, Person(staff.co_gl), staff.quality, staff.gl, **WHY), Refusal)
    assert isinstance(
        roles.add_user(connection, Person(staff.co_gl), staff.quality, staff.gl, ("DIMN",), **WHY), Refusal
    )
    assert isinstance(
        persons.edit(connection, Person(staff.gl), staff.gl, persons.Edits(language="nl"), **WHY), Refusal
    )


def test_names_that_were_somebodys_are_nobody_elses(market: Market) -> None:
    """A deleted person's is not a technical user's, nor the other way round, nor a person's elsewhere."""
    connection, staff, other = market.connection, market.first, market.second
    granted(withdrawal.delete(connection, Person(staff.gl), staff.user, **WHY))
    granted(technical.name(connection, Person(GL), market.provider, "sendpay01", **WHY))
    granted(technical.delete(connection, Person(GL), "sendpay01", **WHY))

    assert Why.CONFLICT is why(technical.name(connection, Person(GL), market.provider, staff.user, **WHY))
    assert Why.CONFLICT is why(technical.name(connection, Person(GL), market.provider, "sendpay01", **WHY))
    for name in (staff.user, "sendpay01"):
        given = roles.add_user(connection, Person(other.gl), other.quality, candidate(name), (), **WHY)
        assert Why.CONFLICT is why(given)
    assert Why.UNKNOWN is why(roles.add_user(connection, Person(other.gl), other.quality, staff.user, (), **WHY))
    number = granted(open_channel(connection, HELPDESK, market.rival, Opening(Channel.SFTP, "R"), **WHY))
    with pytest.raises(ValueError, match="taken"):
        parties.add_user(connection, number, staff.user, [])
    with pytest.raises(ValueError, match="another sender"):
        parties.add_user(connection, number, "sendpay01", [])


def test_a_deleted_technical_user_is_not_revived_by_an_operators_command(market: Market) -> None:
    """Neither its keys nor its state."""
    number = technical_of(market)
    granted(technical.delete(market.connection, Person(GL), "sendpay01", **WHY))

    with pytest.raises(ValueError, match="deleted"):
        parties.add_user(market.connection, number, "sendpay01", [KEY])


# --- by hand


def typed(site: Path, *words: str) -> Result:
    """What ``gateway`` answers."""
    return CliRunner(env={"GATEWAY_CONFIG": str(site)}).invoke(gateway, words)


def test_a_sender_stays_with_its_quality(tmp_path: Path) -> None:
    """Else the GL of the one would send in the name of the other."""
    site = make_site(tmp_path / "site")
    for number in ("0400000185", "0400000086"):
        assert 0 == typed(site, "party", "enterprise", "add", number, "Invented", "--reason", "x").exit_code
        done = typed(site, "party", "quality", "activate", number, "provider-legal", "--reason", "x")
        assert 0 == done.exit_code, done.output
    assert 0 == typed(site, "sender", "add", "200001", "--user", "payroll01", "--quality", "1").exit_code

    moved = typed(site, "sender", "add", "200001", "--user", "payroll01", "--quality", "2")

    assert (1, True) == (moved.exit_code, "stays with its quality" in moved.output)
    assert "payroll01" in typed(site, "party", "enterprise", "show", "0400000185").output


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+1400", "9999-12-31T23:59:59-1400"])
def test_a_moment_that_cannot_be_told_is_not_taken(tmp_path: Path, moment: str) -> None:
    """A list of mandates that fails would be the other side's trouble too."""
    site = make_site(tmp_path / "site")
    for number, kind, rest in (("0400000185", "employer", ["100006"]), ("0400000086", "provider-legal", [])):
        typed(site, "party", "enterprise", "add", number, "Invented", "--reason", "x")
        assert 0 == typed(site, "party", "quality", "activate", number, kind, *rest, "--reason", "x").exit_code
    option = "--from" if moment.startswith("0") else "--to"

    given = typed(site, "mandate", "notify", "1", "2", option, moment, "--reason", "x")
    listed = typed(site, "mandate", "list", "1")

    assert (2, 0) == (given.exit_code, listed.exit_code), listed.output
