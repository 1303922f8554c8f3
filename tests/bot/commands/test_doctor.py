"""`tagboat doctor`: every landing of a checkout, in rows; the exit status says whether one can loop or hang."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.commands.doctor import doctor
from bot.reading.origin import Origin
from bot.terminal import UsageError
from tests.servers.github.server import GitHubServer
from tests.stories.world import NOON

KEYS = ["forge", "landing", "event", "pipeline", "verdict", "loop", "file", "line", "reason", "fix"]
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
        - name: shop
          image: IMAGE:1.0.0
"""
BUILD = """name: CI
on:
  push:
    branches: [main]
  pull_request:
jobs:
  test: {runs-on: ubuntu-latest, steps: [{run: make test}]}
  image:
    if: github.event_name == 'push'
    runs-on: ubuntu-latest
    steps:
      - run: docker push ghcr.io/acme/shop:${{ github.sha }}
"""
# An Argo Events sensor of the kind that guides show, with a path that gjson does not know.
SENSOR = """apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata:
  name: pages
spec:
  dependencies:
    - name: pushed
      eventSourceName: gitlab
      eventName: pages
      filters:
        exprLogicalOperator: "and"
        data:
          - path: body.object_kind
            type: string
            value: [push]
          - path: body.project.name
            type: string
            value: [pages]
        exprs:
          - expr: branch == "refs/heads/main" || branch =~ "^refs/heads/release-"
            fields:
              - name: branch
                path: body.ref
          - expr: text !~ "skip-ci"
            fields:
              - name: text
                path: PATH
  triggers:
    - template:
        name: build
        argoWorkflow:
          operation: submit
          source:
            resource:
              kind: Workflow
              spec:
                workflowTemplateRef: {name: pages}
"""

Rows = list[dict[str, Any]]
Ask = Callable[..., tuple[int, Rows]]


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Runs the doctor on files; the exit status and its rows."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "checkout"

    def run(files: dict[str, str], forge: str | None = "github") -> tuple[int, Rows]:
        for path, text in files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        status = doctor(folder, forge=forge, json=True)  # type: ignore[arg-type]
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def of(rows: Rows, landing: str, event: str = "landing", pipeline: str | None = None) -> dict[str, Any]:
    found = [row for row in rows if (row["landing"], row["event"]) == (landing, event) and pipeline in (None, row["pipeline"])]
    assert len(found) == 1
    return found[0]


SHOP = {"deploy/app.yaml": DEPLOYMENT.replace("IMAGE", "ghcr.io/acme/shop")}


def test_rows_have_exactly_the_fields_of_the_contract(ask: Ask) -> None:
    status, rows = ask({**SHOP, ".github/workflows/ci.yml": BUILD})
    assert status == 1
    assert all(list(row) == KEYS for row in rows)
    assert {row["landing"] for row in rows} == {"squash", "merge", "rebase", "auto-merge", "queue", "push"}
    assert {row["event"] for row in rows} == {"branch", "landing"}
    assert {row["verdict"] for row in rows} <= {"starts", "skipped", "blocked", "unknown"}


def test_manifests_beside_code_on_github(ask: Ask) -> None:
    _, rows = ask({**SHOP, ".github/workflows/ci.yml": BUILD})
    for landing in ("squash", "merge", "push", "auto-merge"):
        row = of(rows, landing)
        assert (row["verdict"], row["loop"], row["file"], row["line"]) == ("skipped", False, ".github/workflows/ci.yml", 3)
        assert "tag" in row["reason"]  # a tag on that commit would be skipped
    for landing in ("rebase", "queue"):
        row = of(rows, landing)
        assert (row["verdict"], row["loop"]) == ("starts", True)
        assert 'paths-ignore: ["deploy/app.yaml"]' in row["fix"]
        assert "squash" in row["fix"]
    assert "merge_group" in of(rows, "queue", "branch")["fix"]
    assert [of(rows, landing, "branch")["verdict"] for landing in ("squash", "merge", "rebase")] == ["starts"] * 3


def test_with_the_fix_that_it_names_nothing_loops(ask: Ask) -> None:
    _, rows = ask({**SHOP, ".github/workflows/ci.yml": BUILD})
    assert "`paths-ignore" in of(rows, "rebase")["fix"]
    fixed = BUILD.replace("    branches: [main]\n", '    branches: [main]\n    paths-ignore: ["deploy/app.yaml"]\n')
    status, rows = ask({**SHOP, ".github/workflows/ci.yml": fixed})
    assert status == 0
    assert not any(row["loop"] for row in rows)
    assert of(rows, "rebase")["line"] == 5


def test_a_deploy_repository_is_left_to_deploy(ask: Ask) -> None:
    deploy = "on: {push: {branches: [main]}}\njobs: {sync: {steps: [{run: kubectl apply -f deploy/}]}}\n"
    status, rows = ask({**SHOP, ".github/workflows/deploy.yml": deploy})
    assert status == 0
    assert [(row["verdict"], row["loop"]) for row in rows if row["event"] == "landing"] == [("starts", False)] * 6


def test_a_deploy_beside_the_build_is_not_silenced(ask: Ask) -> None:
    deploy = "name: Deploy\non: {push: {branches: [main]}}\njobs: {sync: {steps: [{run: kubectl apply -f deploy/}]}}\n"
    status, rows = ask({**SHOP, ".github/workflows/ci.yml": BUILD, ".github/workflows/deploy.yml": deploy})
    assert status == 1
    assert of(rows, "squash", pipeline="Deploy")["verdict"] == "starts"
    row = of(rows, "squash", pipeline="CI")
    assert (row["verdict"], row["loop"]) == ("starts", True)
    assert "paths-ignore" in row["fix"]
    assert "squash" not in row["fix"]  # it would be no better


def test_without_anything_to_say_it_says_nothing(ask: Ask) -> None:
    assert ask(SHOP) == (0, [])


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_a_sensor_whose_path_leads_nowhere_never_starts(ask: Ask, forge: str) -> None:
    status, rows = ask({"ci/sensor.yaml": SENSOR.replace("PATH", "commits[0].message")}, forge)
    assert status == 0
    assert {(row["verdict"], row["loop"]) for row in rows} == {("skipped", False)}
    row = of(rows, "merge")
    if forge == "gitlab":
        assert "nothing ever starts" in row["reason"]
        assert "`path: body.commits.0.message`" in row["fix"]
        assert row["line"] == 27


MANIFEST = {"k8s/pages.yaml": DEPLOYMENT.replace("IMAGE", "harbor.example.com/docs/pages")}
WORKING = {**MANIFEST, "sensor.yaml": SENSOR.replace("PATH", "body.commits.0.message")}


def test_with_the_path_that_works_every_landing_holds_under_skip_ci(ask: Ask) -> None:
    status, rows = ask(WORKING, "gitlab")
    assert status == 0
    landings = [row for row in rows if row["event"] == "landing"]
    assert {row["landing"] for row in landings} == {"squash", "merge", "rebase", "fast-forward", "auto-merge", "queue", "push"}
    assert {(row["verdict"], row["loop"]) for row in landings} == {("skipped", False)}


@pytest.mark.parametrize("token", ["[skip ci]", "[ci skip]"])
def test_a_native_token_means_nothing_to_that_sensor(ask: Ask, token: str) -> None:
    status, rows = ask({**WORKING, ".tagboat.yaml": f'commits: {{marker: "{token}"}}\n'}, "gitlab")
    assert status == 1
    landings = [row for row in rows if row["event"] == "landing"]
    assert {(row["verdict"], row["loop"]) for row in landings} == {("starts", True)}
    assert all("skip-ci:" in row["fix"] for row in landings if row["landing"] != "auto-merge")


def test_a_native_token_holds_where_the_sensor_asks_for_it_and_the_newest_commit_is_read(ask: Ask) -> None:
    """`commits.0` is the oldest: after a merge commit that is the branch commit, which never carries a native token."""
    asks = SENSOR.replace('"skip-ci"', r'"\\[skip ci\\]"').replace("PATH", "body.commits.0.message")
    config = {".tagboat.yaml": 'commits: {marker: "[skip ci]"}\n'}
    status, rows = ask({**MANIFEST, "sensor.yaml": asks, **config}, "gitlab")
    assert status == 1
    assert [of(rows, way)["loop"] for way in ("squash", "merge", "rebase", "fast-forward", "push")] == [
        False,
        True,
        True,
        True,
        False,
    ]
    newest = asks.replace("body.commits.0.message", "body.commits.@reverse.0.message")
    _, rows = ask({**MANIFEST, "sensor.yaml": newest, **config}, "gitlab")
    assert [of(rows, way)["loop"] for way in ("squash", "merge", "rebase", "fast-forward", "push")] == [
        False,
        False,
        True,
        True,
        False,
    ]


def test_a_sensor_without_a_filter_on_messages_is_told_which_filter_helps_and_it_does(ask: Ask) -> None:
    bare = SENSOR.partition('          - expr: text !~ "skip-ci"')[0] + "  triggers:" + SENSOR.partition("  triggers:")[2]
    status, rows = ask({**MANIFEST, "sensor.yaml": bare}, "gitlab")
    assert status == 1
    fix = of(rows, "merge")["fix"]
    assert "body.commits.0.message" in fix
    expression = fix.partition("{expr: ")[2].partition(", fields")[0]
    added = f"          - expr: {expression}\n            fields: [{{name: msg, path: body.commits.0.message}}]\n"
    mended = bare.replace("  triggers:", added + "  triggers:", 1)
    assert ask({**MANIFEST, "sensor.yaml": mended}, "gitlab")[0] == 0


def test_what_cannot_be_evaluated_is_unknown_and_never_safe(ask: Ask) -> None:
    guarded = BUILD.replace("github.event_name == 'push'", "needs.changes.outputs.source == 'true'")
    status, rows = ask({**SHOP, ".github/workflows/ci.yml": guarded})
    assert status == 1
    row = of(rows, "rebase")
    assert (row["verdict"], row["loop"]) == ("unknown", True)
    assert "needs.changes.outputs.source" in row["reason"]
    assert row["line"] == 9


def test_a_definition_that_does_not_parse_is_unknown(ask: Ask) -> None:
    status, rows = ask({**SHOP, ".github/workflows/ci.yml": "on: [push\njobs: {\n"})
    assert status == 1
    assert {row["verdict"] for row in rows} == {"unknown"}
    assert all(row["line"] for row in rows)


def test_a_required_check_that_is_filtered_by_path_is_warned_about(ask: Ask) -> None:
    checks = 'name: Tests\non: {pull_request: {paths: ["src/**"]}}\njobs: {test: {steps: [{run: make test}]}}\n'
    _, rows = ask({**SHOP, ".github/workflows/test.yml": checks})
    row = of(rows, "squash", "branch")
    assert row["verdict"] == "skipped"
    assert "required" in row["reason"]
    assert row["fix"]


def test_gitlab_with_deploys_in_the_same_pipeline_gets_path_rules(ask: Ask) -> None:
    text = """image-build:
  rules: [{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}]
  script: ["docker push registry.example.com/acme/shop:$CI_COMMIT_SHA"]
rollout:
  rules: [{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}]
  script: [kubectl apply -f deploy/]
"""
    manifest = {"deploy/app.yaml": DEPLOYMENT.replace("IMAGE", "registry.example.com/acme/shop")}
    status, rows = ask({**manifest, ".gitlab-ci.yml": text}, "gitlab")
    assert status == 1
    assert "changes" in of(rows, "merge")["fix"]
    fixed = text.replace("DEFAULT_BRANCH}]", 'DEFAULT_BRANCH, changes: ["src/**", Dockerfile]}]', 1)
    status, rows = ask({**manifest, ".gitlab-ci.yml": fixed}, "gitlab")
    assert status == 0
    assert of(rows, "merge")["verdict"] == "starts"


def test_the_marker_can_be_turned_off_and_that_is_seen(ask: Ask) -> None:
    status, rows = ask({**SHOP, ".github/workflows/ci.yml": BUILD, ".tagboat.yaml": "commits: {marker: none}\n"})
    assert status == 1
    assert of(rows, "squash")["loop"] is True
    assert "breaker" in of(rows, "squash")["reason"]


def test_a_broken_configuration_is_wrong_usage(ask: Ask) -> None:
    with pytest.raises(UsageError, match=r"\.tagboat\.yaml:1: .*marka"):
        ask({".tagboat.yaml": "commits: {marka: none}\n"})


def test_images_that_tagboat_leaves_alone_do_not_count(ask: Ask) -> None:
    none = "rules: [{match: {images: ['ghcr.io/acme/*']}, policy: none}]\n"
    files = {**SHOP, "deploy/db.yaml": DEPLOYMENT.replace("IMAGE", "postgres"), ".github/workflows/ci.yml": BUILD}
    assert ask({**files, ".tagboat.yaml": none})[0] == 0


def test_the_settings_of_the_server_are_checked(ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = tmp_path / "other.yaml"
    app.write_text(
        'forges:\n  - {kind: github, url: "https://api.github.com", token: {env: NOBODY_SET_THIS}, repositories: ["a/b"]}\n'
    )
    ask(SHOP)
    assert doctor(tmp_path / "checkout", forge="github", app=app) == 1
    assert "NOBODY_SET_THIS" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "repository", "forge"),
    [
        ("https://github.com/acme/shop.git", "acme/shop", "github"),
        ("git@github.com:acme/shop.git", "acme/shop", "github"),
        ("ssh://git@gitlab.example.com:2222/team/sub/shop.git", "team/sub/shop", "gitlab"),
        ("https://user:secret@gitlab.com/acme/shop", "acme/shop", "gitlab"),
        ("https://git.example.com/acme/shop.git", "acme/shop", None),
        ("/srv/git/shop.git", None, None),
        ("file:///srv/git/shop.git", None, None),
    ],
)
def test_the_remote_says_what_it_is(tmp_path: Path, url: str, repository: str | None, forge: str | None) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text(f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {url}\n')
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    assert Origin.of(tmp_path) == Origin(repository, forge, "main")  # type: ignore[arg-type]


def test_the_table_for_people_names_the_loops(ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask({**SHOP, ".github/workflows/ci.yml": BUILD})
    assert doctor(tmp_path / "checkout", forge="github") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "11 cases: 2 with a loop, 0 blocked, 0 unknown."
    assert sum("\tLOOP\t" in line for line in lines) == 2


def test_credentials_are_tried_and_what_is_refused_is_named(ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask({"deploy/app.yaml": DEPLOYMENT.replace("IMAGE", "127.0.0.1:9/acme/shop")})
    app = tmp_path / "other.yaml"
    (tmp_path / "repo.git").mkdir()
    app.write_text(
        'forges: [{kind: git, url: "file:///nowhere/at/all.git"}]\nregistries: [{host: "127.0.0.1:9", insecure: true}]\n'
    )
    assert doctor(tmp_path / "checkout", forge="github", app=app) == 1
    said = capsys.readouterr().err
    assert "127.0.0.1:9: " in said
    assert not (tmp_path / "data").exists()


FILTERED = 'name: Tests\non: {pull_request: {paths: ["src/**"]}}\njobs: {unit: {name: Unit tests, steps: [{run: make test}]}}\n'


@pytest.mark.parametrize(
    ("check", "verdict", "status"),
    [
        ("Unit tests", "blocked", 1),
        ("unit", "blocked", 1),
        ("other", "skipped", 0),
        ("tagboat", "skipped", 1),
        ("tagboat settings", "skipped", 1),
    ],
)
async def test_checks_that_the_forge_demands_are_known_with_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], check: str, verdict: str, status: int
) -> None:
    async with GitHubServer(tmp_path / "github", lambda: NOON) as server:
        repo = server.world.repo("acme/shop", {"a": b"b"})
        server.world.token("secret", "tagboat-user")
        repo.permissions["tagboat-user"] = "write"
        repo.classic["main"] = {"requiresStatusChecks": True, "requiredStatusChecks": [{"context": check, "app": None}]}
        (tmp_path / "token").write_text("secret")
        row = f'{{kind: github, url: "{server.url}", token: {{file: token}}, repositories: ["acme/shop"]}}'
        (tmp_path / "app.yaml").write_text(f"forges: [{row}]\n")
        checkout = tmp_path / "checkout"
        (checkout / ".git").mkdir(parents=True)
        (checkout / ".git/config").write_text('[remote "origin"]\n\turl = https://github.com/acme/shop.git\n')
        (checkout / ".github/workflows").mkdir(parents=True)
        (checkout / ".github/workflows/test.yml").write_text(FILTERED)
        (checkout / "app.yaml").write_text(DEPLOYMENT.replace("IMAGE", "ghcr.io/acme/shop"))
        found = await asyncio.to_thread(doctor, checkout, json=True, app=tmp_path / "app.yaml")
    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert {row["verdict"] for row in rows if row["event"] == "branch"} == {verdict}
    assert found == status
    own = f"acme/shop: main requires the check `{check}`, which is Tagboat's own"
    assert (own in said.err) is check.startswith("tagboat")
