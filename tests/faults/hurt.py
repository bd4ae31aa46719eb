"""``python -m tests.faults.hurt ORDERS serve …``: a gateway that is killed at a step, or whose disk fails, on order.

ORDERS is a file that may be written at any time (:class:`Order`, as JSON); empty, the gateway goes on like any other.
An order is carried out once, and its number then written to the file ORDERS.struck: before the gateway kills itself by
SIGKILL, or before the first call to the operating system that fails, or transaction that may not write.  As in
:mod:`tests.faults.halting` the product has no hook for this; here the functions of :mod:`os` are wrapped too, and fail
only for what is in the folder GROUND beside ORDERS.  Beside ORDERS are also the clock that the gateway is told the time
by (:mod:`tests.faults.clock`), and what it takes for the boot id of the kernel.
"""

import errno
import importlib
import json
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.faults import clock
from tests.faults.halting import STEPS, Halting

CALLS: Final = ("fsync", "write", "pwrite", "rename", "unlink")
"""What the operating system is asked and can fail: to make durable, to write, to rename, to remove."""

_LIKEWISE: Final = {"pwritev": "pwrite"}
"""What fails with one of these: a long piece of an upload is written from where it lies."""

ERRORS: Final = ("EIO", "ENOSPC")

READ_ONLY: Final = "transaction"
"""What fails, as a call does, when a database that is a file can't be written: each transaction that would write."""

GROUND: Final = "ground"
_PRODUCT: Final = ("gateway.daemon", "gateway.cli")


@dataclass(frozen=True, slots=True)
class Order:
    """Die at the ``call``-th time that ``step`` comes, or let ``fail`` fail by ``error`` the next ``times``.

    ``fail`` is one of ``CALLS``, or ``READ_ONLY``, which fails until another order is given.
    """

    number: int = 0
    step: str = ""
    call: int = 1
    fail: str = ""
    error: str = "EIO"
    times: int = 1

    def write(self, orders: Path) -> None:
        """Give the order."""
        new = orders.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.rename(orders)


def clock_of(orders: Path) -> clock.Clock:
    """The clock of the gateways that take these orders."""
    return clock.Clock(orders.with_suffix(".clock"))


def boot(orders: Path) -> None:
    """Let gateways that start from now on take the machine for one that was started anew."""
    orders.with_suffix(".boot").write_text(f"{uuid.uuid4()}\n", encoding="ascii")


def struck(orders: Path) -> int:
    """The number of the order that was carried out last; 0 if none was."""
    try:
        return int(orders.with_suffix(".struck").read_text(encoding="utf-8") or 0)
    except FileNotFoundError:
        return 0


class Hurting(Halting):
    """The steps and calls of this process, and the order that stands."""

    def __init__(self, orders: Path) -> None:
        super().__init__(str(orders))
        self._orders = orders
        self._ground = str(orders.parent / GROUND)
        self._was_read_only = False
        self._stamp = (0, 0)
        self._order = Order()
        self._left = 0
        self._guard = threading.Lock()
        self._write = os.write

    def install(self) -> None:
        """Wrap the steps, and what the operating system is asked."""
        super().install()
        for name, fails_as in ({name: name for name in CALLS} | _LIKEWISE).items():
            setattr(os, name, self._failing(fails_as, getattr(os, name)))
        # Settings of modules and what they have imported from others, which a type checker takes for constants.
        vars(importlib.import_module("spool.leftovers"))["_BOOT_ID"] = self._orders.with_suffix(".boot")
        writing = vars(importlib.import_module("spool.shared_commits"))
        writing["begin"] = self._beginning(writing["begin"])

    def _standing(self) -> Order:
        facts = self._orders.stat()
        stamp = facts.st_mtime_ns, facts.st_ino
        if stamp != self._stamp:
            with self._guard:
                self._stamp = stamp
                order = Order(**json.loads(self._orders.read_text(encoding="utf-8") or "{}"))
                # What killed the process before this one is not to kill this one too.
                self._order = Order() if order.number == struck(self._orders) else order
                self._left = self._order.times
                self._calls.clear()
        return self._order

    def _named(self, function: str) -> str:
        order = self._standing()
        if not order.step or self._steps[order.step].function != function:
            return ""
        self._calls[order.step] += 1
        return order.step

    def _halt_if(self, name: str, moment: str, call: int) -> None:
        order = self._order
        if name and name == order.step and call == order.call and self._steps[name].when == moment:
            self._tell(order)
            os.kill(os.getpid(), signal.SIGKILL)

    def _tell(self, order: Order) -> None:
        descriptor = os.open(self._orders.with_suffix(".struck"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._write(descriptor, str(order.number).encode())
        os.close(descriptor)

    def _failing(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            order = self._standing()
            if order.fail == name and self._left and self._is_ours(args[0]):
                with self._guard:
                    fails, self._left = self._left > 0, max(0, self._left - 1)
                if fails:
                    self._tell(order)
                    number = getattr(errno, order.error)
                    raise OSError(number, os.strerror(number))
            return original(*args, **kwargs)

        return call

    def _beginning(self, original: Callable[..., None]) -> Callable[..., None]:
        def begin(connection: Any, how: Any) -> None:
            order = self._standing()
            is_read_only = order.fail == READ_ONLY
            if is_read_only or self._was_read_only:
                connection.exec_driver_sql(f"PRAGMA query_only={int(is_read_only)}")
                if is_read_only and struck(self._orders) != order.number:
                    self._tell(order)
                self._was_read_only = True
            original(connection, how)

        return begin

    def _is_ours(self, what: Any) -> bool:
        try:
            path = Path(f"/proc/self/fd/{what}").readlink() if isinstance(what, int) else what
        except OSError:
            return False
        return str(path).startswith(self._ground)


def main() -> int:
    """Take orders from the file that the first argument names, and run the command line with the others."""
    orders = Path(sys.argv[1])
    for module in (*_PRODUCT, *{step.function.partition(":")[0] for step in STEPS.values()}):
        importlib.import_module(module)
    clock.know_zone(orders.parent / "zones")
    clock.install(clock_of(orders))
    Hurting(orders).install()
    cli = importlib.import_module("gateway.cli")
    return int(cli.run(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
