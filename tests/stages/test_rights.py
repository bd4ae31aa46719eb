"""The table of rights, cell by cell, and how narrow an access is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.register.actor import Operator, Person, label
from gateway.register.rights import MANAGED_BY, RIGHTS, Act, Role, narrowed, read_applications, within
from tests.rights_table import COLUMNS, TABLE

accesses = st.frozensets(st.sampled_from(["*", "DIMN", "DMFA", "WECH"]))


@pytest.mark.parametrize("role", COLUMNS)
@pytest.mark.parametrize("row", TABLE)
def test_a_cell_of_the_table(row: str, role: str) -> None:
    """Where it says yes the role has the right, and nowhere else."""
    assert TABLE[row][role] == (Role(role) in RIGHTS[Act(row)])


def test_the_table_has_no_other_rows_nor_columns() -> None:
    """Neither in the code nor here."""
    assert set(TABLE) == set(Act) == set(RIGHTS)
    assert set(COLUMNS) == set(Role) == set(MANAGED_BY)


def test_nobody_in_the_table_manages_the_rae() -> None:
    """A new one is named through the contact centre."""
    assert [Role.RAE] == [role for role, act in MANAGED_BY.items() if act is None]


@given(accesses, accesses)
def test_what_is_narrowed_lies_within_both(held: frozenset[str], bound: frozenset[str]) -> None:
    """It is never more than was held, never more than the bound, and all that was held if that was within it."""
    left = narrowed(held, bound)
    assert within(left, held)
    assert within(left, bound)
    assert not within(held, bound) or "*" in held or left == held


@pytest.mark.parametrize(
    ("names", "access"),
    [
        (["DIMN", "DIMN", "mail-box"], frozenset({"DIMN", "mail-box"})),
        (["DIMN", "*"], frozenset({"*"})),
        ([], frozenset()),
        (["D"], None),
        (["DIMN\n"], None),
        (["a b"], None),
        ([f"app{number}" for number in range(101)], None),
    ],
)
def test_what_names_of_applications_say(names: list[str], access: frozenset[str] | None) -> None:
    """A star is all of them; what is no name is refused, and so are too many."""
    assert access == read_applications(names)


def test_no_person_is_called_as_an_operator_is() -> None:
    """There is no colon in a user name."""
    assert ["operator:annemie01", "annemie01"] == [label(Operator("annemie01")), label(Person("annemie01"))]
