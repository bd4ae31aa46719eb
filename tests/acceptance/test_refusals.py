"""Every refusal has its code, in a signed acknowledgement, and nothing refused reaches the queue."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.parties import SignatureProfile
from tests.answers import fetch, listing
from tests.authority import Credential, Pki
from tests.gateway_process import SENDER, GatewayProcess, Site, make_test_site, running, three_forms, today


@pytest.fixture(scope="module")
def busy(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential
) -> Iterator[tuple[Site, GatewayProcess]]:
    """One gateway for all refusals; incomplete sets are given up after a moment."""
    site = make_test_site(tmp_path_factory.mktemp("refusals"), pki, signer)
    site.configure("parts_grace_seconds = 60.0", "parts_grace_seconds = 0.2", section="intake")
    with running(site) as process:
        yield site, process


class Refusal(NamedTuple):
    """A set that is refused: the stem of its name with ``{}`` for the day, where it goes, and the codes."""

    stem: str
    codes: tuple[str, ...]
    inbox: str = "IN"
    data: bytes | None = None
    leave_out: tuple[str, ...] = ()


_GOOD = three_forms()

REFUSALS = {
    "another sender's number": Refusal("DIMN.111111.{}.00010.R", ("ACRF-108",)),
    "production in INTEST": Refusal("DIMN.123456.{}.00011.R", ("ACRF-118",), "INTEST"),
    "test in IN": Refusal("DIMN.123456.{}.00012.T", ("ACRF-119",)),
    "simulation in IN": Refusal("DIMN.123456.{}.00013.S", ("ACRF-257",)),
    "an unknown environment": Refusal("DIMN.123456.{}.00014.X", ("ACRF-117",)),
    "a purpose that only the network sends": Refusal("DMNO.123456.{}.00015.R", ("ACRF-154",)),
    "a day in the future": Refusal("DIMN.123456.29990101.00016.R", ("ACRF-111",)),
    "a day long past": Refusal("DIMN.123456.20000101.00017.R", ("ACRF-126",)),
    "no calendar day": Refusal("DIMN.123456.20260230.00018.R", ("ACRF-110",)),
    "sequence zero": Refusal("DIMN.123456.{}.00000.R", ("ACRF-127",)),
    "several faults of a name at once": Refusal("DIMN.123456.20260230.000.X", ("ACRF-110", "ACRF-112", "ACRF-117")),
    "no FI": Refusal("DIMN.123456.{}.00020.R", ("ACRF-120",), leave_out=("FI",)),
    "no FS": Refusal("DIMN.123456.{}.00021.R", ("ACRF-122",), leave_out=("FS",)),
    "a GO alone": Refusal("DIMN.123456.{}.00022.R", ("ACRF-120", "ACRF-122"), leave_out=("FI", "FS")),
    "no data at all": Refusal("DIMN.123456.{}.00030.R", ("ACRF-134",), data=b""),
    "broken XML": Refusal("DIMN.123456.{}.00031.R", ("ACRF-102",), data=_GOOD[:600]),
    "a document type": Refusal(
        "DIMN.123456.{}.00032.R", ("ACRF-102",), data=b"<!DOCTYPE x [<!ENTITY a 'a'>]><x>&a;</x>"
    ),
    "an unknown root": Refusal(
        "DIMN.123456.{}.00033.R",
        ("ACRF-089",),
        data=_GOOD.replace(b"<Dimona ", b"<Demona ").replace(b"</Dimona>", b"</Demona>"),
    ),
    "an unknown version": Refusal("DIMN.123456.{}.00034.R", ("ACRF-088",), data=_GOOD.replace(b"20231", b"19991")),
    "no schema named": Refusal("DIMN.123456.{}.00035.R", ("ACRF-136",), data=b"<Dimona><Form/></Dimona>"),
    "another encoding": Refusal("DIMN.123456.{}.00036.R", ("ACRF-138",), data=_GOOD.decode().encode("utf-16")),
    "another kind of form": Refusal(
        "DIMN.123456.{}.00037.R", ("ACRF-158",), data=_GOOD.replace(b">DIMONA<", b">DMFA<")
    ),
    "an invalid value": Refusal("DIMN.123456.{}.00038.R", ("ACRF-255",), data=_GOOD.replace(b">SU<", b">XX<")),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_what_is_wrong_is_answered_with_its_code(busy: tuple[Site, GatewayProcess], refusal: Refusal) -> None:
    """One negative acknowledgement with just these codes, and nothing on the queue."""
    site, gateway = busy
    before = listing(site, f"OUT{refusal.inbox[2:]}")
    names = site.write_set(refusal.stem.format(today()), refusal.data)
    kept = [name for name in names if not name.startswith(refusal.leave_out)]
    assert site.sftp(f"cd {refusal.inbox}", *(f"put {name}" for name in kept)).returncode == 0
    gateway.judged()

    new = sorted(name for name in listing(site, f"OUT{refusal.inbox[2:]}") - before if name[3:7] == "ACRF")
    answer = fetch(site, new[0][3:], f"OUT{refusal.inbox[2:]}")

    assert 3 == len(new)
    assert (names[2], "0", refusal.codes) == (answer.file_name, answer.result, answer.codes)
    assert site.listing("queue", "list") == []


def _refused(busy: tuple[Site, GatewayProcess], stem: str, signer: Credential | None = None) -> list[str]:
    site, gateway = busy
    names = site.write_set(stem, signer=signer)
    site.sftp("cd IN", *(f"put {name}" for name in names))
    return list(gateway.judged()["codes"])


def test_a_revoked_certificate_is_refused(busy: tuple[Site, GatewayProcess], pki: Pki) -> None:
    """A registered certificate that its issuer has revoked signs nothing any more, as soon as the new list is there."""
    site, _ = busy
    revoked = pki.issue("Revoked")
    site.add_sender(SENDER, "payroll01", SignatureProfile.DETACHED, revoked)
    pki.revoke(revoked)
    site.command("authority", "crl", "test", *map(str, pki.crls))

    assert _refused(busy, f"DIMN.{SENDER}.{today()}.00040.R", revoked) == ["ACRF-125"]


def test_a_certificate_of_nobody_accepted_is_refused(busy: tuple[Site, GatewayProcess], tmp_path: Path) -> None:
    """A signature that is good by itself counts for nothing without an accepted authority."""
    stranger = Pki.create(tmp_path / "elsewhere").issue("Stranger")

    assert _refused(busy, f"DIMN.{SENDER}.{today()}.00041.R", stranger) == ["ACRF-125"]


def test_a_good_certificate_of_somebody_else_is_refused(busy: tuple[Site, GatewayProcess], pki: Pki) -> None:
    """A certificate of an accepted authority has to be registered for the sender."""
    assert _refused(busy, f"DIMN.{SENDER}.{today()}.00042.R", pki.issue("Somebody else")) == ["ACRF-153"]


def test_a_changed_file_is_refused(busy: tuple[Site, GatewayProcess]) -> None:
    """One byte is enough."""
    site, gateway = busy
    names = site.write_set(f"DIMN.{SENDER}.{today()}.00043.R")
    (site.work / names[0]).write_bytes(_GOOD + b" ")
    site.sftp("cd IN", *(f"put {name}" for name in names))

    assert gateway.judged()["codes"] == ["ACRF-125"]


def test_an_accepted_name_is_used_up(busy: tuple[Site, GatewayProcess]) -> None:
    """The same name with other content is refused, and the first submission stays what it is."""
    site, gateway = busy
    stem = f"DIMN.{SENDER}.{today()}.00044.R"
    names = site.write_set(stem)
    site.sftp("cd IN", *(f"put {name}" for name in names))
    first = gateway.judged()
    names = site.write_set(stem, data=_GOOD.replace(b"</Dimona>", b"<!-- again --></Dimona>"))
    site.sftp("cd IN", *(f"put {name}" for name in names))
    second = gateway.judged()
    site.listing("queue", "take", "--count", "10")

    assert (first["verdict"], second["codes"]) == ("accepted", ["ACRF-133"])


def test_a_file_of_no_set_is_answered_at_once(busy: tuple[Site, GatewayProcess]) -> None:
    """A name with a prefix that does not exist can wait for nothing: it is answered under its own name."""
    site, gateway = busy
    (site.work / "report.xml").write_bytes(b"<report/>")
    before = listing(site, "OUT")
    site.sftp("cd IN", "put report.xml")
    gateway.judged()

    answer = fetch(site, min(listing(site, "OUT") - before)[3:])

    assert (answer.file_name, answer.codes) == ("report.xml", ("ACRF-129",))


def test_td_withdraws_a_set_that_waits(busy: tuple[Site, GatewayProcess]) -> None:
    """TD in the place of GO ends a set without its being processed."""
    site, gateway = busy
    stem = f"DIMN.{SENDER}.{today()}.00045.R"
    names = site.write_set(stem)
    (site.work / f"TD.{stem}.1").touch()
    site.sftp("cd IN", f"put {names[0]}", f"put {names[1]}", f"put TD.{stem}.1")

    assert gateway.judged()["codes"] == ["ACRF-277"]


def test_td_after_the_verdict_comes_too_late(busy: tuple[Site, GatewayProcess]) -> None:
    """What was accepted stays accepted."""
    site, gateway = busy
    stem = f"DIMN.{SENDER}.{today()}.00046.R"
    names = site.write_set(stem)
    (site.work / f"TD.{stem}.1").touch()
    site.sftp("cd IN", *(f"put {name}" for name in names))
    first = gateway.judged()
    site.sftp("cd IN", f"put TD.{stem}.1")
    second = gateway.judged()
    site.listing("queue", "take", "--count", "10")

    assert (first["verdict"], second["codes"]) == ("accepted", ["ACRF-133"])


def test_a_blocked_sender_is_out(busy: tuple[Site, GatewayProcess]) -> None:
    """Blocking takes effect at the next log-in, unblocking too."""
    site, _ = busy
    site.add_sender("222222", "payroll22", SignatureProfile.DETACHED, site.signer)
    site.command("sender", "block", "222222")
    blocked = site.sftp("ls", user="payroll22").returncode
    site.command("sender", "unblock", "222222")
    unblocked = site.sftp("ls", user="payroll22").returncode

    assert (blocked, unblocked) == (255, 0)
