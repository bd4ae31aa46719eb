"""Which policies does the broker lack, and how are they set?

Over its management interface, which AMQP has no word for; or, where there is none, as commands for an operator.  Only
policies that bear the gateway's names are ever changed.  Where another one holds for a queue of ours, by a higher
priority, that is said.  Which they are is ``topology``'s; source: RabbitMQ 3.10, "Parameters and Policies".
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from channels.mq.management import Management
from channels.mq.topology import PRIORITY, Fault, Policy, Topology, Wrong

_APPLIES_TO: Final = "queues"
_OF_QUEUES: Final = frozenset({"queues", "quorum_queues", "all"})


def commands(topology: Topology, vhost: str) -> Iterator[str]:
    """For a shell of the broker's machine: one line for each policy."""
    for policy in topology.policies:
        words = ["rabbitmqctl", "set_policy", "--vhost", vhost, "--priority", str(PRIORITY), "--apply-to", _APPLIES_TO]
        yield shlex.join([*words, policy.name, policy.pattern, json.dumps(dict(policy.definition))])


async def set_all(management: Management, vhost: str, topology: Topology) -> None:
    """Have every policy at the broker as it should be.

    Raises:
        BrokerUnavailable: it could not be asked, or refuses.
    """
    there = {str(row["name"]): row for row in await management.policies(vhost)}
    for policy in topology.policies:
        if _difference(policy, there.get(policy.name)) is not None:
            await management.set_policy(vhost, policy.name, _facts(policy))


async def look(management: Management, vhost: str, topology: Topology) -> list[Fault]:
    """Which policies are missing or otherwise, and which queues are under another one; changes nothing.

    Raises:
        BrokerUnavailable: it could not be asked.
    """
    there = {str(row["name"]): row for row in await management.policies(vhost)}
    faults = (_difference(policy, there.get(policy.name)) for policy in topology.policies)
    return [*(fault for fault in faults if fault is not None), *_overruled(topology, list(there.values()))]


def _difference(policy: Policy, found: Mapping[str, Any] | None) -> Fault | None:
    if found is None:
        return Fault(policy.name, Wrong.MISSING, f"there is no policy {policy.name!r}")
    for key, wanted in _facts(policy).items():
        if found.get(key) != wanted:
            words = f"policy {policy.name!r} is there, but its {key} is {found.get(key)} and not {wanted}"
            return Fault(policy.name, Wrong.DIFFERENT, words)
    return None


def _overruled(topology: Topology, there: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """Queues for which a policy that isn't ours holds, or may hold: of two of one priority the broker takes either."""
    own = {policy.name for policy in topology.policies}
    others = [row for row in there if row["name"] not in own and row["priority"] >= PRIORITY]
    for queue in topology.queues:
        for row in others:
            if row["apply-to"] in _OF_QUEUES and _has(queue.name, str(row["pattern"])):
                words = f"the policy {row['name']!r} holds for the queue {queue.name}, instead of the gateway's: "
                yield Fault(queue.name, Wrong.DIFFERENT, f"{words}give it a priority below {PRIORITY}")


def _has(name: str, pattern: str) -> bool:
    """Whether the broker finds ``pattern`` in ``name``; where only the broker understands it, it isn't said to."""
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def _facts(policy: Policy) -> dict[str, Any]:
    definition = dict(policy.definition)
    return {"pattern": policy.pattern, "apply-to": _APPLIES_TO, "priority": PRIORITY, "definition": definition}
