"""Running the git command line safely. Needs git 2.39 or newer.

Every run gets an environment made from nothing: no configuration of the user or the system, no hooks of ours, no prompts, English
words. Only the address's own protocol is allowed, and none at all for a command that works in the clone, so that git
cannot fetch behind our back. The password travels in the environment, to the address's own host only; it is never an argument.
A run has a time-out and a bound on its output; past either, its whole process group is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.forges.base import Denied, Unreachable
from bot.forges.git.address import Address
from bot.forges.git.errors import BrokenClone, network_trouble

_PASSED_ON = (
    "PATH", "TMPDIR", "LD_LIBRARY_PATH", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_EXEC_PATH",
    "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
)  # fmt: skip

_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.logAllRefUpdates": "false",
    "core.attributesFile": "/dev/null",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.unpackLimit": "1",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "push.recurseSubmodules": "no",
    # No deltas in what is pushed: git would want the old contents for them, which the clone may not have.
    "pack.window": "0",
    "merge.renames": "false",
    "diff.renames": "false",
    "http.followRedirects": "initial",
    "http.lowSpeedLimit": "200",
    "http.lowSpeedTime": "30",
    "transfer.credentialsInUrl": "die",
    "credential.helper": "",
    "color.ui": "false",
}

# Git asks this for the user and the password of the address's own host; for every other host there is no helper.
_HELPER = '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$TAGBOAT_GIT_USERNAME" "$TAGBOAT_GIT_PASSWORD"; }; f'

_STDERR_LIMIT = 64 * 1024
MIB = 1024 * 1024
MINIMUM = (2, 39)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run came to."""

    code: int
    out: bytes
    err: str


@dataclass(frozen=True, slots=True)
class Access:
    """What opens a repository: for ssh the key and known hosts, for http(s) user and password. All optional."""

    ssh_key: Path | None = None
    known_hosts: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)


class Git:
    """Git for one remote and one clone. `home` is a folder of our own where git may look for a user's files and find none.

    `timeout` and `remote_timeout` are seconds, for a command in the clone and for one that speaks with the remote."""

    def __init__(
        self, address: Address, clone: Path, home: Path, access: Access, timeout: float = 60, remote_timeout: float = 180
    ) -> None:
        self.address = address
        self.clone = clone
        self._home = home
        self._timeouts = {False: timeout, True: remote_timeout}
        access = replace(access, username=access.username or address.username, password=access.password or address.password)
        self._password = access.password
        self._base = _environment(address, home, access)

    def redact(self, text: str) -> str:
        """The text without the password, should git or the remote ever repeat it."""
        return text.replace(self._password, "***") if self._password else text

    async def local(self, *args: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,), limit: int = 64 * MIB) -> bytes:
        """Standard output of a command that stays in the clone. Raises BrokenClone where it fails."""
        return (await self.answer(*args, stdin=stdin, ok=ok, limit=limit)).out

    async def answer(self, *args: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,), limit: int = 64 * MIB) -> Answer:
        """As `local`, with the exit code, where more than one is fine."""
        answer = await self._run(args, stdin, {"GIT_ALLOW_PROTOCOL": "none"}, limit, remote=False)
        if answer.code not in ok:
            raise BrokenClone(f"git {args[0]}: {answer.err.strip()[-300:]}")
        return answer

    async def require_version(self) -> None:
        """Raises Denied where git is too old. Asked only when something went wrong that a newer git would do."""
        said = (await self.answer("version", ok=(0, 1))).out.decode("utf-8", "replace").strip()
        found = re.search(r"(\d+)\.(\d+)", said)
        if found is None or (int(found[1]), int(found[2])) < MINIMUM:
            raise Denied(f"git {MINIMUM[0]}.{MINIMUM[1]} or newer is needed; here is {said or 'none'}")

    async def remote(self, doing: str, *args: str, stdin: bytes = b"") -> bytes:
        """Standard output of a command that speaks with the remote. Raises ForgeError or BrokenClone."""
        answer = await self.exchange(*args, stdin=stdin)
        if answer.code:
            raise network_trouble(self.address.name, doing, answer.err, self.redact)
        return answer.out

    async def exchange(
        self, *args: str, stdin: bytes = b"", config: Mapping[str, str] | None = None, fetching: bool = False
    ) -> Answer:
        """As `remote`, whatever the exit code. With `fetching`, git may fetch what it lacks on the way."""
        extra = {
            "GIT_ALLOW_PROTOCOL": "http:https" if self.address.scheme == "http" else str(self.address.scheme),
            "GIT_NO_LAZY_FETCH": "0" if fetching else "1",
        }
        return await self._run(args, stdin, extra, 64 * MIB, remote=True, config=config)

    async def _run(
        self,
        args: tuple[str, ...],
        stdin: bytes,
        extra: Mapping[str, str],
        limit: int,
        *,
        remote: bool,
        config: Mapping[str, str] | None = None,
    ) -> Answer:
        env = self._base | dict(extra)
        if (self.clone / "HEAD").exists():
            env["GIT_DIR"] = str(self.clone)
        if config:
            count = int(env["GIT_CONFIG_COUNT"])
            env |= _config_variables(config, count)
        try:
            process = await asyncio.create_subprocess_exec(
                "git", *args, env=env, cwd=self._home, start_new_session=True,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except FileNotFoundError:
            raise Denied("the git command is not installed here, or not on the PATH") from None
        except OSError as error:
            raise Unreachable(f"git could not be started: {error.strerror}") from None
        try:
            async with asyncio.timeout(self._timeouts[remote]):
                out, err = await _communicate(process, stdin, limit)
                return Answer(await process.wait(), out, err)
        except TimeoutError:
            raise Unreachable(f"{self.address.name}: git {args[0]} took longer than {self._timeouts[remote]:g} s") from None
        finally:
            await _end(process)


async def _communicate(process: asyncio.subprocess.Process, stdin: bytes, limit: int) -> tuple[bytes, str]:
    assert process.stdin
    assert process.stdout
    assert process.stderr
    feeder = asyncio.create_task(_feed(process.stdin, stdin))
    complaints = asyncio.create_task(_drain(process.stderr, _STDERR_LIMIT))
    try:
        out = bytearray()
        while piece := await process.stdout.read(MIB):
            out += piece
            if len(out) > limit:
                raise Unreachable(f"git answered with more than {limit // MIB} MiB")
        await feeder
        return bytes(out), (await complaints).decode("utf-8", "replace")
    finally:
        feeder.cancel()
        complaints.cancel()


async def _feed(pipe: asyncio.StreamWriter, data: bytes) -> None:
    # Git may end before it has read everything; what it then says on standard error counts.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pipe.write(data)
        await pipe.drain()
    pipe.close()


async def _drain(pipe: asyncio.StreamReader, limit: int) -> bytes:
    """The first `limit` bytes; the rest is read and dropped, so that git does not hang on a full pipe."""
    kept = bytearray()
    while piece := await pipe.read(65536):
        kept += piece[: max(0, limit - len(kept))]
    return bytes(kept)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _environment(address: Address, home: Path, access: Access) -> dict[str, str]:
    env = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    env |= {
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_CEILING_DIRECTORIES": str(home.parent),
    }
    if "SSL_CERT_FILE" in env:
        # Git built with GnuTLS does not read OpenSSL's variable; git's own wins where both are set.
        env.setdefault("GIT_SSL_CAINFO", env["SSL_CERT_FILE"])
    config = dict(_CONFIG) | {"remote.origin.url": address.url}
    if address.path:
        # Git run by the remote side reads no variable of ours but this file: it is told that the operator named this folder.
        env["GIT_CONFIG_GLOBAL"] = str(home / "gitconfig")
    if access.password is not None and address.origin:
        config[f"credential.{address.origin}.helper"] = _HELPER
        env |= {"TAGBOAT_GIT_USERNAME": access.username or "tagboat", "TAGBOAT_GIT_PASSWORD": access.password}
    if address.scheme == "ssh":
        env |= {"GIT_SSH_COMMAND": _ssh(access), "GIT_SSH_VARIANT": "ssh"}
    return env | _config_variables(config, 0)


def _config_variables(config: Mapping[str, str], start: int) -> dict[str, str]:
    variables = {"GIT_CONFIG_COUNT": str(start + len(config))}
    for number, (key, value) in enumerate(config.items(), start):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _ssh(access: Access) -> str:
    words = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=20"]
    if access.ssh_key:
        words += ["-i", str(access.ssh_key), "-o", "IdentitiesOnly=yes"]
    if access.known_hosts:
        words += ["-o", f'UserKnownHostsFile="{access.known_hosts}"', "-o", "GlobalKnownHostsFile=/dev/null"]
    return shlex.join(words)


def write_home(home: Path, address: Address) -> None:
    """Make the folder that git takes for the user's home, with the one setting it needs for a repository on this machine."""
    home.mkdir(parents=True, exist_ok=True)
    if address.path:
        quoted = str(address.path).replace("\\", "\\\\").replace('"', '\\"')
        text = "[safe]\n" + "".join(f'\tdirectory = "{quoted}{tail}"\n' for tail in ("", "/.git"))
        target = home / "gitconfig"
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
