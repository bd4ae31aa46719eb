"""What changes for senders when the accepted authorities change, and who sees it before."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes

from spool.journal import open_journal
from spool.tables import events
from tests.authority import Credential, Pki
from tests.command_line import done, typed
from tests.eid import issue_eid, national_number
from tests.gateway_process import SENDER, USER, GatewayProcess, Site, today


@contextmanager
def session(site: Site) -> Iterator[paramiko.SFTPClient]:
    """One connection of the sender, open for the time of the block."""
    transport = paramiko.Transport(("127.0.0.1", site.port))
    try:
        transport.connect(username=USER, pkey=paramiko.Ed25519Key.from_private_key_file(str(site.work / "id_ed25519")))
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        yield client
    finally:
        transport.close()


def send(client: paramiko.SFTPClient, site: Site, sequence: str, signer: Credential) -> None:
    """Send a set signed by ``signer``."""
    for name in site.write_set(f"DIMN.{SENDER}.{today()}.{sequence}.R", signer=signer):
        client.put(str(site.work / name), f"/IN/{name}", confirm=False)


def fingerprint(signer: Credential) -> str:
    """What its certificate goes by."""
    return signer.read().fingerprint(hashes.SHA256()).hex()


def words_to_add(name: str, pki: Pki) -> list[str]:
    """The command line that accepts the authority of ``pki``."""
    lists = [word for path in pki.crls for word in ("--crl", str(path))]
    return ["authority", "add", name, "--certificate", str(pki.issuing), "--chain", str(pki.root), *lists]


def test_a_running_gateway_takes_a_change_at_once_and_drops_nobody(
    site: Site, gateway: GatewayProcess, tmp_path: Path
) -> None:
    """Refused, added, accepted, removed, refused: over one connection, that nothing of this ends."""
    other = Pki.create(tmp_path / "other", "Other")
    signer = other.issue("By the other authority")
    done(site, "sender", "certificate", "add", SENDER, str(signer.certificate))
    with session(site) as client:
        send(client, site, "00001", signer)
        before = gateway.judged()["codes"]
        done(site, *words_to_add("other", other))
        send(client, site, "00002", signer)
        added = gateway.judged()["codes"]
        done(site, "authority", "remove", "other")
        send(client, site, "00003", signer)
        removed = gateway.judged()["codes"]
        alive = client.listdir("/OUT")

    assert (["ACRF-125"], [], ["ACRF-125"]) == (before, added, removed)
    assert 9 == len(alive)


def test_a_new_list_is_compared_before_it_is_applied(site: Site, tmp_path: Path, pki: Pki) -> None:
    """Whom it would shut out or let in, for every registration that has not ended; nothing is changed by looking."""
    other = Pki.create(tmp_path / "other", "Other")
    theirs, ended = other.issue("Theirs"), pki.issue("Ended")
    card = issue_eid(pki, "An", national_number("850412", "997"))
    for signer, *words in ((theirs,), (ended, "--to", "2020-01-01"), (card, "--holder")):
        done(site, "sender", "certificate", "add", SENDER, str(signer.certificate), *words)
    other.install(tmp_path / "new", "other")
    listed = done(site, "authority", "list", "--json")
    same = typed(site, "authority", "diff", str(site.settings.trust.authorities), "--json")
    question = ("authority", "diff", str(tmp_path / "new"), "--certificate", str(card.certificate))
    changed, table = typed(site, *question, "--json"), typed(site, *question)
    found, live = json.loads(changed.stdout), {"environments": ["R"]}
    by_certificate = {row.pop("certificate"): row for row in found["certificates"]}

    assert (0, {"authorities": [], "certificates": [], "not_judged": 1}) == (same.exit_code, json.loads(same.stdout))
    assert (1, 1) == (changed.exit_code, table.exit_code)
    assert {"other": "added", "test": "removed"} == {row["authority"]: row["change"] for row in found["authorities"]}
    assert {
        fingerprint(site.signer): {"senders": [SENDER], "before": "accepted by test", "after": "not-accepted"} | live,
        fingerprint(theirs): {"senders": [SENDER], "before": "not-accepted", "after": "accepted by other"} | live,
        fingerprint(card): {"senders": [], "before": "accepted by test", "after": "not-accepted"} | live,
    } == by_certificate
    assert all(word in table.stdout for word in (fingerprint(theirs), "accepted by other", "1 registrations by holder"))
    assert "2 authorities and 3 certificates would change" in table.stderr
    assert listed == done(site, "authority", "list", "--json")


def test_other_terms_and_other_certificates_are_changes_too(site: Site, tmp_path: Path) -> None:
    """An entry of the same name is not the same entry; what it is accepted for is asked environment by environment."""
    same_name = Pki.create(tmp_path / "same", "Test")
    shutil.copytree(site.settings.trust.authorities, tmp_path / "terms")
    (tmp_path / "terms/test/authority.toml").write_text('environments = ["T", "S"]\n')
    same_name.install(tmp_path / "keys", "test")
    found = [
        json.loads(typed(site, "authority", "diff", str(tmp_path / name), "--json").stdout)
        for name in ("terms", "keys")
    ]

    assert [
        {"authority": "test", "change": "other terms", "terms": ["environments"]},
        {"authority": "test", "change": "other certificates", "terms": []},
    ] == [item["authorities"][0] for item in found]
    assert [
        [(["R"], "accepted by test", "not-accepted"), (["T", "S"], "not-accepted", "accepted by test")],
        [(["R"], "accepted by test", "not-accepted")],
    ] == [[(row["environments"], row["before"], row["after"]) for row in item["certificates"]] for item in found]


def test_a_list_that_could_not_be_applied_is_refused(site: Site, tmp_path: Path) -> None:
    """With every fault, and no traceback."""
    (tmp_path / "new/broken").mkdir(parents=True)
    result = typed(site, "authority", "diff", str(tmp_path / "new"))

    assert 1 == result.exit_code
    assert "broken" in result.stderr
    assert isinstance(result.exception, SystemExit)


def test_revocation_data_is_added_beside_what_is_there(site: Site, pki: Pki, tmp_path: Path) -> None:
    """A newer list takes the older one's place, on record; one of another authority is refused and changes nothing."""
    pki.write_crls()
    stored = typed(site, "authority", "revocation", "test", *map(str, pki.crls))
    foreign = str(Pki.create(tmp_path / "other", "Other").crls[0])
    refused = typed(site, "authority", "revocation", "test", foreign)
    [row] = json.loads(done(site, "authority", "list", "--json"))
    journal = open_journal(site.settings.journal.path)
    with journal.read() as connection:
        noted = connection.execute(sa.select(events.c.facts).where(events.c.name == "authority.revocation_stored"))
        digests = {facts["sha256"] for facts in noted.scalars()}
    journal.close()

    assert (0, 1) == (stored.exit_code, refused.exit_code)
    assert foreign in refused.stderr
    assert (2, []) == (row["crls"], row["without_list"])
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in pki.crls} == digests
