"""The demo as a user starts it: a process of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

HERE = [sys.executable, "-m", "bot", "demo"]


def _run(*args: str, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(path), "TMPDIR": str(path), "PYTHONPATH": os.getcwd()}
    return subprocess.run([*HERE, *args], capture_output=True, text=True, timeout=120, env=environment, check=False)


def test_it_shows_the_main_job_and_ends_by_itself(tmp_path: Path) -> None:
    done = _run(path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    said = done.stdout
    for words in (
        "main-3f2a9c1-41 -> main-8d0be77-42",
        "1.4.0 -> 1.4.1",
        "7.2-alpine -> 7.4-alpine",
        "1.9 -> 1.10",
        "[skip ci]",
        "a person lands it",
        "nothing is done",
        "main-c41d9aa-43",
        "refreshed",
    ):
        assert words in said, said
    assert "FAILED" not in said
    assert len(said.splitlines()) < 75
    assert list(tmp_path.iterdir()) == []  # it takes its folder away


def test_on_a_terminal_it_stays_up_to_play_with(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": os.getcwd(),
        "TERM": "xterm",
    }
    process = subprocess.Popen(HERE, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    said, sent, deadline = "", ["b\n", "m\n", "q\n"], time.monotonic() + 120
    marks = ["q to end", "main-55e07f2-44", "merged"]
    try:
        while time.monotonic() < deadline:
            try:
                data = os.read(ours, 4096)
            except OSError:
                break
            if not data:
                break
            said += data.decode("utf-8", "replace")
            if sent and marks[3 - len(sent)] in said:
                os.write(ours, sent.pop(0).encode())
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(ours)
    assert "\x1b[" in said
    assert "merged" in said
