"""``python -m tests.activated 7,9 ARGS…``: ``python ARGS…`` as a service manager starts it for the sockets 7 and 9.

They become the file descriptors from 3 on, and LISTEN_PID names the process (sd_listen_fds(3)).
"""

import os
import sys


def main() -> None:
    """Put the sockets where they belong, and become the program."""
    aside = [os.dup2(int(number), 100 + place) for place, number in enumerate(sys.argv[1].split(","))]
    for place, descriptor in enumerate(aside):
        os.dup2(descriptor, 3 + place)
        os.close(descriptor)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(aside)), "LISTEN_FDNAMES": "sftp"}
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
