"""What a push starts in each CI system, one small definition after the other."""

from __future__ import annotations

from typing import Any

import pytest

from rules.ci import (
    argo_events,
    azure_pipelines,
    bitbucket,
    buildkite,
    circleci,
    drone,
    github_actions,
    gitlab_ci,
    jenkins,
    pipelines_as_code,
    tekton_triggers,
    travis,
    woodpecker,
)
from rules.ci.base import Commit, Event, Push, Request, Unreadable, every

IMAGE, PATHS = "docker push acme/shop:1", ("deploy/app.yaml",)


def push(*messages: str, branch: str = "main", forge: Any = "github", paths: tuple[str, ...] = PATHS) -> Push:
    commits = tuple(Commit(message, paths) for message in messages or ("Update shop",))
    return Push(forge, branch, commits, repository="acme/shop", created=branch != "main")


def request(
    message: str = "Update shop", *, title: str = "Update shop", body: str = "", action: Any = "opened", forge: Any = "github"
) -> Request:
    return Request(forge, action, title, body, "tagboat/shop", Commit(message, PATHS), repository="acme/shop")


def answer(system: Any, files: dict[str, str], event: Event) -> str:
    """What becomes of the job that builds."""
    pipelines = list(system.read({path: text.encode() for path, text in files.items()}, "acme/shop"))
    assert pipelines
    assert not any(isinstance(one, Unreadable) for one in pipelines), pipelines
    told = [
        every([pipeline.start(event), pipeline.run(job, event)]).answer
        for pipeline in pipelines
        for job in pipeline.jobs
        if job.work.built or job.work.opaque
    ]
    assert told, "no job builds"
    return min(told, key=("yes", "unknown", "no").index)


MAIN, BRANCH, MARKED, LOWER = push(), push(branch="tagboat/shop"), push("Update shop [skip ci]"), push("Update shop [ci skip]")
SOURCE = push(paths=("src/a.go",))
HYPHEN, UPPER = push("Update shop [ci-skip]"), push("Update shop [CI SKIP]")
MERGED = push("Update shop", "Update shop (#7) [skip ci]")
OPENED, LANDED = request(), request(action="merged")


def circle(filters: str = "") -> dict[str, str]:
    jobs = f"[image: {{{filters}}}]" if filters else "[image]"
    return {".circleci/config.yml": f"jobs: {{image: {{steps: [{{run: '{IMAGE}'}}]}}}}\nworkflows: {{main: {{jobs: {jobs}}}}}\n"}


@pytest.mark.parametrize(
    ("filters", "event", "expected"),
    [
        ("", MAIN, "yes"),
        ("", BRANCH, "yes"),
        ("", OPENED, "no"),
        ("", MARKED, "no"),
        ("", LOWER, "no"),
        ("", MERGED, "no"),
        ("", push("x" * 260 + " [skip ci]"), "unknown"),  # behind the first 250 characters
        ("", UPPER, "unknown"),
        ("", HYPHEN, "yes"),
        ("filters: {branches: {only: main}}", BRANCH, "no"),
        ("filters: {branches: {only: /ma.*/}}", MAIN, "yes"),
        ("filters: {branches: {ignore: [main]}}", MAIN, "no"),
        ("requires: [held]", MAIN, "yes"),
    ],
)
def test_circleci(filters: str, event: Event, expected: str) -> None:
    assert answer(circleci, circle(filters), event) == expected


def test_circleci_waits_for_a_person() -> None:
    flow = "workflows: {main: {jobs: [held: {type: approval}, image: {requires: [held]}]}}\n"
    text = f"jobs: {{image: {{steps: [{{run: '{IMAGE}'}}]}}}}\n{flow}"
    assert answer(circleci, {".circleci/config.yml": text}, MAIN) == "no"


def test_circleci_follows_commands_and_asks_orbs_for_names() -> None:
    text = f"""commands: {{ship: {{steps: [{{run: '{IMAGE}'}}]}}}}
jobs: {{image: {{steps: [checkout, ship]}}}}
workflows: {{main: {{jobs: [image, docker/publish: {{image: acme/shop}}]}}}}
"""
    assert answer(circleci, {".circleci/config.yml": text}, MAIN) == "yes"


@pytest.mark.parametrize(
    ("head", "event", "expected"),
    [
        ("trigger: [main]", MAIN, "yes"),
        ("trigger: [main]", BRANCH, "no"),
        ("trigger: none", MAIN, "no"),
        ("trigger: {branches: {include: [releases/*]}}", MAIN, "no"),
        ("trigger: {branches: {include: ['*'], exclude: [main]}}", MAIN, "no"),
        ("trigger: {branches: {include: [main]}, paths: {exclude: [deploy]}}", MAIN, "no"),
        ("trigger: {branches: {include: [main]}, paths: {exclude: [deploy]}}", SOURCE, "yes"),
        ("trigger: {branches: {include: [main]}, paths: {include: [src]}}", MAIN, "no"),
        ("trigger: {branches: {include: [main]}, paths: {include: ['*'], exclude: ['deploy/*']}}", MAIN, "no"),
        ("trigger: [main]", MARKED, "unknown"),
        ("trigger: [main]\npr: none", OPENED, "no"),
        ("trigger: [main]", OPENED, "yes"),
        ("trigger: [main]", LANDED, "no"),
    ],
)
def test_azure_pipelines(head: str, event: Event, expected: str) -> None:
    assert answer(azure_pipelines, {"azure-pipelines.yml": f"{head}\nsteps: [{{script: '{IMAGE}'}}]\n"}, event) == expected


@pytest.mark.parametrize(
    ("trigger", "when", "event", "expected"),
    [
        ("{branch: [main]}", "{}", MAIN, "yes"),
        ("{branch: [main]}", "{}", BRANCH, "no"),
        ("{event: [push]}", "{}", OPENED, "no"),
        ("{event: {exclude: [push]}}", "{}", MAIN, "no"),
        ("{branch: {exclude: [tagboat/*]}}", "{}", BRANCH, "no"),
        ("{}", "{event: [tag]}", MAIN, "no"),
        ("{}", "{}", UPPER, "no"),
        ("{}", "{}", MARKED, "unknown"),
        ("{}", "{}", LANDED, "no"),
        ("{cron: [nightly]}", "{}", MAIN, "unknown"),
    ],
)
def test_drone(trigger: str, when: str, event: Event, expected: str) -> None:
    steps = f"[{{name: image, image: plugins/docker, settings: {{repo: acme/shop}}, when: {when}}}]"
    text = f"kind: pipeline\ntrigger: {trigger}\nsteps: {steps}\n"
    assert answer(drone, {".drone.yml": text}, event) == expected


@pytest.mark.parametrize(
    ("when", "event", "expected"),
    [
        ("{event: push, branch: main}", MAIN, "yes"),
        ("{event: push, branch: main}", BRANCH, "no"),
        ("{event: push}", MARKED, "no"),
        ("{event: push}", UPPER, "no"),
        ("{event: push}", push("x [skip  ci]"), "no"),
        ("{event: push}", HYPHEN, "yes"),
        ("{event: pull_request}", request("Update [skip ci]"), "yes"),  # read at pushes only
        ("{event: push, path: {exclude: ['deploy/**']}}", MAIN, "no"),
        ("{event: push, path: 'src/**'}", MAIN, "no"),
        ("{event: push, path: 'src/**'}", SOURCE, "yes"),
        ("[{event: tag}, {event: push, branch: main}]", MAIN, "yes"),
        ("{event: push, evaluate: 'CI_COMMIT_AUTHOR != \"x\"'}", MAIN, "unknown"),
        ("{event: pull_request_closed}", LANDED, "yes"),
    ],
)
def test_woodpecker(when: str, event: Event, expected: str) -> None:
    text = f"when: {when}\nsteps: {{image: {{image: woodpeckerci/plugin-docker-buildx, settings: {{repo: acme/shop}}}}}}\n"
    assert answer(woodpecker, {".woodpecker.yml": text}, event) == expected


@pytest.mark.parametrize(
    ("step", "event", "expected"),
    [
        ("", MAIN, "yes"),
        ("branches: main", BRANCH, "no"),
        ("branches: '!main'", MAIN, "no"),
        ("branches: 'release/*'", MAIN, "no"),
        ("if: build.branch == 'main'", BRANCH, "no"),
        ("if: build.message !~ /^skip-ci/", push("skip-ci: x"), "no"),
        ("if: build.pull_request.id == null", OPENED, "no"),
        ("if: build.env('X') == 'y'", MAIN, "unknown"),
        ("if_changed: 'src/**'", MAIN, "no"),
        ("if_changed: {include: ['**'], exclude: ['deploy/**']}", MAIN, "no"),
        ("", MARKED, "no"),
        ("", HYPHEN, "no"),
        ("", UPPER, "unknown"),
        ("", request(title="x [skip ci]"), "no"),
        ("", LANDED, "no"),
    ],
)
def test_buildkite(step: str, event: Event, expected: str) -> None:
    text = f"steps:\n  - command: {IMAGE}\n    {step}\n"
    assert answer(buildkite, {".buildkite/pipeline.yml": text}, event) == expected


@pytest.mark.parametrize(
    ("head", "event", "expected"),
    [
        ("branches: {only: [main]}", MAIN, "yes"),
        ("branches: {only: [main]}", BRANCH, "no"),
        ("branches: {only: [/^release/]}", MAIN, "no"),
        ("branches: {except: [main]}", MAIN, "no"),
        ("if: branch = main", MAIN, "unknown"),
        ("os: linux", MARKED, "no"),
        ("os: linux", push("x [skip travis]"), "no"),
        ("os: linux", push("x [travis-ci skip]"), "no"),
        ("os: linux", UPPER, "unknown"),
        ("os: linux", LANDED, "no"),
    ],
)
def test_travis(head: str, event: Event, expected: str) -> None:
    assert answer(travis, {".travis.yml": f"{head}\nscript: ['{IMAGE}']\n"}, event) == expected


CHANGED = "condition: {changesets: {includePaths: ['src/**']}}"


@pytest.mark.parametrize(
    ("place", "event", "expected"),
    [
        ("branches: {main: STEPS}", MAIN, "yes"),
        ("branches: {main: STEPS}", BRANCH, "no"),
        ("branches: {main: STEPS}", MARKED, "no"),
        ("branches: {main: STEPS}", MERGED, "unknown"),
        ("branches: {main: STEPS}", HYPHEN, "yes"),
        ("default: STEPS", MAIN, "yes"),
        ("pull-requests: {'**': STEPS}", MAIN, "no"),
        ("pull-requests: {'**': STEPS}", OPENED, "yes"),
        ("branches: {main: [{step: {trigger: manual, script: ['docker push acme/shop']}}]}", MAIN, "no"),
        ("branches: {main: [{parallel: STEPS}]}", MAIN, "yes"),
        (
            f"branches: {{main: [{{step: {{{CHANGED}, script: ['docker push acme/shop']}}}}]}}",
            MAIN,
            "no",
        ),
    ],
)
def test_bitbucket(place: str, event: Event, expected: str) -> None:
    text = f"pipelines: {{{place.replace('STEPS', '[{step: {script: [docker push acme/shop]}}]')}}}\n"
    assert answer(bitbucket, {"bitbucket-pipelines.yml": text}, event) == expected


def stage(when: str = "", more: str = "", before: str = "") -> dict[str, str]:
    guard = f"when {{ {when} }}" if when else ""
    return {
        "Jenkinsfile": f"pipeline {{ {before} stages {{ stage('Image') {{ {guard}\nsteps {{ {more}\nsh '{IMAGE}' }} }} }} }}\n"
    }


PLUGIN = "triggers { gitlab(triggerOnPush: true) }"


@pytest.mark.parametrize(
    ("files", "event", "expected"),
    [
        (stage(), MAIN, "yes"),
        (stage(), MARKED, "yes"),  # nothing reads it
        (stage(), HYPHEN, "yes"),
        (stage(before=PLUGIN), push("x [ci-skip]", forge="gitlab"), "no"),
        (stage(before=PLUGIN), push("x [CI-SKIP]", forge="gitlab"), "yes"),
        (stage(before=PLUGIN), push("x [ci skip]", forge="gitlab"), "yes"),
        (stage(before=PLUGIN), push("x [ci-skip]", "merge", forge="gitlab"), "yes"),  # the last of them counts
        (stage(before=PLUGIN), push("x", "merge [ci-skip]", forge="gitlab"), "no"),
        (stage(before=PLUGIN), HYPHEN, "yes"),  # it is a plugin for GitLab
        (stage(before=PLUGIN), request(body="[ci-skip]", forge="gitlab"), "no"),
        (stage(before=PLUGIN.replace("true", "true, ciSkip: false")), push("x [ci-skip]", forge="gitlab"), "yes"),
        (stage(more="scmSkip()"), LOWER, "no"),
        (stage(more="scmSkip()"), MARKED, "yes"),  # its pattern is `[ci skip]`
        (stage(more="scmSkip()"), push("x", "y [ci skip]"), "yes"),  # every commit has to have it
        (stage(more="scmSkip()"), push("x [ci skip]", "y [ci skip]"), "no"),
        (stage(more="scmSkip(skipPattern: '.*NOBUILD.*')"), push("NOBUILD x"), "no"),
        (stage("branch 'main'"), MAIN, "yes"),
        (stage("branch 'main'"), BRANCH, "no"),
        (stage("branch 'main'"), OPENED, "no"),
        (stage("changeset 'src/**'"), MAIN, "no"),
        (stage("changeset 'src/**'"), SOURCE, "yes"),
        (stage("not { changelog '.*skip-ci.*' }"), push("skip-ci: x"), "no"),
        (stage("not { changelog '.*skip-ci.*' }"), MAIN, "yes"),
        (stage("not { changelog 'skip-ci' }"), push("skip-ci: x"), "unknown"),  # a part of the message may do or not
        (stage("allOf { branch 'main'; not { changeRequest() } }"), MAIN, "yes"),
        (stage("anyOf { branch 'dev'; branch 'main' }"), MAIN, "yes"),
        (stage("anyOf { branch 'dev'; branch 'test' }"), MAIN, "no"),
        (stage("buildingTag()"), MAIN, "no"),
        (stage("expression { return env.X == 'y' }"), MAIN, "unknown"),
        (stage("not { expression { true } }"), MAIN, "unknown"),
        (stage(), LANDED, "no"),
        ({"Jenkinsfile": "@Library('ours') _\nstandardPipeline()\n"}, MAIN, "yes"),
        ({"Jenkinsfile": "// sh 'docker push acme/x'\nnode { docker.build('acme/shop').push() }\n"}, MAIN, "yes"),
    ],
)
def test_jenkins(files: dict[str, str], event: Event, expected: str) -> None:
    assert answer(jenkins, files, event) == expected


def run(*annotations: str) -> dict[str, str]:
    lines = "".join(f"    pipelinesascode.tekton.dev/{one}\n" for one in annotations)
    spec = f"  pipelineSpec: {{tasks: [{{taskSpec: {{steps: [{{image: docker, script: '{IMAGE}'}}]}}}}]}}\n"
    return {".tekton/run.yaml": f"kind: PipelineRun\nmetadata:\n  name: shop\n  annotations:\n{lines}spec:\n{spec}"}


PUSHED = ('on-event: "[push]"', 'on-target-branch: "[main]"')


@pytest.mark.parametrize(
    ("files", "event", "expected"),
    [
        (run(*PUSHED), MAIN, "yes"),
        (run(*PUSHED), BRANCH, "no"),
        (run(*PUSHED), OPENED, "no"),
        (run(*PUSHED), MARKED, "no"),
        (run(*PUSHED), push("x [tkn skip]"), "no"),
        (run(*PUSHED), UPPER, "yes"),  # lower case only
        (run('on-event: "[pull_request]"', 'on-target-branch: "[main]"'), OPENED, "yes"),
        (run('on-event: "[pull_request]"', 'on-target-branch: "[main]"'), request("x [skip ci]"), "no"),
        (run('on-event: "[push]"', 'on-target-branch: "[release-*]"'), MAIN, "no"),
        (run(*PUSHED, 'on-path-change: "[src/**]"'), MAIN, "no"),
        (run(*PUSHED, 'on-path-change-ignore: "[deploy/**]"'), MAIN, "no"),
        (run(*PUSHED, 'on-path-change-ignore: "[docs/**]"'), MAIN, "yes"),
        (run("on-cel-expression: \"event == 'push' && target_branch == 'main'\""), MAIN, "yes"),
        (run("on-cel-expression: \"event == 'push' && 'src/**'.pathChanged()\""), MAIN, "no"),
        (run("on-cel-expression: \"event == 'push' && !event_title.startsWith('skip-ci')\""), push("skip-ci: x"), "no"),
        (run("on-comment: '^/build'"), MAIN, "no"),
    ],
)
def test_pipelines_as_code(files: dict[str, str], event: Event, expected: str) -> None:
    assert answer(pipelines_as_code, files, event) == expected


def trigger(*interceptors: str) -> dict[str, str]:
    lines = "".join(f"    - {one}\n" for one in interceptors)
    head = "apiVersion: triggers.tekton.dev/v1beta1\nkind: Trigger\nmetadata: {name: shop}\nspec:\n"
    return {"triggers.yaml": f"{head}  interceptors:\n{lines}  template: {{ref: shop}}\n"}


def cel(text: str) -> str:
    return f'{{ref: {{name: cel}}, params: [{{name: filter, value: "{text}"}}]}}'


@pytest.mark.parametrize(
    ("files", "event", "expected"),
    [
        (trigger(cel("body.ref == 'refs/heads/main'")), MAIN, "yes"),
        (trigger(cel("body.ref == 'refs/heads/main'")), BRANCH, "no"),
        (trigger(cel("body.ref == 'refs/heads/main'")), OPENED, "no"),  # there is no ref in it: an error
        (trigger(cel("!body.head_commit.message.startsWith('skip-ci')")), push("skip-ci: x"), "no"),
        (
            trigger(cel("!body.head_commit.message.startsWith('skip-ci')")),
            push("skip-ci: x", forge="gitlab"),
            "no",
        ),  # none there: an error
        (trigger(cel("header.match('X-GitHub-Event', 'push')")), MAIN, "yes"),
        (trigger(cel("body.repository.full_name == 'acme/shop'")), MAIN, "yes"),
        (trigger(cel("body.repository.full_name == 'acme/other'")), MAIN, "no"),
        (trigger(cel("body.pusher.name != 'ci'")), MAIN, "unknown"),
        (trigger("{ref: {name: github}, params: [{name: eventTypes, value: [pull_request]}]}"), MAIN, "no"),
        (trigger("{ref: {name: github}, params: [{name: eventTypes, value: [push]}]}"), MAIN, "yes"),
        (trigger("{ref: {name: gitlab}}"), MAIN, "no"),
        (trigger("{ref: {name: ours, kind: ClusterInterceptor}}"), MAIN, "unknown"),
        (trigger("{cel: {filter: \"body.ref == 'refs/heads/dev'\"}}"), MAIN, "no"),
        (
            trigger(
                "{ref: {name: cel}, params: [{name: overlays, value: [{key: short, expression: \"body.ref.split('/')[2]\"}]}]}",
                cel("extensions.short == 'main'"),
            ),
            MAIN,
            "yes",
        ),
    ],
)
def test_tekton_triggers(files: dict[str, str], event: Event, expected: str) -> None:
    assert answer(tekton_triggers, files, event) == expected


def sensor(filters: str, dependency: str = "", trigger: str = "") -> dict[str, str]:
    text = f"""kind: Sensor
metadata: {{name: shop}}
spec:
  dependencies:
    - {{name: push, eventSourceName: forge, eventName: shop, {dependency} filters: {filters}}}
  triggers:
    - template:
        {{name: build, {trigger} argoWorkflow: {{source: {{resource: {{spec: {{workflowTemplateRef: {{name: shop}}}}}}}}}}}}
"""
    return {"sensor.yaml": text}


def data(path: str, *values: str, comparator: str = "=", kind: str = "string") -> str:
    return f"{{path: {path}, type: {kind}, comparator: '{comparator}', value: {list(values)}}}"


def expr(text: str, path: str = "body.head_commit.message") -> str:
    return f"{{expr: '{text}', fields: [{{name: msg, path: '{path}'}}]}}"


def datas(*entries: str, operator: str = "and") -> str:
    return f"{{dataLogicalOperator: {operator}, data: [{', '.join(entries)}]}}"


def exprs(*entries: str, operator: str = "and") -> str:
    return f"{{exprLogicalOperator: {operator}, exprs: [{', '.join(entries)}]}}"


SKIPPING = push("skip-ci: x")


@pytest.mark.parametrize(
    ("filters", "event", "expected"),
    [
        ("{}", MAIN, "yes"),
        (datas(data("body.ref", "refs/heads/main")), MAIN, "yes"),
        (datas(data("body.ref", "heads/ma")), MAIN, "yes"),  # not anchored
        (datas(data("body.ref", "^heads")), MAIN, "no"),
        (datas(data("body.ref", "nothing", "main")), MAIN, "yes"),  # values are alternatives
        (datas(data("body.ref", "main", "dev", comparator="!=")), MAIN, "yes"),  # and so it is nearly always true
        (datas(data("body.ref", "main|dev", comparator="!=")), MAIN, "no"),
        (datas(data("body.nothing", "x")), MAIN, "no"),
        (datas(data("body.nothing", "x"), data("body.ref", "main"), operator="or"), MAIN, "yes"),
        (datas(data("body.nothing", "x"), data("body.ref", "dev"), operator="or"), MAIN, "no"),
        (datas(data("body.created", "false", kind="bool")), MAIN, "yes"),
        (datas(data("body.total_commits_count", "0", comparator=">", kind="number")), push(forge="gitlab"), "yes"),
        (datas(data("body.ref", "(")), MAIN, "no"),
        (datas(data("body.pusher.name", "ann")), MAIN, "unknown"),
        (datas(data("body.pusher.name", "ann"), data("body.ref", "dev")), MAIN, "no"),
        (exprs(expr('msg !~ "skip-ci"')), SKIPPING, "no"),
        (exprs(expr('msg !~ "skip-ci"')), MAIN, "yes"),
        (exprs(expr('msg !~ "skip-ci"', "commits[0].message")), MAIN, "no"),
        (exprs(expr('msg !~ "skip-ci"', "body.commits.0.message")), push("skip-ci: x", "merge"), "no"),
        (exprs(expr('msg !~ "skip-ci"')), push("skip-ci: x", "merge"), "yes"),  # the newest is another
        (exprs(expr('msg !~ "skip-ci"', "body.commits.@reverse.0.message")), push("x", "skip-ci: y"), "no"),
        (exprs(expr("msg")), MAIN, "no"),  # not true, but a text
        (exprs(expr("msg ==")), MAIN, "no"),
        ("{exprs: [{expr: 'false', fields: []}]}", MAIN, "yes"),  # without fields it is passed over
        (exprs(expr('msg =~ "zzz"'), expr('msg =~ "Update"'), operator="or"), MAIN, "yes"),
        ("{script: 'return true'}", MAIN, "unknown"),
        ("{time: {start: '08:00:00', stop: '09:00:00'}}", MAIN, "unknown"),
        ("{script: 'return true', data: [" + data("body.ref", "dev") + "]}", MAIN, "no"),
        (datas(data("body.action", "closed"), data("body.pull_request.merged", "true", kind="bool")), LANDED, "yes"),
    ],
)
def test_argo_events(filters: str, event: Event, expected: str) -> None:
    assert answer(argo_events, sensor(filters), event) == expected


def test_argo_events_joins_kinds_of_filters_as_it_is_told() -> None:
    both = "{data: [" + data("body.ref", "dev") + "], exprs: [" + expr('msg =~ "Update"') + "]}"
    assert answer(argo_events, sensor(both), MAIN) == "no"
    assert answer(argo_events, sensor(both, "filtersLogicalOperator: or,"), MAIN) == "yes"


def test_argo_events_reads_the_event_source_where_there_is_one() -> None:
    spec = "{github: {shop: {repositories: [{owner: acme, names: [NAME]}], events: [EVENT]}}}"
    source = f"kind: EventSource\nmetadata: {{name: forge}}\nspec: {spec}\n"
    for name, event, expected in (
        ("shop", "push", "yes"),
        ("shop", "'*'", "yes"),
        ("shop", "pull_request", "no"),
        ("other", "push", "no"),
    ):
        files = {**sensor("{}"), "source.yaml": source.replace("NAME", name).replace("EVENT", event)}
        assert answer(argo_events, files, MAIN) == expected
    files = {**sensor("{}"), "source.yaml": source.replace("NAME", "shop").replace("EVENT", "push")}
    assert answer(argo_events, files, push(forge="gitlab")) == "no"


def test_argo_events_conditions_of_triggers() -> None:
    assert answer(argo_events, sensor("{}", trigger="conditions: push || other,"), MAIN) == "yes"
    assert answer(argo_events, sensor("{}", trigger="conditions: other,"), MAIN) == "no"
    assert answer(argo_events, sensor("{}", trigger="conditions: push && other,"), MAIN) == "unknown"


def test_github_actions_and_gitlab_ci_read_their_tokens_as_documented() -> None:
    flow = {
        ".github/workflows/ci.yml": f"on: [push, pull_request, pull_request_target]\njobs: {{a: {{steps: [{{run: {IMAGE}}}]}}}}\n"
    }
    for text, expected in (
        ("[skip ci]", "no"),
        ("[no ci]", "no"),
        ("[actions skip]", "no"),
        ("[Skip CI]", "unknown"),
        ("[ci-skip]", "yes"),
    ):
        assert answer(github_actions, flow, push(f"x {text}")) == expected
    assert answer(github_actions, flow, push("x\n\n\nskip-checks: true")) == "no"
    assert answer(github_actions, flow, push("x [skip ci]", "y")) == "yes"  # the newest counts
    assert answer(github_actions, flow, request("x [skip ci]")) == "yes"  # pull_request_target reads none
    jobs = {".gitlab-ci.yml": f"images:\n  rules: [{{if: $CI_PIPELINE_SOURCE}}]\n  script: ['{IMAGE}']\n"}
    for text, expected in (("[skip ci]", "no"), ("[ci_skip]", "no"), ("[SKIP-CI]", "no"), ("[no ci]", "yes")):
        assert answer(gitlab_ci, jobs, push(f"x {text}", forge="gitlab")) == expected
    assert answer(gitlab_ci, jobs, request(title="x [skip ci]", forge="gitlab")) == "no"
    assert answer(gitlab_ci, jobs, request(body="[skip ci]", forge="gitlab")) == "yes"
