"""Checks and statuses."""

from __future__ import annotations

from tests.rules.merging_rows.row import AT, Row, checks, run, status

CI = [
    *(
        Row(f"required check {word}", "block", "failed", checks(run(word)))
        for word in (
            "failure",
            "cancelled",
            "timed_out",
            "action_required",
            "startup_failure",
            "stale",
        )
    ),
    *(
        Row(f"required check {word}", "wait", "not finished", checks(run(None, status=word)))
        for word in (
            "queued",
            "in_progress",
            "waiting",
            "pending",
            "requested",
            "dreaming",
        )
    ),
    *(
        Row(f"required status {word}", answer, says, checks(status(word)))
        for word, answer, says in (
            ("success", "merge", ""),
            ("pending", "wait", "not finished"),
            ("expected", "wait", "not finished"),
            ("failure", "block", "failed"),
            ("error", "block", "failed"),
            ("musing", "wait", "not finished"),
        )
    ),
    Row("status completed with success", "merge", "", checks(status("completed", conclusion="success"))),
    Row("status completed with error", "block", "failed", checks(status("completed", conclusion="error"))),
    Row("status in capitals", "merge", "", checks(status("SUCCESS"))),
    Row("completed without a conclusion", "wait", "not finished", checks(run(None, status="completed"))),
    Row("success that is not completed", "wait", "not finished", checks(run("success", status="in_progress"))),
    Row("conclusion from the future", "wait", "not finished", checks(run("rejoiced"))),
    Row("status not known", "wait", "not finished", checks(run("success", status=None))),
    Row(
        "absent beside a green one",
        "wait",
        "not reported yet: ci/e2e",
        checks(run(), required=({"name": "ci/test"}, {"name": "ci/e2e"})),
    ),
    Row("absent though CLEAN", "wait", "not reported yet", checks(run(name="lint"))),
    Row("names are told apart by case", "wait", "not reported yet", checks(run(name="CI/test"))),
    Row("red though CLEAN", "block", "failed", checks(run("failure"))),
    Row("newest run green", "merge", "", checks(run("failure", at=AT["10"]), run("success"))),
    Row("newest run green, listed first", "merge", "", checks(run("success"), run("failure", at=AT["10"]))),
    Row("newest run pending", "wait", "not finished", checks(run("success", at=AT["10"]), run(None))),
    Row("two runs at one moment", "block", "failed", checks(run("success"), run("failure"))),
    Row("runs without times", "block", "failed", checks(run("success", at=AT["11"]), run("failure", at=None))),
    Row("one name, check red and status green", "block", "failed", checks(run("failure", at=AT["09"]), status("success"))),
    Row("one name, both green", "merge", "", checks(run(), status("success"))),
    Row("one name, two apps, one red", "block", "failed", checks(run("failure", at=AT["09"]), run(app="other"))),
    Row("pinned to its app", "merge", "", checks(run(), required=({"name": "ci/test", "app": "github-actions"},))),
    Row(
        "pinned, another app red",
        "merge",
        "",
        checks(run(), run("failure", app="x"), required=({"name": "ci/test", "app": "github-actions"},)),
    ),
    Row(
        "pinned, a status of that name",
        "wait",
        "of jenkins",
        checks(status("success"), required=({"name": "ci/test", "app": "jenkins"},)),
    ),
    Row("pinned to an app by number", "wait", "of 15368", checks(run(), required=({"name": "ci/test", "app": 15368},))),
    Row("required by bare name", "merge", "", checks(run(), required=("ci/test",))),
    Row(
        "Travis' two under one name",
        "merge",
        "",
        checks(status("success", "continuous-integration/travis-ci/pr"), required=("continuous-integration/travis-ci",)),
    ),
    Row(
        "Travis' two, one red",
        "block",
        "failed",
        checks(
            status("success", "continuous-integration/travis-ci/pr"),
            status("failure", "continuous-integration/travis-ci/push"),
            required=("continuous-integration/travis-ci",),
        ),
    ),
    Row("of another commit", "wait", "not reported yet", checks(run(sha="0ld"))),
    Row("of the head", "merge", "", checks(run(sha="aaa111"))),
    Row("neutral refused, skipped taken", "merge", "", checks(run("skipped")), {"neutral_is_success": False}),
    Row(
        "optional red, all wanted", "block", "lint", checks(run(), run("failure", "lint"), state="UNSTABLE"), {"all_checks": True}
    ),
    Row("optional pending, all wanted", "wait", "lint", checks(run(), run(None, "lint"), state="UNSTABLE"), {"all_checks": True}),
    Row("optional pending", "merge", "", checks(run(), run(None, "lint"), state="UNSTABLE")),
    Row("all wanted, required absent", "wait", "not reported yet", checks(run(name="lint")), {"all_checks": True}),
    Row("extra check green", "merge", "", checks(run(), run(name="scan")), {"extra_required_checks": ["scan"]}),
    Row("extra check absent", "wait", "not reported yet: scan", {}, {"extra_required_checks": ["scan"]}),
    Row(
        "extra check pending", "wait", "not finished: scan", checks(run(), run(None, "scan")), {"extra_required_checks": ["scan"]}
    ),
    Row("extra check red", "block", "failed: scan", checks(run(), run("failure", "scan")), {"extra_required_checks": ["scan"]}),
    Row("nothing required, one green", "merge", "", checks(run(name="lint"), required=())),
    Row("nothing required, one red", "block", "lint", checks(run("failure", "lint"), required=())),
    Row("nothing required, one pending", "wait", "lint", checks(run(None, "lint"), required=())),
    Row("no checks, merge all the same", "merge", "", checks(required=()), {"no_checks": "merge"}),
    Row("no checks, blocked", "block", "no check", checks(required=()), {"no_checks": "block"}),
    Row("no checks but ours", "wait", "no check", checks(run(name="tagboat", app="tagboat"), required=())),
    Row("no_checks does not excuse a required one", "wait", "not reported yet", checks(), {"no_checks": "merge"}),
    Row("own check red", "merge", "", checks(run(), run("failure", "tagboat", app="tagboat")), {"all_checks": True}),
    Row("own status red", "merge", "", checks(run(), status("failure", "tagboat")), {"all_checks": True}),
    Row("own check required", "wait", "not reported yet", checks(run(name="tagboat", app="tagboat"), required=("tagboat",))),
    Row(
        "our name, another app, red",
        "block",
        "failed",
        checks(run(), run("failure", "tagboat", app="evil")),
        {"all_checks": True},
    ),
    *(
        Row(f"absent after {message!r}", "block", "head commit", checks() | {"pr": {"head_message": message}})
        for message in (
            "bump [ci skip]",
            "bump [no ci]",
            "bump [skip actions]",
            "bump [actions skip]",
            "bump\n\n\nskip-checks: true",
            "bump ***NO_CI***",
            "bump [Skip-CI]",
        )
    ),
    Row("no checks after a token", "block", "head commit", checks(required=()) | {"pr": {"head_message": "bump [skip ci]"}}),
    Row("token, but all green", "merge", "", {"pr": {"head_message": "bump [skip ci]"}}),
    Row("token, check runs", "wait", "not finished", checks(run(None)) | {"pr": {"head_message": "bump [skip ci]"}}),
    Row("a prefix that no CI reads", "wait", "not reported yet", checks() | {"pr": {"head_message": "skip-ci: bump"}}),
]
