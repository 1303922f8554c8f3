"""Woodpecker: `.woodpecker.yml` or `.woodpecker/*.yml`, with `when` for the whole and for a step.

    when: {event: push, branch: main, path: {exclude: ["deploy/**"]}}

`[skip ci]` and `[ci skip]` in any case, spaces only; they are read at pushes, never at requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rules.ci import when
from rules.ci.base import Event, ForgeName, Job, Pipeline, Skip, Start, Unreadable
from rules.ci.containers import step_work
from rules.ci.nodes import BadYaml, Node, first
from rules.ci.plain import Plain, Trigger

NAME = "woodpecker"
TITLE = "Woodpecker"
FORGES: frozenset[ForgeName] = frozenset({"github", "gitlab"})
SKIP: Skip | None = Skip(
    "[skip ci]",
    r"\[(?i:ci *skip|skip *ci)\]",
    "Woodpecker source, pipeline/frontend/yaml/constraint/skip.go",
    request=frozenset(),
)
_FILE = re.compile(r"\.woodpecker\.ya?ml|\.woodpecker/.*\.ya?ml")
_HOW = "add `path: {{exclude: [{paths}]}}` under `when`"


def claims(path: str) -> bool:
    """The definitions."""
    return _FILE.fullmatch(path) is not None


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """One pipeline a file."""
    known = {"CI_REPO": (repository,), "CI_REPO_NAME": (repository.rpartition("/")[2],)} if repository else {}
    for path in sorted(files):
        if not claims(path):
            continue
        try:
            document = first(files[path])
        except BadYaml as error:
            yield Unreadable(NAME, path, error.line, str(error))
            continue
        yield _pipeline(path, document, known, files)


def _pipeline(path: str, document: Node, known: Mapping[str, tuple[str, ...]], files: Mapping[str, bytes]) -> Pipeline:
    condition = document.get("when")
    line = condition.line if condition else 1
    jobs = tuple(_jobs(document.get("steps") or document.get("pipeline"), known, files))

    def start(event: Event) -> Start:
        if when.event_name(event) == "pull_request_closed" and "pull_request_closed" not in _events(condition):
            return Start("no", "merging starts nothing by itself: the push does", line=line)
        told = when.told(condition, event)
        return told if told.answer != "yes" else Start("yes", f"a {when.event_name(event)} starts it", line=line)

    return Plain(NAME, path.rpartition("/")[2], path, line, jobs, SKIP, start, _HOW)


def _events(condition: Node) -> set[str]:
    entries = condition.each() if condition.is_list else (condition,)
    return {text for entry in entries for text in entry.get("event").texts()}


def _jobs(steps: Node, known: Mapping[str, tuple[str, ...]], files: Mapping[str, bytes]) -> Iterator[Job]:
    for key, step in steps.items():
        yield Job(key.text_or_empty, key.line, step_work(step, known, files), (), _rule(step))
    if steps.is_list:
        for step in steps.each():
            yield Job(step.get("name").text or "step", step.line, step_work(step, known, files), (), _rule(step))


def _rule(step: Node) -> Trigger:
    return lambda event: when.told(step.get("when"), event)
