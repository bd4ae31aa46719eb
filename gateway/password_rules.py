"""What may a password be, and what does a first one look like?  Pure.

The network's texts give two rules; what they have in common is the alphabet and two digits or special characters.
They differ in length, so that is a policy with a name: 15 or more, or from 10 to 15 as the manual of 2008 has it.
"""

import secrets
import string
from dataclasses import dataclass
from typing import Final

SPECIALS: Final = ",;:=?./+*$%><&@#'(!{})-_"
_ALPHABET: Final = frozenset(string.ascii_letters + string.digits + SPECIALS)
_NO_LETTERS: Final = frozenset(string.digits + SPECIALS)
_NON_LETTERS: Final = 2
# Neither 0 and O nor 1, l and I: a first password is read from paper.
_READABLE: Final = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_SEPARATOR: Final = "-"


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """How many characters a password has, at least and at most."""

    shortest: int
    longest: int


RULES: Final = {"default": PasswordRules(15, 128), "manual-2008": PasswordRules(10, 15)}


def faults(password: str, username: str, rules: PasswordRules) -> tuple[str, ...]:
    """Everything that is wrong with ``password`` as one of ``username``, each as a phrase; nothing if it is good."""
    found = []
    if len(password) < rules.shortest:
        found.append(f"it needs at least {rules.shortest} characters")
    if len(password) > rules.longest:
        found.append(f"it may have at most {rules.longest} characters")
    if not _ALPHABET.issuperset(password):
        found.append(f"it may have letters without accents, digits and {SPECIALS} only, and no space")
    if sum(character in _NO_LETTERS for character in password) < _NON_LETTERS:
        found.append(f"it needs at least {_NON_LETTERS} digits or special characters")
    if username.lower() in password.lower():
        found.append("the user name may not be in it")
    return tuple(found)


def first_password(username: str, rules: PasswordRules) -> str:
    """A password by chance that the rules allow, of groups that can be read out: 80 bits or more.

    Args:
        username: whose it is.
        rules: what it has to fit.
    """
    length = min(max(rules.shortest, 20), rules.longest)
    while True:
        drawn = [secrets.choice(_READABLE) for _ in range(length)]
        drawn[5::6] = [_SEPARATOR] * len(drawn[5::6])
        password = "".join(drawn)
        if not faults(password, username, rules):
            return password
