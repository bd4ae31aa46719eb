"""Who exchanged data about a person, from the file that a sender put to the answer that the privacy officer gets."""

import sqlite3

from tests.gateway_process import SENDER, GatewayProcess, Site, today

_INSS = "88070412305"


def test_what_was_sent_about_a_person_is_found_by_the_number(site: Site, gateway: GatewayProcess) -> None:
    """Every form of an accepted file that names the person, with where it went; none of a file that was refused.

    The journal has no number, the spool no marks any more, and the history every question.
    """
    stem = f"DIMN.{SENDER}.{today()}.00001.R"
    for name, signer in (("00001", None), ("00002", site.pki.issue("Somebody else"))):
        names = site.write_set(stem.replace("00001", name), signer=signer)
        assert site.sftp("cd IN", *(f"put {each}" for each in names)).returncode == 0
        judged = gateway.judged()
        if signer is None:
            ticket = judged["ticket"]
            gateway.wait_for("submission.closed")

    asked = site.command("disclosures", "--reason", "asked by letter", "--inss", _INSS, "--json")
    assert asked.returncode == 0, asked.stderr
    found = site.listing("disclosures", "--reason", "asked again", "--inss", _INSS)

    assert found
    assert {(SENDER, "DIMN", "R", ticket, "declarations R.DIMN.DIMONA", "done")} == {
        tuple(each[name] for name in ("sent_by", "message_type", "environment", "ticket", "forwarded_to", "state"))
        for each in found
    }
    assert [] == site.spool("declarations/*")
    journal = sqlite3.connect(site.settings.journal.path)
    told = journal.execute("SELECT reason FROM register_changes WHERE act = 'disclosures.asked'").fetchall()
    assert [("asked by letter",), ("asked again",)] == told
    assert not any(
        _INSS in line for line in journal.iterdump() if 'INTO "disclosures"' in line or "register_changes" in line
    )
    journal.close()
