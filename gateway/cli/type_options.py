"""The options by which an operator says of a type of message what its schemas don't."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, TypeVar

import click

from schemas.identifiers import Kind
from schemas.message_type import Direction
from schemas.published import LANGUAGES, Quarter, Said

F = TypeVar("F", bound=Callable[..., Any])

_NONE = "none"


def with_said(function: F) -> F:
    """Add every such option; `said` understands them."""
    options = (
        click.option("--purpose", help="The code in file names, such as DIMN."),
        click.option("--root", help="The root element, if the folder has schemas of several."),
        click.option("--title", "titles", multiple=True, metavar="LANGUAGE=TEXT", help="One for fr, nl, de and en."),
        click.option("--form-code", "form_codes", multiple=True, help="What Identification may hold."),
        click.option("--direction", type=click.Choice([*Direction]), help="Of its messages.  [default: in]"),
        click.option(
            "--signature", type=click.Choice(["required", "optional"]), help="Of its files.  [default: required]"
        ),
        click.option(
            "--starts",
            multiple=True,
            metavar="[VERSION=]WHEN",
            help="The first day a version counts: a date, quarter (that it is named for) or next-quarter.",
        ),
        click.option(
            "--employer", multiple=True, metavar="PATH", help="A block below Form with an employer's numbers."
        ),
        click.option("--reference", multiple=True, metavar="PATH", help="The sender's own reference, below Form."),
        click.option(
            "--identifier",
            "identifiers",
            multiple=True,
            metavar="NAME=KIND",
            help=f"What elements of a name hold: {', '.join(Kind)} or {_NONE}.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def said(options: dict[str, Any]) -> Said:
    """What the options say; `click.BadParameter` for one that cannot be understood."""
    starts, otherwise = _starts(options["starts"])
    titles = dict(_pairs("--title", options["titles"]))
    for language in titles:
        _member("--title", language, LANGUAGES)
    held = {name: _kind(word) for name, word in _pairs("--identifier", options["identifiers"])}
    return Said(
        purpose=options["purpose"],
        root=options["root"],
        titles=titles,
        form_codes=options["form_codes"],
        direction=Direction(options["direction"]) if options["direction"] else None,
        signature_required=None if options["signature"] is None else options["signature"] == "required",
        starts=starts,
        otherwise=otherwise,
        employer=options["employer"],
        reference=options["reference"],
        identifiers=held,
    )


def _starts(words: Sequence[str]) -> tuple[dict[str, date], date | Quarter | None]:
    starts: dict[str, date] = {}
    otherwise: date | Quarter | None = None
    for word in words:
        version, equals, day = word.rpartition("=")
        if equals:
            starts[version] = _date(day)
        else:
            otherwise = Quarter(day) if day in {*Quarter} else _date(day)
    return starts, otherwise


def _date(word: str) -> date:
    try:
        return date.fromisoformat(word)
    except ValueError as fault:
        raise click.BadParameter(f"--starts: {word} is no date such as 2024-10-01") from fault


def _kind(word: str) -> Kind | None:
    _member("--identifier", word, (*Kind, _NONE))
    return None if word == _NONE else Kind(word)


def _member(option: str, word: str, known: Sequence[str]) -> None:
    if word not in known:
        raise click.BadParameter(f"{option}: {word} is none of {', '.join(known)}")


def _pairs(option: str, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise click.BadParameter(f"{option}: {word} has no = in it")
        yield name, value
