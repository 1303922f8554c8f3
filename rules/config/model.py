"""The keys of `.tagboat.yaml`, one model for each mapping: the published schema and the reference are made from these."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from rules import freezes, titles
from rules.config.fields import Count, Duration, Flag, Glob, IsWhole, Name, Table, Word, shown, text, wrong
from rules.config.rule_model import Kinds, OrFlag, RuleModel
from rules.freezes import Freeze
from rules.policies.base import Step
from rules.schedules import BadSchedule

# What `git check-ref-format` forbids in a name, and what it forbids at its end.
_BAD_IN_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock/|/\.|\A[-./]")
_BAD_AT_END = re.compile(r"[./]\Z|\.lock\Z|\A@\Z")
_PREFIX_LIMIT = 100  # characters; the rest of the name needs some, and a ref has to fit into a file's name


def _title(value: object) -> str:
    found = text(value)
    try:
        titles.check(found)
    except titles.BadTemplate as error:
        raise wrong(str(error)) from None
    return found


def _prefix(value: object) -> str:
    found = text(value)
    if not found or len(found) > _PREFIX_LIMIT or _BAD_IN_BRANCH.search(found) or found.endswith(".lock"):
        raise wrong(f"{shown(found)!r} cannot begin the name of a branch", "write for example tagboat/")
    return found


def _branch(value: object) -> str:
    found = text(value)
    if not found or _BAD_IN_BRANCH.search(found) or _BAD_AT_END.search(found):
        raise wrong(f"{shown(found)!r} is not the name of a branch")
    return found


def _automerge_limits(value: object) -> object:
    """`automerge: false`: nothing lands by rule."""
    if isinstance(value, str) and value.lower() in ("false", "no", "off", "none"):
        return {"paths_never": ["**"]}
    return {} if isinstance(value, str) and value.lower() in ("true", "yes", "on") else value


Title = Annotated[str, BeforeValidator(_title)]
Prefix = Annotated[str, BeforeValidator(_prefix)]
Branch = Annotated[str, BeforeValidator(_branch)]


class FilesModel(Table):
    include: tuple[Glob, ...] = Field(("**",), description="Only files that match one of these are read.")
    exclude: tuple[Glob, ...] = Field((), description="Files that match one of these are not read.")


class FreezeModel(Table):
    """A stretch of time in which nothing is proposed or landed."""

    from_: Name | None = Field(None, alias="from", description="The first day, or a day with a time. Left out: it holds already.")
    to: Name | None = Field(None, description="The last day (all of it), or a day with a time. Left out: until further notice.")
    except_label: Name | None = Field(None, description="A request with this label is let through.")
    tz: Name = Field("UTC", description="The time zone of the days.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        try:
            self.freeze()
        except BadSchedule as error:
            raise wrong(str(error), at=error.path) from None
        return self

    def freeze(self) -> Freeze:
        """The freeze that it says."""
        return freezes.read(self.from_, self.to, tz=self.tz, except_label=self.except_label)


class LoopModel(Table):
    max: Annotated[int, Field(ge=1, le=100), IsWhole] = Field(
        3, description="Updates of one image in one place with no commit of a person between them, before Tagboat stops."
    )


class AuthorModel(Table):
    name: Name = Field(description="The author's name.")
    email: Name = Field(description="The author's address.")


class CommitsModel(Table):
    title: Title = Field(
        titles.DEFAULT,
        description="The title of a commit and its request. Fields: " + ", ".join("`{" + f + "}`" for f in titles.FIELDS),
    )
    marker: Name = Field(
        "auto", description='What keeps the landing commit from starting a build: auto, none, or a text such as `"skip-ci:"`.'
    )
    author: AuthorModel | None = Field(None, description="The author of commits, where the forge lets us choose.")
    signoff: Flag = Field(False, description="Add a Signed-off-by line.")


class PullRequestsModel(Table):
    limit: Count = Field(10, description="Open requests at a time; 0: as many as there are.")
    hourly: Count = Field(0, description="New requests in an hour; 0: as many as there are.")
    branch_prefix: Prefix = Field("tagboat/", description="How the names of our branches begin.")


class FileModel(Table):
    """The file `.tagboat.yaml` of a repository. Every key is optional."""

    version: Annotated[Literal["1"], BeforeValidator(str), WithJsonSchema({"enum": [1, "1"]})] = Field(
        "1", description="The version of this file's grammar: 1."
    )
    files: FilesModel = Field(FilesModel(), description="Which files are read.")
    rules: tuple[RuleModel, ...] = Field(
        (), max_length=500, description="What applies to which image. Later rules override earlier ones."
    )
    freeze: tuple[FreezeModel, ...] = Field(
        (), max_length=500, description="Stretches of time in which nothing is proposed or landed."
    )
    loop: LoopModel = Field(LoopModel(), description="The breaker of CI loops.")
    dashboard_issue: Flag = Field(False, description="Keep an issue that shows everything that is open, waiting or held.")
    commits: CommitsModel = Field(CommitsModel(), description="How commits look.")
    base_branches: tuple[Branch, ...] = Field((), description="The branches to keep fresh. Left out: the default branch.")
    pull_requests: PullRequestsModel = Field(
        PullRequestsModel(), description="How many requests, and how their branches are named."
    )


class AutomergeLimitsModel(Table):
    paths_never: tuple[Glob, ...] = Field((), description="Files in which nothing lands by rule.")
    images_never: tuple[Glob, ...] = Field((), description="Images of which nothing lands by rule.")
    updates_never: Kinds = Field((), description="Kinds of update that never land by rule.")
    require_protection: Flag = Field(False, description="true: only onto protected base branches.")
    min_pr_age: Duration = Field("0", validate_default=True, description="The least time that a request has to have been open.")


class RequestLimitsModel(Table):
    limit: Count = Field(0, description="The most open requests of a repository; 0: no limit of the operator's.")
    hourly: Count = Field(0, description="The most new requests of a repository in an hour; 0: no limit of the operator's.")


class LimitsModel(Table):
    """What no repository can loosen. The stricter of a limit and the repository's own file holds."""

    min_age: Duration = Field("0", validate_default=True, description="The least age of a tag.")
    max_step: Annotated[Step, Word] = Field("major", description="The largest step.")
    push: Flag = Field(True, description="false: `delivery: push` is not allowed; such updates become requests.")
    automerge: Annotated[AutomergeLimitsModel, BeforeValidator(_automerge_limits), OrFlag()] = Field(
        AutomergeLimitsModel(), description="What never lands by rule; false: nothing does."
    )
    pull_requests: RequestLimitsModel = Field(RequestLimitsModel(), description="How many requests.")
