"""What a configuration answers: which rules apply, which of two wins, and what the operator's side does to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rules.automerge import UPDATE_TYPES
from rules.config import Config, Layer, Limits, layer, limits_of, load
from rules.config.model import LimitsModel
from rules.config.tree import read
from rules.config.values import Author
from rules.config.words import build
from rules.policies.base import Choosing, Follow, UpdateKind

WEB, API = "harbor.example.com/team/web", "harbor.example.com/team/api"
DAY = timedelta(days=1)


def defaults(text: str) -> Layer:
    return layer(read(text.encode(), "app.yaml"))


def limits(text: str) -> Limits:
    model, findings = build(LimitsModel, read(text.encode(), "app.yaml"))
    assert model is not None, findings
    return limits_of(model)


def config(text: str, *, under: str = "", at_most: str = "") -> Config:
    return load(text.encode(), defaults=defaults(under), limits=limits(at_most))


def test_an_empty_file_is_all_defaults() -> None:
    found = load(b"")
    assert found == Config()
    assert found.choosing(WEB, "app.yaml") == Choosing()
    assert found.landing(WEB, "app.yaml", "patch") is None
    assert found.wants("app.yaml")


def test_every_key_of_a_rule_arrives() -> None:
    found = config("""
rules:
  - policy: semver
    range: 1.10
    order: desc
    tags: '^v(.*)'
    extract: $1
    ignore: ["*-rc*"]
    variant: any
    prereleases: yes
    max_step: minor
    min_age: 3d
    platforms: [linux/amd64]
    pin: true
    follow: {from: "envs/dev/**", soak: 24h}
    group: platform
    lockstep: true
    schedule: "Mon-Fri 08:00-17:00 Europe/Zurich"
    labels: [images]
    reviewers: [octocat, org/team]
    assignees: [me]
    delivery: push
    batch: true
    priority: -3
    rollback: propose
    automerge: {method: rebase, min_pr_age: 1h, schedule: weekends, blocking_labels: [hold]}
""")
    assert found.choosing(WEB, "a.yaml") == Choosing(
        "semver", "1.10", "desc", "^v(.*)", "$1", ("*-rc*",), "any", True, "minor", 3 * DAY, ("linux/amd64",), True,
        Follow("envs/dev/**", DAY),
    )  # fmt: skip
    proposing = found.proposing(WEB, "a.yaml", "patch")
    assert str(proposing.schedule) == "Mon-Fri 08:00-17:00 Europe/Zurich"
    assert (proposing.group, proposing.lockstep, proposing.labels, proposing.reviewers, proposing.assignees) == (
        "platform", True, ("images",), ("octocat", "org/team"), ("me",),
    )  # fmt: skip
    assert (proposing.delivery, proposing.batch, proposing.priority, proposing.rollback) == ("push", True, -3, "propose")
    landing = found.landing(WEB, "a.yaml", "patch")
    assert landing is not None
    assert (landing.method, landing.min_pr_age, str(landing.schedule), landing.blocking_labels) == (
        "rebase", timedelta(hours=1), "weekends", ("hold",),
    )  # fmt: skip
    assert landing.min_release_age == 3 * DAY, "the rule's min_age, where automerge says none of its own"


def test_every_key_of_the_file_arrives() -> None:
    found = config("""
version: 1
files: {include: ["envs/**"], exclude: ["**/testdata/**"]}
freeze: [{from: 2026-12-20, to: 2027-01-05, except_label: urgent}]
loop: {max: 5}
dashboard_issue: true
commits: {title: "{image} {new}", marker: "skip-ci:", author: {name: Bot, email: bot@example.com}, signoff: true}
base_branches: [main, release/1]
pull_requests: {limit: 3, hourly: 2, branch_prefix: "bot/"}
""")
    assert (found.include, found.exclude) == (("envs/**",), ("**/testdata/**",))
    assert found.freezes[0].start == datetime(2026, 12, 20, tzinfo=UTC)
    assert found.freezes[0].until == datetime(2027, 1, 6, tzinfo=UTC)
    assert (found.loop_max, found.dashboard_issue, found.base_branches) == (5, True, ("main", "release/1"))
    assert (found.commits.title, found.commits.marker, found.commits.signoff) == ("{image} {new}", "skip-ci:", True)
    assert found.commits.author == Author("Bot", "bot@example.com")
    requests = found.pull_requests
    assert (requests.limit, requests.hourly, requests.branch_prefix) == (3, 2, "bot/")


@pytest.mark.parametrize(
    ("files", "path", "wanted"),
    [
        ("{}", "any/where.yaml", True),
        ("{include: ['envs/**']}", "envs/dev/a.yaml", True),
        ("{include: ['envs/**']}", "other/a.yaml", False),
        ("{exclude: ['**/testdata/**']}", "a/testdata/b/c.yaml", False),
        ("{exclude: ['**/testdata/**']}", "testdata/c.yaml", False),
        ("{include: ['envs/**'], exclude: ['envs/dev/']}", "envs/dev/x/a.yaml", False),
        ("{include: ['envs/**'], exclude: ['envs/dev/']}", "envs/prod/a.yaml", True),
        ("{include: []}", "a.yaml", False),
        ("{include: ['*.yaml']}", "a/b.yaml", False),
        ("{include: ['/a/*.yaml']}", "a/b.yaml", True),
    ],
)
def test_which_files_are_read(files: str, path: str, wanted: bool) -> None:
    assert config(f"files: {files}").wants(path) is wanted


TWO = """
rules:
  - {policy: semver, range: ^1, labels: [images, first], automerge: {method: rebase, min_pr_age: 2h}}
  - {match: {images: ["harbor.example.com/team/w*"]}, range: ^2, labels: [second]}
  - {match: {paths: ["envs/prod/**"]}, policy: newest, automerge: {all_checks: true}}
"""


@pytest.mark.parametrize(
    ("image", "path", "expected"),
    [
        (API, "a.yaml", ("semver", "^1", ("images", "first"), "rebase", timedelta(hours=2), False)),
        (WEB, "a.yaml", ("semver", "^2", ("second",), "rebase", timedelta(hours=2), False)),
        # the object of the later rule stands as a whole: nothing of the earlier one is left in it
        (API, "envs/prod/a.yaml", ("newest", "^1", ("images", "first"), "squash", timedelta(0), True)),
        (WEB, "envs/prod/a.yaml", ("newest", "^2", ("second",), "squash", timedelta(0), True)),
    ],
)
def test_a_later_rule_overrides_key_by_key_and_an_object_as_a_whole(image: str, path: str, expected: tuple[Any, ...]) -> None:
    found = config(TWO)
    choosing, proposing, landing = (
        found.choosing(image, path),
        found.proposing(image, path, "patch"),
        found.landing(image, path, "patch"),
    )
    assert landing is not None
    assert (choosing.policy, choosing.range, proposing.labels, landing.method, landing.min_pr_age, landing.all_checks) == expected


@pytest.mark.parametrize("key", ["policy", "range", "min_age", "follow", "pin", "platforms", "ignore"])
def test_a_key_without_a_value_is_back_at_its_default(key: str) -> None:
    found = config(
        f"""
rules:
  - {{policy: follow, range: ^1, min_age: 3d, follow: {{from: "dev/**"}}, pin: true, platforms: any, ignore: [x]}}
  - {{{key}: ~}}
""".replace("policy: follow, range: ^1", "policy: semver, range: ^1")
    )
    assert getattr(found.choosing(WEB, "a.yaml"), key) == getattr(Choosing(), key)


def test_automerge_without_a_value_is_no_automerge() -> None:
    assert config("rules: [{automerge: true}, {automerge: ~}]").landing(WEB, "a", "patch") is None
    assert config("rules: [{automerge: true}, {automerge: false}]").landing(WEB, "a", "patch") is None
    assert config("rules: [{automerge: true}, {automerge: {automerge: false}}]").landing(WEB, "a", "patch") is None


# `updates` is known only after the choice, so it gates how an update is proposed and lands, never which tag is next


def test_updates_gate_proposing_and_landing_but_not_choosing() -> None:
    found = config("rules: [{match: {updates: [patch]}, policy: newest, labels: [p], automerge: true}]")
    assert found.choosing(WEB, "a").policy == "newest"
    assert found.proposing(WEB, "a", "patch").labels == ("p",)
    assert found.proposing(WEB, "a", "minor").labels == ()
    assert found.proposing(WEB, "a", None).labels == (), "a kind that is not known is not among those that are named"
    assert found.landing(WEB, "a", "patch") is not None
    assert found.landing(WEB, "a", "minor") is None
    assert found.landing(WEB, "a", None) is None


@pytest.mark.parametrize(
    ("rule", "covered"),
    [
        ("{automerge: true}", {"patch", "minor", "digest", "build", "pin"}),
        ("{automerge: {}}", {"patch", "minor", "digest", "build", "pin"}),
        ("{automerge: {update_types: [patch]}}", {"patch"}),
        ("{automerge: {update_types: []}}", set()),
        ("{automerge: {update_types: [major]}}", {"major"}),
        ("{match: {updates: [major, patch]}, automerge: true}", {"major", "patch"}),
        ("{match: {updates: [major]}, automerge: true}", {"major"}),
        ("{match: {updates: [patch, minor]}, automerge: true}", {"patch", "minor"}),
        ("{match: {updates: [major]}, automerge: {update_types: [patch]}}", set()),
        ("{match: {updates: []}, automerge: true}", set()),
        ("{match: {images: ['other/*']}, automerge: true}", set()),
    ],
)
def test_which_kinds_land_by_rule(rule: str, covered: set[str]) -> None:
    found = config(f"rules: [{rule}]")
    kinds: list[UpdateKind] = ["major", "minor", "patch", "build", "digest", "pin"]
    landings = {kind: found.landing(WEB, "a.yaml", kind) for kind in kinds}
    assert {kind for kind, landing in landings.items() if landing is not None and landing.covers(kind)} == covered


def test_automerge_has_other_defaults_on_plain_git_unless_they_are_said() -> None:
    found = config("rules: [{automerge: true}]")
    assert (found.landing(WEB, "a", "patch").require_protection, found.landing(WEB, "a", "patch").no_checks) == (True, "wait")  # type: ignore[union-attr]
    on_git = found.landing(WEB, "a", "patch", "git")
    assert on_git is not None
    assert (on_git.require_protection, on_git.no_checks) == (False, "merge")
    said = config("rules: [{automerge: {require_protection: true, no_checks: wait}}]").landing(WEB, "a", "patch", "git")
    assert said is not None
    assert (said.require_protection, said.no_checks) == (True, "wait")


@pytest.mark.parametrize(
    ("rule", "allowed", "method"),
    [
        ("true", ["merge", "squash", "rebase"], "squash"),
        ("true", ["rebase", "merge"], "merge"),
        ("{min_pr_age: 1h}", ["fast-forward"], "fast-forward"),
        ("true", [], "squash"),
        ("{method: squash}", ["merge"], "squash"),
    ],
)
def test_a_rule_that_names_no_method_lands_as_the_repository_allows(rule: str, allowed: list[Any], method: str) -> None:
    found = config(f"rules: [{{automerge: {rule}}}, {{labels: [images]}}]").landing_by(allowed).landing(WEB, "a", "patch")
    assert found is not None
    assert found.method == method


@pytest.mark.parametrize(
    ("rules", "age"),
    [
        ("[{automerge: true}]", timedelta(0)),
        ("[{min_age: 3d, automerge: true}]", 3 * DAY),
        ("[{automerge: true}, {min_age: 3d}]", 3 * DAY),
        ("[{min_age: 3d, automerge: {min_release_age: 1d}}]", DAY),
        ("[{min_age: 3d, automerge: {min_age: 1d}}]", DAY),
        ("[{min_age: 3d, automerge: {min_age: ~}}]", 3 * DAY),
        ("[{automerge: {min_age: 5d}}]", 5 * DAY),
    ],
)
def test_how_old_a_tag_is_before_it_lands(rules: str, age: timedelta) -> None:
    landing = config(f"rules: {rules}").landing(WEB, "a", "patch")
    assert landing is not None
    assert landing.min_release_age == age


@pytest.mark.parametrize(
    ("pattern", "image", "meant"),
    [
        ("nginx", "docker.io/library/nginx", True),
        ("docker.io/library/nginx", "nginx", True),
        ("docker.io/nginx", "index.docker.io/library/nginx", True),
        ("library/*", "nginx", True),
        ("acme/*", "docker.io/acme/web", True),
        ("acme/*", "ghcr.io/acme/web", False),
        ("*/acme/*", "ghcr.io/acme/web", True),
        ("*", "ghcr.io/acme/web", False),
        ("**", "ghcr.io/acme/web", True),
        ("localhost:5000/**", "localhost:5000/team/web", True),
    ],
)
def test_which_images_a_rule_is_for(pattern: str, image: str, meant: bool) -> None:
    found = config(f"rules: [{{match: {{images: ['{pattern}']}}, pin: true}}]")
    assert found.choosing(image, "a.yaml").pin is meant


def test_an_empty_list_matches_nothing() -> None:
    assert config("rules: [{match: {images: []}, pin: true}]").choosing(WEB, "a").pin is False
    assert config("rules: [{match: {paths: []}, pin: true}]").choosing(WEB, "a").pin is False


# the operator's side


def test_the_operators_defaults_lie_under_the_repositorys_own() -> None:
    found = config(
        "{rules: [{policy: newest}], commits: {signoff: true}, files: {exclude: [b]}, freeze: [{to: 2026-01-02}], loop: {}}",
        under="{rules: [{policy: semver, pin: true}], commits: {marker: none, signoff: false}, files: {include: [a, b]}, "
        "freeze: [{from: 2026-12-20}], loop: {max: 7}, base_branches: [trunk], dashboard_issue: true}",
    )
    assert (found.choosing(WEB, "a").policy, found.choosing(WEB, "a").pin) == ("newest", True)
    assert (found.commits.marker, found.commits.signoff) == ("none", True)
    assert (found.include, found.exclude) == (("a", "b"), ("b",))
    assert [freeze.text for freeze in found.freezes] == ["freeze from 2026-12-20", "freeze to 2026-01-02"]
    assert (found.loop_max, found.base_branches, found.dashboard_issue) == (7, ("trunk",), True)


def test_a_repository_can_take_back_a_default() -> None:
    found = config("{base_branches: [main], dashboard_issue: false}", under="{base_branches: [trunk], dashboard_issue: true}")
    assert (found.base_branches, found.dashboard_issue) == (("main",), False)


@pytest.mark.parametrize(
    ("own", "operators", "limit", "hourly"),
    [
        ("{}", "{}", 10, None),
        ("{limit: 0, hourly: 5}", "{}", None, 5),
        ("{limit: 50, hourly: 5}", "{limit: 20, hourly: 10}", 20, 5),
        ("{limit: 0, hourly: 0}", "{limit: 20, hourly: 10}", 20, 10),
        ("{limit: 3}", "{limit: 20}", 3, None),
    ],
)
def test_the_stricter_number_of_requests_holds(own: str, operators: str, limit: int | None, hourly: int | None) -> None:
    found = config(f"pull_requests: {own}", at_most=f"pull_requests: {operators}").pull_requests
    assert (found.limit, found.hourly) == (limit, hourly)


LOOSE = """
rules:
  - min_age: 0
    max_step: major
    delivery: push
    automerge: {update_types: [major, minor, patch, build, digest, pin], min_release_age: 0, min_pr_age: 0, unknown_age: merge,
                require_protection: false}
"""


@pytest.mark.parametrize(
    ("at_most", "path", "kind", "expected"),
    [
        (
            "",
            "a",
            "major",
            {"delivery": "push", "covers": True, "min_age": 0, "max_step": "major", "pr_age": 0, "protection": False},
        ),
        ("min_age: 2d", "a", "patch", {"min_age": 2, "age": 2, "unknown": "wait"}),
        ("max_step: minor", "a", "patch", {"max_step": "minor"}),
        ("push: false", "a", "patch", {"delivery": "request"}),
        ("automerge: {paths_never: ['prod/**']}", "prod/a", "patch", {"covers": False, "delivery": "request"}),
        ("automerge: {paths_never: ['prod/**']}", "dev/a", "patch", {"covers": True, "delivery": "push"}),
        ("automerge: {images_never: ['**/web']}", "a", "patch", {"covers": False, "delivery": "request"}),
        ("automerge: {updates_never: [major]}", "a", "major", {"covers": False, "delivery": "request"}),
        ("automerge: {updates_never: [major]}", "a", None, {"delivery": "request"}),
        ("automerge: {updates_never: [major]}", "a", "patch", {"covers": True, "delivery": "push"}),
        ("automerge: {require_protection: true}", "a", "patch", {"protection": True, "delivery": "request"}),
        ("automerge: {min_pr_age: 1d}", "a", "patch", {"pr_age": 1, "delivery": "request"}),
        ("automerge: false", "a", "patch", {"covers": False, "delivery": "request"}),
        ("automerge: true", "a", "patch", {"covers": True, "delivery": "push"}),
    ],
)
@pytest.mark.parametrize("forge", ["github", "git"])
def test_limits_cannot_be_loosened(
    at_most: str, path: str, kind: UpdateKind | None, expected: dict[str, Any], forge: Any
) -> None:
    found = config(LOOSE, at_most=at_most)
    choosing, landing = found.choosing(WEB, path), found.landing(WEB, path, kind, forge)
    told = {
        "min_age": choosing.min_age.days,
        "max_step": choosing.max_step,
        "delivery": found.proposing(WEB, path, kind).delivery,
        "covers": landing is not None and landing.covers(kind),
        "age": landing and landing.min_release_age.days,
        "unknown": landing and landing.unknown_age,
        "pr_age": landing and landing.min_pr_age.days,
        "protection": landing and landing.require_protection,
    }
    assert {key: told[key] for key in expected} == expected


@pytest.mark.parametrize("own", ["min_age: 3d, max_step: patch", "min_age: 3d, max_step: patch, automerge: {min_pr_age: 9h}"])
def test_a_limit_loosens_nothing_either(own: str) -> None:
    found = config(f"rules: [{{{own}}}]", at_most="{min_age: 1d, max_step: minor, automerge: {min_pr_age: 1h}}")
    assert (found.choosing(WEB, "a").min_age, found.choosing(WEB, "a").max_step) == (3 * DAY, "patch")
    if landing := found.landing(WEB, "a", "patch"):
        assert landing.min_pr_age == timedelta(hours=9)


def test_the_plain_automerge_is_the_rule_with_every_key_at_its_default() -> None:
    landing = config("rules: [{automerge: true}]").landing(WEB, "a", "patch")
    assert landing is not None
    assert landing.update_types == UPDATE_TYPES
    assert landing.method == "squash"


def test_a_key_that_the_rules_own_policy_does_not_read_is_noted() -> None:
    found = config("""
rules:
  - policy: numerical
    variant: keep
    max_step: major
    range: "^1.4"
  - {policy: semver, range: ^2, order: desc}
  - {range: ^3}
""")
    assert [str(note) for note in found.notes] == [
        ".tagboat.yaml:6: rules[0].range: the policy numerical does not read it; it is for auto or semver",
        ".tagboat.yaml:7: rules[1].order: the policy semver does not read it; it is for alphabetical or numerical",
    ]
