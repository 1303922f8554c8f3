"""The facts and the rule of `tagboat decide`, from JSON: what is left out stands as for a request that lands.

    {"rule": {"min_approvals": 1}}                      the rule wants an approval, and there is none
    {"facts": {"pr": {"draft": true}}, "rule": {}}      it is a draft

Objects are laid over their defaults key by key, lists and single values replace. A key or a type that is not known is an error;
a value that is not known (a new status of a forge, null) is an unknown fact, and those never merge. On platform `git` there is no
protection and no check, so there the rule's own defaults are `require_protection: false` and `no_checks: merge`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from rules import freezes, schedules
from rules.automerge import GIT_DEFAULTS, Automerge
from rules.decide_table.models import LOGIN, CaseModel, CheckModel, FactsModel, ProtectionModel, RuleModel
from rules.findings import did_you_mean
from rules.freezes import Freeze
from rules.merging import Attempts, Check, Facts, Method, Protection, Readiness, RequestFacts, RequiredCheck, Review, UpdateFacts
from rules.policies.base import UpdateKind
from rules.updates import largest

_KINDS: dict[str, UpdateKind] = {kind: kind for kind in get_args(UpdateKind)}
_METHODS: dict[str, Method] = {method: method for method in get_args(Method)}
_UNKNOWN = "unknown"


class BadCase(ValueError):
    """The object cannot be read; the message names what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question: `decide(case.facts, case.rule)`. `id` is the object's own, where it has one."""

    facts: Facts
    rule: Automerge
    id: str | int | None = None


def read(text: str | bytes) -> Case:
    """The case that one JSON object holds. Raises BadCase."""
    try:
        model = CaseModel.model_validate_json(text, strict=True)
        return Case(_facts(model.facts), _rule(model.rule, model.facts.platform), model.id)
    except ValidationError as error:
        raise BadCase("; ".join(_complaints(error))) from None
    except schedules.BadSchedule as error:
        raise BadCase(f"not a schedule or freeze: {error}") from None


def _facts(model: FactsModel) -> Facts:
    readiness = Readiness(
        head_message=model.pr.head_message or "",
        author=_author(model),
        behind_by=model.branch.behind_by,
        conflict=model.branch.conflict,
        protection=_protection(model.protection),
        from_fork=model.pr.from_fork,
        mergeable=model.mergeable,
        merge_state=model.merge_state,
        detailed_merge_status=model.detailed_merge_status,
        checks=tuple(_check(check) for check in model.checks if check.sha in (None, model.pr.head_sha)),
        pipeline=_pipeline(model),
        review_decision=model.review_decision,
        reviews=tuple(Review(r.user or "", r.state.upper(), r.permission and r.permission.lower(), r.at) for r in model.reviews),
        review_requests=tuple(asked if isinstance(asked, str) else asked.name for asked in model.review_requests),
        unresolved_threads=model.unresolved_threads,
        in_merge_queue=model.queue.in_merge_queue,
    )
    request = RequestFacts(
        state=(model.pr.state or _UNKNOWN).lower(),
        title=model.pr.title,
        labels=frozenset(model.pr.labels),
        draft=model.pr.draft,
        created_at=model.pr.created_at,
        edited_by_person=model.branch.edited_by_human,
    )
    attempts = Attempts(model.attempts.failed, model.attempts.last_http)
    return Facts(model.platform, model.now, request, readiness, (_update(model),), attempts, _freezes(model.freeze), LOGIN)


def _author(model: FactsModel) -> str:
    """GitHub's Apps have a login that ends in [bot]; a user of that name without it is somebody else, on GitHub alone."""
    author = model.pr.author or ""
    return LOGIN if model.platform != "github" and author == LOGIN.removesuffix("[bot]") else author


def _protection(model: ProtectionModel | None) -> Protection:
    """A demand that is null could not be read, so the protection is not known."""
    if model is None:
        return Protection(known=False)
    said = {name: value for name, value in model if value is not None}
    required = tuple(_required(check) for check in said.pop("required_checks", ()))
    methods = tuple(_METHODS[method] for method in said.pop("allowed_methods", ()) if method in _METHODS)
    known = all(value is not None for _, value in model)
    return Protection(known=known, required_checks=required, allowed_methods=methods, **said)


def _required(check: Any) -> RequiredCheck:
    return (
        RequiredCheck(check)
        if isinstance(check, str)
        else RequiredCheck(check.name, None if check.app is None else str(check.app))
    )


def _check(model: CheckModel) -> Check:
    return Check(model.name, model.kind, model.app, model.status or _UNKNOWN, model.conclusion, model.at)


def _pipeline(model: FactsModel) -> str | None:
    """The status of the head's pipeline; one of another commit says nothing about the head."""
    pipeline = model.pipeline
    if pipeline is None or pipeline.sha not in (None, model.pr.head_sha):
        return None
    return (pipeline.status or _UNKNOWN).lower()


def _update(model: FactsModel) -> UpdateFacts:
    update = model.update
    kinds = [_KINDS.get(kind or "") for kind in (update.type, *update.members)]
    return UpdateFacts(
        image=update.image or "the image",
        kind=largest(kinds),
        first_seen=update.first_seen,
        published_at=update.published_at,
        published_source=update.published_source,
        signature=update.signature,
        target_exists=update.target_exists,
        digest_drift=update.digest_changed_since_open,
        platforms=None if update.platforms is None else frozenset(update.platforms),
        held=update.held,
    )


def _freezes(value: Any) -> tuple[Freeze, ...]:
    """No freeze only where that is said: null is unknown, and unknown holds."""
    if value is False:
        return ()
    if isinstance(value, list):
        return tuple(freeze for one in value for freeze in _freezes(one))
    if isinstance(value, dict):
        return (_freeze(value),)
    if value is None:
        return (Freeze(None, None, text="whether there is a freeze is not known"),)
    return (Freeze(None, None, text="a freeze holds" if value is True else str(value)),)


def _freeze(value: dict[str, Any]) -> Freeze:
    known = {*freezes.KEYS, "until", "reason"}
    for key, said in value.items():
        if key not in known:
            raise BadCase(f"facts.freeze.{key}: unknown key; {did_you_mean(key, known)}".rstrip("; "))
        if said is not None and not isinstance(said, str):
            raise BadCase(f"facts.freeze.{key}: has to be a text")
    start, end, label = value.get("from"), value.get("to") or value.get("until"), value.get("except_label")
    if start is None and end is None:
        return Freeze(None, None, label, value.get("reason") or "a freeze holds")
    return freezes.read(start, end, tz=value.get("tz") or "UTC", except_label=label)


def _rule(model: RuleModel, platform: str) -> Automerge:
    said = {name: value for name, value in model if name in model.model_fields_set}
    if said.get("schedule") is not None:
        said["schedule"] = schedules.read(said["schedule"])
    for name, value in said.items():
        if isinstance(value, list):
            said[name] = tuple(value)
    return Automerge(**{**(GIT_DEFAULTS if platform == "git" else {}), **said})


def _complaints(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_context=True):
        where = ".".join(str(part) for part in fault["loc"] if part not in ("str", "NamedModel", "RequiredCheckModel"))
        if fault["type"] == "extra_forbidden":
            hint = did_you_mean(str(fault["loc"][-1]), _keys(CaseModel, fault["loc"][:-1]))
            yield f"{where}: unknown key" + (f"; {hint}" if hint else "")
        elif fault["type"] == "json_invalid":
            yield f"not JSON: {fault['ctx']['error']}"
        else:
            yield f"{where + ': ' if where else ''}{fault['msg'].removeprefix('Value error, ')}"


def _keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that are known at a place."""
    for part in loc:
        field = model.model_fields.get(str(part))
        inner = next((kind for kind in _models(field.annotation)), None) if field else None
        model = inner or model
    return [
        field.validation_alias if isinstance(field.validation_alias, str) else name for name, field in model.model_fields.items()
    ]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
