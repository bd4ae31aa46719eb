"""A collector of traces on the loopback, which understands OTLP over HTTP; and every way to be of no use."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class TraceCollector:
    """A server in a thread of its own; ``spans`` is what it took, ``answer`` what it does instead of taking it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[Mapping[str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.asked = threading.Semaphore(0)
        self.answer: Answer | None = None
        self.endpoint = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        body = await request.read()
        self.headers.append(dict(request.headers))
        self.asked.release()
        if self.answer is not None:
            return await self.answer(request)
        assert request.content_type == "application/x-protobuf"
        said = ExportTraceServiceRequest.FromString(body)
        for resource in said.resource_spans:
            self.resources.append({one.key: one.value.string_value for one in resource.resource.attributes})
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )

    def of(self, ticket: str) -> dict[str, Span]:
        """The spans of a ticket, by name."""
        return {span.name: span for span in self.spans if attributes(span)["gateway.ticket"] == ticket}


def attributes(span: Span) -> dict[str, Any]:
    """Those of a span, as Python has them."""
    return {one.key: _value(one.value) for one in span.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)


@contextmanager
def collecting() -> Iterator[TraceCollector]:
    """A collector that takes what comes, for the time of the block."""
    collector = TraceCollector()
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(_application(collector), shutdown_timeout=0.1)

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port: int = runner.addresses[0][1]
        return port

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
        collector.endpoint = f"http://127.0.0.1:{port}/v1/traces"
        yield collector
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def _application(collector: TraceCollector) -> web.Application:
    application = web.Application()
    application.router.add_post("/v1/traces", collector.take)
    return application
