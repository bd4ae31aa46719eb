"""How do spans get to a collector?  By OTLP over HTTP, as protobuf; OpenTelemetry's library says what that looks like.

Its exporter isn't used: it reads whatever a collector answers, for as long as that takes.  Here an answer is bounded in
size and time, nothing is redirected, and what is asked of the environment is nothing.  OTLP 1.5, "OTLP/HTTP".
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its stubs are no dependency
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from config.credential import revealed
from config.traces import Traces
from gateway.download import Downloader, DownloadLimits, Failed, Question, open_downloader
from gateway.traces.spans import Span

_LARGEST_ANSWER: Final = 65_536
_TYPE: Final = "application/x-protobuf"
_LATER: Final = frozenset({408, 429, 502, 503, 504})
_SCOPE: Final = "gateway.traces"


@dataclass(frozen=True, slots=True)
class Taken:
    """The collector has them, but for so many that it rejected."""

    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never take them."""

    reason: str


@dataclass(frozen=True, slots=True)
class Away:
    """They may be sent again."""

    reason: str


class Collector:
    """The collector at ``url``."""

    def __init__(self, url: str, downloader: Downloader) -> None:
        self._url = url
        self._downloader = downloader

    async def send(self, spans: Sequence[Span]) -> Taken | Refused | Away:
        """What becomes of these."""
        body = await asyncio.to_thread(self._encoded, spans)
        answer = await self._downloader.read(self._url, Question(body, _TYPE))
        if isinstance(answer, Failed):
            later = answer.status is None or answer.status in _LATER
            return Away(answer.reason) if later else Refused(answer.reason)
        return Taken(min(len(spans), await asyncio.to_thread(_rejected, answer)))

    def _encoded(self, spans: Sequence[Span]) -> bytes:
        body: bytes = encode_spans([self._readable(span) for span in spans]).SerializeToString()
        return body

    def _readable(self, span: Span) -> ReadableSpan:
        return ReadableSpan(
            span.name,
            context=_context(span.trace, span.number),
            parent=None if span.parent is None else _context(span.trace, span.parent),
            resource=self._resource,
            attributes=span.attributes,
            kind=SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
            start_time=span.start * 1000,
            end_time=span.end * 1000,
            instrumentation_scope=InstrumentationScope(_SCOPE),
        )

    @cached_property
    def _resource(self) -> Resource:
        return Resource({"service.name": "batch-gateway", "service.version": version("batch-gateway")})


@asynccontextmanager
async def open_collector(rules: Traces) -> AsyncIterator[Collector]:
    """The collector that the settings name, for the time of the block.

    Raises:
        ConfigurationError: a header is a credential that cannot be read.
    """
    headers: Mapping[str, str] = {name: revealed(value) for name, value in rules.headers.items()}
    async with open_downloader(DownloadLimits(rules.seconds, _LARGEST_ANSWER), headers) as downloader:
        yield Collector(str(rules.endpoint), downloader)


def _context(trace: int, number: int) -> SpanContext:
    return SpanContext(trace, number, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _rejected(answer: bytes) -> int:
    """How many the collector says that it did not take; none if it says what is no answer."""
    try:
        count: int = ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans
    except DecodeError:
        return 0
    return max(0, count)
