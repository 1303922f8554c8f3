"""Host names of our own making."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult


class Names(AbstractResolver):
    """A resolver with a book of its own; a name with several entries gives them one look-up after the other."""

    def __init__(self, book: dict[str, list[list[str]]]) -> None:
        self.book = book

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        entries = self.book[host]
        found = entries.pop(0) if len(entries) > 1 else entries[0]
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [
            ResolveResult(hostname=host, host=each, port=port, family=kinds[":" in each], proto=0, flags=socket.AI_NUMERICHOST)
            for each in found
        ]

    async def close(self) -> None:
        pass
