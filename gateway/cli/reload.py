"""``gateway reload``: have the gateway take over its settings, and say what became of it; or only what would."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from config.settings import Settings, read_settings
from gateway import in_force
from gateway.cli.output import RefusedError, print_json, with_config, with_json
from gateway.in_force import Outcome
from gateway.reload_plan import OfProcess, Plan, plan
from gateway.reloading import Counts
from gateway.site import settings_file
from spool.processes import Process

_LOOK: Final = 0.1
_FAULTS: Final = 2


@click.command("reload", short_help="Take over changed settings without a stop; --dry-run says what would change.")
@click.option("--dry-run", is_flag=True, help="Only say what would change, what needs a restart, and every fault.")
@click.option("--seconds", default=30.0, show_default=True, help="How long to wait for the outcome.")
@with_json
@with_config
def reload_(seconds: float, config: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Have every process of the gateway on this host take over its settings, and wait for the outcome.

    Nobody is sent away.  A fault leaves everything as it was.  Exit status: 0 taken over; 1 nothing runs here, or
    does not answer; 2 faults.  With --dry-run: 0 a reload does it all; 1 something needs a restart, or nothing runs;
    2 faults.
    """
    path = settings_file(config)
    status = _dry_run(plan(path), as_json=as_json) if dry_run else _reload(read_settings(path), seconds, as_json)
    if status:
        raise click.exceptions.Exit(status)


def _dry_run(found: Plan, *, as_json: bool) -> int:
    if as_json:
        print_json(_facts(found))
    else:
        for line in _words(found):
            click.echo(line)
    if found.faults:
        return _FAULTS
    return 1 if found.needs_restart or not found.processes else 0


def _words(found: Plan) -> list[str]:
    lines = [f"fault: {line}" for line in found.faults]
    lines += [f"not looked at: {line}" for line in found.unseen]
    if found.faults:
        lines.append("A reload is refused as long as the settings have a fault; nothing would change.")
    elif not found.processes:
        lines.append("Nothing runs on this spool: all counts from the next start.")
    for one in found.processes:
        lines += _of_process(one)
    if found.already:
        lines += ["Counts already, without a reload:", *(f"  {line}" for line in found.already)]
    return lines


def _of_process(one: OfProcess) -> list[str]:
    if one.told is None:
        return [f"{one.name} does not tell what it runs with: it needs a restart, or you may not read the spool."]
    if not one.differences:
        return [f"{one.name} runs with what the file says."]
    lines = [f"{one.name}:"]
    for when in Counts:
        lines += [f"  {when.value}: {difference.words}" for difference in one.counting(when)]
    return lines


def _facts(found: Plan) -> dict[str, Any]:
    return {
        "faults": found.faults,
        "not_looked_at": found.unseen,
        "already": found.already,
        "processes": [
            {
                "pid": one.process.pid,
                "host": one.process.host,
                "roles": sorted(one.process.roles),
                "told": one.told is not None,
                "differences": [
                    {"key": it.key, "counts": it.counts.value, "words": it.words} for it in one.differences
                ],
            }
            for one in found.processes
        ],
    }


def _reload(settings: Settings, seconds: float, as_json: bool) -> int:
    spool = settings.spool.path
    before = {process.id: told for process, told in in_force.told(spool) if process.can_be_signalled}
    here = {process.id: process for process, _ in in_force.told(spool) if process.id in before}
    if not here:
        raise RefusedError("no gateway runs on this spool here; `gateway serve` takes the settings as they are")
    for process in here.values():
        _signal(process)
    waited = {name: 0 if told is None else told.last.number for name, told in before.items()}
    outcomes = _outcomes(spool, waited, time.monotonic() + seconds, time.sleep)
    told = [(process, outcomes.get(name)) for name, process in here.items()]
    if as_json:
        print_json([_outcome_facts(*one) for one in told])
    else:
        for one in told:
            click.echo("\n".join(_outcome_words(*one)))
    if any(outcome is not None and outcome.faults for _, outcome in told):
        return _FAULTS
    return 0 if len(outcomes) == len(here) else 1


def _signal(process: Process) -> None:
    try:
        os.kill(process.pid, signal.SIGHUP)
    except PermissionError:
        raise RefusedError(f"process {process.pid} is another user's: do it as that user or as root") from None
    except ProcessLookupError:
        return  # it ended meanwhile, and gives no outcome


def _outcomes(
    spool: Path, waited: dict[str, int], deadline: float, sleep: Callable[[float], None]
) -> dict[str, Outcome]:
    """How it ended for each process that tells so in time; ``waited`` has the number of the reload before."""
    found: dict[str, Outcome] = {}
    while True:
        for process, told in in_force.told(spool):
            if process.id in waited and told is not None and told.last.number > waited[process.id]:
                found[process.id] = told.last
        if len(found) == len(waited) or time.monotonic() >= deadline:
            return found
        sleep(_LOOK)


def _outcome_words(process: Process, outcome: Outcome | None) -> list[str]:
    name = f"process {process.pid} ({', '.join(sorted(process.roles))})"
    if outcome is None:
        return [f"{name}: no answer in time; see `gateway logs --event 'gateway.reload*'`"]
    if outcome.faults:
        return [f"{name}: refused, everything stays as it was", *(f"  {line}" for line in outcome.faults)]
    lines = [f"{name}: taken over" + (f" {', '.join(outcome.changed)}" if outcome.changed else "; nothing was changed")]
    if outcome.needs_restart:
        lines.append(f"  needs a restart: {', '.join(outcome.needs_restart)}")
    return lines


def _outcome_facts(process: Process, outcome: Outcome | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"pid": process.pid, "roles": sorted(process.roles), "answered": outcome is not None}
    if outcome is None:
        return facts
    return facts | {
        "faults": outcome.faults,
        "changed": outcome.changed,
        "needs_restart": outcome.needs_restart,
    }
