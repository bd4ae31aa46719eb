"""What becomes of submissions while an operator adds, changes and removes types of message."""

from pathlib import Path

from tests.command_line import done
from tests.gateway_process import SENDER, GatewayProcess, Site, running, today
from tests.made_up import PURPOSE, ROOT, SAID, document, publish, schema


def send(site: Site, sequence: str, content: bytes) -> None:
    """Send a set of one part, of the purpose that nobody knows."""
    names = site.write_set(f"{PURPOSE}.{SENDER}.{today()}.{sequence}.R", content)
    sent = site.sftp(*(f"put {name} IN/{name}" for name in names))
    assert 0 == sent.returncode, sent.stderr


def test_a_running_gateway_takes_a_type_as_it_comes_changes_and_goes(
    site: Site, gateway: GatewayProcess, tmp_path: Path
) -> None:
    """Refused while it isn't there, judged by its schema as that is now, refused when it is gone: without a restart."""
    codes: list[list[str]] = []

    def judged(version: str, days: int) -> None:
        send(site, f"{len(codes) + 1:05d}", document(version, days))
        codes.append(gateway.judged()["codes"])

    judged("20244", 3)
    done(site, "schemas", "add", str(publish(tmp_path / "a", "20244")), *SAID)
    judged("20244", 4)
    judged("20244", 31)
    longer = schema(('value="30"', 'value="31"'))
    done(site, "schemas", "add", str(publish(tmp_path / "b", Leave_20244=longer)))
    judged("20244", 31)
    judged("20251", 5)
    done(site, "schemas", "add", str(publish(tmp_path / "c", "20251")), "--starts", "quarter")
    judged("20251", 6)
    done(site, "schemas", "remove", PURPOSE, ROOT)
    judged("20251", 7)

    assert [["ACRF-154"], [], ["ACRF-255"], [], ["ACRF-088"], [], ["ACRF-154"]] == codes


def test_a_version_that_counts_later_is_not_taken_yet(site: Site, gateway: GatewayProcess, tmp_path: Path) -> None:
    """088, as for one that nobody knows; the one that counts is taken."""
    folder = publish(tmp_path / "a", "20244", "20991")
    done(site, "schemas", "add", str(folder), *SAID)
    send(site, "00001", document("20991"))
    later = gateway.judged()["codes"]
    send(site, "00002", document("20244"))
    now = gateway.judged()["codes"]

    assert (["ACRF-088"], []) == (later, now)


def test_submissions_wait_while_a_type_cannot_be_read(site: Site, tmp_path: Path) -> None:
    """Nobody is refused for what is ours to put right; then they are judged."""
    site.configure("retry_seconds = 5.0", "retry_seconds = 0.1", section="judging")
    done(site, "schemas", "add", str(publish(tmp_path / "a", "20244")), *SAID)
    broken = site.settings.schemas.folder / "broken"
    with running(site) as gateway:
        broken.mkdir()
        (broken / "type.toml").write_text("purpose = ")
        send(site, "00001", document("20244"))
        held = gateway.wait_for("submission.held")
        (broken / "type.toml").unlink()
        codes = gateway.judged()["codes"]

    assert "type.toml" in str(held)
    assert [] == codes


def test_a_difference_is_told_from_what_cannot_be_added(site: Site, tmp_path: Path) -> None:
    """By the exit status: 1 and 2; a purpose that nobody knows has to be said."""
    folder = str(publish(tmp_path / "a", "20244"))

    differs = site.command("schemas", "diff", folder, *SAID)
    refused = site.command("schemas", "diff", folder)

    assert (1, 2) == (differs.returncode, refused.returncode)
    assert "--purpose" in refused.stderr
