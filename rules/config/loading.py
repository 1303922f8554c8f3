"""From the bytes of a file to a `Config`: read, check everything, build. All that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from rules import freezes, policies
from rules.automerge import UPDATE_TYPES, Automerge
from rules.config.fields import Table
from rules.config.model import CommitsModel, FileModel, FreezeModel, LimitsModel, PullRequestsModel
from rules.config.rule_model import AutomergeModel, RuleModel
from rules.config.tree import Tree, read
from rules.config.values import Author, Commits, Config, Landing, Limits, Match, Proposing, PullRequests, Rule
from rules.config.words import build
from rules.findings import Broken, Finding
from rules.freezes import Freeze
from rules.policies.base import Choosing, Follow, UpdateKind
from rules.schedules import BadSchedule

FILE = ".tagboat.yaml"
_CHOOSING = frozenset(field.name for field in fields(Choosing))
_PROPOSING = frozenset(field.name for field in fields(Proposing))


class ConfigError(Broken):
    """The file cannot be used: nothing is done with it, and `findings` says all that is wrong."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A file that was read and checked, before layers are laid over each other."""

    model: FileModel = field(default_factory=FileModel)
    rules: tuple[Rule, ...] = ()
    freezes: tuple[Freeze, ...] = ()


def load(data: bytes, *, file: str = FILE, defaults: Layer | None = None, limits: Limits | None = None) -> Config:
    """The configuration that a repository's file says, over the operator's `defaults` and under the operator's `limits`.

    An empty file is all defaults. Raises ConfigError with everything that is wrong.
    """
    try:
        own = layer(read(data, file))
    except Broken as error:
        raise ConfigError(error.findings) from None
    return combine(defaults or Layer(), own, limits or Limits())


def layer(tree: Tree) -> Layer:
    """A tree in the grammar of `.tagboat.yaml`, checked. Raises Broken."""
    model, wrong = build(FileModel, tree)
    findings = [*tree.findings, *wrong]
    if model is None:
        raise Broken(findings)
    rules = tuple(_rule(rule, tree.at("rules", place), findings) for place, rule in enumerate(model.rules))
    periods = tuple(_freeze(freeze, tree.at("freeze", place), findings) for place, freeze in enumerate(model.freeze))
    if findings:
        raise Broken(findings)
    return Layer(model, rules, tuple(period for period in periods if period is not None))


def combine(under: Layer, own: Layer, limits: Limits) -> Config:
    """A repository's layer over the operator's. Rules and freezes of both hold, the repository's later; of the other mappings,
    each key that the repository leaves out is the operator's."""
    said = _merged(under.model, own.model)
    files, commits, requests = said["files"], said["commits"], said["pull_requests"]
    return Config(
        include=files.include,
        exclude=files.exclude,
        rules=(*under.rules, *own.rules),
        freezes=(*under.freezes, *own.freezes),
        loop_max=said["loop"].max,
        dashboard_issue=said["dashboard_issue"],
        commits=_commits(commits),
        base_branches=said["base_branches"],
        pull_requests=_requests(requests, limits),
        limits=limits,
    )


def limits_of(model: LimitsModel) -> Limits:
    """The operator's limits as a value."""
    return Limits(
        min_age=model.min_age,
        max_step=model.max_step,
        push=model.push,
        paths_never=model.automerge.paths_never,
        images_never=model.automerge.images_never,
        updates_never=model.automerge.updates_never,
        require_protection=model.automerge.require_protection,
        min_pr_age=model.automerge.min_pr_age,
        open_requests=model.pull_requests.limit or None,
        hourly_requests=model.pull_requests.hourly or None,
    )


def _merged(under: Table, own: Table) -> dict[str, Any]:
    """Key by key, one mapping deep: what `own` does not say is taken from `under`."""
    merged: dict[str, Any] = {}
    for name in type(own).model_fields:
        below, above = getattr(under, name), getattr(own, name)
        if name not in own.model_fields_set:
            merged[name] = below
        elif isinstance(above, Table) and isinstance(below, Table):
            merged[name] = above.model_copy(update=_merged(below, above))
        else:
            merged[name] = above
    return merged


def _commits(model: CommitsModel) -> Commits:
    author = Author(model.author.name, model.author.email) if model.author else None
    return Commits(model.title, model.marker, author, model.signoff)


def _requests(model: PullRequestsModel, limits: Limits) -> PullRequests:
    return PullRequests(
        limit=_stricter(model.limit or None, limits.open_requests),
        hourly=_stricter(model.hourly or None, limits.hourly_requests),
        branch_prefix=model.branch_prefix,
    )


def _stricter(one: int | None, other: int | None) -> int | None:
    return min((count for count in (one, other) if count is not None), default=None)


def _freeze(model: FreezeModel, tree: Tree, findings: list[Finding]) -> Freeze | None:
    try:
        return freezes.read(model.from_, model.to, tz=model.tz, except_label=model.except_label)
    except BadSchedule as error:
        findings.append(tree.finding(error.path, str(error)))
        return None


def _rule(model: RuleModel, tree: Tree, findings: list[Finding]) -> Rule:
    said = {name: getattr(model, name) for name in model.model_fields_set}
    match = Match(model.match.images, model.match.paths, model.match.updates) if model.match else Match()
    choosing = {name: _chosen(name, value) for name, value in said.items() if name in _CHOOSING}
    proposing = {
        name: _default(Proposing, name) if value is None else value for name, value in said.items() if name in _PROPOSING
    }
    landing = _landing(model.automerge, match.updates) if "automerge" in said else None
    if model.automerge and model.automerge.min_release_age is not None and model.automerge.min_age is not None:
        findings.append(tree.finding(("automerge", "min_age"), "min_age and min_release_age say the same: write one of them"))
    findings.extend(_complaints(choosing, tree))
    if not (said.keys() - {"match"}):
        findings.append(tree.finding((), "the rule says nothing but what it matches"))
    return Rule(match, choosing, proposing, landing)


def _chosen(name: str, value: Any) -> Any:
    if value is None:
        return _default(Choosing, name)
    return Follow(value.from_, value.soak) if name == "follow" else value


def _default(owner: type, name: str) -> Any:
    return next(field.default for field in fields(owner) if field.name == name)


def _landing(model: AutomergeModel | None, named: tuple[UpdateKind, ...] | None) -> Landing:
    if model is None:
        return Landing(Automerge(automerge=False))
    values = {name: getattr(model, name) for name in AutomergeModel.model_fields}
    said = frozenset(name for name in model.model_fields_set if values[name] is not None or name in _MAY_BE_NONE)
    if values["update_types"] is None:
        values["update_types"] = UPDATE_TYPES + tuple(kind for kind in named or () if kind not in UPDATE_TYPES)
    age = values.pop("min_age")
    if values["min_release_age"] is None:
        values["min_release_age"] = age
    if values["min_release_age"] is None:
        del values["min_release_age"]
        return Landing(Automerge(**values), said)
    return Landing(Automerge(**values), said | {"min_release_age"})


_MAY_BE_NONE = frozenset({"require_label", "disable_label", "blocking_title", "schedule"})


def _complaints(choosing: Mapping[str, Any], tree: Tree) -> Iterator[Finding]:
    """What the policies say of a rule's own keys."""
    for complaint in policies.complaints(choosing):
        yield tree.finding((complaint.key,), complaint.message, complaint.suggestion)
