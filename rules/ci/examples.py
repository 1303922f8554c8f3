"""The smallest repositories in which a CI loop is possible, one or more for each CI system.

The manifest stands beside the code, a push to the base branch builds the image, and nothing else runs on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rules.ci.base import ForgeName

IMAGE, REPOSITORY, PATHS = "registry.example.com/acme/shop", "acme/shop", ("deploy/app.yaml",)


@dataclass(frozen=True, slots=True)
class Example:
    """A repository with a loop in it, by one CI system; `only`: it is about one forge."""

    title: str
    system: str
    files: Mapping[str, str]
    only: ForgeName | None = None

    @property
    def definitions(self) -> dict[str, bytes]:
        return {path: text.encode() for path, text in self.files.items()}


_PUSH = "docker push registry.example.com/acme/shop:$(git rev-parse HEAD)"
_SENSOR = """apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: shop}
spec:
  dependencies:
    - name: push
      eventSourceName: forge
      eventName: push
      filters:
        exprs:
          - expr: ref == "refs/heads/main"
            fields: [{name: ref, path: body.ref}]
%s  triggers:
    - template:
        name: build
        argoWorkflow:
          operation: submit
          source: {resource: {spec: {workflowTemplateRef: {name: shop}}}}
"""
_GUARD = """          - expr: msg !~ "skip-ci"
            fields: [{name: msg, path: %s}]
"""
EXAMPLES: tuple[Example, ...] = (
    Example(
        "GitHub Actions",
        "github-actions",
        {
            ".github/workflows/ci.yml": f"""on:
  push: {{branches: [main]}}
  pull_request:
jobs:
  test: {{runs-on: ubuntu-latest, steps: [{{run: make test}}]}}
  image:
    if: github.event_name == 'push'
    runs-on: ubuntu-latest
    steps: [{{run: '{_PUSH}'}}]
"""
        },
    ),
    Example(
        "GitHub Actions, `paths-ignore`",
        "github-actions",
        {
            ".github/workflows/ci.yml": f"""on:
  push: {{branches: [main], paths-ignore: ["deploy/**"]}}
  pull_request:
jobs:
  image:
    if: github.event_name == 'push'
    steps: [{{run: '{_PUSH}'}}]
"""
        },
    ),
    Example(
        "GitLab CI",
        "gitlab-ci",
        {
            ".gitlab-ci.yml": f"""test:
  rules: [{{if: $CI_MERGE_REQUEST_IID}}]
  script: [make test]
build-image:
  rules: [{{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}}]
  script: ['{_PUSH}']
"""
        },
    ),
    Example(
        "GitLab CI, a rule on `skip-ci`",
        "gitlab-ci",
        {
            ".gitlab-ci.yml": f"""build-image:
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_COMMIT_TITLE !~ /^skip-ci/
  script: ['{_PUSH}']
"""
        },
    ),
    Example(
        "Jenkins, GitLab plugin",
        "jenkins",
        {
            "Jenkinsfile": "pipeline { triggers { gitlab(triggerOnPush: true) } stages { stage('Image') { "
            f"steps {{ sh '{_PUSH}' }} }} }} }}\n"
        },
    ),
    Example(
        "Jenkins, SCM Skip",
        "jenkins",
        {
            "Jenkinsfile": "pipeline { stages { stage('Image') { when { branch 'main' } "
            f"steps {{ scmSkip()\nsh '{_PUSH}' }} }} }} }}\n"
        },
    ),
    Example(
        "Jenkins, `changelog` on `skip-ci`",
        "jenkins",
        {
            "Jenkinsfile": "pipeline { stages { stage('Image') { when { branch 'main'; not { changelog '.*skip-ci.*' } } "
            f"steps {{ sh '{_PUSH}' }} }} }} }}\n"
        },
    ),
    Example(
        "Jenkins, nothing of these",
        "jenkins",
        {"Jenkinsfile": f"pipeline {{ stages {{ stage('Image') {{ when {{ branch 'main' }} steps {{ sh '{_PUSH}' }} }} }} }}\n"},
    ),
    Example("Argo Events, oldest commit", "argo-events", {"sensor.yaml": _SENSOR % (_GUARD % "body.commits.0.message")}),
    Example(
        "Argo Events, newest commit",
        "argo-events",
        {"sensor.yaml": _SENSOR % (_GUARD % "body.head_commit.message")},
        only="github",
    ),
    Example("Argo Events, no filter on messages", "argo-events", {"sensor.yaml": _SENSOR % ""}),
    Example(
        "Tekton Triggers, CEL on `skip-ci`",
        "tekton-triggers",
        {
            "trigger.yaml": """apiVersion: triggers.tekton.dev/v1beta1
kind: Trigger
metadata: {name: shop}
spec:
  interceptors:
    - ref: {name: cel}
      params:
        - name: filter
          value: "body.ref == 'refs/heads/main' && !body.commits[0].message.startsWith('skip-ci')"
  template: {ref: shop}
"""
        },
    ),
    Example(
        "Pipelines-as-Code",
        "pipelines-as-code",
        {
            ".tekton/push.yaml": f"""apiVersion: tekton.dev/v1
kind: PipelineRun
metadata:
  name: shop
  annotations:
    pipelinesascode.tekton.dev/on-event: "[push]"
    pipelinesascode.tekton.dev/on-target-branch: "[main]"
spec:
  pipelineSpec: {{tasks: [{{taskSpec: {{steps: [{{image: docker, script: '{_PUSH}'}}]}}}}]}}
"""
        },
    ),
    Example(
        "CircleCI",
        "circleci",
        {
            ".circleci/config.yml": f"""jobs:
  image: {{steps: [{{run: '{_PUSH}'}}]}}
workflows:
  main: {{jobs: [{{image: {{filters: {{branches: {{only: main}}}}}}}}]}}
"""
        },
    ),
    Example(
        "Azure Pipelines",
        "azure-pipelines",
        {"azure-pipelines.yml": f"trigger: [main]\npr: none\nsteps: [{{script: '{_PUSH}'}}]\n"},
    ),
    Example(
        "Drone",
        "drone",
        {
            ".drone.yml": "kind: pipeline\ntrigger: {branch: [main], event: [push]}\n"
            f"steps: [{{name: image, image: docker, commands: ['{_PUSH}']}}]\n"
        },
    ),
    Example(
        "Woodpecker",
        "woodpecker",
        {
            ".woodpecker.yml": "when: {event: push, branch: main}\n"
            f"steps: [{{name: image, image: docker, commands: ['{_PUSH}']}}]\n"
        },
    ),
    Example(
        "Buildkite", "buildkite", {".buildkite/pipeline.yml": f"steps: [{{label: image, branches: main, command: '{_PUSH}'}}]\n"}
    ),
    Example("Travis CI", "travis", {".travis.yml": f"branches: {{only: [main]}}\nscript: ['{_PUSH}']\n"}),
    Example(
        "Bitbucket Pipelines",
        "bitbucket",
        {"bitbucket-pipelines.yml": f"pipelines: {{branches: {{main: [{{step: {{script: ['{_PUSH}']}}}}]}}}}\n"},
    ),
)
