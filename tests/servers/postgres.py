"""A real PostgreSQL for a test: the machine's own server programs, in a folder that is thrown away."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest


def _programs() -> Path | None:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    named = shutil.which("initdb")
    return Path(found[-1]).parent if found else Path(os.path.realpath(named)).parent if named else None


PROGRAMS = _programs()
PASSWORD = "a-word-for-postgres"
needs_postgres = pytest.mark.skipif(PROGRAMS is None, reason="PostgreSQL is not installed (apt-get install postgresql)")


class Postgres:
    """A running server."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.count = 0

    def database(self) -> str:
        """The URL of a new, empty database."""
        import psycopg

        self.count += 1
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE test{self.count}")
        return self._url(f"test{self.count}")

    def _url(self, name: str) -> str:
        return f"postgresql://tagboat:{PASSWORD}@127.0.0.1:{self.port}/{name}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server of its own. The server refuses to run as root, so there it runs as somebody else."""
    assert PROGRAMS is not None
    folder = Path(mkdtemp(prefix="pg-"))
    other = _somebody()
    if other is not None:
        os.chown(folder, other.pw_uid, other.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*command: str) -> None:
        done = subprocess.run(
            command, user=other.pw_uid if other else None, cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr + done.stdout

    data, log = folder / "data", folder / "log"
    secret = folder / "secret"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    login = ("-U", "tagboat", "-A", "scram-sha-256", "--pwfile", str(secret))
    run(str(PROGRAMS / "initdb"), "-D", str(data), *login, "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -p {port} -c fsync=off"
    run(str(PROGRAMS / "pg_ctl"), "-D", str(data), "-l", str(log), "-w", "-o", options, "start")
    try:
        yield Postgres(folder, port)
    finally:
        run(str(PROGRAMS / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _somebody() -> pwd.struct_passwd | None:
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None
