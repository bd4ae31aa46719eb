"""How do records travel between the gateway and its workers?

As their kind and their values in order, and made anew from these: a dataclass with slots would else ask for the names
of its fields at either end, each time, which takes two to three times as long. A path goes as one text, for the same
reason: it would else be joined of its parts again.
"""

import copyreg
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from pathlib import PosixPath
from typing import Any


def _as_text(path: PosixPath) -> tuple[type[PosixPath], tuple[str]]:
    return PosixPath, (str(path),)


copyreg.pickle(PosixPath, _as_text)


def send_in_order(*kinds: type) -> None:
    """Have :mod:`pickle` write records of these kinds so, in this process; whoever reads them needs nothing for it.

    Args:
        kinds: dataclasses whose fields are all given when one is made.
    """
    for kind in kinds:
        copyreg.pickle(kind, _parted(kind))


def _parted(kind: type) -> Callable[[Any], tuple[type, tuple[Any, ...]]]:
    names = [field.name for field in fields(kind)]
    values = attrgetter(*names)
    if len(names) == 1:
        return lambda record: (kind, (values(record),))
    return lambda record: (kind, values(record))
