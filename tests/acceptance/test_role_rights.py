"""Each role works with the rights that its unit gives it, and what it must not do fails."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from config.roles import Role
from tests import sandbox
from tests.answers import only_answer
from tests.gateway_process import SENDER, GatewayProcess, Site, today

_MOST_EXPOSURE = 15

PROBE = """
import json, os, socket, sys
from pathlib import Path

def tried(act):
    try:
        act()
    except OSError:
        return False
    return True

def ends(act):
    child = os.fork()
    if child == 0:
        tried(act)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

site, port = Path(sys.argv[1]), int(sys.argv[2])
print(json.dumps({
    "signing key": tried((site / "keys/gateway.key").read_bytes),
    "host key": tried((site / "keys/ssh_host_ed25519_key").read_bytes),
    "key of the register": tried((site / "keys/inss.key").read_bytes),
    "key of holders": tried((site / "keys/holders.key").read_bytes),
    "settings": tried(lambda: (site / "gateway.toml").open("ab").close()),
    "authorities": tried(lambda: (site / "authorities/probe").mkdir()),
    "spool": tried(lambda: (site / "var/spool/probe").write_bytes(b"")),
    "network": tried(lambda: socket.create_connection(("127.0.0.1", port), 10).close()),
    "another root": ends(lambda: os.chroot("/")) == 0,
    "others' files": ends(lambda: os.chown(site / "var", -1, -1)) == 0,
    "a bare socket": tried(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()),
}))
"""
"""Tries what some roles may and others may not, and what none may; says what went well."""

MAY = {
    Role.SFTP: {"host key", "spool", "network"},
    Role.MQ: {"signing key", "key of the register", "spool", "network"},
    Role.JUDGE: {"signing key", "key of the register", "key of holders", "spool"},
    Role.DELIVER: {"signing key", "authorities", "spool", "network"},
    Role.OPERATIONS: {"key of the register", "spool", "network"},
}


@pytest.mark.parametrize("role", sorted(Role))
def test_each_unit_leaves_little_exposed(role: Role, tmp_path: Path) -> None:
    """By systemd's own measure, in tenths, where 100 is everything."""
    folder = tmp_path / "etc/systemd/system"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(sandbox.UNITS)
    words = ["security", "--offline=yes", "--no-pager", f"--threshold={_MOST_EXPOSURE}", f"--root={tmp_path}"]
    done = subprocess.run(
        ["systemd-analyze", *words, f"batch-gateway@{role}.service"], capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stdout + done.stderr


def test_every_role_works_with_its_rights_and_no_more(site: Site, tmp_path: Path) -> None:
    """Together they do the main job; each of them may what its work needs, and nothing else of what others may."""
    if not sandbox.is_possible():
        pytest.skip("the kernel lets nobody here make namespaces")
    (site.folder / "keys/holders.key").write_bytes(b"of a site that hashes holders")
    with ExitStack() as stack:
        told: dict[Role, set[str]] = {}
        wrapped = {}
        for role in Role:
            words, descriptor = sandbox.around(site, role, tmp_path)
            stack.callback(os.close, descriptor)
            process = GatewayProcess(site, roles=[role], around=words, pass_fds=[descriptor])
            stack.callback(process.kill)
            wrapped[role] = process
        for process in wrapped.values():
            process.ready()
        for role in Role:
            words, descriptor = sandbox.around(site, role, tmp_path)
            stack.callback(os.close, descriptor)
            done = subprocess.run(
                [*words, sys.executable, "-c", PROBE, str(site.folder), str(site.port)],
                pass_fds=[descriptor], capture_output=True, check=True,
            )  # fmt: skip
            told[role] = {what for what, went_well in json.loads(done.stdout).items() if went_well}
            for left in (site.folder / "authorities/probe", site.folder / "var/spool/probe"):
                if left.exists():
                    left.rmdir() if left.is_dir() else left.unlink()
        names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
        sent = site.sftp("cd IN", *(f"put {name}" for name in names))
        wrapped[Role.DELIVER].wait_for("submission.closed")
        answer = only_answer(site)

    assert MAY == told
    assert (0, "1") == (sent.returncode, answer.result)
