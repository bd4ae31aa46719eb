"""``python -m tests.plain_asyncio serve …``: a gateway where the extra ``speed`` was not installed."""

import importlib
import sys
from typing import Any


def main() -> int:
    """Hide uvloop from the import system, and run the command line."""
    modules: dict[str, Any] = sys.modules
    modules["uvloop"] = None
    cli = importlib.import_module("gateway.cli")
    return int(cli.run(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
