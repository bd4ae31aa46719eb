"""No input ends the service: after each of these an ordinary file is accepted as before."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from spool.intake import Intake, IntakeLimits
from spool.mailbox import Mailbox
from tests.answers import listing
from tests.authority import Credential, Pki
from tests.gateway_process import SENDER, USER, GatewayProcess, Site, make_test_site, running, today

_GOOD = itertools.count(1)
_STEM = f"DIMN.{SENDER}.{today()}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential) -> Site:
    """One site for every bad input, with names of its own for each."""
    return make_test_site(tmp_path_factory.mktemp("bad"), pki, signer)


@pytest.fixture(scope="module")
def gateway(site: Site) -> Iterator[GatewayProcess]:
    """The gateway that has to bear all of them."""
    with running(site) as process:
        yield process


def submit(site: Site, stem: str, data: bytes | None = None, signature: bytes | None = None) -> None:
    """Upload a set, whatever is in it."""
    names = site.write_set(stem, data)
    if signature is not None:
        (site.work / names[1]).write_bytes(signature)
    assert site.sftp("cd IN", *(f"put {name}" for name in names)).returncode == 0


def assert_alive(site: Site, gateway: GatewayProcess) -> None:
    """The same process accepts a good file."""
    submit(site, f"{_STEM}.A{next(_GOOD):04}.R")
    assert "accepted" == gateway.judged()["verdict"]
    assert gateway.process.poll() is None


def test_empty_files(site: Site, gateway: GatewayProcess) -> None:
    """An empty FI is refused for having no data, an empty FS for being no signature."""
    submit(site, f"{_STEM}.00001.R", data=b"")
    empty_data = gateway.judged()["codes"]
    submit(site, f"{_STEM}.00002.R", signature=b"")
    empty_signature = gateway.judged()["codes"]

    assert (empty_data, empty_signature) == (["ACRF-134"], ["ACRF-125"])
    assert_alive(site, gateway)


def test_a_signature_of_any_bytes(site: Site, gateway: GatewayProcess) -> None:
    """Noise, armour without content, XML that is no signature, a megabyte of base64: each is refused with 125."""
    for number, noise in enumerate((b"\x00\xff" * 500, b"-----BEGIN PKCS7-----", b"<a/>", b"MIIB" * 250_000)):
        submit(site, f"{_STEM}.1000{number}.R", signature=noise)
        assert gateway.judged()["codes"] == ["ACRF-125"]
    assert_alive(site, gateway)


def test_a_file_over_the_limit_is_refused_while_it_comes(site: Site, gateway: GatewayProcess) -> None:
    """100 MB of spaces do not get past 35 MB, and leave nothing behind."""
    (site.work / "spaces").write_bytes(b" " * 100_000_000)
    done = site.sftp(f"put spaces /IN/FI.{_STEM}.00001.R.1.1")

    assert done.returncode != 0
    assert set() == listing(site, "IN")
    assert site.spool("incoming/*/*/.uploads/*") == []
    assert_alive(site, gateway)


def test_100_megabytes_of_spaces_where_so_much_is_allowed(tmp_path: Path, pki: Pki, signer: Credential) -> None:
    """They are read in a limited worker and refused."""
    site = make_test_site(tmp_path, pki, signer)
    site.configure("max_file_bytes = 36700160", "max_file_bytes = 200000000")
    with running(site) as gateway:
        submit(site, f"{_STEM}.00001.R", data=b" " * 100_000_000)
        codes = gateway.judged()["codes"]

        assert codes == ["ACRF-134"]
        assert_alive(site, gateway)


def test_a_document_type_is_never_read(site: Site, gateway: GatewayProcess) -> None:
    """Neither entities that multiply nor those that name files get further than the first line."""
    bomb = "<!DOCTYPE b [<!ENTITY a 'ha'>" + "".join(f"<!ENTITY a{n} '&a{n - 1};&a{n - 1};'>" for n in range(1, 30))
    outside = "<!DOCTYPE b [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><b>&a;</b>"
    for number, text in enumerate((bomb + "]><b>&a29;</b>", outside)):
        submit(site, f"{_STEM}.2000{number}.R", data=text.encode())
        assert gateway.judged()["codes"] == ["ACRF-102"]
    assert_alive(site, gateway)


def _leave_many(site: Site, count: int) -> None:
    """What a sender has uploaded to a gateway before this one: as the door does it, without the door's time for it."""
    settings = site.settings
    bounds = IntakeLimits(settings.intake.max_file_bytes, count, 0)
    intake, inbox = Intake(settings.spool.path / "incoming", bounds), Mailbox(SENDER, "IN")
    intake.recover()
    for number in range(count):
        upload = intake.begin(inbox, f"FI.{_STEM}.{number:05d}.R.1.1")
        upload.write(0, b"x")
        intake.finish(upload)


async def _put_many(site: Site, numbers: range) -> int:
    options = {"known_hosts": None, "client_keys": [str(site.work / "id_ed25519")], "username": USER}
    async with (
        asyncssh.connect("127.0.0.1", site.port, **options) as connection,
        connection.start_sftp_client() as sftp,
    ):
        for number in numbers:
            async with sftp.open(f"/IN/FI.{_STEM}.{number:05d}.R.1.1", "wb") as file:
                await file.write(b"x")
        return len(await sftp.listdir("/IN"))


@pytest.mark.timeout(400)
async def test_ten_thousand_files_in_in(tmp_path: Path, pki: Pki, signer: Credential) -> None:
    """They are taken, listed and swept past, also by a gateway that starts; an ordinary file is accepted among them."""
    site = make_test_site(tmp_path, pki, signer)
    _leave_many(site, 9_500)
    with running(site) as gateway:
        count = await _put_many(site, range(9_500, 10_000))

        assert 10_000 == count
        assert_alive(site, gateway)
