"""Jenkins: `Jenkinsfile`. Stages with `when`, the GitLab plugin's `[ci-skip]`, the SCM Skip plugin's `scmSkip`.

    stage('Image') { when { branch 'main'; not { changelog '.*skip-ci.*' } } steps { sh 'docker push acme/web' } }

How Jenkins hears of a push is not written in a repository, so a Jenkinsfile is taken to be started by each. The GitLab plugin
reads `[ci-skip]`, with the hyphen and in lower case, in the newest commit of a push; SCM Skip wants its pattern in every new
commit, so a merge commit does not help; the multibranch plugins read nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.ci import groovy
from rules.ci.base import YES, By, Event, ForgeName, Job, Pipeline, Push, Request, Skip, Start, Unreadable, Work, every
from rules.ci.groovy import Block
from rules.ci.paths import covering, listed
from rules.ci.tokens import compiled
from rules.ci.when import globs_match
from rules.ci.work import SUSPICIOUS, image, joined, of_words, shell
from rules.ci.work import read as read_work

NAME = "jenkins"
TITLE = "Jenkins"
FORGES: frozenset[ForgeName] = frozenset({"github", "gitlab"})
SKIP: Skip | None = Skip(
    "[ci-skip]",
    r"\[ci-skip\]|\[ci skip\]",
    "jenkinsci/gitlab-plugin, trigger/handler; jenkinsci/scmskip-plugin, README",
    request=frozenset({"head", "body"}),
)
_FILE = re.compile(r"(?:.*/)?[Jj]enkinsfile(?:[._-][^/]*)?|(?:.*/)?[^/]+\.[Jj]enkinsfile")
_GITLAB = re.compile(r"\bgitlab\s*\(|gitLabConnection|updateGitlabCommitStatus|gitlabCommitStatus|gitlabBuilds|GitLabPushTrigger")
_OFF = re.compile(r"\bciSkip\s*:\s*false")
_SCM_SKIP = re.compile(r"\bscmSkip\s*\((?P<args>[^)]*)\)|\bscmSkip\b")
_PATTERN = re.compile(r"skipPattern\s*:\s*(['\"])(?P<pattern>.*?)\1")
_LENGTH = 100_000
_LIBRARY = re.compile(r"^\s*@Library\s*\(|^\s*library\s*[('\"]", re.MULTILINE)
_BUILD = re.compile(r"\bdocker\.build\s*\(\s*(['\"])(?P<name>.*?)\1")
_PUSH = re.compile(r"\.push\s*\(|docker\.withRegistry")


def claims(path: str) -> bool:
    """`Jenkinsfile`, with an ending or in a folder too."""
    return _FILE.fullmatch(path) is not None


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """Each file is a pipeline."""
    for path in sorted(files):
        if claims(path):
            text = files[path].decode("utf-8", "replace")[:_LENGTH]
            clean = groovy.without_comments(text)
            yield Jenkinsfile(path, clean, tuple(_jobs(clean, files)))


@dataclass(frozen=True, slots=True, eq=False)
class Jenkinsfile:
    """One Jenkinsfile."""

    file: str
    text: str
    jobs: tuple[Job, ...]
    system: str = NAME
    line: int = 1

    @property
    def name(self) -> str:
        return self.file

    def start(self, event: Event) -> Start:
        if isinstance(event, Request) and event.action == "merged":
            return Start("no", "merging starts nothing by itself: the push does")
        token = self._token(event)
        if token is not None:
            return token
        return Start("yes", "how Jenkins hears of pushes is not written here; it is taken to be started by each", line=1)

    def _token(self, event: Event) -> Start | None:
        if event.forge == "gitlab" and (match := _GITLAB.search(self.text)) and not _OFF.search(self.text):
            texts = {"the newest commit": event.head.message}
            if isinstance(event, Request):
                texts["the request's description"] = event.body
            where = next((name for name, text in texts.items() if "[ci-skip]" in text), None)
            if where is not None:
                return Start("no", f"{where} has [ci-skip], which the GitLab plugin reads", "token", self._line(match.start()))
        if match := _SCM_SKIP.search(self.text):
            return self._scm_skip(match, event)
        return None

    def _scm_skip(self, match: re.Match[str], event: Event) -> Start | None:
        given = _PATTERN.search(match["args"] or "")
        pattern = given["pattern"].replace("\\\\", "\\") if given else r".*\[ci skip\].*"
        commits = event.commits if isinstance(event, Push) else (event.head,)
        try:
            expression = compiled(f"(?s){pattern}")
        except ValueError:
            return Start("unknown", f"the pattern {pattern!r} of scmSkip cannot be read", "unknown", self._line(match.start()))
        if commits and all(expression.fullmatch(commit.message) for commit in commits):
            return Start("no", "every new commit fits scmSkip", "token", self._line(match.start()))
        return None

    def run(self, job: Job, event: Event) -> Start:
        if not isinstance(job.rule, tuple):
            return YES
        return every(_condition(block, event, job.line) for block in job.rule)

    def words(self) -> tuple[str, ...]:
        changelogs = re.findall(r"changelog\s*\(?\s*(?:pattern\s*:\s*)?['\"](.*?)['\"]", self.text)
        skip = _SCM_SKIP.search(self.text)
        given = _PATTERN.search(skip["args"] or "") if skip else None
        return (*changelogs, *((given["pattern"],) if given else ()))

    def remedy(self, paths: tuple[str, ...]) -> str:
        builder = next((job for job in self.jobs if job.work.built or job.work.opaque), None)
        excluded = listed(covering(paths))
        where = f"stage {builder.name} (line {builder.line})" if builder else "the stage that builds"
        guard = "when { not { changelog '(?s).*skip-ci:.*' } }"
        return f"give {where} of {self.file} `{guard}`, or a `changeset` without {excluded}"

    def _line(self, at: int) -> int:
        return self.text.count("\n", 0, at) + 1


def _jobs(text: str, files: Mapping[str, bytes]) -> Iterator[Job]:
    stages = list(groovy.stages(text))
    pushes = _PUSH.search(text) is not None
    if not stages:
        yield Job("pipeline", 1, _work(text, 1, files, pushes=pushes), (), ())
    for stage in stages:
        work = _work(stage.own, stage.line, files, pushes=pushes)
        yield Job(stage.name, stage.line, joined([work, Work(effects=of_words(stage.name))]), (), stage.conditions)
    if _LIBRARY.search(text) and not stages:
        yield Job("shared library", 1, Work(opaque="the shared library", trusted=True), (), ())


def _work(text: str, line: int, files: Mapping[str, bytes], *, pushes: bool) -> Work:
    built = []
    for match in _BUILD.finditer(text):
        if pushes:
            built += list(image(match["name"], line + text.count("\n", 0, match.start()), "docker.build", {}))
    commands = groovy.strings(text)
    lines = [one for content, offset in commands for one in shell(content, line + offset)]
    called = [match[1] for match in re.finditer(r"^\s*(\w+)\s*\(", text, re.MULTILINE) if SUSPICIOUS.search(match[1])]
    unknown = next((name for name in called if name not in _STEPS), None)
    opaque = Work(opaque=f"{unknown}(), which is defined elsewhere", trusted=False) if unknown and not built else Work()
    return joined([Work(built=tuple(built)), read_work(lines, {}, files), opaque])


_STEPS = frozenset(
    {"build", "container", "containerTemplate", "publishHTML", "buildDiscarder", "input", "sshPublisher", "gitlabBuilds"}
)


def _condition(block: Block, event: Event, line: int) -> Start:
    """A condition of `when`."""
    match block.name:
        case "not":
            inner = every(_condition(one, event, line) for one in block.blocks)
            if inner.answer == "unknown":
                return inner
            held = inner.answer == "no"
            return YES if held else Start("no", "`when` leaves it out", "rule", block.line or line)
        case "anyOf":
            told = [_condition(one, event, line) for one in block.blocks]
            return next((one for answer in ("yes", "unknown", "no") for one in told if one.answer == answer), YES)
        case "allOf":
            return every(_condition(one, event, line) for one in block.blocks)
        case _:
            held_or_not = _holds(block, event)
            if held_or_not is None:
                return Start("unknown", f"`{block.name}` is not evaluated here", "unknown", block.line or line)
            return (
                YES
                if held_or_not
                else Start("no", f"`{block.name} {block.argument}` does not hold", _by(block), block.line or line)
            )


def _by(block: Block) -> By:
    return "paths" if block.name == "changeset" else "rule"


def _holds(block: Block, event: Event) -> bool | None:
    name, argument = block.name, block.argument
    if name == "branch":
        return isinstance(event, Push) and (argument == event.branch or globs_match(event.branch, (argument,)))
    if name == "changeset":
        return any(globs_match(path, (argument,)) for path in event.paths)
    if name == "changelog":
        messages = [commit.message for commit in event.commits] if isinstance(event, Push) else [event.head.message]
        try:
            expression = compiled(f"(?s){argument}")
        except ValueError:
            return None
        if any(expression.fullmatch(message) or expression.fullmatch(message.partition("\n")[0]) for message in messages):
            return True
        return None if any(expression.search(message) for message in messages) else False
    if name == "changeRequest":
        return isinstance(event, Request)
    if name in ("buildingTag", "tag"):
        return False
    return True if name in ("beforeAgent", "beforeInput", "beforeOptions") else None
