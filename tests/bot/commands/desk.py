"""A person's desk: a folder with files and `app.yaml`, where commands are run as from a shell."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.cli import run


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    status: int
    out: bytes
    err: str

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The JSON lines."""
        return [json.loads(line) for line in self.out.decode().splitlines()]

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()


@dataclass(frozen=True, slots=True)
class Desk:
    """Commands run in `folder`, as in the current one."""

    folder: Path
    capture: pytest.CaptureFixture[bytes]

    def put(self, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def list_registries(self, *hosts: str) -> None:
        """An `app.yaml` that lists these."""
        rows = ", ".join(f'{{host: "{host}", insecure: true}}' for host in hosts)
        self.put({"app.yaml": f"registries: [{rows}]\n"})

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    async def run(self, *arguments: str) -> Done:
        """Run a command line; the loop of the test goes on meanwhile, since servers live in it."""
        self.capture.readouterr()
        status = await asyncio.to_thread(run, arguments)
        captured = self.capture.readouterr()
        return Done(status, captured.out, captured.err.decode())


def pod(*images: str) -> str:
    """A manifest with these images."""
    lines = [f"  - name: c{at}\n    image: {image}  # stays\n" for at, image in enumerate(images)]
    return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n" + "".join(lines)
