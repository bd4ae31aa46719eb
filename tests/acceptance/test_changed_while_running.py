"""Settings change under a gateway at work: what would change, what did, what waits for a restart; and how it is."""

import json
from pathlib import Path
from typing import Any

from tests.command_line import done, typed
from tests.gateway_process import GatewayProcess, Site, running

PASSWORD = "zz-of-the-broker-78"


def what_would_change_is_said_first(site: Site) -> None:
    """In words, by when it counts; a secret only as one; nothing is done yet."""
    assert "runs with what the file says" in done(site, "reload", "--dry-run")
    site.configure("max_tries = 6", "max_tries = 5")
    site.configure("sampled = {}", 'sampled = { "sftp.login.accepted" = 2 }')
    site.configure("urls = []", f'urls = ["amqp://gateway:{PASSWORD}@127.0.0.1:1/"]')
    site.pki.install(site.settings.trust.authorities, "other")
    done(site, "sender", "block", "123456", "--reason", "for a moment")
    done(site, "sender", "unblock", "123456", "--reason", "over")
    said = typed(site, "reload", "--dry-run")
    lines = [line.strip() for line in said.output.splitlines()]
    assert {
        "after a reload: sftp.max_tries: 6 becomes 5",
        "after a reload: logging.sampled: nothing becomes {sftp.login.accepted = 2}",
        "after a restart: broker.urls: nothing becomes [a secret]",
        "authority other was added",
        "register: sender.blocked",
    } <= set(lines)
    assert (1, False) == (said.exit_code, PASSWORD in said.output)


def it_is_taken_over_and_told(site: Site, gateway: GatewayProcess) -> None:
    """By the command and in the log; from then on the rules of the log count."""
    said = done(site, "reload")
    assert "taken over sftp.max_tries, logging.sampled" in said
    assert "needs a restart: broker.urls" in said
    told = gateway.wait_for("gateway.reloaded")
    assert (["sftp.max_tries", "logging.sampled"], ["broker.urls"]) == (told["changed"], told["needs_restart"])
    for _ in range(3):
        assert 0 == site.sftp("ls").returncode
    gateway.wait_for("sftp.login.accepted", lambda line: line.get("left_out") == 1)
    [process] = site.listing("reload")
    assert ([], []) == (process["changed"], process["faults"])


def it_may_get_quieter(site: Site, gateway: GatewayProcess) -> None:
    """The log says so, has no such lines afterwards, and says that it is louder again."""
    site.configure('level = "info"', 'level = "warning"')
    done(site, "reload")
    gateway.wait_for("gateway.reloaded", lambda line: line["changed"] == ["logging.level"])
    assert 0 == site.sftp("ls").returncode
    site.configure('level = "warning"', 'level = "info"')
    done(site, "reload")
    seen = len(gateway.seen)
    gateway.wait_for("gateway.reloaded", lambda line: line["changed"] == ["logging.level"])
    assert [] == [line for line in gateway.seen[seen:] if line["event"].startswith("sftp.login")]


def a_fault_leaves_everything_as_it_was(site: Site, gateway: GatewayProcess) -> None:
    """Said beforehand with all others, and by the gateway when it is tried all the same."""
    site.configure('"sftp.login.accepted" = 2', '"sftp.login.acepted" = 2')
    site.configure("max_tries = 5", "max_tries = 4")
    said = typed(site, "reload", "--dry-run", "--json")
    assert (2, ["logging.sampled: there is no event sftp.login.acepted"]) == (
        said.exit_code,
        json.loads(said.output)["faults"],
    )
    refused = typed(site, "reload")
    assert (2, True) == (refused.exit_code, "refused, everything stays as it was" in refused.output)
    gateway.wait_for("gateway.reload_refused")
    [told] = [json.loads(path.read_text()) for path in site.settings.spool.path.glob("processes/*.json")]
    assert 5 == told["settings"]["sftp.max_tries"]
    site.configure('"sftp.login.acepted" = 2', '"sftp.login.accepted" = 2')


def marks(found: dict[str, Any]) -> dict[str, set[str]]:
    """Of each part the marks of what was found."""
    return {name: {one["mark"] for one in findings} for name, findings in found["parts"].items()}


def the_doctor_says_how_it_is(site: Site) -> None:
    """Every part on one page, the difference and the broker that is away with what to do, and no secret."""
    said = typed(site, "doctor", "--json")
    found = json.loads(said.output)
    assert (1, False) == (said.exit_code, PASSWORD in said.output)
    of_parts = marks(found)
    for part in ("settings", "readiness", "waiting", "journal", "evidence", "disk", "keys", "authorities", "types"):
        assert of_parts[part] == {"fine"}, found["parts"][part]
    assert {"trouble"} == of_parts["processes"] == of_parts["broker"]
    [broker] = found["parts"]["broker"]
    assert "docs/runbooks.md#gatewaybrokeraway" == broker["runbook"]
    page = typed(site, "doctor").output
    assert "broker.urls" in page
    assert len(page.splitlines()) < 60


def the_doctor_comes_also_when_it_is_down(site: Site) -> None:
    """And says that first; a reload has nobody to tell."""
    found = json.loads(typed(site, "doctor", "--json").output)
    [process] = found["parts"]["processes"]
    assert ("trouble", "GatewayAway") == (process["mark"], process["alert"])
    assert {"fine"} == marks(found)["journal"]
    assert (1, 1) == (typed(site, "reload").exit_code, typed(site, "reload", "--dry-run").exit_code)
    site.settings_file.write_text("[sftp]\nprot = 1\n")
    broken = typed(site, "doctor")
    assert (1, True) == (broken.exit_code, "sftp.prot: there is no such key" in broken.output)


def test_what_changes_under_a_gateway_is_said_done_and_seen(site: Site, tmp_path: Path) -> None:
    """One gateway, from the first change to its end."""
    site.configure('# socket = "var/operations.socket"', f'socket = "{tmp_path / "o"}"')
    site.configure("trust_socket = false", "trust_socket = true")
    with running(site) as gateway:
        what_would_change_is_said_first(site)
        it_is_taken_over_and_told(site, gateway)
        it_may_get_quieter(site, gateway)
        a_fault_leaves_everything_as_it_was(site, gateway)
        the_doctor_says_how_it_is(site)
    assert [] == list(site.settings.spool.path.glob("processes/*.json"))
    the_doctor_comes_also_when_it_is_down(site)
