"""Which marker a landing takes: on repositories small enough to see the whole of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules import ci
from rules.loops import Marking, Refusal, Situation, included, is_definition, made_here, mark, suspect

SHOP, PATHS = "ghcr.io/acme/shop", ("deploy/app.yaml",)
PUSH = "docker push ghcr.io/acme/shop:${{ github.sha }}"


def github(*flows: str, repository: str | None = "acme/shop", **others: str) -> Situation:
    files = {f".github/workflows/{number}.yml": flow.encode() for number, flow in enumerate(flows)}
    files |= {path.replace("__", "/"): text.encode() for path, text in others.items()}
    return Situation("github", files, repository, images=(SHOP,), paths=PATHS)


def gitlab(text: str, **others: str) -> Situation:
    files = {".gitlab-ci.yml": text.encode()} | {
        path.replace("__", "/") + ".yml": other.encode() for path, other in others.items()
    }
    return Situation("gitlab", files, "acme/shop", images=("registry.example.com/acme/shop",), paths=PATHS)


def flow(on: str, run: str = PUSH, condition: str = "") -> str:
    guard = f"    if: {condition}\n" if condition else ""
    return f"name: CI\non: {on}\njobs:\n  one:\n{guard}    steps:\n      - run: {run}\n"


MAIN = "{push: {branches: [main]}}"


def token(situation: Situation, way="squash") -> str | None:
    found = mark(situation, way)
    assert isinstance(found, Marking), found
    return found.token


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (MAIN, "[skip ci]"),
        ("push", "[skip ci]"),
        ("[push, pull_request]", "[skip ci]"),
        ("{push: {branches: ['**']}}", "[skip ci]"),
        ("{push: {branches: [main], paths: ['src/**']}}", None),
        ("{push: {branches: [main], paths: ['**', '!deploy/**']}}", None),
        ("{push: {branches: [main], paths: ['deploy/**']}}", "[skip ci]"),
        ("{push: {branches: [main], paths-ignore: ['deploy/**']}}", None),
        ("{push: {branches: [main], paths-ignore: ['docs/**']}}", "[skip ci]"),
        ("{push: {branches: [release]}}", None),
        ("{push: {branches-ignore: [main]}}", None),
        ("{push: {tags: ['v*']}}", None),
        ("{push: {branches: [main], tags: ['v*']}}", "[skip ci]"),
        ("{schedule: [{cron: '0 0 * * *'}]}", None),
        ("workflow_dispatch", None),
        ("{release: {types: [published]}}", None),
    ],
)
def test_what_a_workflow_listens_to(on: str, expected: str | None) -> None:
    assert token(github(flow(on))) == expected


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("docker buildx build --push -t ghcr.io/acme/shop .", "[skip ci]"),
        ("docker build -t ghcr.io/acme/shop . && docker push ghcr.io/acme/shop", "[skip ci]"),
        ("docker build -t ghcr.io/acme/shop .", None),  # it stays on the machine
        ("docker push ghcr.io/${{ github.repository }}:x", "[skip ci]"),
        ("docker push ghcr.io/acme/other:x", None),
        ("docker push $IMAGE", "[skip ci]"),  # it may be any
        ("make test", None),
        ("kubectl apply -f deploy/", None),
        ("buildah push ghcr.io/acme/shop", "[skip ci]"),
        ("ko build ./cmd/shop", "[skip ci]"),
        ("/kaniko/executor --destination=ghcr.io/acme/shop:1", "[skip ci]"),
        ("/kaniko/executor --no-push", None),
        ("skopeo copy docker://a/b docker://ghcr.io/acme/shop:1", "[skip ci]"),
    ],
)
def test_what_counts_as_building_the_image(run: str, expected: str | None) -> None:
    assert token(github(flow(MAIN, run))) == expected


ACTION = """on: {push: {branches: [main]}, pull_request: {}}
jobs:
  image:
    steps:
      - id: meta
        uses: docker/metadata-action@v5
        with: {images: "ghcr.io/${{ github.repository }}"}
      - uses: docker/build-push-action@v6
        with: {push: PUSH, tags: "${{ steps.meta.outputs.tags }}"}
"""


@pytest.mark.parametrize(
    ("push", "expected"),
    [
        ("true", "[skip ci]"),
        ("false", None),
        ("\"${{ github.event_name != 'pull_request' }}\"", "[skip ci]"),
        ("\"${{ github.ref_type == 'tag' }}\"", None),
    ],
)
def test_the_build_push_action(push: str, expected: str | None) -> None:
    assert token(github(ACTION.replace("PUSH", push))) == expected


def test_a_matrix_names_several_images() -> None:
    text = """on: {push: {branches: [main]}}
jobs:
  image:
    strategy: {matrix: {service: [shop, api]}}
    steps: [{run: "docker push ghcr.io/acme/${{ matrix.service }}:x"}]
"""
    assert token(github(text)) == "[skip ci]"
    assert token(replace(github(text), images=("ghcr.io/acme/db",))) is None


def test_a_reusable_workflow_of_the_repository_is_followed() -> None:
    caller = (
        "on: {push: {branches: [main]}}\njobs: {image: {uses: ./.github/workflows/1.yml, with: {image: ghcr.io/acme/shop}}}\n"
    )
    called = (
        "on: {workflow_call: {inputs: {image: {type: string}}}}\njobs: {a: {steps: [{run: 'docker push ${{ inputs.image }}'}]}}\n"
    )
    assert token(github(caller, called)) == "[skip ci]"
    assert token(replace(github(caller, called), images=("ghcr.io/acme/db",))) is None


def test_a_makefile_is_followed() -> None:
    makefile = "IMAGE := ghcr.io/acme/shop\nrelease: image\n\tdocker push $(IMAGE):$(TAG)\nimage:\n\tdocker build -t $(IMAGE) .\n"
    assert token(github(flow(MAIN, "make release"), Makefile=makefile)) == "[skip ci]"
    assert token(github(flow(MAIN, "make image"), Makefile=makefile)) is None


def test_a_build_that_runs_after_another_workflow() -> None:
    tests, image = (
        flow(MAIN, "make test"),
        flow("{workflow_run: {workflows: [CI], types: [completed]}}").replace("name: CI", "name: Image"),
    )
    assert token(github(tests, image)) == "[skip ci]"


def test_a_build_at_the_end_of_a_request_is_not_kept_away_by_the_landing_commit() -> None:
    """It reads the newest commit of the request, which never carries a token, so a marker is no help."""
    found = mark(github(flow("{pull_request: {types: [closed]}}", condition="github.event.pull_request.merged")), "squash")
    assert isinstance(found, Refusal)


def test_words_of_the_repository_come_before_tokens() -> None:
    guard = "\"!contains(github.event.head_commit.message, '[no image]')\""
    found = mark(github(flow(MAIN, condition=guard)), "squash")
    assert isinstance(found, Marking)
    assert (found.token, found.prefix, found.on_branch) == ("[no image]", False, True)
    assert found.mark("Update shop") == "Update shop [no image]"


def test_a_word_keeps_the_deploy_that_a_token_would_silence() -> None:
    guard = "\"!startsWith(github.event.head_commit.message, 'skip-ci')\""
    deploy = flow(MAIN, "kubectl apply -f deploy/").replace("name: CI", "name: Deploy")
    assert token(github(flow(MAIN, condition=guard), deploy)) == "skip-ci:"
    assert isinstance(mark(github(flow(MAIN), deploy), "squash"), Refusal)
    assert token(github(flow(MAIN), flow(MAIN, "make test"))) == "[skip ci]"  # its checks ran for the request


@pytest.mark.parametrize(
    "run", ["kubectl apply -f deploy/", "helm upgrade shop chart/", "argocd app sync shop", "trivy fs .", "npm publish"]
)
def test_what_else_runs_on_the_push_is_not_silenced(run: str) -> None:
    found = mark(github(flow(MAIN), flow(MAIN, run)), "squash")
    assert isinstance(found, Refusal)
    assert "paths-ignore" in found.fix


def test_a_bump_in_a_dockerfile_wants_its_build() -> None:
    both = replace(github(flow(MAIN)), images=("docker.io/library/node", SHOP), paths=("Dockerfile", "deploy/app.yaml"))
    assert token(both) is None
    assert token(replace(both, images=("docker.io/library/node",), paths=("Dockerfile",))) is None
    assert isinstance(mark(replace(both, images=(SHOP,)), "squash"), Refusal)


def test_an_image_whose_label_names_another_repository_is_not_built_here() -> None:
    situation = github(flow(MAIN, "docker push $IMAGE"))
    assert token(replace(situation, sources={SHOP: "https://github.com/acme/elsewhere"})) is None
    assert token(replace(situation, sources={SHOP: "https://github.com/acme/shop"})) == "[skip ci]"


def test_markers_can_be_turned_off() -> None:
    found = mark(replace(github(flow(MAIN)), marker="none"), "squash")
    assert isinstance(found, Marking)
    assert found.token is None
    assert "breaker" in found.reason


@pytest.mark.parametrize("way", ["squash", "merge", "push"])
def test_a_text_of_ones_own_is_carried_where_it_can_be(way) -> None:
    deploys = replace(github(flow(MAIN, "kubectl apply -f deploy/")), marker="[ci skip]")
    found = mark(deploys, way)
    assert isinstance(found, Marking)
    assert found.token == "[ci skip]"
    assert "silences CI" in found.reason


@pytest.mark.parametrize("way", ["rebase", "queue"])
def test_a_text_of_ones_own_does_not_excuse_a_loop(way) -> None:
    assert token(replace(github(flow(MAIN, "make test")), marker="[ci skip]"), way) is None
    assert isinstance(mark(replace(github(flow(MAIN)), marker="[ci skip]"), way), Refusal)
    wrong = mark(replace(github(flow(MAIN)), marker="skip-ci:"), "squash")
    assert isinstance(wrong, Refusal)
    assert "auto" in wrong.fix


def test_a_native_token_never_goes_on_the_branch() -> None:
    guard = "\"!contains(github.event.head_commit.message, '[skip ci]')\""
    for situation in (github(flow(MAIN, condition=guard)), replace(github(flow(MAIN)), marker="[ci skip]")):
        found = mark(situation, "squash")
        assert isinstance(found, Marking)
        assert found.token is not None
        assert ci.is_native(found.token)
        assert not found.on_branch


def test_gitlab_includes_and_extends_are_followed() -> None:
    text = "include: {local: /ci/image.yml}\ntest: {script: [make test]}\n"
    base = ".on-main: {rules: [{if: $CI_COMMIT_BRANCH == 'main'}]}\n"
    image = f"{base}images:\n  extends: .on-main\n  script:\n    - docker push $CI_REGISTRY_IMAGE:1\n"
    assert token(gitlab(text, ci__image=image)) == "[skip ci]"
    assert token(gitlab(text, ci__image=image.replace("== 'main'", "== 'release'"))) is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("rules: [{if: $CI_COMMIT_BRANCH == 'main'}]", "[skip ci]"),
        ("rules: [{if: $CI_COMMIT_TAG}]", None),
        ("rules: [{if: $CI_COMMIT_BRANCH == 'main', when: manual}]", None),
        ("rules: [{changes: [Dockerfile, 'src/**/*']}]", None),
        ("rules: [{changes: ['deploy/*']}]", "[skip ci]"),
        ("rules: [{if: $CI_COMMIT_TITLE =~ /^skip-ci/, when: never}, {if: $CI_COMMIT_BRANCH}]", "skip-ci:"),
        ("only: [main]", "[skip ci]"),
        ("only: [tags]", None),
        ("only: {refs: [main], changes: ['src/**/*']}", None),
        ("except: [main]", None),
        ("except: {variables: [$CI_COMMIT_MESSAGE =~ /no-image/]}", "no-image:"),
        ("when: manual", None),
        ("variables: {A: b}", "[skip ci]"),
    ],
)
def test_gitlab_rules(rule: str, expected: str | None) -> None:
    assert token(gitlab(f"images:\n  {rule}\n  script:\n    - docker push $CI_REGISTRY_IMAGE:1\n")) == expected


def test_gitlab_workflow_rules_decide_first() -> None:
    text = (
        "workflow: {rules: [{if: $CI_COMMIT_BRANCH == 'release'}]}\nimages:\n  script:\n    - docker push $CI_REGISTRY_IMAGE:1\n"
    )
    assert token(gitlab(text)) is None


def test_includes_are_asked_for_wherever_they_stand() -> None:
    definitions = {".gitlab-ci.yml": b"include: [{local: /parts/a.yml}, {local: 'more/*.yml'}, {remote: 'https://x/y.yml'}]\n"}
    paths = ["parts/a.yml", "parts/b.yml", "more/c.yml", "more/d.txt", ".gitlab-ci.yml"]
    assert included(definitions, paths) == {"parts/a.yml", "more/c.yml"}
    assert included({**definitions, "parts/a.yml": b"include: /parts/b.yml\n"}, paths) == {"parts/b.yml", "more/c.yml"}
    assert included({"a": b""}, paths) == frozenset()


def test_what_is_included_from_elsewhere_is_not_safe() -> None:
    found = mark(gitlab("include: {project: acme/templates, file: image.yml}\n"), "rebase")
    assert isinstance(found, Refusal)
    assert "acme/templates" in found.reason


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".github/workflows/ci.yml", True),
        (".github/actions/build/action.yml", True),
        (".gitlab-ci.yml", True),
        ("ci/build.gitlab-ci.yml", True),
        ("Jenkinsfile", True),
        ("deploy/Jenkinsfile.prod", True),
        ("argo-events/sensor.yaml", True),
        ("k8s/build-sensor.yaml", True),
        (".tekton/push.yaml", True),
        ("tekton/triggers.yaml", True),
        (".circleci/config.yml", True),
        ("azure-pipelines.yml", True),
        (".drone.yml", True),
        (".woodpecker/build.yml", True),
        (".buildkite/pipeline.yml", True),
        ("bitbucket-pipelines.yml", True),
        (".travis.yml", True),
        ("Dockerfile", True),
        ("images/shop/Dockerfile", True),
        ("Makefile", True),
        ("scripts/build.sh", True),
        ("deploy/app.yaml", False),
        ("README.md", False),
        ("src/main.go", False),
        ("charts/shop/values.yaml", False),
    ],
)
def test_which_files_are_read(path: str, expected: bool) -> None:
    assert is_definition(path) is expected


def test_plain_git_goes_by_what_is_defined() -> None:
    situation = replace(github(flow(MAIN), repository=None), forge="git")
    assert token(situation, "squash") == token(situation, "merge") == token(situation, "push") == "[skip ci]"
    assert isinstance(mark(situation, "fast-forward"), Refusal)
    assert isinstance(mark(situation, "rebase"), Refusal)
    sensor = replace(
        situation,
        definitions={"bitbucket-pipelines.yml": b"pipelines: {default: [{step: {script: [docker push ghcr.io/acme/shop]}}]}"},
    )
    assert token(sensor, "squash") == "[skip ci]"
    assert isinstance(mark(sensor, "merge"), Refusal)  # which commit of two is read is not confirmed


def test_a_marked_commit_and_tags() -> None:
    found = mark(github(flow("{push: {branches: [main], tags: ['v*']}}")), "squash")
    assert isinstance(found, Marking)
    assert "tag" in found.reason


def test_the_suspect_and_whether_the_image_is_made_here() -> None:
    assert suspect(github(flow(MAIN))) == "CI in .github/workflows/0.yml"
    assert suspect(github(flow(MAIN, "make test"))) is None
    assert made_here(github(flow(MAIN))) is True
    assert made_here(github(flow(MAIN, "kubectl apply -f x"))) is False
    assert (
        made_here(replace(github(), definitions={"Dockerfile": b""})) is None
    )  # called like the repository, and a recipe is there
    assert made_here(replace(github(), definitions={})) is False
    assert made_here(replace(github(), definitions={}, sources={SHOP: "https://github.com/acme/shop"})) is True
