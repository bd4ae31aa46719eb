"""Is a good signature's certificate the sender's, with the key that holders are hashed with where that is needed?

The rule is :mod:`gateway.registrations`'s; here is where the key comes from, and what it means that it cannot be read.
"""

from config.errors import ConfigurationError, TemporaryError
from config.settings import Settings
from gateway import registrations
from gateway.parties import Sender
from signing.evidence import Evidence
from signing.holder import read_key


class HolderKeyUnusableError(TemporaryError):
    """Certificates are registered by their holder, and the key that holders are hashed with cannot be read."""


def refusal(settings: Settings, sender: Sender, evidence: Evidence, at: int) -> str:
    """Why the signer's certificate is not the sender's at the moment of receipt (microseconds); empty if it is.

    Raises:
        HolderKeyUnusableError: that cannot be told now.
    """
    registered = sender.certificates
    refused = registrations.refusal(registered, evidence, at, None)
    if not refused or not registrations.by_holder(registered, at):
        return refused
    try:
        key = read_key(registrations.holder_key_file(settings))
    except ConfigurationError as fault:
        raise HolderKeyUnusableError("; ".join(fault.faults)) from fault
    return registrations.refusal(registered, evidence, at, key)
