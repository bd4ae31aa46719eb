"""``python -m tests.pausing FILE STEP serve …``: as :mod:`tests.faults.halting`, and goes on once FILE is there."""

import json
import sys
import time
from pathlib import Path

from tests.faults import halting


def main() -> int:
    """Wrap the steps, and run the command line."""
    file = Path(sys.argv.pop(1))

    def pause(step: str) -> None:
        sys.stderr.write(json.dumps({"event": "fault.halted", "step": step}) + "\n")
        sys.stderr.flush()
        while not file.exists():
            time.sleep(0.05)  # the host stands still meanwhile, and with it the clock that it could wait by

    halting.halt = pause
    return halting.main()


if __name__ == "__main__":
    sys.exit(main())
