"""A gateway with a real clamd and a receiver of traces.

Found is refused, clean is accepted, a scanner that is away keeps work waiting; the receiver has the spans of it all.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answers import only_answer
from tests.authority import Credential, Pki
from tests.clamd import MARKER, NAME, Scanner, installed_scanner
from tests.gateway_process import SENDER, Site, make_test_site, running, three_forms, today
from tests.trace_collector import TraceCollector, attributes, collecting


@pytest.fixture
def own_clamd() -> Iterator[Scanner]:
    """A scanner that one test stops."""
    with installed_scanner() as scanner:
        scanner.start()
        yield scanner


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    """A collector of traces."""
    with collecting() as started:
        yield started


def send(site: Site, sequence: str, data: bytes) -> None:
    """Upload one set."""
    names = site.write_set(f"DIMN.{SENDER}.{today()}.{sequence}.R", data)
    done = site.sftp("cd IN", *(f"put {name}" for name in names))
    assert 0 == done.returncode, done.stderr


def test_found_clean_and_away(
    own_clamd: Scanner, collector: TraceCollector, tmp_path: Path, pki: Pki, signer: Credential
) -> None:
    """Found: 277 in an answer, and what was found in the timeline.  Away: held until it is back, then accepted.

    A gateway that stops sends the spans of what has just happened.
    """
    site = make_test_site(tmp_path, pki, signer)
    site.configure("# address = ", f'address = "{own_clamd.address}"  # ', section="scanner")
    site.configure("\nrest_seconds = 5.0", "\nrest_seconds = 0.01")
    site.configure("retry_seconds = 5.0", "retry_seconds = 0.2", section="judging")
    site.configure("retry_ceiling_seconds = 300.0", "retry_ceiling_seconds = 0.2", section="judging")
    site.configure("# endpoint = ", f'endpoint = "{collector.endpoint}"  # ', section="traces")
    site.configure("\nevery_seconds = 5.0", "\nevery_seconds = 0.1", section="traces")
    with running(site) as gateway:
        send(site, "00001", three_forms() + b"<!-- " + MARKER + b" -->")
        refused = gateway.judged()
        answer = only_answer(site)
        status = site.sftp(f"get STATUS/{refused['ticket']}.json")
        assert 0 == status.returncode, status.stderr
        own_clamd.stop()
        send(site, "00002", three_forms())
        held = gateway.wait_for("submission.held")
        why = json.dumps(site.listing("why", held["ticket"]))
        own_clamd.start()
        accepted = gateway.judged()
        shown = json.dumps(site.listing("show", refused["ticket"]))
        later = json.dumps(site.listing("show", accepted["ticket"]))
        gateway.wait_for("submission.closed", lambda line: line["ticket"] == accepted["ticket"])

    assert ("rejected", ["ACRF-277"]) == (refused["verdict"], refused["codes"])
    assert ("0", ("ACRF-277",)) == (answer.result, answer.codes)
    assert NAME in shown
    assert "content.found" in {line["event"] for line in gateway.seen}
    assert NAME in site.work.joinpath(f"{refused['ticket']}.json").read_text()
    assert "the content scanner is away" in held["reason"]
    assert "The content scanner said nothing of it" in why
    assert ("accepted", held["ticket"]) == (accepted["verdict"], accepted["ticket"])
    assert '"engine": "ClamAV ' in later
    spans = collector.of(accepted["ticket"])
    assert {"submission", "custody", "held", "judge", "check signature", "check scan", "answer", "forward"} <= set(
        spans
    )
    assert 1 == len({span.trace_id for span in spans.values()})
    assert "accepted" == attributes(spans["submission"])["gateway.outcome"]
    assert ["ACRF-277"] == attributes(collector.of(refused["ticket"])["judge"])["gateway.codes"]
    assert "check validation" not in collector.of(refused["ticket"])
