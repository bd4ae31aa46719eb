"""A filter of system calls as a unit of systemd asks for it: which calls, which architecture, which address families.

The sets that are named (``@system-service``) are those of the installed ``systemd-analyze``, the numbers of the calls
those of libseccomp, which comes with systemd.  As there, what is not allowed ends the process, and a socket of another
family than is named is an error (systemd.exec(5)).
"""

import ctypes
import platform
import signal
import socket
import struct
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_NO_SUCH_FAMILY: Final = 0x00050000 | 97
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16

FORBIDDEN: Final = -signal.SIGSYS
"""How a process ends that makes a call which is not allowed, as ``subprocess`` says it."""


@cache
def _set(name: str) -> frozenset[str]:
    """The calls of a set, those of the sets in it included."""
    words = ["systemd-analyze", "--no-pager", "syscall-filter", name]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in said.splitlines()[1:]]
    return _calls([line for line in lines if line and not line.startswith("#")])


def _calls(names: Iterable[str]) -> frozenset[str]:
    found = [_set(name) if name.startswith("@") else {name} for name in names]
    return frozenset[str]().union(*found)


def allowed(words: Sequence[str]) -> list[int]:
    """The numbers of the calls that are left by SystemCallFilter's words; those with ``~`` take away."""
    assert not words[0].startswith("~"), "only a list of what is allowed is made here"
    names = _calls(word for word in words if not word.startswith("~"))
    names -= _calls(word[1:] for word in words if word.startswith("~"))
    library = ctypes.CDLL("libseccomp.so.2")
    numbers = [int(library.seccomp_syscall_resolve_name(name.encode())) for name in names]
    return sorted(number for number in numbers if number >= 0)


def program(calls: Sequence[int], families: Sequence[str]) -> bytes:
    """What seccomp(2) takes: these calls alone, of this machine's architecture, and sockets of these families alone."""
    numbers = [int(getattr(socket, name)) for name in families]
    socket_call = int(ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name(b"socket"))
    return b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (_LOAD, 0, 0, _ARCHITECTURE),
            (_EQUAL, 1, 0, _ARCHITECTURES[platform.machine()]),
            (_RETURN, 0, 0, _KILL),
            (_LOAD, 0, 0, _NUMBER),
            (_EQUAL, 0, 2 * len(numbers) + 2, socket_call),
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            *_allowing(numbers),
            (_RETURN, 0, 0, _NO_SUCH_FAMILY),
            *_allowing(calls),
            (_RETURN, 0, 0, _KILL),
        )
    )


def _allowing(values: Iterable[int]) -> Iterable[tuple[int, int, int, int]]:
    for value in values:
        yield _EQUAL, 0, 1, value
        yield _RETURN, 0, 0, _ALLOW
