"""What a forge does when a request lands: which commits are new on the base, whose message they have, and which events follow.

    events(Story("github", "merge", "github", branch="Update web", landing="Update web (#7) [skip ci]"))
        ((Push("github", "main", (Commit("Update web"), Commit("Update web (#7) [skip ci]"))), Request("github", "merged", …)),)

Our branch has one commit. A squash makes one of its own, a merge commit comes after it, rebase and fast-forward take it as it is.
Where the outcome depends on a setting that is not in the repository, every variant is told.

Sources: GitHub's REST reference (merge a pull request), GraphQL reference (auto-merge, merge queue); GitLab's reference of merge
requests and merge trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rules.ci.base import Commit, Event, ForgeName, Push, Request

Way = Literal["squash", "merge", "rebase", "fast-forward", "auto-merge", "queue", "push"]
WAYS: tuple[Way, ...] = ("squash", "merge", "rebase", "fast-forward", "auto-merge", "queue", "push")
BRANCH = "tagboat/update"

# Which commits are new on the base: B the branch commit, L one with our own message, D one with a message of the forge's.
_GITHUB: dict[Way, tuple[str, ...]] = {
    "squash": ("L",),
    "merge": ("BL",),
    "rebase": ("B",),
    "auto-merge": ("L", "BL"),
    "queue": ("D", "BD", "B"),
    "push": ("L",),
}
_GITLAB: dict[Way, tuple[str, ...]] = {
    "squash": ("L", "LL"),  # with fast-forward, and with a merge commit
    "merge": ("BL",),
    "rebase": ("B",),
    "fast-forward": ("B",),
    "auto-merge": ("L", "LL", "BL"),
    "queue": ("L", "LL", "BL"),
    "push": ("L",),
}
_GIT: dict[Way, tuple[str, ...]] = {"squash": ("L",), "merge": ("BL",), "fast-forward": ("B",), "push": ("L",)}
Host = Literal["github", "gitlab", "git"]
"""Who lands: a forge, or on plain git Tagboat itself."""
_TABLE: dict[Host, dict[Way, tuple[str, ...]]] = {"github": _GITHUB, "gitlab": _GITLAB, "git": _GIT}

CARRIES: dict[Host, dict[Way, str]] = {
    "github": {
        "squash": "the merge call sets the message of the one commit",
        "merge": "the merge call sets the message of the merge commit, which is the newest",
        "rebase": "branch commits are replayed: there is no message to set",
        "auto-merge": "the call that turns it on sets headline and body, for whatever head lands later",
        "queue": "the merge queue takes the message from the repository's settings",
        "push": "the commit is ours",
    },
    "gitlab": {
        "squash": "the merge call sets the messages of the squash and of the merge commit",
        "merge": "the merge call sets the message of the merge commit, which is the newest",
        "rebase": "the branch is rebased and fast-forwarded: there is no message to set",
        "fast-forward": "branch commits land as they are: there is no message to set",
        "auto-merge": "the merge call sets the messages, and they are kept until it lands",
        "queue": "the train's own pipeline reads the message too: a token in it drops the request from the train",
        "push": "the commit is ours",
    },
    "git": {
        "squash": "the commit is ours",
        "merge": "the merge commit is ours, and the newest",
        "fast-forward": "the branch commit lands as it is",
        "push": "the commit is ours",
    },
}
"""What can carry a marker, by forge and landing method; a method that is not named does not exist there."""


@dataclass(frozen=True, slots=True)
class Story:
    """A landing: the messages that we write, and the files that change. `host` is who lands, `forge` who tells the CI."""

    forge: ForgeName
    way: Way
    host: Host
    branch: str = "Update web"
    landing: str = "Update web"
    title: str = "Update web"
    body: str = ""
    base: str = "main"
    repository: str | None = None
    paths: tuple[str, ...] = ()


def exists(host: Host, way: Way) -> bool:
    """Whether a host can land in this way at all."""
    return way in _TABLE[host]


def takes_marker(host: Host, way: Way) -> bool:
    """Whether a message that we choose reaches the newest commit of the base, and nothing else reads it before."""
    return way in ("squash", "merge", "push", "auto-merge") and exists(host, way)


def on_branch(story: Story) -> tuple[Event, ...]:
    """What happens when the request is opened; nothing, where there is none."""
    if story.way == "push":
        return ()
    head = Commit(story.branch, story.paths)
    push = Push(story.forge, BRANCH, (head,), story.base, story.repository, created=True)
    if story.host == "git":
        return (push,)  # there are no requests there
    return push, Request(story.forge, "opened", story.title, story.body, BRANCH, head, story.base, story.repository)


def queue_run(story: Story) -> tuple[Event, ...]:
    """The run that a merge queue or train asks for before it lands something."""
    if story.way != "queue":
        return ()
    head = Commit(story.landing if story.forge == "gitlab" else story.title, story.paths)
    asked = Request(story.forge, "opened", story.title, story.body, BRANCH, head, story.base, story.repository, queue=True)
    return (asked,)


def events(story: Story) -> tuple[tuple[Event, ...], ...]:
    """What happens when it lands: for each variant, all its events."""
    head = Commit(story.branch, story.paths)
    merged = Request(story.forge, "merged", story.title, story.body, BRANCH, head, story.base, story.repository)
    made = {
        "B": head,
        "L": Commit(story.landing, story.paths),
        "D": Commit(f"{story.title} (#1)" if story.forge == "github" else story.title, story.paths),
    }
    variants: list[tuple[Event, ...]] = []
    for letters in _TABLE[story.host].get(story.way, ()):
        commits = tuple(Commit(made[one].message, story.paths, 2 if index else 1) for index, one in enumerate(letters))
        push = Push(story.forge, story.base, commits, story.base, story.repository)
        variants.append((push,) if story.way == "push" or story.host == "git" else (push, merged))
    return tuple(variants)
