"""Spans over a real socket: what a collector is told of passes and webhooks, and that nobody pays who has none."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import structlog
from aiohttp import web

from bot import logs, tracing
from bot.demo.world import World

ROOT = Path(__file__).parents[2]
HOOK, HEADER = "the-registrys-hook-5f1c", "the-collectors-token-77aa"
needs_otel = pytest.mark.skipif(find_spec("opentelemetry") is None, reason="the extra otel is not installed")


@dataclass
class Told:
    """A span as a collector reads it."""

    name: str
    id: bytes
    parent: bytes
    trace: bytes
    error: str | None
    attributes: dict[str, Any]
    service: str


@dataclass
class Collector:
    """Takes OTLP over HTTP."""

    url: str = ""
    spans: list[Told] = field(default_factory=list)
    raw: bytes = b""
    headers: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        from opentelemetry.proto.trace.v1.trace_pb2 import Status

        body = await request.read()
        body = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        self.raw += body
        self.headers.append(request.headers.get("x-token", ""))
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {one.key: one.value.string_value for one in group.resource.attributes}
            for span in (one for scope in group.scope_spans for one in scope.spans):
                said = {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}
                error = span.status.message if span.status.code == Status.STATUS_CODE_ERROR else None
                told = Told(span.name, span.span_id, span.parent_span_id, span.trace_id, error, said, resource["service.name"])
                self.spans.append(told)
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> list[Told]:
        return [one for one in self.spans if one.name == name]


async def until(what: Callable[[], object], seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if what():
                return
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    here, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", here.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield here
    await runner.cleanup()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    one = World(tmp_path)
    await one.start()
    yield one
    await one.stop()


def environ(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), **more}


async def command(world: World, *words: str, code: str = "", **more: str) -> tuple[int, str, str]:
    """A `tagboat` process in the world's folder; `code` is run before it."""
    script = f"{code}\nfrom bot.__main__ import main\nmain()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *words, cwd=world.folder, env=environ(world.folder, **more),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


@needs_otel
async def test_a_pass_is_told_with_its_parts(world: World, collector: Collector) -> None:
    status, _, err = await command(world, "run", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert (status, err) == (0, "")
    (whole,) = collector.named("pass")
    assert (whole.parent, whole.error, whole.service) == (b"", None, "tagboat")
    assert whole.attributes == {"repository": world.url, "why": "run", "pass_id": whole.attributes["pass_id"]}
    assert len(whole.attributes["pass_id"]) == 8
    parts = [one for one in collector.spans if one is not whole]
    assert {one.name for one in parts} == {"look", "decide", "act", "land"}
    assert {(one.parent, one.trace) for one in parts} == {(whole.id, whole.trace)}
    rounds = [one.attributes["round"] for one in collector.named("look")]
    assert rounds == list(range(len(rounds)))
    assert len(rounds) > 1, "dev lands, and the repository is looked at again"
    assert collector.named("land")[0].attributes["candidates"] >= 1


@needs_otel
async def test_a_pass_in_trouble_is_an_error_with_its_reason(world: World, collector: Collector) -> None:
    await world.registry.stop()
    more = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces", "OTEL_SERVICE_NAME": "harbour"}
    status, _, err = await command(world, "run", **more)
    assert status == 1
    (whole,) = collector.named("pass")
    assert whole.error
    assert whole.error in err
    assert whole.service == "harbour"


@needs_otel
async def test_a_server_tells_of_webhooks_and_of_the_passes_they_cause(world: World, collector: Collector) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    lines = world.settings.read_text().replace("insecure: true}", "insecure: true, webhook_secret: {env: HOOK}}")
    world.settings.write_text(f'{lines}server: {{listen: "127.0.0.1:{port}"}}\n')
    more = {"HOOK": HOOK, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "60000"}
    more["OTEL_EXPORTER_OTLP_HEADERS"] = f"x-token={HEADER},no header at all {HEADER}"
    log = world.folder / "log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "serve", cwd=world.folder, env=environ(world.folder, **more), stdout=file, stderr=file
        )
    try:
        await until(lambda: log.read_bytes().count(b'"event": "pass"') and b'"serving"' in log.read_bytes())
        first = log.read_bytes().count(b'"event": "pass"')
        url = f"http://127.0.0.1:{port}/webhooks/registry/{world.registry.host}"
        manifest = "application/vnd.oci.image.manifest.v1+json"
        tag = await world.build()
        event = {"id": "1", "action": "push", "target": {"repository": "harbour/shop", "tag": tag, "mediaType": manifest}}
        async with aiohttp.ClientSession() as session:
            for path, payload, expected in ((f"/{HOOK}", {"events": [event]}, 202), ("/wrong", {}, 401)):
                async with session.post(url + path, json=payload) as answer:
                    assert answer.status == expected
        await until(lambda: log.read_bytes().count(b'"event": "pass"') > first)
        assert collector.spans == [], "they go in batches, and what is left goes at the end"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 25) == 0
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    taken, refused = sorted(collector.named("webhook"), key=lambda one: one.attributes["status"])
    assert taken.attributes == {"sender": "registry", "status": 202}
    assert refused.attributes == {"sender": "registry", "status": 401}
    assert refused.error is None, "a stranger is no error of ours"
    caused = collector.named("pass")[first]
    assert (caused.parent, caused.attributes["repository"]) == (b"", world.url)
    ids = {json.loads(line).get("pass_id") for line in log.read_text().splitlines()}
    assert caused.attributes["pass_id"] in ids, "the log and the spans name a pass alike"
    assert HEADER in collector.headers
    for secret in (HOOK, HEADER):
        assert secret.encode() not in collector.raw
        assert secret not in log.read_text()
    assert "Header format invalid" in log.read_text()


@needs_otel
async def test_a_collector_that_does_not_answer_holds_nobody_up(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{deaf.getsockname()[1]}", "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
        begun = time.monotonic()
        status, out, _ = await command(world, "run", **more)
        assert status == 0
        assert "landed" in out
        assert time.monotonic() - begun < 25, "OpenTelemetry alone would wait for 30 s"


GONE = "import sys; sys.modules['opentelemetry'] = None"
LOADED = "import atexit, sys; atexit.register(lambda: print('LOADED', [m for m in sys.modules if m.startswith('opentelemetry')]))"


async def test_without_the_extra_one_line_says_so(world: World) -> None:
    status, out, err = await command(world, "run", code=GONE, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert status == 0
    assert "landed" in out
    (line,) = err.splitlines()
    assert "no spans are sent" in line
    assert "pip install 'tagboat[otel]'" in line


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
async def test_nothing_is_imported_where_nobody_asked(world: World, more: dict[str, str]) -> None:
    status, out, err = await command(world, "run", code=LOADED, **more)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == "LOADED []"


@needs_otel
async def test_something_is_imported_where_somebody_did(world: World) -> None:
    """So the test above could have failed."""
    _, out, _ = await command(world, "run", code=LOADED, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert "opentelemetry.sdk" in out.splitlines()[-1]


@needs_otel
def test_a_variable_that_cannot_be_read_is_no_reason_not_to_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure()
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    assert tracing.start("tagboat") is False
    assert "no spans are sent" in capsys.readouterr().err
    with tracing.span("pass", root=True) as told:
        told.say(status=1)
        told.failed("nobody hears it")
    tracing.stop()


async def sent(collector: Collector, monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> dict[str, Told]:
    """What arrives of some work in this process, by name."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)

    def told() -> None:
        assert tracing.start("tagboat")
        assert tracing.patience() > 0
        try:
            work()
        finally:
            tracing.stop()
        assert tracing.patience() == 0

    await asyncio.to_thread(told)
    return {one.name: one for one in collector.spans}


@needs_otel
async def test_no_secret_and_no_unexpected_text_is_sent(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        with tracing.span("one", where="a hunter-two b", count=2, sure=True) as told:
            told.failed("no hunter-two here")
        with suppress(ValueError), tracing.span("two"):
            raise ValueError("what nobody expected")

    logs.hide(["hunter-two"])
    try:
        spans = await sent(collector, monkeypatch, work)
    finally:
        logs.hide([])
    assert (spans["one"].attributes, spans["one"].error) == ({"where": "a *** b", "count": 2, "sure": True}, "no *** here")
    assert spans["two"].error == "ValueError"
    for words in (b"hunter-two", b"nobody expected"):
        assert words not in collector.raw


@needs_otel
async def test_a_root_belongs_to_nothing_and_has_what_the_log_has(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        with structlog.contextvars.bound_contextvars(pass_id="7"), tracing.span("outer"):
            with tracing.span("root", root=True, why="x"), tracing.span("part"):
                pass
            with tracing.span("inner"):
                pass

    spans = await sent(collector, monkeypatch, work)
    assert {name: one.attributes for name, one in spans.items()} == {
        "outer": {},
        "root": {"pass_id": "7", "why": "x"},
        "part": {},
        "inner": {},
    }
    assert (spans["root"].parent, spans["part"].parent, spans["inner"].parent) == (b"", spans["root"].id, spans["outer"].id)
    assert spans["root"].trace == spans["part"].trace != spans["outer"].trace
