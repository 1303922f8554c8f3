"""Tekton Triggers: an EventListener whose interceptors let events through, and the templates that it fills.

    interceptors:
      - ref: {name: cel}
        params: [{name: filter, value: "body.ref == 'refs/heads/main' && !body.head_commit.message.startsWith('skip-ci')"}]

No token is built in: the filters are all there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules.ci import cel, payloads
from rules.ci.base import YES, Event, ForgeName, Job, Pipeline, Skip, Start, Unreadable, Work
from rules.ci.nodes import BadYaml, Node, documents
from rules.ci.paths import listed
from rules.ci.workflows import workflow_work

NAME = "tekton-triggers"
TITLE = "Tekton Triggers"
FORGES: frozenset[ForgeName] = frozenset({"github", "gitlab"})
SKIP: Skip | None = None

_PATH = re.compile(r"(?:.*/)?[^/]*(?:trigger|listener|tekton)[^/]*\.ya?ml|(?:.*/)?\.?tekton/(?:.*/)?[^/]+\.ya?ml", re.IGNORECASE)
_MESSAGE = re.compile(r"message|title")


def claims(path: str) -> bool:
    """Files that are called after what they are; a trigger can stand in any YAML file."""
    return _PATH.fullmatch(path) is not None


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """Each trigger of an EventListener, and each Trigger, is a pipeline."""
    found: list[tuple[str, str, Node]] = []
    for path, data in sorted(files.items()):
        if b"tekton.dev" not in data or not (b"EventListener" in data or b"kind: Trigger" in data):
            continue
        try:
            for document in documents(data):
                kind = document.get("kind").text
                name = document.get("metadata", "name").text or "listener"
                if kind == "EventListener":
                    for number, trigger in enumerate(document.get("spec", "triggers").each(), 1):
                        if not trigger.get("triggerRef"):
                            found.append((path, trigger.get("name").text or f"{name} {number}", trigger))
                elif kind == "Trigger":
                    found.append((path, name, document.get("spec")))
        except BadYaml as error:
            if re.search(rb"^kind:\s*(?:EventListener|Trigger)\b", data, re.MULTILINE):
                yield Unreadable(NAME, path, error.line, str(error))
    for path, name, trigger in found:
        yield Trigger(path, name, trigger, tuple(_jobs(trigger, files)))


def _jobs(trigger: Node, files: Mapping[str, bytes]) -> Iterator[Job]:
    template = trigger.get("template")
    resources = template.get("spec", "resourcetemplates")
    name = template.get("ref").text or template.get("name").text
    if not resources and name is not None:
        found = _template(files, name)
        if found is None:
            yield Job(name, template.line, Work(opaque=f"TriggerTemplate {name}", trusted=True))
            return
        resources = found
    for resource in resources.each():
        yield Job(resource.get("metadata", "generateName").text or "run", resource.line, workflow_work(resource, files))


def _template(files: Mapping[str, bytes], name: str) -> Node | None:
    for data in files.values():
        if b"TriggerTemplate" not in data or name.encode() not in data:
            continue
        try:
            for document in documents(data):
                if document.get("kind").text == "TriggerTemplate" and document.get("metadata", "name").text == name:
                    return document.get("spec", "resourcetemplates")
        except BadYaml:
            continue
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Trigger:
    """One trigger."""

    file: str
    name: str
    trigger: Node
    jobs: tuple[Job, ...]
    system: str = NAME

    @property
    def line(self) -> int:
        return self.trigger.line

    def start(self, event: Event) -> Start:
        sent = payloads.of(event)
        body: dict[str, Any] = known(sent.body)
        header = {"X-GitHub-Event" if event.forge == "github" else "X-Gitlab-Event": [sent.event]}
        extensions: dict[str, Any] = {}
        told = Start("yes", "nothing filters it", line=self.line)
        for interceptor in self.trigger.get("interceptors").each():
            start = _intercepted(interceptor, event, sent.event, {"body": body, "header": header, "extensions": extensions})
            if start.answer != "yes":
                return start
            told = start
        return told

    def run(self, job: Job, event: Event) -> Start:
        return YES

    def words(self) -> tuple[str, ...]:
        found: list[str] = []
        for interceptor in self.trigger.get("interceptors").each():
            text = _filter(interceptor).text
            if text is not None and _MESSAGE.search(text):
                try:
                    found += [word for word in cel.literals(text) if not word.startswith("refs/")]
                except cel.Failed:
                    continue
        return tuple(dict.fromkeys(found))

    def remedy(self, paths: tuple[str, ...]) -> str:
        text = "!body.head_commit.message.contains('skip-ci:')"
        place = f"the CEL filter of {self.name} ({self.file}, line {self.line})"
        return f"add `{text}` (on GitLab with `body.commits[0].message`) to {place}"


def _intercepted(interceptor: Node, event: Event, kind: str, names: dict[str, Any]) -> Start:
    name = interceptor.get("ref", "name").text or next(
        (one for one in ("cel", "github", "gitlab", "webhook") if interceptor.get(one)), ""
    )
    if name in ("github", "gitlab"):
        types = (_parameter(interceptor, "eventTypes") or interceptor.get(name, "eventTypes")).texts()
        if name != event.forge:
            return Start("no", f"it takes webhooks of {name} only", "trigger", interceptor.line)
        if types and kind not in types:
            return Start("no", f"it takes {listed(types)} only", "trigger", interceptor.line)
        return Start("yes", "its event is taken", line=interceptor.line)
    if name == "cel":
        return _cel(interceptor, names)
    return Start("unknown", f"what the interceptor {name or 'of its own'} does is not known", "unknown", interceptor.line)


def _cel(interceptor: Node, names: dict[str, Any]) -> Start:
    condition = _filter(interceptor)
    told = Start("yes", "nothing filters it", line=interceptor.line)
    if condition.text is not None:
        told = judged(condition.text, condition.line, names, _FUNCTIONS)
    if told.answer == "no":
        return told
    overlays = (_parameter(interceptor, "overlays") or interceptor.get("cel", "overlays")).each()
    for overlay in overlays:
        try:
            value = cel.evaluate(overlay.get("expression").text or "", names, _FUNCTIONS)
        except (cel.Failed, cel.Unsupported):
            value = cel.UNKNOWN
        names["extensions"][overlay.get("key").text or ""] = value
    return told


def judged(text: str, line: int, names: Mapping[str, Any], functions: Mapping[str, Any]) -> Start:
    """What a CEL condition says."""
    shown = " ".join(text.split())
    try:
        value = cel.evaluate(text, names, functions)
    except cel.Unsupported as error:
        return Start("unknown", f"`{shown}` is not evaluated here: {error}", "unknown", line)
    except cel.Failed as error:
        return Start("no", f"`{shown}` ends in an error, so nothing is started: {error}", "rule", line)
    if value is cel.UNKNOWN:
        return Start("unknown", f"`{shown}` hangs on what is not known here", "unknown", line)
    return Start("yes", f"`{shown}` holds", line=line) if value is True else Start("no", f"`{shown}` does not hold", "rule", line)


def _filter(interceptor: Node) -> Node:
    return _parameter(interceptor, "filter") or interceptor.get("cel", "filter")


def _parameter(interceptor: Node, name: str) -> Node:
    found = (one.get("value") for one in interceptor.get("params").each() if one.get("name").text == name)
    return next(found, Node(None, interceptor.line))


def known(value: Any) -> Any:
    """The body as CEL sees it; what is not known stays so."""
    if value == payloads.ANY:
        return cel.UNKNOWN
    if isinstance(value, dict):
        return {key: known(one) for key, one in value.items()}
    if isinstance(value, list):
        return [known(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _match(header: Mapping[str, Any], name: str, wanted: str) -> bool:
    values: list[str] = next((have for key, have in header.items() if key.lower() == name.lower()), [])
    return any(one.lower() == wanted.lower() for one in values)


def _canonical(header: Mapping[str, Any], name: str) -> str:
    values = next((have for key, have in header.items() if key.lower() == name.lower()), [""])
    return str(values[0])


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {".match": _match, ".canonical": _canonical}
