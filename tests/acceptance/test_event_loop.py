"""The gateway does its main job on uvloop, which the extra ``speed`` brings, and on asyncio's own event loop."""

import signal
from pathlib import Path

import pytest

from tests.authority import Pki
from tests.gateway_process import SENDER, GatewayProcess, make_test_site, today


@pytest.mark.parametrize(("program", "loop"), [("gateway", "uvloop"), ("tests.plain_asyncio", "asyncio")])
def test_a_declaration_is_accepted_on_either_event_loop(tmp_path: Path, program: str, loop: str) -> None:
    """It is taken in and answered; the gateway takes over settings on SIGHUP, and stops on SIGTERM in good order."""
    pki = Pki.create(tmp_path / "pki")
    site = make_test_site(tmp_path, pki, pki.issue("Payroll"))
    process = GatewayProcess(site, program)
    try:
        ready = process.wait_for("gateway.ready")
        site.port = ready["port"]
        process.process.send_signal(signal.SIGHUP)
        process.wait_for("gateway.reloaded")
        names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
        sent = site.sftp("cd IN", *(f"put {name}" for name in names))
        verdict = process.judged()
    finally:
        status = process.stop()

    assert (0, "") == (sent.returncode, sent.stderr)
    assert ("accepted", loop, 0) == (verdict["verdict"], ready["loop"], status)
