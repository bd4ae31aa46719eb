"""``gateway check`` examines signatures, asks authorities where it is given some, and finds repeats in a lot."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests import signers
from tests.authority import Credential, Pki
from tests.checking import DAY, FORM, INVALID, STEM, TODAY, VALID, checked, lay, lay_signed, run_check
from tests.stages.dimona import document

NEXT = f"DIMN.123456.{DAY}.00002.R"


# ---------------------------------------------------------------- signatures


def test_a_signer_is_told_by_fingerprint_and_end_alone(tmp_path: Path, signer: Credential) -> None:
    """Never by a subject, which may be a person."""
    folder = lay_signed(tmp_path, signer)

    found = checked(folder)

    end = signer.read().not_valid_after_utc.isoformat()
    assert {"format", "fingerprint", "not_after", "trust"} == set(found.only["signature"])
    assert ("cms", end, "not-asked") == tuple(found.only["signature"][key] for key in ("format", "not_after", "trust"))
    assert "Payroll" not in found.output + run_check(folder).output


def test_a_signature_over_other_bytes_is_refused_and_the_content_judged(tmp_path: Path, signer: Credential) -> None:
    """All that is wrong is told at once."""
    folder = lay_signed(tmp_path, signer)
    (folder / f"FI.{STEM}.1.1").write_bytes(INVALID)

    assert ["125", "255"] == checked(folder).codes


@pytest.mark.parametrize("content", [b"", b"no signature", b"TUlN", b"<a", b"x" * (1 << 20) + b"x"], ids=len)
def test_what_is_no_signature_is_refused(content: bytes, tmp_path: Path) -> None:
    """Whatever FS holds."""
    assert ["125"] == checked(lay(tmp_path, FS=content, GO=b"")).codes


def test_an_xml_signature_beside_the_file_is_examined(tmp_path: Path, signer: Credential) -> None:
    """As a CMS one is."""
    signature = signers.detached(VALID, f"FI.{STEM}.1.1", signer)

    found = checked(lay(tmp_path, FS=signature, GO=b""))

    assert (0, "xml") == (found.status, found.only["signature"]["format"])


def test_a_signature_inside_is_examined_when_that_is_said(tmp_path: Path, signer: Credential) -> None:
    """What was signed is judged: without the option, the signature is a block that is no form."""
    folder = lay(tmp_path, data=signers.enveloped(VALID, signer), GO=b"")

    assert (0, [], "xml") == (
        (found := checked("--enveloped", folder)).status,
        found.rules,
        found.only["signature"]["format"],
    )
    assert ["205"] == checked(folder / f"FI.{STEM}.1.1").codes


def test_a_document_without_the_signature_inside_that_was_said_is_refused(tmp_path: Path) -> None:
    """Nothing says what of it would have been signed, so its content is left alone."""
    assert ["125"] == checked("--enveloped", lay(tmp_path, data=INVALID, GO=b"")).codes


def test_accepted_authorities_judge_the_signer(tmp_path: Path, pki: Pki, signer: Credential) -> None:
    """With ``--authorities`` the path is verified as well."""
    folder = lay_signed(tmp_path / "set", signer)
    pki.install(tmp_path / "authorities", "test")

    found = checked("--authorities", tmp_path / "authorities", folder)

    assert (0, "accepted") == (found.status, found.only["signature"]["trust"])


def test_a_signer_of_nobody_that_is_accepted_is_refused(tmp_path: Path, pki: Pki) -> None:
    """The mathematics hold, and still."""
    pki.install(tmp_path / "authorities", "test")
    stranger = Pki.create(tmp_path / "stranger", "Stranger").issue("Payroll")
    folder = lay_signed(tmp_path / "set", stranger)

    found = checked("--authorities", tmp_path / "authorities", folder)

    assert ["125"] == found.codes
    assert "not-accepted" in found.only["findings"][0]["detail"]
    assert 0 == checked(folder).status


def test_that_a_revocation_is_unknown_is_told_as_such(tmp_path: Path) -> None:
    """A gateway would wait for a fresh list; that is neither yes nor no."""
    pki = Pki.create(tmp_path / "pki")
    folder = lay_signed(tmp_path / "set", pki.issue("Payroll"))
    pki.write_crls(this_update=TODAY - timedelta(days=9), next_update=TODAY - timedelta(days=2))
    pki.install(tmp_path / "authorities", "test")

    found = checked("--authorities", tmp_path / "authorities", folder)

    assert (0, ["revocation-unknown"]) == (found.status, found.rules)
    assert "unknown" == found.only["signature"]["trust"]


def test_a_certificate_that_has_expired_is_warned_of(tmp_path: Path, pki: Pki) -> None:
    """Whether that refuses the file is judged along with its authority."""
    expired = pki.issue("Payroll", not_before=TODAY - timedelta(days=9), not_after=TODAY - timedelta(days=2))
    folder = lay_signed(tmp_path / "set", expired)
    pki.install(tmp_path / "authorities", "test")

    assert ["signer-not-valid"] == checked(folder).rules
    assert ["125"] == checked("--authorities", tmp_path / "authorities", folder).codes


# ---------------------------------------------------------------- repeats


def test_a_name_that_was_accepted_is_used_up(tmp_path: Path) -> None:
    """The same bytes again get a warning, other bytes a refusal."""
    first = lay(tmp_path / "a") / f"FI.{STEM}.1.1"
    again = lay(tmp_path / "b") / f"FI.{STEM}.1.1"
    other = lay(tmp_path / "c", data=document(FORM)) / f"FI.{STEM}.1.1"

    lines = [json.loads(line) for line in checked(first, again, other).output.splitlines()]

    assert [[], ["same-name"], ["already-sent"]] == [[each["rule"] for each in line["findings"]] for line in lines]
    assert [True, True, False] == [line["accepted"] for line in lines]


def test_a_name_that_was_refused_is_free(tmp_path: Path) -> None:
    """As it is at the gateway."""
    refused = lay(tmp_path / "a", data=INVALID) / f"FI.{STEM}.1.1"
    corrected = lay(tmp_path / "b") / f"FI.{STEM}.1.1"

    lines = [json.loads(line) for line in checked(refused, corrected).output.splitlines()]

    assert [False, True] == [line["accepted"] for line in lines]


@pytest.mark.parametrize(("stem", "rules"), [(NEXT, ["same-content"]), (f"{NEXT[:-1]}T", [])])
def test_the_same_content_under_another_name_is_warned_of(stem: str, rules: list[str], tmp_path: Path) -> None:
    """A test run before the real one is no mistake."""
    lay(tmp_path, GO=b"", FS=b"")
    lay(tmp_path, stem, GO=b"", FS=b"")

    report = checked(tmp_path / f"FI.{STEM}.1.1", tmp_path / f"FI.{stem}.1.1").reports[f"FI.{stem}.1.1"]

    assert rules == [finding["rule"] for finding in report["findings"]]
    assert report["accepted"]
