"""A real browser without a window: Debian's Chromium, asked for the page as a person sees it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb",
)  # fmt: skip


def screenshot(url: str, to: Path, *, dark: bool = False, size: tuple[int, int] = (1280, 900)) -> None:
    """A picture of a page."""
    dark_flags = ("--blink-settings=preferredColorScheme=0", "--force-dark-mode") if dark else ()
    _run(url, f"--screenshot={to}", f"--window-size={size[0]},{size[1]}", *dark_flags)


def document(url: str, milliseconds: int = 1500) -> str:
    """The document after its scripts have run for a while."""
    return _run(url, "--dump-dom", f"--virtual-time-budget={milliseconds}")


def _run(url: str, *flags: str) -> str:
    assert CHROMIUM is not None
    with TemporaryDirectory(prefix="chromium-") as folder:
        command = [CHROMIUM, *_FLAGS, f"--user-data-dir={folder}", *flags, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
