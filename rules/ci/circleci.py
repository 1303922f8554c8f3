"""CircleCI: `.circleci/config.yml`. Pushes start it; workflows filter their jobs by branch.

    workflows: {main: {jobs: [build: {filters: {branches: {only: main}}}]}}

`[skip ci]` in the first 250 characters of the newest commit of a push leaves out the whole push. Requests start nothing of their
own: their checks are those of the branch's push.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rules.ci.base import YES, Event, ForgeName, Job, Pipeline, Push, Skip, Start, Unreadable, Work, every
from rules.ci.nodes import BadYaml, Node, first
from rules.ci.paths import listed
from rules.ci.plain import Plain, Trigger
from rules.ci.tokens import compiled
from rules.ci.work import SUSPICIOUS, image, joined, of_words, shell
from rules.ci.work import read as read_work

NAME = "circleci"
TITLE = "CircleCI"
FORGES: frozenset[ForgeName] = frozenset({"github", "gitlab"})
SKIP: Skip | None = Skip(
    "[skip ci]",
    r"\[(?:ci skip|skip ci)\]",
    "CircleCI docs, Skip and cancel jobs and workflows",
    request=frozenset(),
    limit=250,
    maybe=r"(?i)\[(?:ci skip|skip ci)\]",
)
_FILE = re.compile(r"\.circleci/.*\.ya?ml")
_HOW = "CircleCI has no path filter of its own: let a setup workflow (path-filtering) build for other files than {paths} only"


def claims(path: str) -> bool:
    """Everything below .circleci: a configuration may continue with another."""
    return _FILE.fullmatch(path) is not None


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """Each workflow is a pipeline."""
    for path in sorted(files):
        if not claims(path):
            continue
        try:
            document = first(files[path])
            workflows = [(key, value) for key, value in document.get("workflows").items() if value.is_map]
            if not workflows and document.get("jobs", "build"):
                yield _workflow(path, document.get("jobs").line, "build", (_job(document, "build", Node(None, 1), files),), YES)
            for key, workflow in workflows:
                jobs = tuple(_jobs(document, workflow, files))
                condition = workflow.get("when") or workflow.get("unless")
                doubt = Start("unknown", "its condition is not evaluated here", "unknown", condition.line) if condition else YES
                yield _workflow(path, key.line, key.text_or_empty, jobs, doubt)
        except BadYaml as error:
            yield Unreadable(NAME, path, error.line, str(error))


def _workflow(path: str, line: int, name: str, jobs: tuple[Job, ...], condition: Start) -> Pipeline:
    def trigger(event: Event) -> Start:
        if not isinstance(event, Push):
            return Start("no", "it is started by pushes, not by requests", line=line)
        told = Plain(NAME, name, path, line, jobs, None, lambda _: YES, "")
        ran = [told.run(job, event) for job in jobs]
        if ran and all(start.answer == "no" for start in ran):
            return Start("no", ran[0].reason, ran[0].by, ran[0].line)
        return condition if condition.answer != "yes" else Start("yes", "a push starts it", line=line)

    return Plain(NAME, name, path, line, jobs, SKIP, trigger, _HOW)


def _jobs(document: Node, workflow: Node, files: Mapping[str, bytes]) -> Iterator[Job]:
    for entry in workflow.get("jobs").each():
        if entry.text is not None:
            yield _job(document, entry.text, Node(None, entry.line), files)
        for key, options in entry.items():
            yield _job(document, key.text_or_empty, options, files)


def _job(document: Node, name: str, options: Node, files: Mapping[str, bytes]) -> Job:
    definition = document.get("jobs", name)
    line = options.line if options else definition.line
    needs = tuple(one.text or next((key.text_or_empty for key, _ in one.items()), "") for one in options.get("requires").each())
    if options.get("type").text == "approval":
        return Job(name, line, Work(), needs, lambda event: Start("no", "it waits for a person", "rule", line))
    if not definition:
        work = Work(effects=of_words(name))
        named = [value.text for key in ("image", "repo", "image-name", "images") if (value := options.get(key)).text]
        if SUSPICIOUS.search(name):
            built = tuple(one for text in named for one in image(str(text), line, name, _known(document, options)))
            work = Work(built or (), None if built else f"the orb job {name}", effects=of_words(name))
        return Job(name, line, work, needs, _branches(options))
    once: set[str] = set()
    works = [_step(step, _known(document, definition), files, document, once) for step in definition.get("steps").each()]
    return Job(name, definition.line, joined([*works, Work(effects=of_words(name))]), needs, _branches(options))


def _step(
    step: Node, known: dict[str, tuple[str, ...]], files: Mapping[str, bytes], document: Node, once: set[str], depth: int = 0
) -> Work:
    """What a step does; each command counts once for a job, however often it is called."""
    run = step.get("run")
    command = run if run.text is not None else run.get("command")
    if command.text is not None:
        return read_work(shell(command.text, command.line + ("\n" in command.text)), known, files)
    works: list[Work] = []
    names = [step.text] if step.text else [key.text_or_empty for key, _ in step.items()]
    for name in names:
        steps = document.get("commands", name, "steps")
        if steps and depth < 5:
            fresh = steps.each() if name not in once else ()
            once.add(name)
            works += [_step(one, known, files, document, once, depth + 1) for one in fresh]
        elif "/" in name and SUSPICIOUS.search(name):
            options = step.get(name)
            named = [value.text for key in ("image", "repo", "image-name") if (value := options.get(key)).text]
            built = tuple(one for text in named for one in image(str(text), step.line, name, known))
            works.append(Work(built, None if built else f"the orb command {name}", effects=of_words(name)))
        elif name in ("when", "unless"):
            works += [_step(one, known, files, document, once, depth + 1) for one in step.get(name, "steps").each() if depth < 5]
    return joined(works)


def _known(document: Node, job: Node) -> dict[str, tuple[str, ...]]:
    pairs = [*document.get("jobs").get("environment").items(), *job.get("environment").items()]
    found: dict[str, tuple[str, ...]] = {key.text_or_empty: (value.text,) for key, value in pairs if value.text is not None}
    for parameters in (document.get("parameters"), job.get("parameters")):
        for key, value in parameters.items():
            if value.get("default").text:
                found[key.text_or_empty] = (str(value.get("default").text),)
    return found


def _branches(options: Node) -> Trigger:
    filters = options.get("filters")
    branches = filters.get("branches")
    only, ignore = branches.get("only") if branches.is_map else branches, branches.get("ignore")

    def trigger(event: Event) -> Start:
        told = [YES]
        if filters.text is not None:
            told.append(Start("unknown", "its filter is an expression", "unknown", filters.line))
        if only and not any(_fits(event.branch, pattern) for pattern in only.texts()):
            told.append(Start("no", f"only for branches {listed(only.texts())}", "rule", only.line))
        if ignore and any(_fits(event.branch, pattern) for pattern in ignore.texts()):
            told.append(Start("no", f"not for branches {listed(ignore.texts())}", "rule", ignore.line))
        if filters.get("tags") and not branches:
            return every(told)
        return every(told)

    return trigger


def _fits(branch: str, pattern: str) -> bool:
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        try:
            return compiled(pattern[1:-1]).fullmatch(branch) is not None
        except ValueError:
            return True
    return branch == pattern
