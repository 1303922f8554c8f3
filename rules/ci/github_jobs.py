"""The jobs of a GitHub Actions workflow: what their steps do, and on which conditions.

Each step that builds, deploys or scans is a part of its own, since `if:` can stand on a step, and `push:` of an action can be an
expression. Reusable workflows and composite actions of the same repository are followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rules.ci.base import Job, Work
from rules.ci.names import Variables
from rules.ci.nodes import NOTHING, BadYaml, Node, first
from rules.ci.work import SUSPICIOUS, image, joined, of_words, read, shell

_FOLLOWED = 5  # reusable workflows within each other
_PARTS = 400  # of one workflow, with all that it uses
_BUILDERS = re.compile(
    r"docker|kaniko|buildah|container|image|oci-|jib|buildpack|push-to-registry|push-to-ghcr|bake-action|depot/|ecr-push|build-push",
    re.IGNORECASE,
)
_NOT_BUILDERS = re.compile(
    r"login|setup-|metadata|qemu|cache|checkout|scan|hadolint|lint|cleanup|delete|prune|retention|scout|sign|attest|compose-up",
    re.IGNORECASE,
)
_PUBLISH = re.compile(r"release|publish|pypi|npm|upload-release|gh-pages|pages", re.IGNORECASE)
_NAMES = ("tags", "images", "image", "image-name", "image_name", "imagename", "name", "repository", "destination", "dest")
_SEPARATOR = re.compile(r"[,\n]")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What has to hold for a part to run: each text with its line."""

    texts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known where a job is read."""

    files: Mapping[str, bytes]
    variables: Variables
    conditions: Conditions = Conditions()
    prefix: str = ""
    needs: tuple[str, ...] = ()
    depth: int = 0
    left: list[int] = field(default_factory=lambda: [_PARTS])
    parsed: dict[str, Node] = field(default_factory=dict)

    def document(self, path: str) -> Node:
        """A file of the repository, parsed once. Raises BadYaml."""
        if path not in self.parsed:
            self.parsed[path] = first(self.files[path])
        return self.parsed[path]


def jobs(document: Node, scope: Scope) -> Iterator[Job]:
    """Every part of a workflow."""
    env = variables(document.get("env"), scope.variables)
    for key, job in document.get("jobs").items():
        scope.left[0] -= 1
        if scope.left[0] < 0:
            yield Job(f"{scope.prefix}{key.text_or_empty}", key.line, Work(opaque="more jobs than are read"), scope.needs)
            return
        yield from _job(key, job, replace(scope, variables=env))


def variables(env: Node, outer: Variables) -> dict[str, Any]:
    """The variables of an `env:` or `with:`, on top of those around it."""
    return {**outer, **{key.text_or_empty: (value.text,) for key, value in env.items() if value.text is not None}}


def _job(key: Node, job: Node, scope: Scope) -> Iterator[Job]:
    name = scope.prefix + key.text_or_empty
    here = replace(
        scope,
        conditions=_with(scope.conditions, job.get("if")),
        variables={**variables(job.get("env"), scope.variables), **_matrix(job.get("strategy", "matrix"))},
        needs=(*scope.needs, *(scope.prefix + need for need in job.get("needs").texts())),
    )
    effects = of_words(f"{key.text_or_empty} {job.get('name').text or ''}")
    effects |= {"deploy"} if job.get("environment") and not effects else frozenset()
    called = job.get("uses").text
    if called is not None:
        yield Job(name, key.line, Work(effects=effects), here.needs, here.conditions)
        yield from _called(name, called, job, here)
        return
    yield Job(name, key.line, Work(effects=effects), here.needs, here.conditions, job.get("name").text or "")
    yield from _steps(name, job.get("steps"), here)


def _called(name: str, path: str, job: Node, scope: Scope) -> Iterator[Job]:
    """A reusable workflow: of this repository, or of another (then only its name is known)."""
    inner = replace(
        scope, variables=variables(job.get("with"), scope.variables), prefix=f"{name} / ", needs=(name,), depth=scope.depth + 1
    )
    local = path.removeprefix("./") if path.startswith("./") else ""
    if local in scope.files and scope.depth < _FOLLOWED:
        try:
            document = scope.document(local)
        except BadYaml:
            yield Job(f"{name} / {path}", job.line, Work(opaque=f"{path} (it cannot be read)"), (name,), scope.conditions)
            return
        yield from jobs(document, replace(inner, variables={**_defaults(document), **inner.variables}))
        return
    built = tuple(
        one for text in _written(job.get("with")) for one in image(text, job.line, path, scope.variables) if one.name != "*"
    )
    if built and SUSPICIOUS.search(path):
        yield Job(f"{name} / {path}", job.line, Work(built=built), (name,), scope.conditions)
    elif SUSPICIOUS.search(path):
        yield Job(f"{name} / {path}", job.line, Work(opaque=path, effects=of_words(path)), (name,), scope.conditions)


def _defaults(document: Node) -> dict[str, Any]:
    inputs = document.get("on", "workflow_call", "inputs")
    return {key.text_or_empty: (value.get("default").text,) for key, value in inputs.items() if value.get("default").text}


def _steps(name: str, steps: Node, scope: Scope) -> Iterator[Job]:
    known = dict(scope.variables)
    for number, step in enumerate(steps.each(), 1):
        if step.get("id").text and "metadata-action" in (step.get("uses").text or ""):
            images = [one.removeprefix("name=").split(",")[0] for one in (step.get("with", "images").text or "").splitlines()]
            listed = [part.strip() for one in images for part in one.split(",") if part.strip()]
            for output in ("tags", "json"):
                known[f"steps.{step.get('id').text}.outputs.{output}"] = tuple(listed)
        work, conditions = _step(step, replace(scope, variables=known))
        if work != Work():
            title = step.get("name").text or step.get("uses").text or f"step {number}"
            yield Job(f"{name} / {title}", step.line, work, (name,), conditions)


def _step(step: Node, scope: Scope) -> tuple[Work, Conditions]:
    known = variables(step.get("env"), scope.variables)
    conditions = _with(scope.conditions, step.get("if"))
    works: list[Work] = []
    run, uses = step.get("run"), step.get("uses").text
    if run.text is not None:
        began = run.line if run.quoted and "\n" not in run.text else run.line + ("\n" in run.text)
        folder = (step.get("working-directory").text or "").removeprefix("./").rstrip("/")
        works.append(read(shell(run.text, began), known, scope.files, folder))
    if uses is not None:
        work, condition = _action(uses, step, replace(scope, variables=known))
        works.append(work)
        conditions = _with(conditions, condition)
    effects = of_words(step.get("name").text or "") if any(work != Work() for work in works) or run.text else frozenset()
    return joined([*works, Work(effects=effects)]), conditions


def _action(uses: str, step: Node, scope: Scope) -> tuple[Work, Node]:
    """What an action does, and the condition that its own inputs add."""
    given = step.get("with")
    if uses.startswith("./"):
        return _composite(uses, scope), NOTHING
    path = uses.partition("@")[0]
    if _BUILDERS.search(path) and not _NOT_BUILDERS.search(path):
        push = given.get("push")
        no_push = "build-push-action" in path or "bake-action" in path or path.endswith("buildah-build")
        if no_push and push.text is None and "registry" not in (given.get("outputs").text or "") + (given.get("set").text or ""):
            return Work(), NOTHING
        if push.text is not None and push.text.lower() == "false":
            return Work(), NOTHING
        built = tuple(one for text in _written(given) for one in image(text, step.line, path, scope.variables))
        return Work(built=built or tuple(image("*", step.line, path, {}))), push if push.text and "${{" in push.text else NOTHING
    effects = of_words(path) | ({"publish"} if _PUBLISH.search(path) else frozenset())
    return Work(effects=frozenset(effects)), NOTHING


def _composite(uses: str, scope: Scope) -> Work:
    folder = uses.removeprefix("./").rstrip("/")
    file = next((path for name in ("action.yml", "action.yaml") if (path := f"{folder}/{name}") in scope.files), None)
    if file is None or scope.depth >= _FOLLOWED:
        return Work(opaque=uses if SUSPICIOUS.search(uses) else None, effects=of_words(uses))
    try:
        document = scope.document(file)
    except BadYaml:
        return Work(opaque=uses)
    inner = replace(scope, depth=scope.depth + 1, conditions=Conditions())
    scope.left[0] -= 1
    if scope.left[0] < 0:
        return Work(opaque=f"{uses} (more than is read)")
    return joined(_step(step, inner)[0] for step in document.get("runs", "steps").each())


def _written(given: Node) -> list[str]:
    """The image names that an action is given, joined with its registry where that is written apart."""
    found: list[str] = []
    values = {key.text_or_empty.lower(): value for key, value in given.items()}
    registry = next((values[name].text for name in ("registry", "repository-prefix") if name in values), None)
    outputs = re.findall(r"\bname=([^,\s\"']+)", values["outputs"].text or "") if "outputs" in values else []
    for name in _NAMES:
        if name in values and not (name == "tags" and found):
            found += [one.strip() for one in _SEPARATOR.split(values[name].text or "") if one.strip()]
        if found:
            break
    if registry:
        found = [one if one.startswith(registry) else f"{registry.rstrip('/')}/{one}" for one in found]
    return [one.removeprefix("name=") for one in [*found, *outputs]]


def _matrix(matrix: Node) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for key, values in matrix.items():
        if key.text_or_empty in ("include", "exclude"):
            continue
        for value in values.each():
            _collect(found, f"matrix.{key.text_or_empty}", value)
    for row in matrix.get("include").each():
        for key, value in row.items():
            _collect(found, f"matrix.{key.text_or_empty}", value)
    return {name: tuple(values) for name, values in found.items()}


def _collect(found: dict[str, list[str]], name: str, value: Node) -> None:
    if value.text is not None:
        found.setdefault(name, []).append(value.text)
    for key, inner in value.items():
        _collect(found, f"{name}.{key.text_or_empty}", inner)


def _with(conditions: Conditions, node: Node) -> Conditions:
    return Conditions((*conditions.texts, (node.text, node.line))) if node.text is not None else conditions
