"""Definitions made to take for ever: each is answered in a moment. (A repository is not always a friend.)"""

from __future__ import annotations

import time

import pytest

from rules.ci.examples import IMAGE, PATHS, REPOSITORY
from rules.loops import Marking, Refusal, Situation, mark

PUSH = f"docker push {IMAGE}"


def _needs(count: int) -> str:
    """Each job needs the two before it: two to the power of that many ways through."""
    jobs = "".join(f"  j{n}: {{needs: [j{n - 1}, j{max(n - 2, 0)}], steps: [{{run: '{PUSH}'}}]}}\n" for n in range(1, count))
    return f"on: push\njobs:\n  j0: {{needs: [j{count - 1}], steps: []}}\n{jobs}"


def _merges(depth: int) -> str:
    lines = "".join(f"k{n}: &k{n} {{<<: [{', '.join([f'*k{n - 1}'] * 9)}]}}\n" for n in range(1, depth))
    return f"k0: &k0 {{a: b}}\n{lines}on: push\njobs: {{a: *k{depth - 1}}}\n"


def _lists(depth: int) -> str:
    lines = "".join(f".l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, depth))
    return f".l0: &l0 []\n{lines}job: {{script: *l{depth - 1}}}\n"


def _extends(depth: int) -> str:
    jobs = "".join(f".b{n}: {{extends: [{', '.join([f'.b{n - 1}'] * 9)}]}}\n" for n in range(1, depth))
    return f".b0: {{extends: .b{depth - 1}}}\n{jobs}job: {{extends: .b{depth - 1}, script: [make]}}\n"


def _orb_commands(depth: int) -> str:
    commands = "".join(f"  c{n}: {{steps: [{', '.join([f'c{n - 1}'] * 20)}]}}\n" for n in range(1, depth))
    rest = f"jobs: {{a: {{steps: [c{depth - 1}]}}}}\nworkflows: {{w: {{jobs: [a]}}}}\n"
    return f"commands:\n  c0: {{steps: [{{run: '{PUSH}'}}]}}\n{commands}{rest}"


def _reusing(count: int) -> dict[str, str]:
    jobs = "".join(f"  j{n}: {{uses: ./.github/workflows/b.yml}}\n" for n in range(count))
    text = f"on: [push, workflow_call]\njobs:\n{jobs}"
    return {".github/workflows/a.yml": text, ".github/workflows/b.yml": text}


def _composite(count: int) -> dict[str, str]:
    step = "{uses: ./a}, " * count
    return {
        ".github/workflows/a.yml": f"on: push\njobs: {{j: {{steps: [{step}]}}}}\n",
        "a/action.yml": f"runs: {{using: composite, steps: [{step}]}}\n",
    }


HOSTILE: dict[str, dict[str, str]] = {
    "needs that branch": {".github/workflows/a.yml": _needs(80)},
    "needs in a circle": {
        ".github/workflows/a.yml": "on: push\njobs: {a: {needs: b, steps: []}, b: {needs: a, steps: [{run: x}]}}\n"
    },
    "merges of merges": {".github/workflows/a.yml": _merges(12)},
    "lists of lists": {".gitlab-ci.yml": _lists(12)},
    "extends of extends": {".gitlab-ci.yml": _extends(12)},
    "extends itself": {".gitlab-ci.yml": "a: {extends: a, script: [make], rules: [{if: $X}]}\n"},
    "references itself": {".gitlab-ci.yml": "a: {script: !reference [a, script]}\n"},
    "includes itself": {".gitlab-ci.yml": "include: [.gitlab-ci.yml, '*.yml']\na: {script: [make]}\n"},
    "workflows that use each other": _reusing(60),
    "actions that use themselves": _composite(60),
    "commands of commands": {".circleci/config.yml": _orb_commands(12)},
    "requires in a circle": {".circleci/config.yml": "workflows: {w: {jobs: [a: {requires: [b]}, b: {requires: [a]}]}}\n"},
    "a long line": {
        ".github/workflows/a.yml": f"on: push\njobs: {{a: {{steps: [{{run: '{'kubectl docker push ' * 40_000}'}}]}}}}\n"
    },
    "a long name": {".github/workflows/a.yml": f"on: push\njobs: {{a: {{steps: [{{run: 'docker push {'${{' * 100_000}'}}]}}}}\n"},
    "stars": {
        ".github/workflows/a.yml": f"on: {{push: {{branches: ['{'*a' * 500}b']}}}}\njobs: {{a: {{steps: [{{run: '{PUSH}'}}]}}}}\n"
    },
    "a deep condition": {
        ".github/workflows/a.yml": f"on: push\njobs: {{a: {{if: \"{'(' * 3000}\", steps: [{{run: '{PUSH}'}}]}}}}\n"
    },
    "stages in stages": {"Jenkinsfile": "stage('a') { " * 5000 + f"sh '{PUSH}'"},
    "stages after stages": {"Jenkinsfile": f"stage('a') {{ steps {{ sh '{PUSH}' }}\n" * 2000},
    "quotes": {"Jenkinsfile": 'sh """\'' * 20_000},
    "a makefile that needs itself": {
        ".github/workflows/a.yml": "on: push\njobs: {a: {steps: [{run: make a}]}}\n",
        "Makefile": "a: b\n\tmake a\nb: a\n\tmake b\n",
    },
    "a makefile of blanks": {
        ".github/workflows/a.yml": "on: push\njobs: {a: {steps: [{run: make a}]}}\n",
        "Makefile": "a:\n" + "\t \n" * 30_000,
    },
    "a script that runs itself": {
        ".github/workflows/a.yml": "on: push\njobs: {a: {steps: [{run: ./a.sh}]}}\n",
        "a.sh": "./a.sh\n" * 1000,
    },
    "a sensor with a long expression": {
        "sensor.yaml": "kind: Sensor\nspec: {dependencies: [{filters: {exprs: [{expr: '"
        + "!" * 50_000
        + "', fields: [{name: a, path: body.ref}]}]}}], triggers: [{}]}\n"
    },
    "templates that refer to each other": {
        "argo-sensor.yaml": "kind: Sensor\nspec: {dependencies: [{name: a}], triggers: [{template: {argoWorkflow: "
        "{source: {resource: {spec: {workflowTemplateRef: {name: t}}}}}}}]}\n",
        "argo-workflow.yaml": "kind: WorkflowTemplate\nmetadata: {name: t}\nspec: {templates: ["
        + "{templateRef: {name: t}}, " * 3000
        + "]}\n",
    },
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_is_answered_in_a_moment(name: str, forge) -> None:
    definitions = {path: text.encode() for path, text in HOSTILE[name].items()}
    began = time.process_time()
    for way in ("squash", "rebase"):
        found = mark(Situation(forge, definitions, REPOSITORY, images=(IMAGE,), paths=PATHS), way)
        assert isinstance(found, Marking | Refusal)
    assert time.process_time() - began < 10
