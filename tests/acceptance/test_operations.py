"""The interface of a gateway that runs: there from start to end, and at once of the mind of the command line."""

import json
from pathlib import Path

import httpx

from tests.gateway_process import Site, running
from tests.register_world import EMPLOYER

WHY = ("--reason", "made for a test")


def test_a_gateway_speaks_to_programs_until_it_ends(site: Site) -> None:
    """A person whom the command line blocks is out with the next request; the log says nothing of anybody."""
    site.configure('# socket = "var/operations.socket"', 'socket = "var/operations.socket"')
    path = Path(site.settings.operations.socket or "")
    for words in (
        ("enterprise", "add", EMPLOYER, "Bakkerij Verzonnen"),
        ("rae", EMPLOYER, "bakeryrae", "--last-name", "Verzonnen", "--first-name", "Annemie"),
    ):
        assert site.command("party", *words, *WHY).returncode == 0
    given = site.listing("token", "give", "bakeryrae", *WHY)["token"]
    shown = {"Authorization": f"Bearer {given}"}
    site.configure("trust_socket = false", "trust_socket = true")
    with running(site) as process:
        assert path.stat().st_mode & 0o777 == 0o600
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://gateway") as client:
            seen = client.get(f"/v1/enterprises/{EMPLOYER}", headers=shown).json()
            assert [role["username"] for role in seen["roles"]] == ["bakeryrae"]
            answered = process.wait_for("operations.answered")
            told = client.get("/metrics").text.splitlines()
            assert 'gateway_operations_requests_total{status="200"} 1.0' in told
            assert {f"gateway_{part}_up 1.0" for part in ("journal", "door", "workers")} <= set(told)
            parts = client.get("/ready").json()["parts"]
            assert {part["name"] for part in parts if part["ready"]} == {"journal", "disk", "workers", "door", "intake"}
            assert site.command("party", "person", "block", "bakeryrae", *WHY).returncode == 0
            assert client.get(f"/v1/enterprises/{EMPLOYER}", headers=shown).status_code == 401
            assert process.wait_for("operations.answered")["status"] == 401
        assert process.stop() == 0
    assert answered["operation"] == "showEnterprise"
    assert not path.exists()
    said = json.dumps(process.seen)
    assert not [word for word in (given, EMPLOYER, "bakeryrae", "Verzonnen") if word in said]
