"""What may stand below an element, and the fewest changes that make wrong children right."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.content_model import ANY, Departure, Group, Model, Occurs, One, Particle
from schemas.misfits import Misfit, misfits

OPTIONAL, MANY, SOME = Occurs(0, 1), Occurs(1, None), Occurs(0, None)
LIST = Group((One("a"), One("b", OPTIONAL), One("c", Occurs(1, 3)), One("d", SOME)))
EITHER = Group((One("a"), Group((One("b"), Group((One("c", OPTIONAL), One("d")))), choice=True)))

CASES: dict[str, tuple[Particle, str, list[tuple[str, str, int, str]]]] = {
    "right": (LIST, "abcd", []),
    "without what may be missing": (LIST, "ac", []),
    "one missing": (LIST, "ab", [("missing", "c", 2, "")]),
    "two missing": (LIST, "", [("missing", "a", 0, ""), ("missing", "c", 0, "")]),
    "one too many": (LIST, "acccc", [("repeated", "c", 4, "")]),
    "a second one": (LIST, "aac", [("repeated", "a", 1, "")]),
    "unknown": (LIST, "axc", [("unknown", "x", 1, "")]),
    "moved to the end": (LIST, "bcda", [("misplaced", "a", 3, "")]),
    "moved to the front": (LIST, "dabc", [("misplaced", "d", 0, "")]),
    "neither": (EITHER, "a", [("missing", "b", 1, "b | c | d")]),
    "both": (EITHER, "abd", [("misplaced", "d", 2, "")]),
    "half of one": (EITHER, "ac", [("missing", "d", 2, "b | c | d")]),
    "three at once": (
        LIST,
        "xbacccc",
        [("unknown", "x", 0, ""), ("misplaced", "b", 1, ""), ("repeated", "c", 6, "")],
    ),
}  # fmt: skip


def short(found: tuple[Misfit, ...]) -> list[tuple[str, str, int, str]]:
    """What was found, as it is written above."""
    return [(str(misfit.departure), misfit.name, misfit.at, misfit.expected) for misfit in found]


@pytest.mark.parametrize("case", CASES)
def test_a_departure_is_told_as_what_it_is(case: str) -> None:
    """Missing, repeated, misplaced, unknown: at the child, or where one is wanted."""
    particle, children, expected = CASES[case]
    assert short(misfits(Model.of(particle), children)) == expected


def test_a_wildcard_takes_any_element() -> None:
    """Also where others are named."""
    model = Model.of(Group((One("a"), One(ANY, SOME))))
    assert misfits(model, ["a", "x", "y", "a"]) == ()
    assert model.allows("x")
    assert short(misfits(model, ["x"])) == [("missing", "a", 0, "")]


def test_a_long_list_is_searched_near_its_faults_only() -> None:
    """A hundred thousand children with three faults: these three, at their places."""
    children = ["a", "c", *["d"] * 100_000]
    children[30_000] = "x"
    children[60_000:60_000] = ["b"]
    children.append("a")
    found = misfits(Model.of(LIST), children)
    assert [(misfit.name, misfit.at) for misfit in found] == [("x", 30_000), ("b", 60_000), ("a", 100_003)]


def test_a_list_of_nothing_but_faults_comes_to_an_end() -> None:
    """Looking for more ends at a bound."""
    assert 10_000 <= len(misfits(Model.of(LIST), ["a"] * 100_000)) < 11_000


PARTICLES = st.recursive(
    st.builds(One, st.sampled_from("abc"), st.sampled_from([Occurs(), OPTIONAL, MANY, SOME, Occurs(2, 3)])),
    lambda inner: st.builds(
        Group,
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        st.sampled_from([Occurs(), OPTIONAL, SOME, Occurs(1, 2)]),
        choice=st.booleans(),
    ),
    max_leaves=5,
)


def expression(particle: Particle) -> str:
    """The same as a regular expression."""
    if isinstance(particle, One):
        inner = particle.name
    else:
        inner = f"(?:{('|' if particle.choice else '').join(map(expression, particle.items))})"
    most = "" if particle.occurs.most is None else particle.occurs.most
    return f"(?:{inner}){{{particle.occurs.least},{most}}}"


@given(PARTICLES, st.text("abcx", max_size=6))
def test_nothing_is_told_of_right_children_and_something_of_wrong_ones(particle: Particle, children: str) -> None:
    """What is right is what a regular expression of the same model matches; every change that is told makes sense."""
    found = misfits(Model.of(particle), children)
    assert (found == ()) == (re.fullmatch(expression(particle), children) is not None)
    for misfit in found:
        if misfit.departure is not Departure.MISSING:
            assert children[misfit.at] == misfit.name


@given(PARTICLES, st.text("abc", max_size=4))
def test_no_fewer_changes_would_do(particle: Particle, children: str) -> None:
    """One child left out or put in is found whenever that is enough."""
    right = re.compile(expression(particle))
    edits = [children[:at] + children[at + 1 :] for at in range(len(children))]
    edits += [children[:at] + name + children[at:] for at, name in itertools.product(range(len(children) + 1), "abc")]
    if right.fullmatch(children) is None and any(map(right.fullmatch, edits)):
        assert len(misfits(Model.of(particle), children)) == 1
