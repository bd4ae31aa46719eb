"""What may an operator have kept however old it is?  Placed and lifted, with a reason, written down, safe to repeat.

What an act changes, its event in the chain and its line in the history of the register are one transaction. A purge
asks for legal holds in the transaction in which it plans, so what is held when the command ends stays.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from gateway.holding import word_of
from gateway.register.actor import Operator, Refusal, Why
from gateway.register.history import record
from spool import legal_holds as held
from spool.holds import Hold, Selection
from spool.journal import now
from spool.submissions import note


def place(connection: Connection, who: Operator, selection: Selection, reason: str, ends_at: int | None) -> Hold:
    """Keep what is selected, until ``ends_at`` (microseconds) or until it is lifted; the same twice is one hold."""
    at = now()
    same = next((one for one in held.in_force(connection, at) if one.selection == selection), None)
    if same is not None and same.ends_at == ends_at:
        return same
    placed = held.place(connection, selection, word_of(who, reason), at, ends_at)
    if same is not None:
        # The new one stands already: nothing is free in between.
        held.lift(connection, same.number, at)
    _write_down(connection, who, "legal_hold.placed", placed, reason)
    return placed


def lift(connection: Connection, who: Operator, number: int, reason: str) -> Hold | Refusal:
    """End a legal hold; what it kept goes when the next purge finds it due."""
    found = next((one for one in held.in_force(connection, now()) if one.number == number), None)
    if found is None:
        return Refusal(Why.UNKNOWN, f"there is no legal hold {number}, or it has ended")
    held.lift(connection, number, now())
    _write_down(connection, who, "legal_hold.lifted", found, reason)
    return found


def _write_down(connection: Connection, who: Operator, event: str, of: Hold, reason: str) -> None:
    word = word_of(who, reason)
    note(connection, of.selection.ticket, event, actor=word.actor, reason=word.reason, hold=of.number)
    before, after = (None, facts(of)) if event.endswith("placed") else (facts(of), None)
    record(connection, who, event, f"legal_hold:{of.number}", reason, before, after)


def facts(placed: Hold) -> Mapping[str, Any]:
    """A legal hold as the history has it."""
    selection = placed.selection
    return {
        "hold": placed.number,
        "ticket": selection.ticket,
        "sender": selection.sender,
        "type": selection.purpose,
        "environment": selection.environment,
        "until": placed.ends_at,
    }
