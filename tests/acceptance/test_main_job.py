"""The main job: a signed Dimona goes in, one signed acknowledgement comes out, its declarations are on the queue."""

import hashlib
import itertools
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import paramiko
import pytest
from lxml import etree
from signxml import methods
from signxml.signer import XMLSigner

import schemas
from gateway.parties import SignatureProfile
from signing.trust import authorities
from tests.answers import fetch, listing, only_answer
from tests.authority import Credential, Pki
from tests.gateway_process import SENDER, USER, GatewayProcess, Site, make_test_site, running, three_forms, today

_NUMBERS = itertools.count(1)
_DIMONA = Path(schemas.__file__).with_name("dimona") / "Dimona_20231.xsd"


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential
) -> Iterator[tuple[Site, GatewayProcess]]:
    """One gateway for all files."""
    site = make_test_site(tmp_path_factory.mktemp("job"), pki, signer)
    with running(site, "gateway") as process:
        yield site, process


@pytest.fixture
def site(shared: tuple[Site, GatewayProcess]) -> Iterator[Site]:
    """Its site; afterwards nothing of the test is left in OUT or on the queue."""
    site, gateway = shared
    yield site
    # The last line of every submission is read, so that the next test waits for none of these.
    for ticket in [row["ticket"] for row in site.listing("submissions")]:
        if ticket not in {line["ticket"] for line in gateway.seen if line["event"] == "submission.closed"}:
            gateway.wait_for("submission.closed", partial(is_of, ticket))
    site.listing("queue", "take", "--count", "100")
    for outbox in ("OUT", "OUTTEST", "OUTTEST-S"):
        if listing(site, outbox):
            assert 0 == site.sftp(f"cd {outbox}", "rm *").returncode


@pytest.fixture
def gateway(shared: tuple[Site, GatewayProcess]) -> GatewayProcess:
    """The process."""
    return shared[1]


def is_of(ticket: str, line: dict[str, Any]) -> bool:
    """Whether a line of the log is about ``ticket``."""
    return bool(line["ticket"] == ticket)


def new_stem(environment: str = "R") -> str:
    """The stem of a name that no other test uses."""
    return f"DIMN.{SENDER}.{today()}.{next(_NUMBERS):05}.{environment}"


def send(site: Site, gateway: GatewayProcess, stem: str, directory: str = "IN") -> str:
    """Write and upload a set of three declarations and wait for its answer; its ticket."""
    names = site.write_set(stem)
    assert site.sftp(f"cd {directory}", *(f"put {name}" for name in names)).returncode == 0
    return str(gateway.judged()["ticket"])


def test_an_accepted_file_is_acknowledged_and_every_declaration_forwarded(site: Site, gateway: GatewayProcess) -> None:
    """The acknowledgement is positive and signed; the queue has each declaration once, each valid by itself."""
    stem = new_stem()
    ticket = send(site, gateway, stem)
    gateway.wait_for("submission.closed")

    answer = only_answer(site)
    messages = site.listing("queue", "take", "--count", "10")

    assert (f"GO.{stem}.1", ticket, "1", ()) == (answer.file_name, answer.ticket, answer.result, answer.codes)
    assert [f"{ticket}-00000{form}" for form in (1, 2, 3)] == [message["message_id"] for message in messages]
    digest = hashlib.sha256(three_forms()).hexdigest()
    schema = etree.XMLSchema(etree.parse(_DIMONA))
    for form, message in enumerate(messages, 1):
        document = etree.fromstring(message["body"].encode())
        schema.assertValid(document)
        assert len(document.findall("Form")) == 1
        assert {
            "exchange": "declarations",
            "routing_key": "R.DIMN.DIMONA",
            "ticket": ticket,
            "form": form,
            "forms": 3,
            "file": f"FI.{stem}.1.1",
            "sender": SENDER,
            "message_type": "DIMN",
            "schema_version": "20231",
            "sha256": digest,
        } == {key: message[key] for key in message if key not in {"message_id", "queued", "bytes", "body"}}
    assert site.listing("queue", "list") == []


@pytest.mark.parametrize(
    ("environment", "inbox", "outbox"), [("T", "INTEST", "OUTTEST"), ("S", "INTEST-S", "OUTTEST-S")]
)
def test_a_test_file_is_answered_in_the_test_directory(
    site: Site, gateway: GatewayProcess, pki: Pki, environment: str, inbox: str, outbox: str
) -> None:
    """Each environment has its directories and its authorities, and the answer's name its letter."""
    pki.install(site.settings.trust.authorities, "rehearsal", "T", "S")
    try:
        send(site, gateway, new_stem(environment), inbox)
    finally:
        authorities.remove(site.settings.trust.authorities, "rehearsal")

    answer = only_answer(site, outbox)
    assert (True, ()) == (answer.stem.endswith(f".{environment}"), answer.codes)
    assert set() == listing(site, "OUT")


def test_a_live_certificate_is_no_good_in_test(site: Site, gateway: GatewayProcess) -> None:
    """Nobody's production signature gets into a rehearsal by mistake, and the reverse."""
    send(site, gateway, new_stem("T"), "INTEST")

    assert ("ACRF-125",) == only_answer(site, "OUTTEST").codes


def test_simulation_needs_no_signature(site: Site, gateway: GatewayProcess) -> None:
    """A set without FS is accepted in environment S."""
    names = site.write_set(new_stem("S"))
    site.sftp("cd INTEST-S", f"put {names[0]}", f"put {names[2]}")

    assert "accepted" == gateway.judged()["verdict"]


def test_an_xml_signature_beside_the_data_is_as_good_as_cms(site: Site, gateway: GatewayProcess) -> None:
    """FS may hold an XML signature whose reference names the FI file."""
    names = site.write_set(new_stem())
    signature = XMLSigner(method=methods.detached, signature_algorithm="ecdsa-sha256").sign(
        three_forms(),
        key=site.signer.key.read_bytes(),
        cert=site.signer.certificate.read_text(),
        reference_uri=names[0],
    )
    (site.work / names[1]).write_bytes(etree.tostring(signature))
    site.sftp("cd IN", *(f"put {name}" for name in names))

    assert "accepted" == gateway.judged()["verdict"]


def test_a_sender_may_sign_inside_the_fi(site: Site, gateway: GatewayProcess, pki: Pki) -> None:
    """With the profile "enveloped" no FS is awaited, and what the signature covers is what is forwarded."""
    signer = pki.issue("Signs inside", key="rsa-2048")
    site.add_sender("654321", "payroll02", SignatureProfile.ENVELOPED, signer)
    stem = f"DIMN.654321.{today()}.00001.R"
    signed = XMLSigner(method=methods.enveloped, c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#").sign(
        etree.fromstring(three_forms()),
        key=signer.key.read_bytes(),
        cert=signer.certificate.read_text(),
    )
    (site.work / f"FI.{stem}.1.1").write_bytes(etree.tostring(signed, xml_declaration=True, encoding="UTF-8"))
    (site.work / f"GO.{stem}.1").touch()
    site.sftp("cd IN", f"put FI.{stem}.1.1", f"put GO.{stem}.1", user="payroll02")
    gateway.wait_for("submission.closed")

    answer = only_answer(site, user="payroll02")
    bodies = [message["body"] for message in site.listing("queue", "take", "--count", "10")]

    assert (answer.result, answer.codes) == ("1", ())
    assert 3 == len(bodies)
    assert not any("Signature" in body for body in bodies)


def test_paramiko_can_do_it_too(site: Site, gateway: GatewayProcess) -> None:
    """Paramiko's put asks for the size of what it wrote, also of a GO whose set is in custody by then."""
    names = site.write_set(new_stem())
    transport = paramiko.Transport(("127.0.0.1", site.port))
    transport.connect(username=USER, pkey=paramiko.Ed25519Key.from_private_key_file(str(site.work / "id_ed25519")))
    client = paramiko.SFTPClient.from_transport(transport)
    assert client is not None
    for name in names:
        client.put(str(site.work / name), f"/IN/{name}.part")
        client.rename(f"/IN/{name}.part", f"/IN/{name}")
    verdict = gateway.judged()
    answer = BytesIO()
    client.getfo(next(f"/OUT/{name}" for name in client.listdir("/OUT") if name.startswith("FO.")), answer)
    client.close()
    transport.close()

    assert "accepted" == verdict["verdict"]
    assert str(verdict["ticket"]).encode() in answer.getvalue()


def test_parts_may_come_in_any_order_and_after_go(site: Site, gateway: GatewayProcess) -> None:
    """GO waits for its parts; the last file to come closes the set, whichever it is."""
    names = site.write_set(new_stem())
    done = site.sftp("cd IN", f"put {names[2]}", f"put {names[1]}", f"put {names[0]}")

    assert 0 == done.returncode
    assert "accepted" == gateway.judged()["verdict"]


def test_two_parts_are_one_submission(site: Site, gateway: GatewayProcess) -> None:
    """A set of two FI and two FS gets one acknowledgement; its declarations are counted through."""
    stem = new_stem()
    for part in ("2.1", "2.2"):
        (site.work / f"FI.{stem}.{part}").write_bytes(three_forms())
        (site.work / f"FS.{stem}.{part}").write_bytes(site.sign(f"FI.{stem}.{part}"))
    (site.work / f"GO.{stem}.2").touch()
    names = [f"{prefix}.{stem}.2.{part}" for part in (1, 2) for prefix in ("FI", "FS")]
    site.sftp("cd IN", *(f"put {name}" for name in names), f"put GO.{stem}.2")
    gateway.wait_for("submission.closed")

    only_answer(site)
    messages = site.listing("queue", "list")

    assert [message["form"] for message in messages] == [1, 2, 3, 4, 5, 6]
    assert [f"FI.{stem}.2.1"] * 3 + [f"FI.{stem}.2.2"] * 3 == [message["file"] for message in messages]


def test_the_same_file_again_gets_the_first_answer_again(site: Site, gateway: GatewayProcess) -> None:
    """The same name with the same bytes is answered with the first acknowledgement, and nothing is forwarded twice."""
    stem = new_stem()
    ticket = send(site, gateway, stem)
    first = only_answer(site)
    site.sftp("cd OUT", "rm *")

    send(site, gateway, stem)

    assert first == only_answer(site)
    assert [f"{ticket}-00000{form}" for form in (1, 2, 3)] == [
        message["message_id"] for message in site.listing("queue", "list")
    ]


def test_a_go_alone_that_comes_again_gets_the_first_answer_again(tmp_path: Path, pki: Pki, signer: Credential) -> None:
    """A sender that never saw our OK may repeat just its GO."""
    site = make_test_site(tmp_path, pki, signer)
    site.configure("parts_grace_seconds = 60.0", "parts_grace_seconds = 0.2", section="intake")
    second = GatewayProcess(site, "gateway").ready()
    names = site.write_set(new_stem())
    site.sftp("cd IN", *(f"put {name}" for name in names))
    second.judged()
    first = only_answer(site)
    site.sftp("cd OUT", "rm *", "cd /IN", f"put {names[2]}")
    verdict = second.judged()
    again = only_answer(site)
    second.stop()

    assert "repeated" == verdict["verdict"]
    assert first == again


def test_a_rejected_name_may_be_used_again(site: Site, gateway: GatewayProcess) -> None:
    """A name is used up by an accepted file only."""
    stem = new_stem()
    names = site.write_set(stem, data=b"<broken")
    site.sftp("cd IN", *(f"put {name}" for name in names))
    rejected = gateway.judged()
    send(site, gateway, stem)

    codes = [fetch(site, name[3:]).codes for name in sorted(listing(site, "OUT")) if name.startswith("GO.")]

    assert "rejected" == rejected["verdict"]
    assert codes == [("ACRF-102",), ()]
