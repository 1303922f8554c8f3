"""The keys of a case with their types and, for facts, their defaults: those of a request that lands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rules import durations
from rules.merging import Method, Platform
from rules.policies.base import UpdateKind

LOGIN = "tagboat[bot]"
_NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
_LONG_AGO = datetime(2026, 3, 1, tzinfo=UTC)
_TEN_YEARS = 3660

Unit = Literal["days", "hours"]
Count = Annotated[int, Field(ge=0)]
Sha = Annotated[str | None, Field(validation_alias=AliasChoices("sha", "head_sha"))]


class Table(BaseModel):
    """An object of which every key is known."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)


class PrModel(Table):
    state: str | None = "open"
    draft: bool | None = False
    title: str = "bump api to 1.4.3"
    labels: list[str] = ["automerge"]
    author: str | None = LOGIN
    from_fork: bool | None = False
    created_at: AwareDatetime | None = _NOW - timedelta(days=1)
    head_sha: str | None = "aaa111"
    head_message: str | None = "bump api to 1.4.3"


class BranchModel(Table):
    behind_by: Count | None = 0
    conflict: bool | None = False
    edited_by_human: bool | None = False


class RequiredCheckModel(Table):
    name: str
    app: str | int | None = None


class ProtectionModel(Table):
    present: bool | None = True
    required_checks: list[str | RequiredCheckModel] | None = [RequiredCheckModel(name="ci/test")]
    strict: bool | None = False
    required_approvals: Count | None = 0
    code_owner_review: bool | None = False
    conversation_resolution: bool | None = False
    signed_commits: bool | None = False
    merge_queue: bool | None = False
    bot_may_push: bool | None = True
    allowed_methods: list[str] | None = ["merge", "squash", "rebase"]
    pipelines_must_succeed: bool | None = False
    skipped_pipeline_is_success: bool | None = False


class CheckModel(Table):
    """`sha`: the commit that it ran on, where that is told; one of another commit than the head counts for nothing."""

    name: str
    kind: Literal["check_run", "status"] = "check_run"
    app: str | None = None
    status: str | None = None
    conclusion: str | None = None
    at: AwareDatetime | None = None
    sha: Sha = None


class PipelineModel(Table):
    status: str | None = None
    sha: Sha = None
    id: int | None = None
    ref: str | None = None
    source: str | None = None


class ReviewModel(Table):
    user: str | None
    state: str
    permission: str | None = None
    at: AwareDatetime | None = None


class NamedModel(Table):
    name: str


class UpdateModel(Table):
    image: str | None = "registry.example/api"
    type: str | None = "patch"
    members: list[str | None] = []
    from_: str | None = Field(default="1.4.2", validation_alias="from")
    to: str | None = "1.4.3"
    first_seen: AwareDatetime | None = _LONG_AGO
    published_at: AwareDatetime | None = _LONG_AGO
    published_source: str | None = "registry"
    signature: str | None = "not_checked"
    target_exists: bool | None = True
    digest_changed_since_open: bool | None = False
    platforms: list[str] | None = ["linux/amd64", "linux/arm64"]
    held: bool | None = False


class QueueModel(Table):
    in_merge_queue: bool | None = False


class AttemptsModel(Table):
    failed: Count = 0
    last_http: int | None = None


class FactsModel(Table):
    platform: Platform = "github"
    now: AwareDatetime = _NOW
    pr: PrModel = PrModel()
    branch: BranchModel = BranchModel()
    mergeable: str | None = "MERGEABLE"
    merge_state: str | None = "CLEAN"
    detailed_merge_status: str | None = None
    protection: ProtectionModel | None = ProtectionModel()
    checks: list[CheckModel] = [
        CheckModel(name="ci/test", app="github-actions", status="completed", conclusion="success", at=_NOW - timedelta(hours=1))
    ]
    pipeline: PipelineModel | None = None
    review_decision: str | None = None
    reviews: list[ReviewModel] = []
    review_requests: list[str | NamedModel] = []
    unresolved_threads: Count | None = 0
    update: UpdateModel = UpdateModel()
    queue: QueueModel = QueueModel()
    attempts: AttemptsModel = AttemptsModel()
    freeze: Any = False


def _word(value: object) -> object:
    """`allow` and `ignore` say the same as `merge`: it does not stop a landing."""
    return "merge" if value in ("allow", "ignore") else value


def _age(data: dict[str, Any], name: str, durations_of: tuple[str, ...], number: str, unit: Unit) -> None:
    """Put the one age that is given, in whichever way, under `name`."""
    given = [key for key in (*durations_of, number) if key in data]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} say the same: write one of them")
    for key in given:
        value = data.pop(key)
        data[name] = _amount(key, value, unit) if key == number else _duration(key, value)


def _amount(key: str, value: object, unit: Unit) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _TEN_YEARS * 24:
        raise ValueError(f"{key} has to be a number of {unit}")
    return timedelta(days=value) if unit == "days" else timedelta(hours=value)


def _duration(key: str, value: object) -> timedelta:
    if value == 0 and not isinstance(value, bool):
        return timedelta(0)
    if not isinstance(value, str):
        raise ValueError(f"{key} has to be a duration such as 3d or 12h")
    try:
        return durations.parse(value)
    except durations.BadDuration as error:
        raise ValueError(f"{key}: {error}") from None


class RuleModel(Table):
    """The keys of `Automerge`; its own defaults hold for those that are left out. Ages may be given as numbers of days and hours,
    or as durations."""

    automerge: bool = True
    update_types: list[UpdateKind] = []
    require_label: str | None = None
    disable_label: str | None = None
    blocking_labels: list[str] = []
    blocking_title: str | None = None
    only_own_prs: bool = True
    method: Method = "squash"
    require_protection: bool = True
    extra_required_checks: list[str] = []
    all_checks: bool = False
    neutral_is_success: bool = True
    no_checks: Literal["wait", "merge", "block"] = "wait"
    min_approvals: Count = 0
    block_on_review_requests: bool = False
    update_branch: Literal["if_required", "always", "never"] = "if_required"
    update_before_checks: bool = True
    update_even_if_failing: bool = False
    on_conflict: Literal["regenerate", "block"] = "regenerate"
    on_human_edit: Annotated[Literal["block", "skip", "merge"], BeforeValidator(_word)] = "block"
    min_release_age: timedelta = timedelta(0)
    unknown_age: Annotated[Literal["wait", "block", "merge"], BeforeValidator(_word)] = "wait"
    min_pr_age: timedelta = timedelta(0)
    schedule: Any = None
    require_signature: bool = False
    platforms: list[str] = []
    on_digest_drift: Literal["refresh", "block"] = "refresh"
    max_attempts: Count = 5
    native: bool = False

    @model_validator(mode="before")
    @classmethod
    def _ages(cls, data: Any) -> Any:
        """`min_release_age_days: 3` and `min_age: 3d` are the same, `min_pr_age_hours: 12` and `min_pr_age: 12h` as well."""
        if not isinstance(data, dict):
            return data
        rest = dict(data)
        _age(rest, "min_release_age", ("min_release_age", "min_age"), "min_release_age_days", "days")
        _age(rest, "min_pr_age", ("min_pr_age",), "min_pr_age_hours", "hours")
        return rest


class CaseModel(Table):
    id: str | int | None = None
    facts: FactsModel = FactsModel()
    rule: RuleModel = RuleModel()

    # What a table of cases may say beside: it is not read.
    expect: Any = None
    also_ok: Any = None
    why: Any = None
    source: Any = None
    tier: Any = None
