"""Expressions of GitHub Actions and GitLab CI, and the filter patterns of GitHub: tables."""

from typing import Any

import pytest

from rules.ci import filters, github_expressions, gitlab_expressions
from rules.ci.github_expressions import ACTOR, UNKNOWN, Open

GITHUB: dict[str, Any] = {
    "github": Open(
        event_name="push",
        ref="refs/heads/main",
        ref_name="main",
        actor=ACTOR,
        event={"head_commit": {"message": "Update web [bump]"}, "commits": [{"message": "One"}, {"message": "Two [skip image]"}]},
    ),
    "needs": Open(),
    "inputs": {},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("github.ref == 'refs/heads/main'", True),
        ("github.ref == 'REFS/HEADS/MAIN'", True),  # case does not count
        ("${{ github.event_name != 'pull_request' }}", True),
        ("github.event_name == 'push' && github.ref_name == 'dev'", False),
        ("contains(github.event.head_commit.message, '[bump]')", True),
        ("!contains(github.event.head_commit.message, '[BUMP]')", False),
        ("startsWith(github.event.head_commit.message, 'Update')", True),
        ("endsWith(github.event.head_commit.message, 'web')", False),
        ("contains(join(github.event.commits.*.message, ' '), 'skip image')", True),
        ("contains(github.event.commits.*.message, 'One')", True),
        ('contains(fromJSON(\'["push", "x"]\'), github.event_name)', True),
        ("github.event.commits[0].message == 'One'", True),
        ("github.event['head_commit']['message'] == 'x'", False),
        ("github.event.pull_request.merged == true", False),
        ("github.event.pull_request == null", True),
        ("always()", True),
        ("failure()", False),
        ("success() && !cancelled()", True),
        ("inputs.force", False),
        ("github.actor != 'dependabot[bot]'", True),
        ("github.actor == 'renovate[bot]'", False),
        ("github.actor == 'tagboat[bot]'", None),
        ("needs.changes.outputs.src == 'true'", None),
        ("needs.changes.outputs.src == 'true' && github.ref_name == 'dev'", False),
        ("needs.changes.outputs.src == 'true' || github.ref_name == 'main'", True),
        ("github.nothing == 'x'", None),
        ("true && 'x'", True),
        ("1 == '1'", True),
        ("'' || false", False),
        ("format('{0}-{1}', 'a', 'b') == 'a-b'", True),
        ("hashFiles('x') == 'y'", None),
        ("(", None),
        ("", None),
    ],
)
def test_github(text: str, expected: bool | None) -> None:
    assert github_expressions.condition(text, GITHUB) is expected


def test_github_keeps_what_is_unknown_unknown() -> None:
    assert github_expressions.evaluate("needs.a.outputs.b", GITHUB) is UNKNOWN


GITLAB = {
    "CI_COMMIT_BRANCH": "main",
    "CI_DEFAULT_BRANCH": "main",
    "CI_COMMIT_TITLE": "Update web [bump]",
    "CI_COMMIT_MESSAGE": "Update web [bump]\n\nbody",
    "CI_COMMIT_TAG": None,
    "CI_MERGE_REQUEST_IID": gitlab_expressions.SET,
    "EMPTY": "",
    "PATTERN": "/^Update/",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('$CI_COMMIT_BRANCH == "main"', True),
        ("$CI_COMMIT_BRANCH == 'dev'", False),
        ("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", True),
        ('$CI_COMMIT_BRANCH != "main"', False),
        ("$CI_COMMIT_TITLE =~ /^Update/", True),
        ("$CI_COMMIT_TITLE =~ /^update/", False),
        ("$CI_COMMIT_TITLE =~ /^update/i", True),
        ("$CI_COMMIT_TITLE !~ /skip-ci/", True),
        (r"$CI_COMMIT_MESSAGE =~ /\[bump\]/", True),
        ("$CI_COMMIT_TITLE =~ $PATTERN", True),
        ("$CI_COMMIT_TAG", False),
        ("$CI_COMMIT_TAG == null", True),
        ("$CI_COMMIT_BRANCH", True),
        ("$EMPTY", False),
        ('$EMPTY == ""', True),
        ("$CI_MERGE_REQUEST_IID", True),
        ("$CI_MERGE_REQUEST_IID == null", False),
        ('$CI_MERGE_REQUEST_IID == "7"', None),
        ("$OTHER", None),
        ('$OTHER == "x" && $CI_COMMIT_BRANCH == "dev"', False),
        ('$CI_COMMIT_BRANCH == "main" || $OTHER', True),
        ('($CI_COMMIT_BRANCH == "dev" || $CI_COMMIT_TAG) && $OTHER', False),
        ('!($CI_COMMIT_BRANCH == "dev")', True),
        ("$CI_COMMIT_TITLE =~ /(/", None),
        ("$CI_COMMIT_BRANCH ==", None),
        ("nonsense", None),
        ("${CI_COMMIT_BRANCH} == 'main'", True),
    ],
)
def test_gitlab(text: str, expected: bool | None) -> None:
    assert gitlab_expressions.holds(text, GITLAB) is expected


@pytest.mark.parametrize(
    ("name", "patterns", "expected"),
    [
        ("main", ("main",), True),
        ("mainly", ("main",), False),
        ("releases/10", ("releases/**",), True),
        ("releases/10", ("releases/*",), True),
        ("releases/10/a", ("releases/*",), False),
        ("a/b/c.md", ("**.md",), True),
        ("c.md", ("*.md",), True),
        ("docs/c.md", ("*.md",), False),
        ("docs/c.md", ("**/*.md",), True),
        ("c.md", ("**/*.md",), True),
        ("deploy/app.yaml", ("deploy/**",), True),
        ("src/a.go", ("**", "!deploy/**"), True),
        ("deploy/a.go", ("**", "!deploy/**"), False),
        ("deploy/a.go", ("**", "!deploy/**", "deploy/*.go"), True),
        ("v1.0", ("v[12].[0-9]+",), True),
        ("v3.0", ("v[12].[0-9]+",), False),
        ("ab", ("a?b",), True),
        ("tagboat/x-1", ("*",), False),
        ("tagboat/x-1", ("**",), True),
    ],
)
def test_patterns(name: str, patterns: tuple[str, ...], expected: bool) -> None:
    assert filters.chosen(name, patterns) is expected


def test_ignored_is_only_what_has_files_and_all_of_them_ignored() -> None:
    assert filters.all_ignored(("deploy/a.yaml",), ("deploy/**",))
    assert not filters.all_ignored(("deploy/a.yaml", "src/a.go"), ("deploy/**",))
    assert not filters.all_ignored((), ("deploy/**",))
