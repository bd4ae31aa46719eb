"""Of which version is the gateway, are its settings without fault, and does it run and say that it is ready?"""

import getpass
import http.client
import os
import platform
import stat
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec

from config.errors import ConfigurationError, TemporaryError
from config.retention import NOT_SETTLED
from gateway import in_force
from gateway.doctor.finding import Finding, Patient, fine, of_fault, trouble, unknown
from gateway.operations.asking import ask, is_open
from gateway.reloading import Counts, differences
from gateway.site import check_site, remarks


def installation(patient: Patient) -> Iterator[Finding]:
    """Version, Python, event loop, settings file."""
    loop = "uvloop" if find_spec("uvloop") else "asyncio, for the extra `speed` is not installed"
    yield fine(f"batch-gateway {version('batch-gateway')}, Python {platform.python_version()}, loop: {loop}")
    yield fine(f"settings: {patient.file}, read as {getpass.getuser()}")
    mode = patient.file.stat().st_mode
    if mode & stat.S_IWOTH:
        yield trouble(f"everybody may change {patient.file}", f"chmod o-w {patient.file}")
    if mode & stat.S_IROTH and _has_password(patient):
        yield trouble(
            f"everybody may read {patient.file}, which has passwords",
            f"chmod o-rwx {patient.file}, or name a credential",
        )


def _has_password(patient: Patient) -> bool:
    told = in_force.flat(patient.settings, in_force.new_salt())
    return "'secret'" in repr(told)


def settings(patient: Patient) -> Iterator[Finding]:
    """Everything that a start would find, and what the certificates' dates say."""
    faults: list[str] = []
    try:
        check_site(patient.file)
        notes = remarks(patient.settings)
    except ConfigurationError as fault:
        faults, notes = [*faults, *fault.faults], ()
    except TemporaryError as fault:
        faults, notes = [*faults, str(fault)], ()
    yield from map(of_fault, faults)
    yield from (trouble(line, "Renew it in time.", "GatewayOwnCertificateEnds") for line in notes)
    if patient.settings.retention.waits_for_a_choice:
        yield trouble(f"the gateway does not purge by itself: {NOT_SETTLED}", "Say one of both in [retention].")
    if not faults:
        yield fine("the settings have no fault")


def processes(patient: Patient) -> Iterator[Finding]:
    """Which processes run, since when, with which settings."""
    spool = patient.settings.spool.path
    if not os.access(spool, os.R_OK | os.X_OK):
        yield unknown(f"whether it runs: {spool} cannot be read by this user")
        return
    running = list(in_force.told(spool))
    if not running:
        yield trouble(
            "no gateway runs on this spool",
            "`systemctl status 'batch-gateway*'` and `gateway logs --level error` say why; then start it.",
            "GatewayAway",
        )
    for process, told in running:
        name = f"process {process.pid} on {process.host} ({', '.join(sorted(process.roles))})"
        if told is None:
            to_do = "It is starting, or see `gateway.not_told` in the log; else ask as root, or as the gateway's user."
            yield unknown(f"{name} runs; with which settings cannot be read", to_do)
            continue
        differing = differences(told.settings, in_force.flat(patient.settings, told.salt))
        waiting = [one.key for one in differing if one.counts is not Counts.AT_ONCE]
        if told.version != version("batch-gateway"):
            yield trouble(f"{name} is of release {told.version}", "Restart it: another release is installed.")
        elif waiting:
            yield trouble(
                f"{name} runs, with other settings than the file's: {', '.join(waiting)}",
                "`gateway reload --dry-run` says which need a restart; then reload or restart.",
            )
        else:
            yield fine(f"{name} runs, with the settings of the file")


def readiness(patient: Patient) -> Iterator[Finding]:
    """What the gateway itself says of its parts."""
    own = patient.settings.operations
    if not is_open(own):
        yield unknown("whether it is ready: [operations] names no socket and no port", "Set [operations] socket.")
        return
    try:
        told = ask(own, "/ready", patient.token, patient.seconds / 2)
    except PermissionError:
        yield unknown("whether it is ready: this user may not open the operations socket")
        return
    except (OSError, http.client.HTTPException, ValueError) as fault:
        words = f"nobody answers on the operations interface ({type(fault).__name__})"
        yield trouble(words, "If the gateway runs, restart it; the log says why.", "GatewayAway")
        return
    parts = told.get("parts", ())
    for part in parts:
        if not part.get("ready"):
            alert = _OF_PART.get(str(part.get("name")), "")
            yield trouble(f"{part.get('name')}: {part.get('words')}", "See its runbook.", alert)
    if told.get("ready"):
        yield fine("it says that it is ready")
    elif not parts:
        yield trouble("it says that it is not ready", "`gateway health --token` says which part.")


_OF_PART = {
    "journal": "GatewayJournalAway",
    "disk": "GatewayDiskNearlyFull",
    "workers": "GatewayWorkersLost",
    "door": "GatewayDoorClosed",
    "broker": "GatewayBrokerAway",
    "intake": "GatewayIntakeStopped",
}
