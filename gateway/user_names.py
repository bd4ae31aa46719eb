"""What may a person or a technical user be called?  Pure.

User names are one name space.  They stand in logs and in the history, so an INSS, which would pass for one, is none.
"""

import re
from typing import Final

from schemas import identifiers

NAME_RULE: Final = "a user name has 8 to 30 digits and letters a to z, and is no INSS"
_NAME: Final = re.compile(r"[0-9a-z]{8,30}")
_INSS_DIGITS: Final = 11


def is_user_name(name: str) -> bool:
    """Whether a person or a technical user may be called so, by ``NAME_RULE``."""
    if _NAME.fullmatch(name) is None:
        return False
    is_inss = name.isdecimal() and len(name) == _INSS_DIGITS and not identifiers.check(identifiers.Kind.INSS, name)
    return not is_inss
