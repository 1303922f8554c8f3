"""From the bytes of a file to a `Config`: read, check everything, build. All that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from rules.automerge import UPDATE_TYPES, Automerge
from rules.config.fields import Table
from rules.config.model import CommitsModel, FileModel, LimitsModel, PullRequestsModel
from rules.config.rule_model import AutomergeModel, RuleModel
from rules.config.tree import Tree, read
from rules.config.values import Author, Commits, Config, Landing, Limits, Match, Proposing, PullRequests, Rule
from rules.config.words import build
from rules.findings import Broken, Finding
from rules.freezes import Freeze
from rules.policies.base import UpdateKind

FILE = ".tagboat.yaml"
_NOT_ITS_NAME = (".tagboat.yml", "tagboat.yaml", "tagboat.yml")
_PROPOSING = {field.name: field.default for field in fields(Proposing)}
_MAY_BE_NONE = frozenset({"require_label", "disable_label", "blocking_title", "schedule"})


class ConfigError(Broken):
    """The file cannot be used: nothing is done with it, and `findings` says all that is wrong."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A file that was read and checked, before layers are laid over each other. `notes`: what is right and does nothing."""

    model: FileModel = field(default_factory=FileModel)
    rules: tuple[Rule, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    notes: tuple[Finding, ...] = ()


def load(data: bytes, *, file: str = FILE, defaults: Layer | None = None, limits: Limits | None = None) -> Config:
    """The configuration that a repository's file says, over the operator's `defaults` and under the operator's `limits`.

    An empty file is all defaults. Raises ConfigError with everything that is wrong.
    """
    under = defaults or Layer()
    lost: tuple[Finding, ...] = ()
    try:
        tree = read(data, file)
        lost = tuple(_following_nothing(tree, under))
        own = layer(tree)
    except Broken as error:
        raise ConfigError((*error.findings, *lost)) from None
    if lost:
        raise ConfigError(lost)
    return combine(under, replace(own, notes=(*own.notes, *_not_following(tree, under))), limits or Limits())


def misnamed(is_there: Callable[[str], bool], folder: str = "") -> tuple[Finding, ...]:
    """Notes on files that look like the configuration and are not read, where there is none. `is_there` tells of a name whether
    it is a file in the repository's root, `folder` is how people see that root (`/srv/gitops/`)."""
    names = () if is_there(FILE) else filter(is_there, _NOT_ITS_NAME)
    return tuple(
        Finding(folder + name, None, "", f"this is not read as the configuration: that file is called {FILE}") for name in names
    )


def layer(tree: Tree) -> Layer:
    """A tree in the grammar of `.tagboat.yaml`, checked. Raises Broken."""
    model, wrong = build(FileModel, tree)
    if model is None or tree.findings:
        raise Broken([*tree.findings, *wrong])
    notes = [
        tree.finding(("rules", place, key), message)
        for place, rule in enumerate(model.rules)
        for key, message in sorted(rule.unread())
    ]
    return Layer(model, tuple(map(_rule, model.rules)), tuple(freeze.freeze() for freeze in model.freeze), tuple(notes))


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
        notes=own.notes,
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


def _following_nothing(tree: Tree, under: Layer) -> Iterator[Finding]:
    """The rules that follow, where no rule says what: whichever of them apply together, the key is missing."""
    rules = _written(tree)
    if any(rule.get("follow") is not None for _, rule in rules) or any(rule.choosing.get("follow") for rule in under.rules):
        return
    for place, rule in rules:
        if rule.get("policy") == "follow":
            message = "policy follow needs the key `follow`, and no rule has it"
            yield tree.finding(("rules", place, "policy"), message, 'write for example follow: {from: "envs/dev/**"}')


def _not_following(tree: Tree, under: Layer) -> Iterator[Finding]:
    """The rules that say what to follow, where no rule has the policy that reads it. Beside another policy it is noted anyway."""
    rules = _written(tree)
    if any(rule.get("policy") == "follow" for _, rule in rules) or any(
        rule.choosing.get("policy") == "follow" for rule in under.rules
    ):
        return
    for place, rule in rules:
        if rule.get("follow") is not None and rule.get("policy") is None:
            message = "no rule says `policy: follow`, so nothing is followed"
            yield tree.finding(("rules", place, "follow"), message, "write it beside")


def _written(tree: Tree) -> list[tuple[int, dict[str, Any]]]:
    """The rules as they stand in the file, checked or not."""
    said = tree.at("rules").data
    return [(place, rule) for place, rule in enumerate(said if isinstance(said, list) else ()) if isinstance(rule, dict)]


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


def _rule(model: RuleModel) -> Rule:
    match = Match(model.match.images, model.match.paths, model.match.updates) if model.match else Match()
    landing = _landing(model.automerge, match.updates) if "automerge" in model.model_fields_set else None
    return Rule(match, model.choosing(), model.proposing(_PROPOSING), landing)


def _landing(model: AutomergeModel | None, named: tuple[UpdateKind, ...] | None) -> Landing:
    if model is None:
        return Landing(Automerge(automerge=False))
    written = {name: getattr(model, name) for name in model.model_fields_set}
    said = {name: value for name, value in written.items() if value is not None or name in _MAY_BE_NONE}
    if "min_age" in said:
        said["min_release_age"] = said.pop("min_age")
    kinds = UPDATE_TYPES + tuple(kind for kind in named or () if kind not in UPDATE_TYPES)
    return Landing(Automerge(**{"update_types": kinds, **said}), frozenset(said))
