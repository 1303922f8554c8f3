"""Pipelines-as-Code: PipelineRuns in `.tekton/`, started by their annotations.

    pipelinesascode.tekton.dev/on-event: "[push]"
    pipelinesascode.tekton.dev/on-target-branch: "[main]"
    pipelinesascode.tekton.dev/on-path-change-ignore: "[deploy/**]"

`[skip ci]`, `[ci skip]`, `[skip tkn]` and `[tkn skip]`, in lower case only, are read in the pushed commit and a request's newest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules.ci import payloads
from rules.ci.base import YES, Event, ForgeName, Job, Pipeline, Push, Request, Skip, Start, Unreadable
from rules.ci.nodes import BadYaml, Node, documents
from rules.ci.paths import covering, listed
from rules.ci.tekton_triggers import judged, known
from rules.ci.tokens import token_start
from rules.ci.when import globs_match
from rules.ci.workflows import workflow_work

NAME = "pipelines-as-code"
TITLE = "Pipelines-as-Code"
FORGES: frozenset[ForgeName] = frozenset({"github", "gitlab"})
SKIP: Skip | None = Skip(
    "[skip ci]",
    r"\[(?:skip ci|ci skip|skip tkn|tkn skip)\]",
    "Pipelines-as-Code docs, Skip CI",
)
_FILE = re.compile(r"\.tekton/(?:.*/)?[^/]+\.ya?ml")
_PREFIX = "pipelinesascode.tekton.dev/"


def claims(path: str) -> bool:
    """Everything in `.tekton`."""
    return _FILE.fullmatch(path) is not None


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """Each PipelineRun with annotations is a pipeline."""
    for path, data in sorted(files.items()):
        if not claims(path):
            continue
        try:
            for document in documents(data):
                annotations = document.get("metadata", "annotations")
                if document.get("kind").text == "PipelineRun" and any(
                    _PREFIX in key.text_or_empty for key, _ in annotations.items()
                ):
                    name = document.get("metadata", "name").text or document.get("metadata", "generateName").text or path
                    work = workflow_work(document.get("spec"), files)
                    yield Run(path, name.rstrip("-"), annotations, (Job("run", document.get("spec").line, work),))
        except BadYaml as error:
            if b"{{" not in data or _PREFIX.encode() in data:
                yield Unreadable(NAME, path, error.line, str(error))


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One PipelineRun."""

    file: str
    name: str
    annotations: Node
    jobs: tuple[Job, ...]
    system: str = NAME

    @property
    def line(self) -> int:
        return self._said("on-event").line

    def _said(self, key: str) -> Node:
        return self.annotations.get(_PREFIX + key)

    def start(self, event: Event) -> Start:
        if isinstance(event, Request) and event.action == "merged":
            return Start("no", "merging starts nothing by itself: the push does", line=self.line)
        told = self._matched(event)
        if told.answer == "no":
            return told
        return token_start(SKIP, event) or told

    def _matched(self, event: Event) -> Start:
        condition = self._said("on-cel-expression")
        kind = "push" if isinstance(event, Push) else "pull_request"
        target = event.branch if isinstance(event, Push) else event.base
        if condition.text is not None:
            return judged(condition.text, condition.line, _names(event, kind, target), _functions(event))
        events, branches = self._said("on-event"), self._said("on-target-branch")
        if not events or not branches:
            return Start("no", "it is started by comments only", line=self.line)
        if kind not in _list(events):
            return Start("no", f"only for {listed(_list(events))}", "trigger", events.line)
        wanted = _list(branches)
        if not any(globs_match(name, (pattern,)) for pattern in wanted for name in (target, f"refs/heads/{target}")):
            return Start("no", f"only for branches {listed(wanted)}", "trigger", branches.line)
        changed, ignored = self._said("on-path-change"), self._said("on-path-change-ignore")
        if changed and not any(globs_match(path, _list(changed)) for path in event.paths):
            return Start("no", f"only for changes in {listed(_list(changed))}", "paths", changed.line)
        if ignored and event.paths and all(globs_match(path, _list(ignored)) for path in event.paths):
            return Start("no", f"not for changes in {listed(_list(ignored))}", "paths", ignored.line)
        return Start("yes", f"a {kind} starts it", line=events.line)

    def run(self, job: Job, event: Event) -> Start:
        return YES

    def words(self) -> tuple[str, ...]:
        text = self._said("on-cel-expression").text or ""
        return tuple(match[3] for match in re.finditer(r"(event_title|message)\S*?\((['\"])(.*?)\2\)", text)) if text else ()

    def remedy(self, paths: tuple[str, ...]) -> str:
        listing = ", ".join(covering(paths))
        return f'add the annotation `{_PREFIX}on-path-change-ignore: "[{listing}]"` ({self.file}, line {self.line})'


def _list(node: Node) -> tuple[str, ...]:
    return tuple(part.strip().strip("'\"") for part in (node.text or "").strip().strip("[]").split(",") if part.strip())


def _names(event: Event, kind: str, target: str) -> dict[str, Any]:
    sent = payloads.of(event)
    return {
        "event": kind,
        "event_type": kind,
        "target_branch": target,
        "source_branch": event.branch,
        "event_title": event.head.title if isinstance(event, Push) else event.title,
        "body": known(sent.body),
        "headers": {"X-GitHub-Event" if event.forge == "github" else "X-Gitlab-Event": sent.event},
        "files": {"all": list(event.paths), "modified": list(event.paths), "added": [], "deleted": [], "renamed": []},
    }


def _functions(event: Event) -> dict[str, Any]:
    return {".pathChanged": lambda pattern: any(globs_match(path, (pattern,)) for path in event.paths)}
