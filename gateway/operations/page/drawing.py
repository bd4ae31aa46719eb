"""How do facts become a page of HTML?

By templates beside this file, in which every value is escaped, every name that there is not is a fault, and no value
can do more than be read: what cannot be printed is replaced, and a number that is an INSS by words.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gateway.answer_times import Line
from gateway.operations.page.ending import days_left
from gateway.register import inss

_SECOND: Final = 1_000_000
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_ROW: Final = re.compile("<tr.*?</tr>", re.DOTALL)
_CELL: Final = re.compile("<t[dh](?= |>)")
_NONE: Final = "\N{EN DASH}"
_TICKET: Final = re.compile("[0-9A-Z]{1,13}")

PAGES: Final = (
    ("", "Overview"),
    ("answers", "Answers"),
    ("ending", "Ends"),
    ("senders", "Senders"),
    ("ticket", "Ticket"),
)
"""Every page: the end of its address, and what it is called."""


def plain(value: Any) -> Any:
    """A value as it may stand on a page: any text without control characters and without an INSS."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    readable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value)
    return inss.veiled(readable)


def moment(at: int | datetime | None) -> Markup:
    """A moment (microseconds, or a datetime) as people read it, in UTC."""
    if at is None:
        return Markup("{}").format(_NONE)
    when = at.astimezone(UTC) if isinstance(at, datetime) else datetime.fromtimestamp(at / _SECOND, tz=UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        when.isoformat(timespec="seconds").replace("+00:00", "Z"), f"{when:%Y-%m-%d %H:%M:%S}"
    )


def span(microseconds: int | None) -> str:
    """How long, as people read it: ``0.4 s``, ``48 s``, ``2 min 5 s``, ``3 h 20 min``, ``4 days``."""
    if microseconds is None:
        return _NONE
    seconds = max(0, microseconds) / _SECOND
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{int(seconds)} s"
    whole = int(seconds)
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", 1, "s")
    if whole < 2 * _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return f"{whole // _DAY} days"


def _two(whole: int, large: int, name: str, small: int, other: str) -> str:
    rest = whole % large // small
    return f"{whole // large} {name}" + (f" {rest} {other}" if rest else "")


def share(part: float | None) -> str:
    """A share (0 to 1) in percent, rounded downwards: 99.96 is not what was promised as 100."""
    if part is None:
        return _NONE
    hundredths = int(10_000 * part)
    return f"{hundredths // 100}.{hundredths % 100:02} %"


def many(count: int) -> str:
    """A number as people read it: ``12,345``."""
    return f"{count:,}"


def seconds(found: float | None) -> str:
    """Seconds as a span."""
    return span(None if found is None else round(found * _SECOND))


def ticket(word: str) -> Markup:
    """A link to a ticket; words that are none stay words."""
    if not _TICKET.fullmatch(word):
        return Markup("{}").format(plain(word))
    return Markup('<a class="ticket" href="/status/ticket?ticket={0}">{0}</a>').format(word)


def labelled(rows: Markup, heads: Sequence[str]) -> Markup:
    """Rows of a table, each cell with what stands over its column, which is not to be seen on a narrow screen.

    Nothing in ``rows`` but what a template says is a tag: values are escaped.
    """

    def one(row: re.Match[str]) -> str:
        names = iter(heads)
        return _CELL.sub(lambda cell: f'{cell[0]} data-label="{escape(next(names).removeprefix("#"))}"', row[0])

    return Markup(_ROW.sub(one, rows))  # noqa: S704 - it was one, and what is put in is escaped


def missed(line: Line) -> int:
    """How many answers of a line came too late, or not at all."""
    return line.counted - line.within


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=plain,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "moment": moment,
        "span": span,
        "share": share,
        "many": many,
        "seconds": seconds,
        "ticket": ticket,
        "labelled": labelled,
        "missed": missed,
    }
    made.globals |= {"PAGES": PAGES, "days_left": days_left}
    return made


_TEMPLATES: Final = _environment()


def draw(template: str, facts: Mapping[str, Any]) -> bytes:
    """The page that ``template`` makes of ``facts``."""
    return _TEMPLATES.get_template(f"{template}.html").render(facts).encode()


def style() -> bytes:
    """The sheet that every page is shown by."""
    source, _, _ = PackageLoader(__package__ or "", "templates").get_source(_TEMPLATES, "status.css")
    return source.encode()
