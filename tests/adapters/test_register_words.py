"""What a listing of the register says is what its reader goes by: whose a sender is, and when something ends."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import gateway
from gateway.openings import Channel
from gateway.register.actor import Person, Refusal
from gateway.register.choices import Route, choose
from gateway.registrations import ALWAYS
from gateway.site import make_site
from tests.authority import Credential
from tests.market_made import Market


def test_what_is_listed_of_a_sender(tmp_path: Path, signer: Credential) -> None:
    """For whom it may send; and the days that its certificate is still registered for, if these end first."""
    make_site(tmp_path / "site")
    runner = CliRunner(env={"GATEWAY_CONFIG": str(tmp_path / "site" / "gateway.toml")})
    pem = str(signer.certificate)
    end = (datetime.now(UTC) + timedelta(days=9, hours=1)).isoformat(timespec="seconds")
    sender = ["sender", "add", "123456", "--user", "payroll01", "--any-employer", "--certificate", pem]
    words = ["sender", "certificate", "add", "123456", pem, "--to", end]
    done = [runner.invoke(gateway, line).exit_code for line in (sender, words)]
    table = runner.invoke(gateway, ["sender", "list"]).stdout
    [row] = json.loads(runner.invoke(gateway, ["sender", "certificate", "list", "123456", "--json"]).stdout)

    assert [0, 0] == done
    assert {"quality", "any", "employer"} <= set(table.splitlines()[0].split())
    assert 9 == row["days_left"]


@pytest.mark.parametrize(("purpose", "words"), [("QUATSCH", "code of a type"), ("NOTI", "has no mandate from")])
def test_a_choice_is_refused_for_one_reason(market: Market, purpose: str, words: str) -> None:
    """It says which of what was given is wrong, not all that could be."""
    route = Route(market.first.quality, market.provider, purpose, "R", Channel.EBOX, ALWAYS)
    refused = choose(market.connection, Person(market.first.gl), route, reason="test")

    assert isinstance(refused, Refusal)
    assert words in refused.words
