"""The catalogue of events as documented: it knows every event of the source, and nothing else."""

import pytest

from gateway.events_catalogue import Event
from gateway.events_catalogue_journal import JOURNAL
from gateway.log_stages import STAGES
from scripts import event_list, logged_names
from scripts.event_list import DOCUMENT, LOGGED


def test_the_document_is_current() -> None:
    """After a change of events: `python -m scripts.event_list`."""
    assert event_list.document() == DOCUMENT.read_text(encoding="utf-8")


def test_the_catalogue_says_what_the_source_does() -> None:
    """Every name that is logged or written into the journal, its levels, and the fields that stand at its calls."""
    assert [] == event_list.faults(logged_names.Source())


def test_a_line_about_a_stage_names_sender_and_file_but_for_those_that_the_page_names() -> None:
    """`gateway logs --stage S --sender N` leaves nothing else out."""
    fields = {event.name: set(event.fields.split()) for event in LOGGED}
    without = {name for name in STAGES if not {"sender", "file"} <= fields[name]}
    assert {"custody.failed", "declarations.put_off"} == without
    head = event_list.document().partition("## Stages")[2].partition("| event |")[0]
    assert all(f"`{name}`" in head for name in without)


@pytest.mark.parametrize("events", [LOGGED, JOURNAL], ids=["log", "journal"])
def test_every_event_stands_there_once_and_says_what_it_means(events: tuple[Event, ...]) -> None:
    """In the order of the names; and what is an error says what to do."""
    assert sorted({event.name for event in events}) == [event.name for event in events]
    for event in events:
        assert event.meaning.endswith(".")
        assert event.to_do.endswith(".")
        assert event.to_do != "Nothing." or "error" not in event.levels
