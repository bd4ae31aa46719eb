"""What does ``docs/metrics.md`` say of the metrics and the alerts?

Its prose is written by hand; what stands between ``<!-- name -->`` and ``<!-- end -->`` is taken from the registry and
the file of rules, by running ``python -m scripts.metric_list``. A test finds that the document is current.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from prometheus_client import Metric

from config.settings import Settings
from gateway.health import Running
from gateway.metrics import heard, surroundings, timeline
from gateway.metrics.meter import Meter
from spool.journal import Journal

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
DOCUMENT: Final = DOCS / "metrics.md"
ALERTS: Final = DOCS / "prometheus" / "alerts.yml"
_PART: Final = re.compile(r"(<!-- ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_RULE: Final = re.compile(
    r"- alert: (?P<alert>\w+)\n.*?severity: (?P<severity>\w+)\n"
    r".*?summary: (?P<summary>.*?)\n *runbook: (?P<runbook>.*?)\n *runbook_url: (?P<runbook_url>.*?)\n",
    re.DOTALL,
)


def current(text: str) -> str:
    """The document with every generated part made anew; `LookupError` for a part that nobody knows."""
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n{part[4]}", text)


def families() -> list[Metric]:
    """Every metric that there is, by name; those of the process itself are the library's."""
    meter = Meter()
    nothing = Journal(sa.create_engine("sqlite://"))
    timeline.Timeline(meter.registry, nothing, frozenset)
    own = [family for family in meter.registry.collect() if family.name.startswith("gateway_")]
    own += surroundings.Surroundings(Settings(), nothing, Running()).describe()
    return sorted(own, key=lambda family: family.name)


def names() -> frozenset[str]:
    """Every name that a question to Prometheus may use."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    return frozenset(family.name + suffix for family in families() for suffix in suffixes[family.type])


def metrics() -> str:
    """Every metric, its labels and what it says."""
    lines = (
        f"| `{_asked(family)}` | {family.type} | {_labels(family)} | {family.documentation} |" for family in families()
    )
    return "\n".join(("| metric | kind | labels | what it is |", "| --- | --- | --- | --- |", *lines))


def alerts() -> str:
    """Every alert, and what to do."""
    lines = (
        f"| [{row['alert']}]({_beside(row)}) | {row['severity']} | {row['summary']} | {row['runbook']} |"
        for row in rules()
    )
    return "\n".join(("| alert | severity | what is wrong | what to do |", "| --- | --- | --- | --- |", *lines))


def rules() -> Iterator[Mapping[str, str]]:
    """Every rule of the file: alert, severity, summary, runbook, runbook_url."""
    for found in _RULE.finditer(ALERTS.read_text(encoding="utf-8")):
        yield {name: said.strip("'").replace("''", "'") for name, said in found.groupdict().items()}


def _beside(row: Mapping[str, str]) -> str:
    return row["runbook_url"].removeprefix("docs/")


def _asked(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _labels(family: Metric) -> str:
    return ", ".join(f"`{label}`" for label in _LABELS.get(family.name, ())) or "-"


_LABELS: Final[Mapping[str, Iterable[str]]] = {
    **{name: labels for name, (_, labels) in (*heard.DOCUMENTATION.items(), *surroundings.GAUGES.items())},
    **timeline.LABELS,
}
PARTS: Final[Mapping[str, Callable[[], str]]] = {"metrics": metrics, "alerts": alerts}

if __name__ == "__main__":
    DOCUMENT.write_text(current(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
