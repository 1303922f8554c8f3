"""What a CI system answers: what is a definition of it, which pipelines it defines, and what an event starts there.

An event is what a forge tells the world after a push or at a request. A pipeline is what can be started by itself: a workflow
file of GitHub Actions, the `.gitlab-ci.yml` of a project, one Sensor. Its jobs are the parts that can be left out of it.

    Push("github", "main", (Commit("Update shop", ("envs/dev/shop.yaml",)),))       the landing of a bump
    pipeline.start(event)      Start("no", "the newest commit has a skip token", by="token")

Three answers, never two: what a system's rules say that is not understood here is `unknown`, and unknown is never safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

ForgeName = Literal["github", "gitlab"]
Answer = Literal["yes", "no", "unknown"]
By = Literal["trigger", "token", "rule", "paths", "broken", "forge", "unknown"]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of an event. `paths` are the files that it changes."""

    message: str
    paths: tuple[str, ...] = ()
    parents: int = 1

    @property
    def title(self) -> str:
        return self.message.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Push:
    """A push to a branch. `commits` are those that are new there, the oldest first, as GitHub and GitLab both send them.

    `repository` is the project's full name (`acme/shop`) where it is known. `created`: the branch was not there before.
    `queue` is true for the run that a merge queue or train makes of its own accord.
    """

    forge: ForgeName
    branch: str
    commits: tuple[Commit, ...]
    base: str = "main"
    repository: str | None = None
    created: bool = False
    queue: bool = False

    @property
    def head(self) -> Commit:
        return self.commits[-1] if self.commits else Commit("")

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(path for commit in self.commits for path in commit.paths))

    @property
    def on_base(self) -> bool:
        return self.branch == self.base


@dataclass(frozen=True, slots=True)
class Request:
    """Something that happened to a pull or merge request of ours: it was opened, or it was merged.

    `head` is the newest commit of its branch. `queue` is true for the run that a merge queue or train asks for: then `head` is
    the commit that the queue made.
    """

    forge: ForgeName
    action: Literal["opened", "merged"]
    title: str
    body: str
    branch: str
    head: Commit
    base: str = "main"
    repository: str | None = None
    queue: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        return self.head.paths


Event = Push | Request


@dataclass(frozen=True, slots=True)
class Start:
    """Whether an event starts something, why, and the line that decides it (where one does). `file` is named where it is not the
    pipeline's own, `fix` where the answer can be better."""

    answer: Answer
    reason: str
    by: By = "trigger"
    line: int | None = None
    fix: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """An image that a job builds. `name` is a pattern without tag, what is not known in it a `*`; `*` alone: it is not
    written here.

    `pushed` says whether it leaves the machine; `bound` is true where its tag names the branch or request it was built for.
    """

    name: str
    line: int
    sign: str
    pushed: Answer = "yes"
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What the text of a job does, as far as it can be read.

    `opaque` names what it runs that is not in this repository and may build an image; `trusted` is true where that is all it
    does (a Sensor that submits a workflow), so that even without another sign it counts as a build.
    """

    built: tuple[Built, ...] = ()
    opaque: str | None = None
    trusted: bool = False
    effects: frozenset[str] = frozenset()  # "deploy", "scan", "publish"


@dataclass(frozen=True, slots=True)
class Job:
    """A part of a pipeline. `needs` are the jobs without which it cannot run; `rule` is the system's own, for `Pipeline.run`.
    `label` is how its check is called, where that is another name."""

    name: str
    line: int
    work: Work
    needs: tuple[str, ...] = ()
    rule: object = field(default=None, compare=False)
    label: str = ""


class Pipeline(Protocol):
    """What can be started by itself. Each is a thing of its own: two that read alike are not the same."""

    def __hash__(self) -> int: ...

    @property
    def system(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def file(self) -> str: ...

    @property
    def line(self) -> int: ...

    @property
    def jobs(self) -> tuple[Job, ...]: ...

    def start(self, event: Event) -> Start:
        """Whether the event starts the pipeline at all."""
        ...

    def run(self, job: Job, event: Event) -> Start:
        """Whether the job is part of it, given that the pipeline starts."""
        ...

    def words(self) -> tuple[str, ...]:
        """Texts that the pipeline's own conditions look for in a message: candidates for a marker."""
        ...

    def remedy(self, paths: tuple[str, ...]) -> str:
        """What to write where, so that a push that changes only these files does not start it."""
        ...


@dataclass(frozen=True, slots=True)
class Skip:
    """A token in a message that a CI system reads by itself.

    `pattern` is RE2. `push` says which commits of a push are read: the newest (`head`), or whether each must have it (`all`);
    `request` what is read of a request: its newest commit and, for some, its title or body. `limit` is how many characters
    count. `maybe` are texts of which it is not confirmed that they are read; `doubt` says what is not confirmed about the token
    itself, empty where nothing is: both answer `unknown`.
    """

    token: str
    pattern: str
    source: str
    push: Literal["head", "all", "none"] = "head"
    request: frozenset[Literal["head", "title", "body"]] = frozenset({"head"})
    limit: int | None = None
    tags: bool = False  # a pushed tag on a marked commit is skipped as well
    doubt: str = ""
    maybe: str = ""


class CiSystem(Protocol):
    """One CI system; a module serves as the object."""

    NAME: str
    TITLE: str
    FORGES: frozenset[ForgeName]
    SKIP: Skip | None

    def claims(self, path: str) -> bool:
        """Whether the path can hold a definition of this system."""
        ...

    def read(self, files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
        """The pipelines that these files define. All files are given: a definition may include others."""
        ...


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A definition that could not be read: what it does is unknown."""

    system: str
    file: str
    line: int | None
    reason: str


_ORDER: tuple[Answer, ...] = ("yes", "unknown", "no")
_TELLING: tuple[By, ...] = ("token", "broken", "paths", "rule", "forge", "unknown", "trigger")


def either(starts: Iterable[Start]) -> Start | None:
    """Several events at once: started if one starts it, unknown if one could, else the most telling reason why not."""
    ordered = sorted(starts, key=lambda start: (_ORDER.index(start.answer), start.answer == "no" and _TELLING.index(start.by)))
    return ordered[0] if ordered else None


def every(starts: Iterable[Start]) -> Start:
    """Several conditions at once: the first that says no, else the first unknown, else the last yes."""
    listed = list(starts)
    for answer in ("no", "unknown"):
        for start in listed:
            if start.answer == answer:
                return start
    return listed[-1] if listed else YES


def needed(jobs: Iterable[Job], job: Job, waits: Callable[[Job], bool] = lambda job: True) -> list[Job]:
    """Everything that a job needs, and what that needs, each once; needs in a circle end somewhere. `waits` says whether a job
    depends on its needs at all."""
    by_name: dict[str, list[Job]] = {}
    for one in jobs:
        by_name.setdefault(one.name, []).append(one)
    found: list[Job] = []
    todo, seen = [job], {id(job)}
    while todo:
        here = todo.pop()
        for other in (one for need in here.needs if waits(here) for one in by_name.get(need, ())):
            if id(other) not in seen:
                seen.add(id(other))
                found.append(other)
                todo.append(other)
    return found


YES = Start("yes", "nothing keeps it from starting")
NO = Start("no", "nothing of it is started by this event")
