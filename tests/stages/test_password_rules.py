"""Which passwords the two rules allow, and what first passwords look like."""

import string

import pytest

from gateway.password_rules import RULES, SPECIALS, PasswordRules, faults, first_password
from gateway.user_names import is_user_name

DEFAULT, MANUAL = RULES["default"], RULES["manual-2008"]


@pytest.mark.parametrize(
    ("password", "by_default", "by_manual"),
    [
        ("abcdefghijklm12", True, True),
        ("abcdefghijkl12", False, True),
        ("abcdefgh12", False, True),
        ("abcdefg12", False, False),
        ("abcdefghijklmn12", True, False),
        ("abcdefghijklmn1", False, False),
        ("abcdefghijklm--", True, True),
        ("abcdefghijkl 12", False, False),
        ("abcdefghijklé12", False, False),
        ("abcdefghijkl\n12", False, False),
        ('abcdefghijkl"12', False, False),
        ("xxPAYROLL01yy12", False, False),
        ("123456789012345", True, True),
        ("a1" * 64, True, False),
        ("a1" * 64 + "x", False, False),
        ("", False, False),
    ],
)
def test_what_a_password_may_be(password: str, by_default: bool, by_manual: bool) -> None:
    """Length, alphabet, two that are no letters, no user name in it."""
    assert (by_default, by_manual) == (
        not faults(password, "payroll01", DEFAULT),
        not faults(password, "payroll01", MANUAL),
    )


def test_every_special_character_of_the_list_is_taken_and_no_other() -> None:
    """Of all that can be typed on a keyboard."""
    for character in string.punctuation:
        refused = any("only" in fault for fault in faults(f"abcdefghijklm1{character}", "payroll01", MANUAL))
        assert refused is (character not in SPECIALS)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """Too short, another alphabet, letters only, the user name in it."""
    assert 4 == len(faults("épayroll ", "payroll", DEFAULT))


@pytest.mark.parametrize("rules", list(RULES.values()), ids=list(RULES))
def test_first_passwords_fit_the_rules_and_are_never_the_same(rules: PasswordRules) -> None:
    """As long as the rules let them be, up to twenty characters."""
    drawn = {first_password("payroll01", rules) for _ in range(200)}
    assert 200 == len(drawn)
    assert not any(faults(password, "payroll01", rules) for password in drawn)
    assert {min(20, rules.longest)} == {len(password) for password in drawn}


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("payroll1", True),
        ("p" * 30, True),
        ("12345678", True),
        ("payroll", False),
        ("p" * 31, False),
        ("Payroll01", False),
        ("pay roll01", False),
        ("payroll-01", False),
        ("payrollé01", False),
        ("payroll01\n", False),
    ],
)
def test_user_names(name: str, good: bool) -> None:
    """8 to 30 digits and letters a to z."""
    assert is_user_name(name) is good
