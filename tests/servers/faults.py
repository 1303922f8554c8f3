"""A server that misbehaves by script, down to the bytes: what a registry, a proxy or a store can do wrong.

async with FaultServer(reply(429, headers={"Retry-After": "1"}), reply(200, b'{"tags": ["1.0"]}')) as server:
    …                       # the first request gets the first answer; the last answer is given for ever
    server.asked            # what was asked, with its headers
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came in; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


Answer = bytes | Callable[[Asked], "bytes | Awaitable[bytes]"]


class FaultServer:
    """Listens on a free port of the loopback address; one connection serves one request."""

    def __init__(self, *script: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.script = list(script)
        self.asked: list[Asked] = []
        self.port = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._busy: set[asyncio.Task[None]] = set()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def targets(self) -> list[str]:
        """The request lines, without the protocol."""
        return [f"{asked.method} {asked.target}" for asked in self.asked]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            asked = await _read(reader)
            self.asked.append(asked)
            answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            content = answer if isinstance(answer, bytes) else answer(asked)
            whole = content if isinstance(content, bytes) else await content
            head, blank, _ = whole.partition(b"\r\n\r\n")
            writer.write(head + blank if asked.method == "HEAD" else whole)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._busy.discard(task)
            writer.close()


def reply(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer in good order."""
    lines = {"Content-Length": str(len(body)), "Connection": "close"} | dict(headers or {})
    head = f"HTTP/1.1 {status} Whatever\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode() + b"\r\n" + body


def tags(*names: str, link: str | None = None) -> bytes:
    """A page of tags."""
    body = json.dumps({"name": "x", "tags": list(names)}).encode()
    return reply(200, body, {"Content-Type": "application/json"} | ({"Link": link} if link else {}))


def moved(location: str, status: int = 307) -> bytes:
    """A redirect."""
    return reply(status, headers={"Location": location})


def challenge(text: str) -> bytes:
    """A 401 with its `WWW-Authenticate`."""
    return reply(401, b'{"errors": [{"code": "UNAUTHORIZED"}]}', {"WWW-Authenticate": text})


def late(seconds: float, content: bytes) -> Answer:
    """An answer after a while."""

    async def wait(asked: Asked) -> bytes:
        await asyncio.sleep(seconds)
        return content

    return wait


async def _read(reader: asyncio.StreamReader) -> Asked:
    method, target, _ = (await reader.readline()).decode().split(" ", 2)
    headers = {}
    while (line := (await reader.readline()).decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, target, headers, body)
