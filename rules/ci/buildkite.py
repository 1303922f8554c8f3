"""Buildkite: `.buildkite/pipeline.yml`. What starts a build is set on Buildkite; steps filter by `branches`, `if`, `if_changed`.

    - command: make image
      branches: main
      if: build.message !~ /^skip-ci/

`[skip ci]`, `[ci skip]` and both with a hyphen are read in the commit's message, and for requests in their title too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rules.ci import filters, gitlab_expressions
from rules.ci.base import YES, Event, ForgeName, Job, Pipeline, Request, Skip, Start, Unreadable, Work, every
from rules.ci.nodes import BadYaml, Node, first
from rules.ci.paths import listed
from rules.ci.plain import Plain, Trigger
from rules.ci.when import globs_match
from rules.ci.work import joined, of_words, shell
from rules.ci.work import read as read_work

NAME = "buildkite"
TITLE = "Buildkite"
FORGES: frozenset[ForgeName] = frozenset({"github", "gitlab"})
SKIP: Skip | None = Skip(
    "[skip ci]",
    r"\[(?:ci[ -]skip|skip[ -]ci)\]",
    "Buildkite docs, Ignoring a commit",
    request=frozenset({"head", "title"}),
    maybe=r"(?i)\[(?:ci[ -]skip|skip[ -]ci)\]",
)
_FILE = re.compile(r"(?:.*/)?\.?buildkite/.*\.ya?ml|buildkite\.ya?ml")
_HOW = 'give the step that builds `if_changed: {{exclude: [{paths}], include: ["**"]}}`'


def claims(path: str) -> bool:
    """Everything in the folder: a pipeline may upload another."""
    return _FILE.fullmatch(path) is not None


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """Each file with steps is a pipeline."""
    for path in sorted(files):
        if not claims(path):
            continue
        try:
            document = first(files[path])
        except BadYaml as error:
            yield Unreadable(NAME, path, error.line, str(error))
            continue
        steps = document if document.is_list else document.get("steps")
        if not steps:
            continue
        known = {key.text_or_empty: (value.text,) for key, value in document.get("env").items() if value.text is not None}
        jobs = tuple(_jobs(steps, known, files))
        words = tuple(word for job in jobs for word in _words(job.rule))
        yield Plain(NAME, path.rpartition("/")[2], path, steps.line, jobs, SKIP, _start, _HOW, words)


def _start(event: Event) -> Start:
    if isinstance(event, Request) and event.action == "merged":
        return Start("no", "merging starts nothing by itself: the push does")
    return Start("yes", "what starts it is set on Buildkite; it is taken to be started by every push and request")


class _Rule:
    def __init__(self, step: Node) -> None:
        self.step = step

    def __call__(self, event: Event) -> Start:
        return every(self._told(event))

    def _told(self, event: Event) -> Iterator[Start]:
        yield YES
        branches, condition, changed = self.step.get("branches"), self.step.get("if"), self.step.get("if_changed")
        patterns = [word for text in branches.texts() for word in text.split()]
        if patterns and not _branch(event.branch, patterns):
            yield Start("no", f"only for branches {listed(patterns)}", "rule", branches.line)
        if condition.text is not None:
            held = gitlab_expressions.holds(_translated(condition.text), _variables(event))
            if held is None:
                yield Start("unknown", f"`{condition.text}` could not be evaluated", "unknown", condition.line)
            elif not held:
                yield Start("no", f"`{condition.text}` does not hold", "rule", condition.line)
        if changed:
            include = changed.get("include").texts() if changed.is_map else changed.texts()
            exclude = changed.get("exclude").texts()
            left = [path for path in event.paths if globs_match(path, include) and not (exclude and globs_match(path, exclude))]
            if not left:
                yield Start("no", "`if_changed` leaves it out", "paths", changed.line)


def _words(rule: object) -> tuple[str, ...]:
    text = rule.step.get("if").text if isinstance(rule, _Rule) else None
    return gitlab_expressions.literals(_translated(text)) if text and "message" in text else ()


def _translated(text: str) -> str:
    """Buildkite's conditions are GitLab's with other names."""
    return re.sub(r"\b(?:build|pipeline|organization)\.[\w.]+", lambda match: "$" + match[0].replace(".", "_"), text)


def _variables(event: Event) -> dict[str, str | None]:
    request = isinstance(event, Request)
    base = event.base if isinstance(event, Request) else None
    return {
        "build_message": event.head.message,
        "build_branch": event.branch,
        "build_tag": None,
        "build_source": "webhook",
        "build_pull_request_id": gitlab_expressions.SET if request else None,
        "build_pull_request_base_branch": base,
        "pipeline_default_branch": event.base,
    }


def _branch(branch: str, patterns: list[str]) -> bool:
    positive = [one for one in patterns if not one.startswith("!")]
    negative = [one[1:] for one in patterns if one.startswith("!")]
    if any(filters.fits(branch, one.replace("*", "**")) for one in negative):
        return False
    return not positive or any(filters.fits(branch, one.replace("*", "**")) for one in positive)


def _jobs(steps: Node, known: Mapping[str, tuple[str, ...]], files: Mapping[str, bytes]) -> Iterator[Job]:
    for number, step in enumerate(steps.each(), 1):
        if step.get("steps"):
            yield from _jobs(step.get("steps"), known, files)
            continue
        if step.text in ("wait", "block") or step.get("block") or step.get("wait") or step.get("input"):
            continue
        name = step.get("label").text or step.get("name").text or step.get("key").text or f"step {number}"
        works = [Work(effects=of_words(name))]
        for key in ("command", "commands"):
            works += [
                read_work(shell(one.text, one.line + ("\n" in one.text)), known, files)
                for one in step.get(key).each()
                if one.text
            ]
        for plugin in step.get("plugins").each():
            works += _plugin(plugin)
        if step.get("trigger").text:
            works.append(
                Work(opaque=f"the pipeline {step.get('trigger').text}", effects=of_words(step.get("trigger").text or ""))
            )
        rule: Trigger = _Rule(step)
        yield Job(name, step.line, joined(works), (), rule)


def _plugin(plugin: Node) -> Iterator[Work]:
    for key, options in plugin.items():
        if key.text_or_empty.startswith("docker-compose") and options.get("push"):
            yield Work(opaque=f"the plugin {key.text_or_empty}", trusted=True)
