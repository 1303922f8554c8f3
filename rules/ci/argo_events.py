"""Argo Events: a Sensor waits for events of an EventSource, filters them, and submits a workflow.

    filters:
      exprs:
        - expr: msg !~ "skip-ci"
          fields: [{name: msg, path: body.commits.0.message}]      the oldest commit of the push

No token is built in: the filters are all there is. `body.commits.0` is the oldest new commit (after a merge commit the branch
commit, after a squash the squash itself), `body.head_commit` of GitHub the newest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rules.ci import gjson, govaluate, payloads, sensor_filters
from rules.ci.base import NO, YES, Commit, Event, ForgeName, Job, Pipeline, Push, Request, Skip, Start, Unreadable, Work, either
from rules.ci.nodes import BadYaml, Node, documents
from rules.ci.paths import listed
from rules.ci.workflows import workflow_work

NAME = "argo-events"
TITLE = "Argo Events"
FORGES: frozenset[ForgeName] = frozenset({"github", "gitlab"})
SKIP: Skip | None = None

_PATH = re.compile(
    r"(?:.*/)?[^/]*(?:sensor|event|trigger|webhook|pipeline|workflow)[^/]*\.ya?ml"
    r"|(?:.*/)?(?:\.?argo[^/]*|\.?events?|\.?tekton|ci|\.?pipelines?)/(?:.*/)?[^/]+\.ya?ml",
    re.IGNORECASE,
)
_MESSAGE = re.compile(r"message|title|description")
_QUIET = ("slack", "log", "email")  # triggers that tell people
_EVENTS = {"github": {"push": Push, "pull_request": Request}, "gitlab": {"PushEvents": Push, "MergeRequestsEvents": Request}}


def claims(path: str) -> bool:
    """Files that are called after what they are; a Sensor can stand in any YAML file."""
    return _PATH.fullmatch(path) is not None


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """The Sensors of these files."""
    sensors: list[tuple[str, Node]] = []
    sources: dict[str, Node] = {}
    for path, data in sorted(files.items()):
        if b"Sensor" not in data and b"EventSource" not in data:
            continue
        try:
            for document in documents(data):
                kind = document.get("kind").text
                if kind == "Sensor":
                    sensors.append((path, document))
                elif kind == "EventSource":
                    sources[document.get("metadata", "name").text or "default"] = document
        except BadYaml as error:
            if re.search(rb"^kind:\s*Sensor\b", data, re.MULTILINE):
                yield Unreadable(NAME, path, error.line, str(error))
    for path, document in sensors:
        yield Sensor(path, document, sources, tuple(_jobs(document, files)))


def _jobs(document: Node, files: Mapping[str, bytes]) -> Iterator[Job]:
    for trigger in document.get("spec", "triggers").each():
        template = trigger.get("template")
        name = template.get("name").text or "trigger"
        yield Job(name, trigger.line, _work(template, files), (), template.get("conditions").text)


def _work(template: Node, files: Mapping[str, bytes]) -> Work:
    for kind, node in template.items():
        if kind.text_or_empty in _QUIET:
            return Work()
        if kind.text_or_empty in ("argoWorkflow", "k8s"):
            return workflow_work(node.get("source", "resource"), files)
    return Work(opaque="what the trigger calls", trusted=True)


@dataclass(frozen=True, slots=True, eq=False)
class Sensor:
    """One Sensor. `sources` are the EventSources of the repository, by name."""

    file: str
    document: Node
    sources: Mapping[str, Node]
    jobs: tuple[Job, ...]
    system: str = NAME

    @property
    def name(self) -> str:
        return self.document.get("metadata", "name").text or self.document.get("metadata", "generateName").text or "sensor"

    @property
    def line(self) -> int:
        return self.document.get("spec", "dependencies").line

    @property
    def dependencies(self) -> tuple[Node, ...]:
        return self.document.get("spec", "dependencies").each()

    def start(self, event: Event) -> Start:
        told = {dependency.get("name").text or "": self._dependency(dependency, event) for dependency in self.dependencies}
        return either(told.values()) or NO

    def run(self, job: Job, event: Event) -> Start:
        told = {dependency.get("name").text or "": self._dependency(dependency, event) for dependency in self.dependencies}
        met = {name for name, start in told.items() if start.answer != "no"}
        conditions = job.rule if isinstance(job.rule, str) else None
        clauses = conditions.split("||") if conditions else [" && ".join(told)]
        for clause in clauses:
            asked = {name.strip(" ()") for name in clause.split("&&")}
            if asked <= met:
                return YES
        if any({name.strip(" ()") for name in clause.split("&&")} & met for clause in clauses):
            return Start("unknown", f"it also waits for {listed(sorted(set(told) - met))}", "unknown", job.line)
        return Start("no", "no dependency that it waits for is met", "rule", job.line)

    def _dependency(self, dependency: Node, event: Event) -> Start:
        delivered = self._delivered(dependency, event)
        if delivered.answer == "no":
            return delivered
        operator = (dependency.get("filtersLogicalOperator").text or "and").lower()
        data = _data(event)

        def missing(path: str, place: Node) -> Start:
            return self._missing(path, place, event)

        told = sensor_filters.verdict(dependency.get("filters"), data, operator, missing, assume=event.repository is None)
        if told.answer == "yes" and delivered.answer == "unknown":
            return delivered
        return told if told.line is not None else replace(told, line=dependency.line)

    def _delivered(self, dependency: Node, event: Event) -> Start:
        """Whether the EventSource, where it is in the repository, sends such an event."""
        source = self.sources.get(dependency.get("eventSourceName").text or "")
        name = dependency.get("eventName").text or ""
        if source is None:
            return YES
        for forge, kinds in _EVENTS.items():
            found = source.get("spec", forge, name)
            if not found:
                continue
            if forge != event.forge:
                return Start("no", f"its EventSource listens to {forge}", "trigger", dependency.line)
            events = found.get("events").texts()
            wanted = [kind for kind in events if kind == "*" or isinstance(event, kinds.get(kind, ()))]
            if events and not wanted:
                return Start("no", f"its EventSource sends {listed(events)} only", "trigger", dependency.line)
            if not _listens(found, event.repository):
                return Start("no", "its EventSource listens to other repositories", "trigger", dependency.line)
            if found.get("filter"):
                return Start("unknown", "the filter of its EventSource is not evaluated here", "unknown", dependency.line)
            return YES
        if source.get("spec", "webhook", name):
            return YES
        known = any(
            source.get("spec", kind).is_map for kind in ("github", "gitlab", "webhook", "bitbucket", "bitbucketserver", "gitea")
        )
        if known or not source.get("spec"):
            return Start("unknown", f"its EventSource has no event {name!r} that is understood here", "unknown", dependency.line)
        return Start("no", "its EventSource does not listen to a forge", "trigger", dependency.line)

    def _missing(self, path: str, place: Node, event: Event) -> Start:
        """A path that leads nowhere keeps the event away; where it never leads anywhere, nothing ever starts."""
        reason = f"the path `{path}` does not exist in the event, so the event is dropped"
        if any(_exists(other, path) for other in _others(event)):
            return Start("no", reason, "rule", place.line)
        better = _better(path, event)
        fix = f"write `path: {better}`" if better else "name a path that the event has (gjson, below `body.`)"
        if better and ".commits.0." in better:
            fix += _oldest(better, event)
        return Start("no", f"{reason}: nothing ever starts", "broken", place.line, fix)

    def words(self) -> tuple[str, ...]:
        found: list[str] = []
        for dependency in self.dependencies:
            for entry in dependency.get("filters", "exprs").each():
                if any(_MESSAGE.search(field.get("path").text or "") for field in entry.get("fields").each()):
                    try:
                        found += govaluate.literals(entry.get("expr").text or "")
                    except govaluate.BadExpression:
                        continue
            for entry in dependency.get("filters", "data").each():
                if _MESSAGE.search(entry.get("path").text or ""):
                    found += entry.get("value").texts()
        return tuple(dict.fromkeys(found))

    def remedy(self, paths: tuple[str, ...]) -> str:
        dependency = next(iter(self.dependencies), self.document)
        name = dependency.get("name").text or "its dependency"
        expression = "exprs: [{expr: 'msg !~ \"^skip-ci\"', fields: [{name: msg, path: body.commits.0.message}]}]"
        return f"give the filters of {name} ({self.file}, line {dependency.line}) `{expression}`"


def _listens(source: Node, repository: str | None) -> bool:
    if repository is None:
        return True
    projects = [text for text in source.get("projects").texts() if not text.isdigit()]
    named: list[str] = []
    for entry in source.get("repositories").each():
        owner = entry.get("owner").text or ""
        named += [f"{owner}/{name}" for name in entry.get("names").texts()]
    if source.get("projects").texts() and not projects:
        return True  # numbers
    listed_here = [*projects, *named]
    return not listed_here or repository.lower() in (one.lower() for one in listed_here)


def _data(event: Event) -> dict[str, Any]:
    sent = payloads.of(event)
    name = "X-Github-Event" if event.forge == "github" else "X-Gitlab-Event"
    headers = {name: [sent.event], "Content-Type": ["application/json"]}
    return {"headers": headers, "header": headers, "body": sent.body}


def _others(event: Event) -> Sequence[Event]:
    """Other events of the same forge: what exists in one of them is not a mistake."""
    commit = Commit("Update", ("a",))
    return (
        Push(event.forge, event.base, (commit, commit), event.base, event.repository),
        Request(event.forge, "opened", "Update", "", "b", commit, event.base, event.repository),
    )


def _exists(event: Event, path: str) -> bool:
    try:
        return gjson.get(_data(event), path) is not None
    except gjson.BadPath:
        return True


def _better(path: str, event: Event) -> str | None:
    """The path that was probably meant."""
    dotted = re.sub(r"\[(\d+)\]", r".\1", path).strip(".")
    for candidate in (dotted, f"body.{dotted}", dotted.removeprefix("data."), f"body.{dotted.removeprefix('data.')}"):
        if any(_exists(other, candidate) for other in _others(event)):
            return candidate
    return None


def _oldest(path: str, event: Event) -> str:
    """A word about the oldest commit of a push."""
    newest = path.replace(".commits.0.", ".head_commit." if event.forge == "github" else ".commits.@reverse.0.")
    return f" (the oldest commit of the push; `{newest}` is the newest, which keeps a person's commits on top of a bump)"
