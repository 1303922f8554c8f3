"""Travis CI: `.travis.yml`, with `branches` and `if`.

    branches: {only: [main]}

`[skip ci]`, `[ci skip]` and the same with `travis` in the newest commit of a push leave it out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rules.ci.base import Event, ForgeName, Job, Pipeline, Push, Request, Skip, Start, Unreadable, Work
from rules.ci.nodes import BadYaml, Node, first
from rules.ci.paths import listed
from rules.ci.plain import Plain
from rules.ci.tokens import compiled
from rules.ci.work import joined, shell
from rules.ci.work import read as read_work

NAME = "travis"
TITLE = "Travis CI"
FORGES: frozenset[ForgeName] = frozenset({"github", "gitlab"})
SKIP: Skip | None = Skip(
    "[skip ci]",
    r"\[(?:(?:ci|travis|travis ci|travis-ci|travisci) skip|skip (?:ci|travis|travis ci|travis-ci|travisci))\]",
    "Travis CI docs, Customizing the build",
    maybe=r"(?i)\[(?:(?:ci|travis|travis ci|travis-ci|travisci) skip|skip (?:ci|travis|travis ci|travis-ci|travisci))\]",
)
FILE = ".travis.yml"
_HOW = "Travis CI has no path filter: keep {paths} in a repository of its own, or land with a message that can be marked"
_PHASES = (
    "before_install",
    "install",
    "before_script",
    "script",
    "after_success",
    "before_deploy",
    "after_deploy",
    "after_script",
)


def claims(path: str) -> bool:
    """The definition."""
    return path == FILE


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """The one pipeline."""
    if FILE not in files:
        return
    try:
        document = first(files[FILE])
    except BadYaml as error:
        yield Unreadable(NAME, FILE, error.line, str(error))
        return
    line = document.get("branches").line
    known = {"TRAVIS_REPO_SLUG": (repository,)} if repository else {}
    yield Plain(NAME, "Travis CI", FILE, line, tuple(_jobs(document, known, files)), SKIP, _Start(document), _HOW)


class _Start:
    def __init__(self, document: Node) -> None:
        self.branches, self.condition = document.get("branches"), document.get("if")

    def __call__(self, event: Event) -> Start:
        if isinstance(event, Request) and event.action == "merged":
            return Start("no", "merging starts nothing by itself: the push does")
        branch = event.branch if isinstance(event, Push) else event.base
        only, ignored = self.branches.get("only"), self.branches.get("except")
        if only and not any(_fits(branch, pattern) for pattern in only.texts()):
            return Start("no", f"only for branches {listed(only.texts())}", "trigger", only.line)
        if not only and any(_fits(branch, pattern) for pattern in ignored.texts()):
            return Start("no", f"not for branches {listed(ignored.texts())}", "trigger", ignored.line)
        if self.condition.text is not None:
            return Start("unknown", f"`{self.condition.text}` is not evaluated here", "unknown", self.condition.line)
        return Start("yes", "a push starts it" if isinstance(event, Push) else "a request starts it", line=self.branches.line)


def _fits(branch: str, pattern: str) -> bool:
    if pattern.startswith("/") and pattern.endswith("/") and len(pattern) > 1:
        try:
            return compiled(pattern[1:-1]).search(branch) is not None
        except ValueError:
            return True
    return branch == pattern


def _jobs(document: Node, known: Mapping[str, tuple[str, ...]], files: Mapping[str, bytes]) -> Iterator[Job]:
    parts = [("build", document), *((one.get("name").text or one.get("stage").text or "job", one) for one in _included(document))]
    for name, part in parts:
        lines = [
            line
            for phase in _PHASES
            for one in part.get(phase).each()
            if one.text
            for line in shell(one.text, one.line + ("\n" in one.text))
        ]
        works = [read_work(lines, known, files)]
        for deploy in part.get("deploy").each():
            text = deploy.get("script").text
            provider = deploy.get("provider").text or ""
            effect = "publish" if provider in ("npm", "pypi", "releases", "rubygems") else "deploy"
            work = read_work(shell(text, deploy.line), known, files) if text else Work()
            works.append(work if work.built else Work(effects=frozenset({effect})))
        yield Job(name, part.line, joined(works), (), None)


def _included(document: Node) -> Iterator[Node]:
    for key in ("jobs", "matrix"):
        yield from document.get(key, "include").each()
