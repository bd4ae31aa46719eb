"""``gateway``, in a process that also tells how many of its asyncio tasks are alive.

    python -m benchmarks.steady_gateway FILE WORDS…

runs ``gateway WORDS…`` and writes that number into FILE a few times a second: nobody outside can count them.  Part of
:mod:`benchmarks.steady`.
"""

import asyncio
import sys
import threading
import time
from pathlib import Path
from typing import Final

from gateway.cli import run

_SECONDS: Final = 0.25


def tell(file: Path) -> None:
    """Write for ever how many tasks are alive, in whatever loop; a reader never sees half a number."""
    beside = file.with_suffix(".new")
    while True:
        beside.write_text(str(len(asyncio.tasks._all_tasks)), "ascii")  # type: ignore[attr-defined]  # noqa: SLF001 - the public all_tasks() knows one loop, and has to be called in it
        beside.replace(file)
        time.sleep(_SECONDS)


def main() -> None:
    """Run the command line beside the count, and leave with its exit status."""
    file = Path(sys.argv.pop(1))
    threading.Thread(target=tell, args=(file,), name="count of tasks", daemon=True).start()
    sys.exit(run())


if __name__ == "__main__":
    main()
