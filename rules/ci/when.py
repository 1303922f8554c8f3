"""`when` and `trigger` of Drone and Woodpecker: event, branch, path, and more that is not known here."""

from __future__ import annotations

from rules import globs
from rules.ci.base import YES, Event, Push, Start, either, every
from rules.ci.nodes import Node
from rules.ci.paths import listed

_UNDERSTOOD = frozenset({"event", "branch", "path", "paths", "status", "matrix", "platform", "local", "ref"})


def told(when: Node, event: Event) -> Start:
    """What a `when` says of an event: one mapping, or a list of which one has to hold."""
    if not when:
        return YES
    if when.is_list:
        return either(_one(entry, event) for entry in when.each()) or YES
    return _one(when, event)


def _one(when: Node, event: Event) -> Start:
    return every(_key(key.text_or_empty, Node(value.node, key.line), event) for key, value in when.items())


def _key(key: str, value: Node, event: Event) -> Start:
    line = value.line
    if key == "event":
        return _listed(value, event_name(event), "events", line)
    if key == "branch":
        return _listed(value, event.branch if isinstance(event, Push) else event.base, "branches", line)
    if key == "ref":
        ref = f"refs/heads/{event.branch}" if isinstance(event, Push) else "refs/pull/1/head"
        return _listed(value, ref, "refs", line)
    if key in ("path", "paths"):
        return _paths(value, event, line)
    if key in _UNDERSTOOD:
        return YES
    return Start("unknown", f"`{key}` is not evaluated here", "unknown", line)


def event_name(event: Event) -> str:
    """How both call an event."""
    if isinstance(event, Push):
        return "push"
    return "pull_request" if event.action == "opened" else "pull_request_closed"


def _listed(value: Node, have: str, what: str, line: int) -> Start:
    include = value.get("include").texts() if value.is_map else value.texts()
    exclude = value.get("exclude").texts() if value.is_map else ()
    if include and not globs_match(have, include):
        return Start("no", f"only for {what} {listed(include)}", "rule", line)
    if exclude and globs_match(have, exclude):
        return Start("no", f"not for {what} {listed(exclude)}", "rule", line)
    return YES


def _paths(value: Node, event: Event, line: int) -> Start:
    include = value.get("include").texts() if value.is_map else value.texts()
    exclude = value.get("exclude").texts() if value.is_map else ()
    if exclude and event.paths and all(globs_match(path, exclude) for path in event.paths):
        return Start("no", f"not for changes in {listed(exclude)}", "paths", line)
    if include and not any(globs_match(path, include) for path in event.paths):
        return Start("no", f"only for changes in {listed(include)}", "paths", line)
    return YES


def globs_match(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns fits; one that cannot be read fits everything."""
    try:
        return globs.matches_any(patterns, name)
    except globs.BadGlob:
        return True
