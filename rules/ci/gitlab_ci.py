"""GitLab CI: `.gitlab-ci.yml`, with local includes. `workflow:rules`, `rules`, `only` and `except` decide what a push starts.

    build:
      rules:
        - if: $CI_COMMIT_BRANCH == "main"
          changes: ["src/**", Dockerfile]      a bump of deploy/app.yaml does not build again

A pipeline whose newest commit has a skip token is made and `skipped`; so is that of a merge request, and then "Pipelines must
succeed" waits for ever. The pipeline of a merge train reads the message that the merge call set: a token there drops the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules import globs
from rules.ci import gitlab_expressions
from rules.ci.base import YES, Event, ForgeName, Job, Pipeline, Push, Request, Skip, Start, Unreadable, Work, either
from rules.ci.gitlab_expressions import SET, Value
from rules.ci.gitlab_tree import ROOT, Found, Tree, plain
from rules.ci.gitlab_variables import predefined
from rules.ci.nodes import BadYaml, Node
from rules.ci.paths import listed
from rules.ci.tokens import token_start
from rules.ci.work import joined, of_words, shell
from rules.ci.work import read as read_work

NAME = "gitlab-ci"
TITLE = "GitLab CI"
FORGES: frozenset[ForgeName] = frozenset({"gitlab"})
SKIP: Skip | None = Skip(
    "[skip ci]",
    r"(?i)\[(?:ci[ _-]skip|skip[ _-]ci)\]",
    "GitLab source, lib/gitlab/ci/pipeline/chain/skip.rb",
    request=frozenset({"head", "title"}),
    tags=True,
)

_FILE = re.compile(
    r"(?:.*/)?[^/]*\.gitlab-ci\.ya?ml|\.gitlab/.*\.ya?ml|(?:.*/)?(?:\.?ci|gitlab-ci|\.gitlab-ci)/.*\.ya?ml|(?:.*/)?gitlab-ci[^/]*\.ya?ml"
)
_BUILDS = re.compile(r"build|docker|kaniko|devops|image|deploy", re.IGNORECASE)  # among GitLab's own templates
_MANUAL = "it waits for a person (`when: manual`)"
_KEYWORDS = {
    "pushes": "push",
    "schedules": "schedule",
    "web": "web",
    "api": "api",
    "triggers": "trigger",
    "pipelines": "pipeline",
}


def claims(path: str) -> bool:
    """The definition and the files that it usually includes."""
    return _FILE.fullmatch(path) is not None


def included(files: Mapping[str, bytes], paths: Iterable[str]) -> frozenset[str]:
    """Of a repository's paths those that these definitions include and that were not read yet."""
    if ROOT not in files:
        return frozenset()
    try:
        wanted = tuple(Tree.of(files).absent)
    except BadYaml:
        return frozenset()
    return frozenset(path for path in paths if path not in files and wanted and _fits(path, wanted))


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """The one pipeline of a project."""
    if ROOT not in files:
        return
    try:
        tree = Tree.of(files)
    except BadYaml as error:
        yield Unreadable(NAME, ROOT, error.line, str(error))
        return
    yield Project(tree, tuple(_jobs(tree, _names(repository))))


def _names(repository: str | None) -> dict[str, tuple[str, ...]]:
    if repository is None:
        return {}
    owner, _, name = repository.rpartition("/")
    return {
        "CI_REGISTRY_IMAGE": (f"*/{repository}",),
        "CI_PROJECT_PATH": (repository,),
        "CI_PROJECT_NAME": (name,),
        "CI_PROJECT_NAMESPACE": (owner,),
        "CI_PROJECT_ROOT_NAMESPACE": (owner.partition("/")[0],),
    }


def _jobs(tree: Tree, names: Mapping[str, Any]) -> Iterator[Job]:
    for outside in tree.outside:
        if outside.what.startswith("template ") and not _BUILDS.search(outside.what):
            yield Job(f"include {outside.what}", outside.line, Work(effects=of_words(outside.what)))
            continue
        yield Job(f"include {outside.what}", outside.line, Work(opaque=outside.what, effects=of_words(outside.what)), rule=None)
    shared = {
        key: (value,) for _, document in reversed(tree.documents) for key, value in plain(document.get("variables")).items()
    }
    for name in tree.names():
        known = {**shared, **{key: (value,) for key, value in tree.variables(name).items()}, **names}
        yield Job(name, tree.get(name).node.line, _work(tree, name, known), (), name)


def _work(tree: Tree, name: str, known: Mapping[str, Any]) -> Work:
    works = []
    for key in ("before_script", "script", "after_script"):
        lines = tree.value(name, key) or (
            tree.get("default", key) or tree.get(key) if key == "before_script" else tree.value(name, key)
        )
        texts = ((node.text, node.line) for node in tree.each(lines.node))
        works += [read_work(shell(text, line), known, tree.files) for text, line in texts if text is not None]
    effects = of_words(name) | ({"deploy"} if tree.value(name, "environment") else frozenset())
    trigger = tree.value(name, "trigger").node
    opaque = tree.missing(name)
    if trigger:
        works.append(_child(tree, trigger, known))
    elif opaque is not None:
        works.append(Work(opaque=f"{opaque}, which {name} extends"))
    return joined([*works, Work(effects=frozenset(effects))])


def _child(tree: Tree, trigger: Node, known: Mapping[str, Any]) -> Work:
    """The jobs of a child pipeline, as if each of them ran; a pipeline of another project is not known."""
    works = []
    for entry in trigger.get("include").each():
        local = entry.text or entry.get("local").text
        path = (local or "").removeprefix("/")
        if path not in tree.files:
            works.append(Work(opaque=f"the child pipeline {local or 'that a job writes'}"))
            continue
        try:
            child = Tree.of(tree.files, path)
        except BadYaml:
            works.append(Work(opaque=f"{path} (it cannot be read)"))
            continue
        works += [_work(child, name, known) for name in child.names()]
    project = trigger.text or trigger.get("project").text
    return joined([*works, *([Work(opaque=f"the pipeline of {project}", effects=of_words(project))] if project else [])])


@dataclass(frozen=True, slots=True, eq=False)
class Project:
    """The pipeline of a project."""

    tree: Tree
    jobs: tuple[Job, ...]
    system: str = NAME
    name: str = ROOT
    file: str = ROOT
    line: int = 1

    def start(self, event: Event) -> Start:
        if isinstance(event, Request) and event.action == "merged":
            return Start("no", "merging starts nothing by itself: the push to the target does")
        workflow = self._workflow(event)
        if workflow.answer == "no":
            return workflow
        best = either(self.run(job, event) for job in self.jobs)
        if best is None or best.answer == "no":
            return Start(
                "no", best.reason if best and len(self.jobs) == 1 else "no job is part of it", "rule", best.line if best else None
            )
        token = token_start(SKIP, event)
        if token is not None:
            return token
        return workflow if workflow.answer == "unknown" else best

    def _workflow(self, event: Event) -> Start:
        rules = self.tree.get("workflow", "rules")
        if not rules:
            return YES
        found = self._rules(rules, self._variables(event, None), event, "always")
        return found or Start("no", "no rule of `workflow` takes it", "rule", rules.node.line, file=rules.file)

    def run(self, job: Job, event: Event) -> Start:
        if not isinstance(job.rule, str):
            return Start("unknown", f"{job.name.removeprefix('include ')} is not in this repository", "unknown", job.line)
        known = self._variables(event, job.rule)
        rules, when = self.tree.value(job.rule, "rules"), self.tree.value(job.rule, "when").node.text
        if rules:
            found = self._rules(rules, known, event, when or "on_success")
            return found or Start("no", f"no rule of {job.name} takes it", "rule", rules.node.line, file=rules.file)
        if when in ("manual", "never"):
            return Start("no", _MANUAL if when == "manual" else "`when: never`", "rule", job.line)
        only, other = self.tree.value(job.rule, "only"), self.tree.value(job.rule, "except")
        if not only and not other:
            plain_job = isinstance(event, Push) or bool(self.tree.get("workflow", "rules"))
            return YES if plain_job else Start("no", f"{job.name} is not part of merge request pipelines", "rule", job.line)
        return self._only(job, only, other, known, event)

    def _rules(self, rules: Found, known: Mapping[str, Value], event: Event, default: str) -> Start | None:
        """What the first rule that holds says; None: none holds."""
        doubt: Start | None = None
        for rule in self.tree.each(rules.node):
            held = self._rule(rule, known, event)
            if held is False:
                continue
            when = rule.get("when").text or default
            answer = Start("yes", "a rule takes it", "rule", rule.line, file=rules.file)
            if when in ("never", "manual"):
                answer = Start(
                    "no", _MANUAL if when == "manual" else "a rule says `when: never`", "rule", rule.line, file=rules.file
                )
            if held is True:
                return answer if doubt is None or doubt.answer == answer.answer else doubt
            doubt = doubt or Start("unknown", "a rule could not be evaluated", "unknown", rule.line, file=rules.file)
        return doubt

    def _rule(self, rule: Node, known: Mapping[str, Value], event: Event) -> bool | None:
        if rule.text is not None or not rule.is_map:
            return None
        held: list[bool | None] = []
        if rule.get("if").text is not None:
            held.append(gitlab_expressions.holds(rule.get("if").text or "", known))
        if rule.get("changes"):
            held.append(self._changed(rule.get("changes"), event))
        if rule.get("exists"):
            patterns = (rule.get("exists", "paths") or rule.get("exists")).texts()
            held.append(True if any(_fits(path, patterns) for path in self.tree.files) else None)
        return False if False in held else None if None in held else True

    def _changed(self, changes: Node, event: Event) -> bool | None:
        patterns = [node.text or "" for node in self.tree.each(changes.get("paths") or changes)]
        if isinstance(event, Push) and event.created and not changes.get("compare_to"):
            return True  # GitLab: without anything to compare with, `changes` holds
        if any("$" in pattern for pattern in patterns):
            return None
        return any(_fits(path, patterns) for path in event.paths)

    def _only(self, job: Job, only: Found, other: Found, known: Mapping[str, Value], event: Event) -> Start:
        taken = self._listed(only, known, event) if only else isinstance(event, Push)
        left_out = self._listed(other, known, event) if other else False
        line = (only or other).node.line
        file = (only or other).file
        if taken is False or left_out is True:
            return Start("no", f"`{'only' if taken is False else 'except'}` of {job.name} leaves it out", "rule", line, file=file)
        if taken is None or left_out is None:
            return Start("unknown", f"`only` or `except` of {job.name} could not be evaluated", "unknown", line, file=file)
        return Start("yes", f"`only` of {job.name} takes it", "rule", line, file=file)

    def _listed(self, found: Found, known: Mapping[str, Value], event: Event) -> bool | None:
        node = found.node
        if not node.is_map:
            return _refs([one.text or "" for one in self.tree.each(node)], event)
        held: list[bool | None] = []
        if node.get("refs"):
            held.append(_refs([one.text or "" for one in self.tree.each(node.get("refs"))], event))
        if node.get("variables"):
            said = [gitlab_expressions.holds(one.text or "", known) for one in self.tree.each(node.get("variables"))]
            held.append(True if True in said else None if None in said else False)
        if node.get("changes"):
            held.append(self._changed(node.get("changes"), event))
        if node.get("kubernetes"):
            held.append(None)
        return False if False in held else None if None in held or not held else True

    def _variables(self, event: Event, job: str | None) -> dict[str, Value]:
        said: dict[str, Value] = {}
        for _, document in reversed(self.tree.documents):
            said |= plain(document.get("variables"))
        if job is not None:
            said |= self.tree.variables(job)
        return {name: value if value is None or "$" not in value else SET for name, value in said.items()} | predefined(event)

    def words(self) -> tuple[str, ...]:
        found: list[str] = []
        places = [
            self.tree.get("workflow", "rules"),
            *(self.tree.value(name, key) for name in self.tree.names() for key in ("rules", "only", "except")),
        ]
        for place in places:
            texts = [
                node.text
                for node in _scalars(place.node)
                if node.text and re.search(r"CI_COMMIT_(?:MESSAGE|TITLE|DESCRIPTION)", node.text)
            ]
            found += [word for text in texts for word in gitlab_expressions.literals(text)]
        return tuple(dict.fromkeys(found))

    def remedy(self, paths: tuple[str, ...]) -> str:
        builders = [job for job in self.jobs if job.work.built or job.work.opaque]
        names = listed(f"{job.name} (line {job.line})" for job in builders) if builders else "the job that builds"
        return f"give {names} `rules: [{{changes: […]}}]` with the files that the image is made of, and without {listed(paths)}"


def _scalars(node: Node) -> list[Node]:
    try:
        return list(node.walk())
    except BadYaml:  # too large: it has no words for us
        return []


def _refs(refs: list[str], event: Event) -> bool | None:
    found: list[bool | None] = []
    for ref in refs:
        name = ref.partition("@")[0]
        if name == "merge_requests":
            found.append(isinstance(event, Request))
        elif not isinstance(event, Push):
            found.append(False)
        elif name == "branches":
            found.append(True)
        elif name in _KEYWORDS:
            found.append(name == "pushes")
        elif name in ("tags", "external", "chat", "external_pull_requests"):
            found.append(False)
        elif name.startswith("/"):
            found.append(gitlab_expressions.holds(f"$REF =~ {name}", {"REF": event.branch}))
        else:
            found.append(None if "$" in name else name == event.branch)
    return True if True in found else None if None in found else False


def _fits(path: str, patterns: list[str] | tuple[str, ...]) -> bool:
    try:
        return globs.matches_any(tuple(pattern for pattern in patterns if pattern), path)
    except globs.BadGlob:
        return False
