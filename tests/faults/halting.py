"""``python -m tests.faults.halting STEP serve …``: a gateway that stands still at one step of a file's path.

STEP is its name, or the path of a file that holds it and may be written at any time; as long as that is empty the
gateway goes on like any other.  Where it stands still it says so on its log (event ``fault.halted``) and does nothing
more in that thread, so that a test can kill the process right there, or first do something that a sender might do in
that moment.  The product has no hook for this: the functions of the steps are wrapped from outside, before the command
line runs.
"""

import functools
import importlib
import inspect
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True)
class Step:
    """Before or after the n-th call of a function, named as module, colon, dotted name."""

    when: str
    function: str
    call: int = 1


STEPS: Final = {
    "first byte of FI written": Step("after", "spool.intake:Upload.write"),
    "FI closed, without its name": Step("before", "spool.intake:Intake.finish"),
    "FI has its name": Step("after", "spool.intake:Intake.finish"),
    "FS has its name": Step("after", "spool.intake:Intake.finish", 2),
    "GO has its name": Step("after", "spool.intake:Intake.finish", 3),
    "files synced, envelope not written": Step("before", "spool.custody:write_unseen"),
    "envelope written": Step("after", "spool.custody:write_unseen"),
    "set moved into custody": Step("after", "spool.custody:move_durably"),
    "journal about to be committed": Step("before", "spool.custody:Custody._record"),
    "in the journal, sender not told": Step("after", "spool.custody:Custody.take"),
    "sender told, nothing judged": Step("before", "gateway.judge:Judge.judge"),
    "signature verified": Step("after", "gateway.judge:Judge._signature"),
    "declarations written": Step("after", "gateway.judge:Judge._validation"),
    "acknowledgement signed": Step("after", "gateway.answer:compose"),
    "effects planned, verdict not committed": Step("after", "gateway.forward:promise"),
    "verdict committed": Step("after", "gateway.pipeline:Pipeline._record"),
    "FO placed": Step("after", "spool.outbox:give_name"),
    "FS placed": Step("after", "spool.outbox:give_name", 2),
    "GO placed": Step("after", "spool.outbox:sync_folder"),
    "all of the answer placed": Step("after", "spool.outbox:Outbox.place"),
    "answer recorded": Step("before", "gateway.answer:_report"),
    "anomalies found": Step("after", "gateway.judge:Judge._validation"),
    "both answers signed": Step("after", "gateway.answer:compose"),
    "first answer stored, second not": Step("after", "spool.answers:store"),
    "both answers planned, verdict not committed": Step("after", "gateway.answer:promise"),
    "verdict of anomalies committed": Step("after", "gateway.pipeline:Pipeline._record"),
    "acknowledgement placed, notification not": Step("after", "spool.outbox:sync_folder"),
    "FO of the notification placed": Step("after", "spool.outbox:give_name", 3),
    "FS of the notification placed": Step("after", "spool.outbox:give_name", 4),
    "GO of the notification placed": Step("after", "spool.outbox:sync_folder", 2),
    "placing of both answers recorded": Step("before", "gateway.answer:_report"),
    "declarations read": Step("after", "gateway.forward:message_of", 3),
    "nothing published": Step("before", "channels.mq.publisher:Publisher.publish_all"),
    "first message published": Step("after", "pika.channel:Channel.basic_publish"),
    "last message published": Step("after", "pika.channel:Channel.basic_publish", 3),
    "first message confirmed": Step("after", "channels.mq.publisher:Publisher._settled"),
    "last message confirmed": Step("after", "channels.mq.publisher:Publisher._settled", 3),
    "confirms not recorded": Step("before", "gateway.routing_queues:record"),
    "confirms recorded": Step("after", "gateway.routing_queues:record"),
    "declarations dropped": Step("after", "gateway.forward:_drop_finished"),
    "put into the embedded queue, not committed": Step("after", "spool.routing_queue:put"),
    "committed to the embedded queue": Step("after", "gateway.routing_queues:EmbeddedQueue._put"),
}

BACK: Final = {"institution's message recorded, not acked": Step("after", "gateway.institutions:Institutions._record")}
"""Steps of another path: of what institutions send."""


DOOR: Final = {
    "message moved into custody, journal not committed": Step("before", "spool.custody:Custody._record"),
    "message in the journal, not acknowledged": Step("after", "spool.custody:Custody.take"),
}
"""Steps of what comes by message, up to its acknowledgement; from there on the path is the same."""


FLOOD: Final = {
    "messages synced together, none moved": Step("after", "spool.custody_together:_seal_all"),
    "messages moved together, journal not committed": Step("before", "spool.custody_together:_record"),
    "messages in the journal together, none acknowledged": Step("after", "spool.custody_together:_record"),
}
"""Steps of many that come by message at once."""


PURGE: Final = {
    "payload planned, nothing removed": Step("after", "spool.purging:Purging.plan"),
    "first file removed": Step("after", "spool.forgetting:_unlink"),
    "all files removed, their folder not": Step("after", "spool.forgetting:_unlink", 4),
    "folder removed, not synced": Step("before", "spool.purging:sync_folder"),
    "folder removed, nothing recorded": Step("before", "spool.purging:Purging._record"),
    "removal recorded, not committed": Step("after", "spool.forgetting:forget_payload"),
    "removal committed": Step("after", "spool.purging:Purging._record"),
    "answers planned, bytes there": Step("after", "spool.purging:Purging.plan"),
    "answers emptied, not committed": Step("after", "spool.forgetting:forget_answers"),
}
"""Steps of what takes data away when its time is up."""


def halt(step: str) -> None:
    """Say where we are, and stand still until somebody kills us."""
    sys.stderr.write(json.dumps({"event": "fault.halted", "step": step}) + "\n")
    sys.stderr.flush()
    threading.Event().wait()


class Halting:
    """The steps of a process, of which ``word`` is the one to stand still at, or the file that names it."""

    def __init__(self, word: str) -> None:
        self._steps = STEPS | BACK | DOOR | FLOOD | PURGE
        self._fixed = word if word in self._steps else ""
        self._file = Path(word)
        self._calls: Counter[str] = Counter()
        self._originals: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        """Wrap the functions of all steps, wherever they are known already."""
        for function in {step.function: None for step in self._steps.values()}:
            module, _, path = function.partition(":")
            *owners, last = path.split(".")
            owner: Any = functools.reduce(getattr, owners, importlib.import_module(module))
            original = getattr(owner, last)
            wrapped = self._wrapped(original, function)
            self._put(owner, last, wrapped)
            if getattr(original, "__module__", "") == module and not owners:
                # Others of these modules may have taken it from there before it was wrapped.
                for known in list(sys.modules.values()):
                    if getattr(known, "__dict__", {}).get(last) is original:
                        self._put(known, last, wrapped)

    def _put(self, owner: Any, name: str, wrapped: Any) -> None:
        self._originals.append((owner, name, vars(owner)[name]))
        setattr(owner, name, wrapped)

    def remove(self) -> None:
        """Put every function back where it was."""
        while self._originals:
            setattr(*self._originals.pop())

    def _named(self, function: str) -> str:
        """The step to stand still at, if it is one of ``function``; this call of it counts from now on."""
        name = self._fixed or self._file.read_text(encoding="utf-8")
        if not name or self._steps[name].function != function:
            return ""
        self._calls[name] += 1
        return name

    def _halt_if(self, name: str, moment: str, call: int) -> None:
        if name and self._steps[name] == Step(moment, self._steps[name].function, call):
            halt(name)

    def _wrapped(self, original: Callable[..., Any], function: str) -> Callable[..., Any]:
        @functools.wraps(original)
        def plain(*args: Any, **kwargs: Any) -> Any:
            name = self._named(function)
            call = self._calls[name]
            self._halt_if(name, "before", call)
            result = original(*args, **kwargs)
            self._halt_if(name, "after", call)
            return result

        @functools.wraps(original)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            name = self._named(function)
            call = self._calls[name]
            self._halt_if(name, "before", call)
            result = await original(*args, **kwargs)
            self._halt_if(name, "after", call)
            return result

        return awaited if inspect.iscoroutinefunction(original) else plain


def main() -> int:
    """Wrap the steps, one of which the first argument names, and run the command line with the others."""
    Halting(sys.argv[1]).install()
    cli = importlib.import_module("gateway.cli")
    return int(cli.run(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
