"""How the demo looks: headings, diffs and verdicts, in colour on a terminal and plain in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from bot.terminal import plain

_COLOURS = {"+": "32", "-": "31", "@": "36"}


class Screen:
    """Prints, and remembers whether every step happened."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty()
        self.failed: list[str] = []
        self._steps = 0

    def title(self, text: str) -> None:
        self._out(self._dye(text, "1"))

    def step(self, text: str) -> None:
        """A numbered heading."""
        self._steps += 1
        self._out("")
        self._out(self._dye(f"{self._steps}. {text}", "1;36"))

    def line(self, word: str, text: str, colour: str = "") -> None:
        """A word that says what was done, and to what."""
        self._out(f"   {self._dye(f'{word:<10}', colour)} {plain(text)}")

    def diff(self, text: str) -> None:
        """The changed lines of a unified diff, each file under its name."""
        for line in text.splitlines():
            if line.startswith("+++ "):
                self._out(f"              {self._dye(plain(line[4:].removeprefix('b/')), '2')}")
            elif line[:1] in ("+", "-") and not line.startswith("---"):
                self._out(f"              {self._dye(plain(line), _COLOURS[line[0]])}")

    def expect(self, happened: bool, what: str) -> None:
        """A step that has to have happened: if not, it is said, and the demo ends with 1."""
        if not happened:
            self.failed.append(what)
            self.line("FAILED", what, "1;31")

    def lines(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._out(f"   {text}")

    def _dye(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour else text

    @staticmethod
    def _out(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
