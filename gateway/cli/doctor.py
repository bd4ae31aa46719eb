"""``gateway doctor``: everything that a support engineer asks first, on one page, with what to do."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from config.errors import ConfigurationError
from config.settings import read_settings
from gateway.cli.output import print_json, with_config, with_json
from gateway.doctor.finding import Finding, Mark, Patient, of_fault
from gateway.doctor.round import examined
from gateway.site import settings_file

_SIGNS: Final = {Mark.FINE: "ok", Mark.TROUBLE: "!!", Mark.UNKNOWN: "??"}
_COLOURS: Final = {Mark.FINE: "green", Mark.TROUBLE: "red", Mark.UNKNOWN: "yellow"}


@click.command(short_help="Say on one page how the gateway is, and what is to be done.")
@click.option("--seconds", default=30.0, show_default=True, help="How long every examination may take.")
@click.option(
    "--token", envvar="GATEWAY_TOKEN", show_envvar=True, help="An operator's token, to hear what isn't ready."
)
@with_json
@with_config
def doctor(seconds: float, token: str | None, config: Path | None, *, as_json: bool) -> None:
    """Say how the gateway is: version, settings, processes, what waits, journal, disk, clock, keys, trust, broker.

    Changes nothing, and says no secret and nobody's data.  Works while the gateway is down; what this user may not
    read is marked ??.  Exit status 1 if there is trouble (!!), else 0.
    """
    path = settings_file(config)
    try:
        patient = Patient(read_settings(path), path, datetime.now(UTC), seconds, token)
    except ConfigurationError as fault:
        found: list[tuple[str, list[Finding]]] = [("settings", list(map(of_fault, fault.faults)))]
    else:
        found = list(examined(patient))
    troubles = [one for _, findings in found for one in findings if one.mark is Mark.TROUBLE]
    if as_json:
        print_json({"fine": not troubles, "parts": {name: list(map(_facts, findings)) for name, findings in found}})
    else:
        for line in _page(found):
            click.echo(line)
    if troubles:
        raise click.exceptions.Exit(1)


def _page(found: Iterable[tuple[str, list[Finding]]]) -> Iterator[str]:
    marks = []
    for name, findings in found:
        yield click.style(name, bold=True)
        for finding in findings:
            marks.append(finding.mark)
            yield f"  {click.style(_SIGNS[finding.mark], fg=_COLOURS[finding.mark])} {finding.words}"
            if finding.mark is not Mark.FINE and finding.to_do:
                yield f"     {finding.to_do}" + (f" ({finding.runbook})" if finding.runbook else "")
    troubles, unseen = marks.count(Mark.TROUBLE), marks.count(Mark.UNKNOWN)
    yield ""
    yield "Nothing is wrong." if not troubles else f"{troubles} to be seen to (!!)."
    if unseen:
        yield f"{unseen} could not be looked at (??)."


def _facts(finding: Finding) -> dict[str, Any]:
    return {
        "mark": finding.mark.value,
        "words": finding.words,
        "to_do": finding.to_do or None,
        "alert": finding.alert or None,
        "runbook": finding.runbook or None,
    }
