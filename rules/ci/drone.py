"""Drone: `.drone.yml`, one pipeline a document, with `trigger` for the whole and `when` for a step.

    trigger: {branch: [main], event: [push]}

Its documentation shows `[CI SKIP]`; other spellings are not confirmed. There is no path filter without an extension.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rules.ci import when
from rules.ci.base import Event, ForgeName, Job, Pipeline, Skip, Start, Unreadable
from rules.ci.containers import step_work
from rules.ci.nodes import BadYaml, Node, documents
from rules.ci.plain import Plain, Trigger

NAME = "drone"
TITLE = "Drone"
FORGES: frozenset[ForgeName] = frozenset({"github", "gitlab"})
SKIP: Skip | None = Skip(
    "[CI SKIP]",
    r"\[CI SKIP\]",
    "Drone docs, Skipping builds",
    maybe=r"(?i)\[(?:ci skip|skip ci)\]|\*\*\*NO_CI\*\*\*",
)
_FILE = re.compile(r"\.drone\.ya?ml|\.drone/.*\.ya?ml")
_HOW = "Drone has no path filter of its own: build the image in a repository of its own, or keep {paths} in one"


def claims(path: str) -> bool:
    """The definition."""
    return _FILE.fullmatch(path) is not None


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """The pipelines of these files."""
    known = {"DRONE_REPO": (repository,), "DRONE_REPO_NAME": (repository.rpartition("/")[2],)} if repository else {}
    for path in sorted(files):
        if not claims(path):
            continue
        try:
            for document in documents(files[path]):
                if document.get("kind").text in (None, "pipeline") and document.get("steps"):
                    yield _pipeline(path, document, known, files)
        except BadYaml as error:
            yield Unreadable(NAME, path, error.line, str(error))


def _pipeline(path: str, document: Node, known: Mapping[str, tuple[str, ...]], files: Mapping[str, bytes]) -> Pipeline:
    trigger = document.get("trigger")
    line = trigger.line if trigger else document.line
    steps = document.get("steps").each()
    jobs = tuple(
        Job(step.get("name").text or "step", step.line, step_work(step, known, files), (), _rule(step)) for step in steps
    )

    def start(event: Event) -> Start:
        if when.event_name(event) == "pull_request_closed":
            return Start("no", "merging starts nothing by itself: the push does", line=line)
        told = when.told(trigger, event)
        return told if told.answer != "yes" else Start("yes", f"a {when.event_name(event)} starts it", line=line)

    return Plain(NAME, document.get("name").text or path, path, line, jobs, SKIP, start, _HOW)


def _rule(step: Node) -> Trigger:
    return lambda event: when.told(step.get("when"), event)
