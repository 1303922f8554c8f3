"""What git said on standard error becomes a ForgeError with plain words.

Git has no error codes, so its English sentences are read (it runs with LC_ALL=C). What is in no row of the table
may be the fault of the clone that was kept: it is made anew, once, and what then fails again is `Unreachable`, to be tried again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.forges.base import Denied, ForgeError, Limited, Moved, Unreachable

Redact = Callable[[str], str]


class BrokenClone(Exception):
    """The kept clone is damaged, or lacks what it should have: it is thrown away and made again."""


class Refused(Exception):
    """The remote took the push and said no (a hook, a protected branch, a checked-out branch); its words, for a person."""


# The first row that matches gives the kind and our words; None: git's own words.
_TABLE: tuple[tuple[str, type[ForgeError], str | None], ...] = (
    (r"returned error: 429", Limited, "the remote asks for fewer requests (429)"),
    (r"authentication failed|returned error: 401|could not read (?:username|password)", Denied,
     "the remote did not accept the credentials"),
    (r"unprotected private key", Denied, "others on this machine may read the ssh key file, so ssh does not take it (chmod 600)"),
    (r"identity file .* not accessible", Denied, "the ssh key file cannot be read"),
    (r"load key .*: ", Denied, "the ssh key file holds no key that can be used without a passphrase"),
    (r"permission denied \(", Denied, "the remote did not accept the ssh key"),
    (r"host key verification failed|no .*host key is known", Denied, "the remote's ssh host key is not the one in known_hosts"),
    (r"returned error: 403", Denied, "the remote does not allow it (403)"),
    (r"dubious ownership", Denied, "the repository's folder belongs to another user"),
    (r"certificate|ssl peer|self[- ]signed", Denied, "the remote's certificate is not trusted"),
    (r"transport '.*' not allowed|protocol .* (?:not supported|disabled)", Denied,
     "the remote leads to an address of a kind that is not allowed"),
    (r"returned error: 404|repository .*not found|does not appear to be a git repo|does not exist|not a git repository", Denied,
     "there is no repository, or these credentials may not see it"),
    (r"access denied|permission to .* denied|write access .* not granted|insufficient permission|unable to create|read-only file",
     Denied, None),
    (r"does not support (?:--)?atomic", Denied, "the remote cannot move several branches at once (atomic push)"),
    (r"could not resolve host", Unreachable, "the remote's host name is not known"),
    (r"connection refused|failed to connect|could not connect", Unreachable, "the remote does not answer"),
    (r"timed out|timeout", Unreachable, "the remote did not answer in time"),
    (r"returned error: 5\d\d", Unreachable, "the remote has trouble of its own"),
    (r"hung up|early eof|disconnect|rpc failed|connection reset|broken pipe|unable to access|curl", Unreachable, None),
)  # fmt: skip

# Said of the kept clone, even where words of the connection follow.
_BROKEN = re.compile(
    r"\.lock': file exists|bad object|error in object|is corrupt|unresolved deltas|necessary objects", re.IGNORECASE
)
_LOST_RACE = re.compile(
    r"stale info|fetch first|already exists|incorrect old value|but expected|cannot lock ref|failed to update ref|unable to lock"
)
_ECHO = re.compile(r"remote: error: hook declined to update ")  # git's own, beside the words of the hook
_IN_THE_WAY = re.compile(r"' exists; cannot create|cannot lock ref '.*': there is a non-empty directory|is a directory")


def network_trouble(name: str, doing: str, stderr: str, redact: Redact) -> ForgeError | BrokenClone:
    """The error for a failed exchange: `doing` says what was tried, `name` where; the words hold no secret."""
    low = stderr.lower()
    words = telling(stderr, redact)
    if not _BROKEN.search(low):
        for pattern, kind, ours in _TABLE:
            if re.search(pattern, low):
                return kind(f"{name}: {doing}: {ours or words}")
    return BrokenClone(f"{doing}: {words}")


def lacks_objects(stderr: str) -> bool:
    """Whether a push failed only because the clone was made without file contents."""
    return re.search(r"could not fetch [0-9a-f]+ from promisor remote", stderr) is not None


def push_trouble(name: str, doing: str, report: str, stderr: str, redact: Redact) -> ForgeError | BrokenClone | Refused:
    """The error for a failed push, by its `--porcelain` report and what was said on standard error."""
    rows = [line.split("\t", 2) for line in report.splitlines() if line.startswith("!\t")]
    # The refs that only went down with another one say "atomic push failed" and the like.
    reasons = [row[2] for row in rows if len(row) == 3 and "atomic" not in row[2]]
    said = " ".join(reasons) or stderr
    if _IN_THE_WAY.search(stderr):
        return Refused("a branch is in the way of a name that begins with its own and a slash")
    if _LOST_RACE.search(said):
        return Moved(f"{name}: {doing}: somebody moved a branch meanwhile")
    if reasons:
        reason = re.sub(r"\A\[.*?\] \((.*)\)\Z", r"\1", reasons[0])
        theirs = "\n".join(line for line in stderr.splitlines() if line.startswith("remote: ") and not _ECHO.match(line))
        return Refused(f"{redact(reason)}: {telling(theirs, redact)}" if theirs else redact(reason))
    return network_trouble(name, doing, stderr, redact)


def telling(stderr: str, redact: Redact) -> str:
    """The one line of git's words that says most: the remote's, else the first `fatal:` or `error:`; at most 300 characters."""
    lines = [re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", line).strip() for line in re.split(r"[\r\n]+", stderr)]
    for mark in ("remote: ", "fatal: ", "error: "):
        said = " ".join(line[len(mark) :].strip() for line in lines if line.startswith(mark)).strip()
        if said:
            return redact(said)[:300]
    return redact(next((line for line in reversed(lines) if line), "git said nothing"))[:300]
