"""``python -m gateway`` and the command ``gateway``."""

import sys

from gateway.cli import run


def main() -> None:
    """Run the command line and leave with its exit status."""
    sys.exit(run())


if __name__ == "__main__":
    main()
