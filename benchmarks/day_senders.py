"""The senders of the day, who bring files when they are ready and look for their answers, and an institution.

Part of :mod:`benchmarks.day`.  Each sender has two connections, one to send and one to fetch.
"""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pika
from pika.exceptions import AMQPError

from benchmarks import validation
from benchmarks.day_trace import DMFA, Arrival
from tests.faults.campaign.senders import Records, SetMaker, SftpSender
from tests.gateway_process import Site, today

FORM_BYTES: Final = 9_202
"""The size of a quarterly declaration of five workers."""

_OF_FORM: Final = (b"<Form>", b"</Form>")
_REFERENCE: Final = b">DMFA-0001<"
_AWAY: Final = 0.2
_BATCH: Final = 100
_PATIENCE: Final = 180.0
_GONE: Final = 20.0
"""A broker that is away for so long after the day is not waited for."""


@dataclass(slots=True)
class Brought:
    """A file as its sender saw it: when it was ready, and when the OK to its GO came (microseconds)."""

    stem: str
    arrival: Arrival
    ready: int
    accepted: int


class DaySets(SetMaker):
    """The files of one sender, in the order in which they are ready."""

    def __init__(self, site: Site, arrivals: Sequence[Arrival]) -> None:
        super().__init__(site)
        self._arrivals = arrivals

    def files(self, sender: str, serial: int) -> tuple[str, bool, list[tuple[str, bytes]]]:
        """What the names share, whether all is valid, and names and bytes in the order in which they are sent."""
        arrival = self._arrivals[serial - 1]
        stem = stem_of(sender, arrival)
        data = document(arrival, self._text)
        return (
            stem,
            arrival.is_valid,
            [(f"FI.{stem}.1.1", data), (f"FS.{stem}.1.1", self._signer.sign(data)), (f"GO.{stem}.1", b"")],
        )


def stem_of(sender: str, arrival: Arrival) -> str:
    """What the names of the files share."""
    return f"{arrival.purpose}.{sender}.{today()}.{arrival.serial:05}.R"


def document(arrival: Arrival, dimona: bytes) -> bytes:
    """A file with as many declarations as it has to have; ``dimona`` is one of Dimona, whose first form is taken."""
    if arrival.purpose == DMFA:
        data = b"".join(validation.document(arrival.forms * FORM_BYTES + FORM_BYTES // 2))
        data = data.replace(_REFERENCE, b">DMFA-%05d<" % arrival.serial)
    else:
        start, end = dimona.index(_OF_FORM[0]), dimona.rindex(_OF_FORM[1]) + len(_OF_FORM[1])
        form = dimona[start : dimona.index(_OF_FORM[1]) + len(_OF_FORM[1])]
        forms = (form.replace(b"-0001<", b"-%d-%d<" % (arrival.serial, number)) for number in range(arrival.forms))
        data = dimona[:start] + b"\n".join(forms) + dimona[end:]
    return data if arrival.is_valid else data.replace(b">SU<", b">XX<", 1)


@dataclass(slots=True)
class Sender:
    """One of them: ``files`` are its own, ``pace`` is seconds of the replay for one second of the day."""

    who: tuple[str, str]
    site: Site
    files: Sequence[Arrival]
    pace: float
    brought: list[Brought] = field(default_factory=list)
    sent: Records = field(default_factory=Records)
    fetched: Records = field(default_factory=Records)

    async def live(self, began: float, every: float) -> None:
        """Its day, which begins at ``began`` (seconds since the epoch); it looks for answers ``every`` so often."""
        is_open = asyncio.Event()
        is_open.set()
        maker = DaySets(self.site, self.files)
        sending = SftpSender(self.who, self.site, maker, is_open)
        fetching = SftpSender(self.who, self.site, maker, is_open)
        self.sent, self.fetched = sending.records, fetching.records
        sent = asyncio.create_task(self._send(sending, began))
        while not sent.done():
            await asyncio.wait([sent], timeout=every)
            await fetching.fetch()
        await sent
        end = time.monotonic() + _PATIENCE
        while self._unanswered() and time.monotonic() < end:
            await asyncio.sleep(every / 10)
            await fetching.fetch()
        await fetching.leave()

    async def _send(self, sender: SftpSender, began: float) -> None:
        for arrival in self.files:
            ready = began + arrival.second * self.pace
            await asyncio.sleep(max(0.0, ready - time.time()))
            await sender.send()
            stem = stem_of(self.who[0], arrival)
            self.brought.append(Brought(stem, arrival, int(ready * 1e6), time.time_ns() // 1000))
        await sender.leave()

    def _unanswered(self) -> bool:
        return not self.sent.told.keys() <= {one.stem for one in self.fetched.answers.values()}


class Institution:
    """Takes every declaration from the broker, and comes back when the broker does."""

    def __init__(self, url: str, queue: str) -> None:
        self.ids: Counter[str] = Counter()
        self.again = 0
        self._url = url
        self._queue = queue
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._live, name="institution", daemon=True)

    def __enter__(self) -> "Institution":
        """Begin to take."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take what is left, and end."""
        self._end.set()
        self._thread.join()

    def _live(self) -> None:
        away = 0.0
        while away < _GONE:
            try:
                if self._take():
                    return
                away = 0.0
            except (AMQPError, OSError):
                time.sleep(_AWAY)
                away = away + _AWAY if self._end.is_set() else 0.0

    def _take(self) -> bool:
        """Take until there is nothing more and the day has ended; answers whether that was so."""
        connection = pika.BlockingConnection(pika.URLParameters(self._url))
        with contextlib.closing(connection):
            channel = connection.channel()
            channel.basic_qos(prefetch_count=_BATCH * 2)
            pending = 0
            for method, properties, _ in channel.consume(self._queue, inactivity_timeout=_AWAY * 5):
                if method is None:
                    if self._end.is_set():
                        return True
                    continue
                # What is not confirmed when the broker goes comes again, and says so.
                self.again += bool(method.redelivered) and properties.message_id in self.ids
                self.ids[properties.message_id] += not (method.redelivered and properties.message_id in self.ids)
                pending += 1
                if pending % _BATCH == 0 or channel.get_waiting_message_count() == 0:
                    channel.basic_ack(method.delivery_tag, multiple=True)
        return False
