"""What a Kubernetes resource that a trigger makes does: Argo Workflows and Tekton runs, as far as they are in the repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rules.ci.base import Work
from rules.ci.nodes import BadYaml, Node, documents
from rules.ci.work import joined, of_words, read, shell

_REFERENCES = (
    ("workflowTemplateRef", "name", "WorkflowTemplate"),
    ("templateRef", "name", "WorkflowTemplate"),
    ("pipelineRef", "name", "Pipeline"),
    ("taskRef", "name", "Task"),
)
_DEPTH = 4
_FOLLOWED = 40  # references of one resource
_WALKED = 4000


def workflow_work(resource: Node, files: Mapping[str, bytes], depth: int = 0, seen: set[tuple[str, str]] | None = None) -> Work:
    """What a resource does; what it refers to and is not here is opaque, and counts as a build until the contrary is known."""
    if not resource:
        return Work(opaque="what the trigger makes", trusted=True)
    seen = set() if seen is None else seen
    works = [*_containers(resource, files)]
    for key, inner, kind in _REFERENCES:
        for place in _all(resource, key):
            name = place.get(inner).text
            if name is None or "{{" in name or "$(" in name:
                works.append(Work(opaque=f"a {kind} that is chosen when it runs", trusted=True))
                continue
            if (kind, name) in seen or len(seen) > _FOLLOWED:
                continue
            seen.add((kind, name))
            found = _find(files, kind, name) if depth < _DEPTH else None
            if found is None:
                works.append(Work(opaque=f"{kind} {name}", trusted=True, effects=of_words(name)))
            else:
                works.append(workflow_work(found, files, depth + 1, seen))
    return joined(works)


def _containers(resource: Node, files: Mapping[str, bytes]) -> Iterator[Work]:
    for container in _walk(resource):
        if not container.is_map or not (container.get("image") or container.get("script")):
            continue
        image = container.get("image").text or ""
        command = " ".join([*container.get("command").texts(), *container.get("args").texts()])
        lines = shell(f"{'/kaniko/executor ' if 'kaniko' in image else ''}{command}", container.line)
        for key in ("source", "script"):
            if container.get(key).text:
                lines += shell(container.get(key).text or "", container.get(key).line + 1)
        yield read(lines, _variables(container), files)


def _variables(container: Node) -> dict[str, Any]:
    pairs = ((entry.get("name").text, entry.get("value").text) for entry in container.get("env").each())
    return {name: (value,) for name, value in pairs if name and value}


def _all(node: Node, key: str) -> Iterator[Node]:
    for place in _walk(node):
        found = place.get(key)
        if found:
            yield found


def _walk(node: Node) -> Iterator[Node]:
    """Every mapping below a node, itself included."""
    todo, left = [node], _WALKED
    while todo and left:
        left -= 1
        here = todo.pop(0)
        if here.is_map:
            yield here
            todo += [value for _, value in here.items()]
        elif here.is_list:
            todo += here.each()


def _find(files: Mapping[str, bytes], kind: str, name: str) -> Node | None:
    wanted = (kind, f"Cluster{kind}")
    for data in files.values():
        if name.encode() not in data or kind.encode() not in data:
            continue
        try:
            for document in documents(data):
                if document.get("kind").text in wanted and document.get("metadata", "name").text == name:
                    return document.get("spec")
        except BadYaml:
            continue
    return None
