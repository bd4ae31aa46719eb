"""XAdES as signxml writes it unless told otherwise: document, properties and KeyInfo signed, sent by a real sftp."""

import pytest
from lxml import etree
from signxml.algorithms import SignatureConstructionMethod
from signxml.xades.xades import XAdESSigner

from gateway.parties import SignatureProfile
from tests.answers import only_answer
from tests.authority import Credential, Pki
from tests.gateway_process import GatewayProcess, Site, three_forms, today

_USER = "payroll02"
_STEM = f"DIMN.654321.{today()}.00001.R"
_FI, _FS, _GO = f"FI.{_STEM}.1.1", f"FS.{_STEM}.1.1", f"GO.{_STEM}.1"


@pytest.fixture
def rsa(pki: Pki) -> Credential:
    """A key for which signxml needs no other algorithm than its own choice."""
    return pki.issue("Signs with XAdES", key="rsa-2048")


def sign(signer: Credential, method: SignatureConstructionMethod, uri: str | None = None) -> bytes:
    """Three declarations with a signature inside, or the signature alone if it names a file."""
    signed = XAdESSigner(method=method).sign(
        etree.fromstring(three_forms()), key=signer.key.read_bytes(), cert=[signer.read()], reference_uri=uri
    )
    references = signed.iterfind(".//{http://www.w3.org/2000/09/xmldsig#}Reference")
    assert 3 == len(list(references))
    return etree.tostring(signed, xml_declaration=True, encoding="UTF-8")


def judge(site: Site, gateway: GatewayProcess, files: dict[str, bytes]) -> tuple[str, tuple[str, ...], list[str]]:
    """Upload the files: result and codes of the answer, and the declarations on the queue."""
    for name, content in files.items():
        (site.work / name).write_bytes(content)
    assert 0 == site.sftp("cd IN", *(f"put {name}" for name in files), user=_USER).returncode
    gateway.wait_for("submission.closed")
    answer = only_answer(site, user=_USER)
    return answer.result, answer.codes, [each["body"] for each in site.listing("queue", "take", "--count", "10")]


def test_xades_inside_the_fi(site: Site, gateway: GatewayProcess, rsa: Credential) -> None:
    """A sender who signs inside the FI is answered positively, and the declarations go on without the signature."""
    site.add_sender("654321", _USER, SignatureProfile.ENVELOPED, rsa)
    signed = sign(rsa, SignatureConstructionMethod.enveloped)

    result, codes, bodies = judge(site, gateway, {_FI: signed, _GO: b""})

    assert ("1", ()) == (result, codes)
    assert 3 == len(bodies)
    assert not any("Signature" in body for body in bodies)


def test_xades_in_fs(site: Site, gateway: GatewayProcess, rsa: Credential) -> None:
    """A sender who signs in FS, naming the FI, is answered positively."""
    site.add_sender("654321", _USER, SignatureProfile.DETACHED, rsa)
    signature = sign(rsa, SignatureConstructionMethod.detached, _FI)

    result, codes, bodies = judge(site, gateway, {_FI: three_forms(), _FS: signature, _GO: b""})

    assert ("1", ()) == (result, codes)
    assert 3 == len(bodies)
