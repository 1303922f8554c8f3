"""Bitbucket Pipelines: `bitbucket-pipelines.yml`. It is no part of GitHub or GitLab; it counts for repositories on plain git.

    pipelines: {branches: {main: [{step: {script: [docker push acme/web]}}]}}

`[skip ci]` and `[ci skip]` are read; which commit of a push of several is not confirmed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rules.ci.base import YES, Event, ForgeName, Job, Pipeline, Push, Skip, Start, Unreadable, Work, every
from rules.ci.nodes import BadYaml, Node, first
from rules.ci.plain import Plain, Trigger
from rules.ci.tokens import has_token
from rules.ci.when import globs_match
from rules.ci.work import image, joined, of_words, shell
from rules.ci.work import read as read_work

NAME = "bitbucket"
TITLE = "Bitbucket Pipelines"
FORGES: frozenset[ForgeName] = frozenset()
SKIP: Skip | None = Skip(
    "[skip ci]",
    r"\[(?:ci skip|skip ci)\]",
    "Atlassian knowledge base, How to skip triggering a Bitbucket pipeline",
    maybe=r"(?i)\[(?:ci skip|skip ci)\]",
)
FILE = "bitbucket-pipelines.yml"
_HOW = "give the step that builds `condition: {{changesets: {{includePaths: […]}}}}`, without {paths}"


def claims(path: str) -> bool:
    """The definition."""
    return path == FILE


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """One pipeline for each branch pattern, one for the others, one for requests."""
    if FILE not in files:
        return
    try:
        document = first(files[FILE])
    except BadYaml as error:
        yield Unreadable(NAME, FILE, error.line, str(error))
        return
    pipelines = document.get("pipelines")
    names = [key.text_or_empty for key, _ in pipelines.get("branches").items()]
    for key, steps in pipelines.get("branches").items():
        yield _pipeline(key.text_or_empty, Node(steps.node, key.line), _on_branch(key.text_or_empty), files)
    if pipelines.get("default"):
        yield _pipeline("default", pipelines.get("default"), _otherwise(names), files)
    for key, steps in pipelines.get("pull-requests").items():
        yield _pipeline(f"pull-requests {key.text_or_empty}", Node(steps.node, key.line), _requests, files)


def _pipeline(name: str, steps: Node, trigger: Trigger, files: Mapping[str, bytes]) -> Pipeline:
    def start(event: Event) -> Start:
        told = trigger(event)
        several = isinstance(event, Push) and len(event.commits) > 1
        if told.answer == "yes" and several and SKIP is not None and has_token(SKIP, event.head.message):
            return Start(
                "unknown", "which commit of a push of several is read for the token is not confirmed", "token", steps.line
            )
        return told

    return Plain(NAME, name, FILE, steps.line, tuple(_jobs(steps, files)), SKIP, start, _HOW)


def _on_branch(pattern: str) -> Trigger:
    def told(event: Event) -> Start:
        if isinstance(event, Push) and globs_match(event.branch, (pattern,)):
            return Start("yes", f"a push to {pattern} starts it")
        return Start("no", f"only for pushes to {pattern}")

    return told


def _otherwise(names: list[str]) -> Trigger:
    def told(event: Event) -> Start:
        if isinstance(event, Push) and not globs_match(event.branch, tuple(names)):
            return Start("yes", "a push to any other branch starts it")
        return Start("no", "only for branches without a pipeline of their own")

    return told


def _requests(event: Event) -> Start:
    return Start("no", "only for requests") if isinstance(event, Push) else Start("yes", "a request starts it")


def _jobs(steps: Node, files: Mapping[str, bytes]) -> Iterator[Job]:
    for entry in steps.each():
        inner = entry.get("parallel")
        for one in (inner.get("steps") if inner.is_map else inner).each() if inner else (entry,):
            step = one.get("step")
            if step:
                yield _job(step, files)


def _job(step: Node, files: Mapping[str, bytes]) -> Job:
    name = step.get("name").text or "step"
    works = [Work(effects=of_words(name) | ({"deploy"} if step.get("deployment") else frozenset()))]
    for line in step.get("script").each():
        if line.text is not None:
            works.append(read_work(shell(line.text, line.line), {}, files))
        elif "docker" in (line.get("pipe").text or ""):
            works.append(Work(built=tuple(image("*", line.line, line.get("pipe").text or "pipe", {}))))

    def rule(event: Event) -> Start:
        told = [YES]
        if step.get("trigger").text == "manual":
            told.append(Start("no", "it waits for a person", "rule", step.line))
        include = step.get("condition", "changesets", "includePaths")
        if include and not any(globs_match(path, include.texts()) for path in event.paths):
            told.append(Start("no", "`includePaths` leaves it out", "paths", include.line))
        return every(told)

    return Job(name, step.line, joined(works), (), rule)
