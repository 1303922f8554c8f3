"""The keys of a rule in `.tagboat.yaml`: what it is for, which tag is next, how that is proposed, how it lands.

They have no defaults here: what no rule says is at the default of the value that it ends up in (`Choosing`, `Proposing`,
`Automerge`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainValidator, WithJsonSchema, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from rules import policies
from rules.automerge import UPDATE_TYPES, Automerge, Method
from rules.config.fields import (
    Count,
    Duration,
    Flag,
    Glob,
    IsWhole,
    Name,
    Regexp,
    Table,
    When,
    Whole,
    Word,
    all_wrong,
    kind_of,
    shown,
    text,
    wrong,
)
from rules.config.tree import Path
from rules.findings import one_of
from rules.policies.base import Choosing, Follow, Step, UpdateKind

PolicyName = Literal["auto", "semver", "alphabetical", "numerical", "newest", "digest", "follow", "none"]
_A = Automerge()
_CHOOSING = {field.name: field for field in fields(Choosing)}


class OrFlag:
    """In the JSON Schema: true or false, or the mapping."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "boolean"}, handler(core)]}


def _platform(value: object) -> str:
    found = text(value)
    parts = found.split("/")
    if not 2 <= len(parts) <= 3 or not all(part and part.isascii() and not part.isspace() for part in parts):
        raise wrong(f"{shown(found)!r} is not a platform: write for example linux/amd64 or linux/arm64/v8")
    return found


def _platforms(value: object) -> str | tuple[str, ...]:
    if value in ("auto", "any"):
        return str(value)
    if not isinstance(value, (list, tuple)):
        raise wrong(f"has to be auto, any or a list of platforms, not {kind_of(value)}")
    return tuple(_platform(item) for item in value)


def _automerge(value: object) -> object:
    if value is None or isinstance(value, dict):
        return value
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False, "none": False}
    found = value if isinstance(value, bool) else words.get(str(value).lower()) if isinstance(value, str) else None
    if found is None:
        raise wrong(f"has to be true, false or a mapping, not {kind_of(value)}")
    return {"automerge": found}


Platform = Annotated[str, BeforeValidator(_platform)]
Platforms = Annotated[
    Any,
    PlainValidator(_platforms),
    WithJsonSchema({"anyOf": [{"enum": ["auto", "any"]}, {"type": "array", "items": {"type": "string"}}]}),
]
Kinds = tuple[Annotated[UpdateKind, Word], ...]


class MatchModel(Table):
    """What a rule is for. What is left out matches everything."""

    images: tuple[Glob, ...] | None = Field(
        None, description="Names of images, without tag. Docker Hub's images match under their short and their long name."
    )
    paths: tuple[Glob, ...] | None = Field(None, description="Files, from the root of the repository.")
    updates: Kinds | None = Field(
        None,
        description="Kinds of update. The kind is known only once the tag is chosen, so this gates how an update is proposed and "
        "how it lands; which tag is next is not gated.",
    )


class FollowModel(Table):
    """Promotion from one place to the next."""

    from_: Glob = Field(alias="from", description="The files to take the tag from.")
    soak: Duration = Field("0", validate_default=True, description="How long a tag has to have stood there without a break.")


class AutomergeModel(Table):
    """The conditions under which a request lands by itself; the keys that `tagboat decide` takes."""

    automerge: Flag = Field(_A.automerge, description="false: nothing lands by rule.")
    update_types: Kinds | None = Field(
        None,
        description=f"Kinds of update that may land. Default: {', '.join(UPDATE_TYPES)}, and those that `match.updates` of the "
        "same rule names. A group counts as its largest member.",
    )
    require_label: Name | None = Field(_A.require_label, description="Only requests that carry this label.")
    disable_label: Name | None = Field(_A.disable_label, description="Never requests that carry this label.")
    blocking_labels: tuple[Name, ...] = Field(
        _A.blocking_labels, description="Requests with one of these labels wait for a person."
    )
    blocking_title: Regexp | None = Field(
        _A.blocking_title, description="A title that matches waits for a person. RE2, unanchored."
    )
    only_own_prs: Flag = Field(_A.only_own_prs, description="Only requests that Tagboat opened.")
    method: Annotated[Method, Word] = Field(_A.method, description="How the commit gets onto the base branch.")
    require_protection: Flag = Field(_A.require_protection, description="Only onto a protected base branch. Plain git has none.")
    extra_required_checks: tuple[Name, ...] = Field(
        _A.extra_required_checks, description="Checks that have to pass beyond those that the base branch requires."
    )
    all_checks: Flag = Field(_A.all_checks, description="Every check has to pass, required or not.")
    neutral_is_success: Flag = Field(_A.neutral_is_success, description="A check that ends neutral has passed.")
    no_checks: Annotated[Literal["wait", "merge", "block"], Word] = Field(
        _A.no_checks, description="What happens when there is no check at all."
    )
    min_approvals: Count = Field(_A.min_approvals, description="Approvals, beyond what the base branch requires.")
    block_on_review_requests: Flag = Field(_A.block_on_review_requests, description="Wait while somebody is asked for a review.")
    update_branch: Annotated[Literal["if_required", "always", "never"], Word] = Field(
        _A.update_branch, description="When a branch that is behind its base is written anew."
    )
    update_before_checks: Flag = Field(
        _A.update_before_checks, description="Bring a branch up to date before its checks are done."
    )
    update_even_if_failing: Flag = Field(
        _A.update_even_if_failing, description="Bring a branch up to date though a check failed."
    )
    on_conflict: Annotated[Literal["regenerate", "block"], Word] = Field(
        _A.on_conflict, description="What happens to a branch that conflicts with its base."
    )
    on_human_edit: Annotated[Literal["block", "skip", "merge"], Word] = Field(
        _A.on_human_edit, description="What happens to a branch that a person pushed to."
    )
    min_release_age: Duration | None = Field(
        None, description="How old a tag has to be before it lands. Default: the rule's `min_age`."
    )
    min_age: Duration | None = Field(None, description="The same as `min_release_age`.")
    unknown_age: Annotated[Literal["wait", "block", "merge"], Word] = Field(
        _A.unknown_age, description="What happens when the age is not known."
    )
    min_pr_age: Duration = Field("0", validate_default=True, description="How long a request has to have been open.")
    schedule: When | None = Field(_A.schedule, description="When requests may land.")
    require_signature: Flag = Field(_A.require_signature, description="Only images whose signature was checked and is good.")
    platforms: tuple[Platform, ...] = Field(_A.platforms, description="Platforms that the new image has to serve.")
    on_digest_drift: Annotated[Literal["refresh", "block"], Word] = Field(
        _A.on_digest_drift, description="What happens when the tag points elsewhere than when the request was written."
    )
    max_attempts: Annotated[int, Field(ge=1), IsWhole] = Field(
        _A.max_attempts, description="How often the forge may refuse a landing before a person has to look."
    )
    native: Flag = Field(
        _A.native,
        description="Leave it to the forge's own auto-merge while only checks that the base branch requires are missing.",
    )

    @model_validator(mode="after")
    def _one_age(self) -> Self:
        if self.min_release_age is not None and self.min_age is not None:
            raise wrong("min_age and min_release_age say the same: write one of them", at=("min_age",))
        return self


class RuleModel(Table):
    """One rule. Every rule that matches applies; a later one overrides an earlier one key by key. A key without a value is back
    at its default."""

    match: MatchModel | None = Field(None, description="What the rule is for. Left out: everything.")

    policy: Annotated[PolicyName, Word] | None = Field(None, description="Which tag is next. none: the image is left alone.")
    range: Name | None = Field(None, description="semver: the versions that are allowed, in the grammar of Masterminds/semver.")
    order: Annotated[Literal["asc", "desc"], Word] | None = Field(
        None, description="alphabetical, numerical: asc takes the last or largest."
    )
    tags: Regexp | None = Field(None, description="Only tags that match compete. RE2, unanchored.")
    extract: Name | None = Field(
        None, description="What of the tag is ordered: `$1`, `$name` or `${name}` of the groups in `tags`."
    )
    ignore: tuple[Glob, ...] | None = Field(None, description="Globs of tags that never compete.")
    variant: Annotated[Literal["keep", "any"], Word] | None = Field(
        None, description="keep: a tag with -alpine stays with -alpine."
    )
    prereleases: Flag | None = Field(None, description="Whether pre-releases compete.")
    max_step: Annotated[Step, Word] | None = Field(None, description="The largest step that is proposed.")
    min_age: Duration | None = Field(
        None, description="How long ago a tag was pushed or first seen before it competes. An unknown age is never old enough."
    )
    platforms: Platforms | None = Field(
        None, description="auto: every platform that the current image serves has to exist. Or a list of platforms, or any."
    )
    pin: Flag | None = Field(None, description="true: write tag@digest, and keep the two in step.")
    follow: FollowModel | None = Field(None, description="policy follow: where the tag comes from.")

    group: Name | None = Field(None, description="One request for all updates with this name.")
    lockstep: Flag | None = Field(None, description="true: all members of the group to the same version, or none.")
    schedule: When | None = Field(None, description="When updates are proposed.")
    labels: tuple[Name, ...] | None = Field(None, description="Labels of the request.")
    reviewers: tuple[Name, ...] | None = Field(None, description="Who is asked for a review; `org/team` is a team.")
    assignees: tuple[Name, ...] | None = Field(None, description="Who is assigned.")
    delivery: Annotated[Literal["request", "push"], Word] | None = Field(
        None, description="push: straight to the branch, without a request."
    )
    batch: Flag | None = Field(
        None, description="true: with `delivery: push`, what is due in independent files goes into one commit."
    )
    priority: Whole | None = Field(None, description="A higher one is opened and landed first.")
    automerge: Annotated[AutomergeModel | None, BeforeValidator(_automerge), OrFlag()] = Field(
        None, description="Whether and when a request lands by itself."
    )
    rollback: Annotated[Literal["none", "propose", "auto"], Word] | None = Field(
        None, description="What happens when the new image is reported unhealthy after it landed."
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        unread = {key for key, _ in self.unread()}
        said = {key: value for key, value in self.choosing().items() if key not in unread and value != _CHOOSING[key].default}
        asked = said | ({"policy": self.policy} if self.policy else {})
        faults: list[tuple[Path, str, str]] = [((one.key,), one.message, one.suggestion) for one in policies.complaints(asked)]
        if not self.model_fields_set - {"match"}:
            faults.append(((), "the rule says nothing but what it matches", ""))
        if faults:
            raise all_wrong(faults)
        return self

    def choosing(self) -> dict[str, Any]:
        """The keys that say which tag is next, as `Choosing` has them; one without a value is at its default."""
        said = {name: getattr(self, name) for name in _CHOOSING if name in self.model_fields_set}
        if self.follow is not None:
            said["follow"] = Follow(self.follow.from_, self.follow.soak)
        return {name: _CHOOSING[name].default if value is None else value for name, value in said.items()}

    def proposing(self, names: Mapping[str, Any]) -> dict[str, Any]:
        """The keys among `names` (with their defaults) that the rule sets; one without a value is at its default."""
        said = {name: getattr(self, name) for name in names if name in self.model_fields_set}
        return {name: names[name] if value is None else value for name, value in said.items()}

    def unread(self) -> Iterator[tuple[str, str]]:
        """The keys that are set and do nothing, and why: the rule's own policy does not read them. Other rules may set another
        policy over it, so this is no error."""
        reads = {name: policy.KEYS for name, policy in policies.POLICIES.items()}
        if self.policy not in reads:
            return
        for key in frozenset[str]().union(*reads.values()) - reads[self.policy]:
            if getattr(self, key) not in (None, _CHOOSING[key].default):
                readers = one_of(sorted(name for name, keys in reads.items() if key in keys))
                yield key, f"the policy {self.policy} does not read it; it is for {readers}"
