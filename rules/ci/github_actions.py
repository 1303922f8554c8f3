"""GitHub Actions: `.github/workflows/*.yml`. What `on:` starts, with its filters, and what `if:` leaves out.

    on:
      push: {branches: [main], paths-ignore: ["deploy/**"]}      a bump below deploy/ starts nothing
      pull_request:                                              and its checks still run

A skip token in the newest commit of a push keeps `push` workflows from starting, one in the newest commit of a pull request its
`pull_request` workflows, and then a required check waits for ever. `pull_request_target` and `merge_group` read no token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from rules.ci import filters, github_expressions, payloads
from rules.ci.base import NO, YES, Event, ForgeName, Job, Pipeline, Push, Request, Skip, Start, Unreadable, either, every, needed
from rules.ci.github_expressions import ACTOR, UNKNOWN, Open
from rules.ci.github_jobs import Conditions, Scope, jobs
from rules.ci.nodes import BadYaml, Node, first
from rules.ci.paths import covering, listed
from rules.ci.tokens import token_start

NAME = "github-actions"
TITLE = "GitHub Actions"
FORGES: frozenset[ForgeName] = frozenset({"github"})
SKIP: Skip | None = Skip(
    "[skip ci]",
    r"\[skip ci\]|\[ci skip\]|\[no ci\]|\[skip actions\]|\[actions skip\]|(?m:^skip-checks: ?true\s*\z)",
    "GitHub docs, Skipping workflow runs",
    tags=True,
    maybe=r"(?i)\[(?:skip ci|ci skip|no ci|skip actions|actions skip)\]|(?m:^skip-checks:\s*true)",
)

_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml")
_ACTION = re.compile(r"(?:.*/)?action\.ya?ml")
_MESSAGE = re.compile(r"message|title")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_MAX_CHAIN = 4  # workflow_run after workflow_run


def claims(path: str) -> bool:
    """Workflows, and the composite actions that they may use."""
    return _WORKFLOW.fullmatch(path) is not None or _ACTION.fullmatch(path) is not None


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """The workflows of these files."""
    found: list[Workflow] = []
    for path in sorted(files):
        if not _WORKFLOW.fullmatch(path):
            continue
        try:
            document = first(files[path])
            if not document.is_map:
                raise BadYaml("is not a workflow", 1)
            scope = Scope(files, _repository(repository))
            found.append(Workflow(path, document, tuple(jobs(document, scope)), found))
        except BadYaml as error:
            yield Unreadable(NAME, path, error.line, str(error))
    yield from found


def _repository(name: str | None) -> dict[str, tuple[str, ...]]:
    if name is None:
        return {}
    owner, _, short = name.rpartition("/")
    return {
        "github.repository": (name,),
        "GITHUB_REPOSITORY": (name,),
        "github.repository_owner": (owner,),
        "github.event.repository.name": (short,),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Workflow:
    """One workflow file. `others` are all workflows of the repository, for `workflow_run`."""

    file: str
    document: Node
    jobs: tuple[Job, ...]
    others: list[Workflow] = field(repr=False)
    system: str = NAME

    @property
    def name(self) -> str:
        return self.document.get("name").text or self.file.rpartition("/")[2]

    @property
    def line(self) -> int:
        return self._trigger("push").line

    def start(self, event: Event) -> Start:
        return self._start(event, 0)

    def _start(self, event: Event, depth: int) -> Start:
        starts = (
            [self._push(event)]
            if isinstance(event, Push)
            else [self._request(event, name) for name in (_QUEUE if event.queue else _REQUESTS)]
        )
        after = self._trigger("workflow_run")
        if after and depth < _MAX_CHAIN:
            starts.append(self._after(after, event, depth))
        return either(starts) or NO

    def _trigger(self, name: str) -> Node:
        on = self.document.get("on")
        if on.is_map:
            for key, value in on.items():
                if key.text_or_empty == name:
                    return Node((value or key).node, key.line)
            return Node(None, on.line)
        return next((one for one in on.each() if one.text == name), Node(None, on.line))

    def _push(self, event: Push) -> Start:
        on = self._trigger("push")
        if not on:
            return Start("no", "it is not started by pushes", line=on.line)
        start = every([_branches(on, event.branch), _paths(on, event.paths)])
        if start.answer == "no":
            return start
        token = token_start(SKIP, event)
        return Start(token.answer, token.reason, token.by, on.line) if token else Start("yes", "a push starts it", line=on.line)

    def _request(self, event: Request, name: str) -> Start:
        on = self._trigger(name)
        if not on:
            return Start("no", f"it is not started by {name}", line=on.line)
        if name == "merge_group":
            return every([_branches(on, event.base), Start("yes", "the merge queue starts it", line=on.line)])
        types = on.get("types").texts() or ("opened", "synchronize", "reopened")
        wanted = {"opened": ("opened", "synchronize"), "merged": ("closed",)}[event.action]
        if not set(types) & set(wanted):
            return Start("no", f"{name} starts it only when a request is {listed(types)}", line=on.get("types").line)
        start = every([_branches(on, event.base), _paths(on, event.paths)])
        if start.answer == "no":
            return start
        token = token_start(SKIP, event) if name == "pull_request" else None
        return Start(token.answer, token.reason, token.by, on.line) if token else Start("yes", f"{name} starts it", line=on.line)

    def _after(self, on: Node, event: Event, depth: int) -> Start:
        names = on.get("workflows").texts()
        first_ones = [flow for flow in self.others if flow.name in names and flow is not self]
        branch = event.branch
        chosen = _branches(on, branch)
        if chosen.answer == "no":
            return chosen
        before = either(flow._start(event, depth + 1) for flow in first_ones)
        if before is None:
            return Start("unknown", f"it runs after {listed(names)}, which is not in this repository", "unknown", on.line)
        return Start(before.answer, f"it runs after {listed(names)}: {before.reason}", before.by, on.line)

    def run(self, job: Job, event: Event) -> Start:
        return every(start for one in (*needed(self.jobs, job, _waits), job) for start in self._own(one, event))

    def _own(self, job: Job, event: Event) -> Iterator[Start]:
        """What a job's own conditions say."""
        yield YES
        known = _context(event)
        for text, line in job.rule.texts if isinstance(job.rule, Conditions) else ():
            held = github_expressions.condition(text, known)
            if held is None:
                yield Start("unknown", f"`{text}` could not be evaluated", "unknown", line)
            elif not held:
                yield Start("no", f"`{text}` does not hold", "rule", line)

    def words(self) -> tuple[str, ...]:
        texts = [
            text for job in self.jobs if isinstance(job.rule, Conditions) for text, _ in job.rule.texts if _MESSAGE.search(text)
        ]
        return tuple(dict.fromkeys(word for text in texts for word in _LITERAL.findall(text) if word and "refs/" not in word))

    def remedy(self, paths: tuple[str, ...]) -> str:
        on = self._trigger("push")
        place = f"{self.file}, line {on.line}"
        if on.get("paths"):
            outside = listed([f"!{path}" for path in covering(paths)], quote='"')
            return f"add {outside} to the end of `paths` ({place})"
        ignored = ", ".join(f'"{path}"' for path in covering(paths))
        return f"add `paths-ignore: [{ignored}]` under `on: push` ({place})"


def _waits(job: Job) -> bool:
    """Whether a job is left out where one that it needs is."""
    texts = [text for text, _ in job.rule.texts] if isinstance(job.rule, Conditions) else []
    return not any("always()" in text or "!cancelled()" in text for text in texts)


_REQUESTS = ("pull_request", "pull_request_target")
_QUEUE = ("merge_group",)


def _branches(on: Node, branch: str) -> Start:
    wanted, ignored = on.get("branches"), on.get("branches-ignore")
    if wanted and not filters.chosen(branch, wanted.texts()):
        return Start("no", f"only for branches {listed(wanted.texts())}", "trigger", wanted.line)
    if ignored and filters.chosen(branch, ignored.texts()):
        return Start("no", f"not for branches {listed(ignored.texts())}", "trigger", ignored.line)
    tags = on.get("tags") or on.get("tags-ignore")
    if tags and not wanted and not ignored:
        return Start("no", "only for tags", "trigger", tags.line)
    return YES


def _paths(on: Node, changed: tuple[str, ...]) -> Start:
    wanted, ignored = on.get("paths"), on.get("paths-ignore")
    if wanted and not filters.any_chosen(changed, wanted.texts()):
        return Start("no", f"only for changes in {listed(wanted.texts())}", "paths", wanted.line)
    if ignored and filters.all_ignored(changed, ignored.texts()):
        return Start("no", f"not for changes in {listed(ignored.texts())}", "paths", ignored.line)
    return YES


@lru_cache(maxsize=256)
def _context(event: Event) -> Mapping[str, Any]:
    sent = payloads.of(event)
    request = isinstance(event, Request)
    ref = (
        f"refs/heads/{event.branch}"
        if isinstance(event, Push)
        else f"refs/heads/{event.base}"
        if event.queue
        else "refs/pull/1/merge"
    )
    github = Open(
        event_name="merge_group" if request and event.queue else sent.event,
        ref=ref,
        ref_name=ref.removeprefix("refs/heads/").removeprefix("refs/pull/"),
        ref_type="branch",
        head_ref=event.branch if request else "",
        base_ref=event.base if request else "",
        repository=event.repository or UNKNOWN,
        repository_owner=event.repository.partition("/")[0] if event.repository else UNKNOWN,
        actor=ACTOR,
        triggering_actor=ACTOR,
        event={**_opened(sent.body), "workflow_run": Open(conclusion="success", event=sent.event, head_branch=event.branch)},
    )
    unknown = {name: Open() for name in ("vars", "secrets", "needs", "steps", "matrix", "env", "runner", "job", "strategy")}
    return {"github": github, "inputs": {}, **unknown}


def _opened(value: Any, depth: int = 0) -> Any:
    if value == payloads.ANY:
        return UNKNOWN
    if isinstance(value, dict):
        inner = {key: _opened(one, depth + 1) for key, one in value.items()}
        return Open(inner) if depth else inner
    return [_opened(one, depth + 1) for one in value] if isinstance(value, list) else value
