"""All examinations, each in a thread of its own and with so much time: what hangs does not keep the others from us."""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Final

from gateway.doctor import journal, machine, neighbours, site, trust, volume
from gateway.doctor.finding import Examination, Finding, Patient, trouble, unknown

EXAMINATIONS: Final[Mapping[str, Examination]] = {
    "installation": site.installation,
    "settings": site.settings,
    "processes": site.processes,
    "readiness": site.readiness,
    "waiting": journal.stages,
    "journal": journal.journal,
    "evidence": journal.evidence,
    "disk": machine.disk,
    "volume": volume.volume,
    "clock": machine.clock,
    "keys": trust.keys,
    "authorities": trust.authorities,
    "types": trust.types,
    "broker": neighbours.broker,
    "scanner": neighbours.scanner,
}
"""In the order of the page."""


def examined(
    patient: Patient, examinations: Mapping[str, Examination] = EXAMINATIONS
) -> Iterator[tuple[str, list[Finding]]]:
    """What each examination finds, by its name and in order."""
    found: dict[str, list[Finding]] = {name: [] for name in examinations}
    threads = {
        name: threading.Thread(target=_examine, args=(examine, patient, found[name]), daemon=True)
        for name, examine in examinations.items()
    }
    for thread in threads.values():
        thread.start()
    end = time.monotonic() + patient.seconds
    for name, thread in threads.items():
        thread.join(max(0.0, end - time.monotonic()))
        findings = list(found[name])
        if thread.is_alive():
            to_do = "Something it asks hangs: the disk, the network or the database."
            findings.append(trouble(f"no answer in {patient.seconds:g} seconds", to_do))
        yield name, findings


def _examine(examine: Examination, patient: Patient, found: list[Finding]) -> None:
    try:
        found.extend(examine(patient))
    except PermissionError as fault:
        found.append(unknown(f"{fault.filename or 'a file'} cannot be read by this user"))
    except Exception as fault:  # one that fails must not hide what the others find
        found.append(trouble(f"could not be examined: {type(fault).__name__}", "Report it."))
