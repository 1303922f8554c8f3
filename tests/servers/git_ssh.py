"""Git over ssh: the machine's own `sshd` on a free port, with keys made for the occasion."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

SSHD = shutil.which("sshd") or next((path for path in ("/usr/sbin/sshd", "/usr/local/sbin/sshd") if Path(path).exists()), None)


@dataclass(frozen=True)
class GitSsh:
    """A running server: where it is, the key that opens it, the file that knows it, and one that knows another."""

    address: str
    key: Path
    known_hosts: Path
    other_hosts: Path


def make_key(path: Path) -> str:
    """A new private key at `path`; its public half as one line."""
    key = ed25519.Ed25519PrivateKey.generate()
    openssh = serialization.PrivateFormat.OpenSSH
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, openssh, serialization.NoEncryption()))
    path.chmod(0o600)
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _prepare(folder: Path, port: int) -> None:
    folder.mkdir()
    host_key, user_key, wrong_key = (make_key(folder / name) for name in ("host", "user", "wrong"))
    (folder / "authorized").write_text(user_key + "\n")
    for name, key in (("known_hosts", host_key), ("other hosts", wrong_key)):
        (folder / name).write_text(f"[127.0.0.1]:{port} {key}\n")
    (folder / "config").write_text(
        f'Port {port}\nListenAddress 127.0.0.1\nHostKey "{folder}/host"\nPidFile none\nAuthorizedKeysFile "{folder}/authorized"\n'
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nAcceptEnv GIT_PROTOCOL\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


@asynccontextmanager
async def serving_ssh(folder: Path) -> AsyncIterator[GitSsh]:
    """Run sshd while the block runs. Skip the test before where SSHD is None."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _prepare(folder, port)
    process = await asyncio.create_subprocess_exec(
        str(SSHD), "-D", "-e", "-f", str(folder / "config"), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield GitSsh(
            f"ssh://{getpass.getuser()}@127.0.0.1:{port}", folder / "user", folder / "known_hosts", folder / "other hosts"
        )
    finally:
        process.terminate()
        await process.wait()
