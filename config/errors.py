"""The errors of the whole gateway, and which of them may heal by themselves.

::

    GatewayError
    ├── ConfigurationError   at start only; carries every fault found; exit status 2
    └── TemporaryError       our own trouble: try again later, never told to a sender
        └── (each room adds its own: TrustUnavailable, SpoolError, BrokerUnavailable …)

A refusal of what a sender did is no exception: it is a value with a code.
"""

from collections.abc import Sequence


class GatewayError(Exception):
    """Base of every error the gateway raises on purpose."""


class ConfigurationError(GatewayError):
    """The configuration cannot be used; ``faults`` has one line for each reason."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)

    def __reduce__(self) -> tuple[type["ConfigurationError"], tuple[tuple[str, ...]]]:
        """Travel whole from a worker process."""
        return type(self), (self.faults,)


class TemporaryError(GatewayError):
    """Our own trouble; the work is kept and tried again."""
