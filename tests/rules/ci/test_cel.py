"""CEL as Tekton's filters use it."""

import pytest

from rules.ci import cel

BODY = {
    "ref": "refs/heads/main",
    "head_commit": {"message": "Update web from 1 to 2"},
    "commits": [{"message": "skip-ci: a", "modified": ["k8s/a.yaml"]}, {"message": "b", "modified": ["src/b.go"]}],
    "repository": {"full_name": cel.UNKNOWN},
    "n": 3.0,
}
NAMES = {"body": BODY, "header": {"X-GitHub-Event": ["push"]}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("body.ref == 'refs/heads/main'", True),
        ('body.ref != "refs/heads/main"', False),
        ("body.ref.startsWith('refs/heads/')", True),
        ("body.ref.split('/')[2] == 'main'", True),
        ("body.ref in ['refs/heads/main', 'refs/heads/dev']", True),
        ("!body.head_commit.message.contains('skip-ci')", True),
        ("body.head_commit.message.matches('^Update')", True),
        ("body.head_commit.message.matches('1 to')", True),
        ("body.commits[0].message.startsWith('skip-ci')", True),
        ("body.commits.exists(c, c.message.startsWith('skip-ci'))", True),
        ("body.commits.all(c, c.message.startsWith('skip-ci'))", False),
        ("body.commits.filter(c, c.message == 'b').size() == 1", True),
        ("body.commits.map(c, c.message)[1] == 'b'", True),
        ("body.commits.exists_one(c, c.message == 'b')", True),
        ("size(body.commits) == 2", True),
        ("has(body.head_commit)", True),
        ("has(body.pull_request)", False),
        ("body.pull_request.merged || body.n == 3", True),
        ("body.n == 3 || body.pull_request.merged", True),
        ("body.pull_request.merged && body.n == 4", False),
        ("body.n == 3 ? 'a' == 'a' : false", True),
        ("body.n + 1 > 3 && body.n * 2 <= 6", True),
        ("-body.n < 0 && 1 - -1 == 2", True),
        ("header['X-GitHub-Event'][0] == 'push'", True),
        ("body.ref.lowerAscii() == body.ref", True),
        ("r'\\d' == '\\\\d'", True),
        (r"'\x41\u0042' == 'AB'", True),
        (r"'it\'s' != 'its'", True),
        ("body.repository.full_name == 'acme/shop'", cel.UNKNOWN),
        ("body.repository.full_name == 'acme/shop' && body.n == 4", False),
        ("body.n == 3 || body.repository.full_name == 'acme/shop'", True),
        ("!(body.repository.full_name == 'acme/shop')", cel.UNKNOWN),
    ],
)
def test_evaluates(text: str, expected: object) -> None:
    assert cel.evaluate(text, NAMES) is expected


@pytest.mark.parametrize(
    "text",
    [
        "body.pull_request.merged",
        "body.commits[7].message == 'x'",
        "body.nothing && body.n == 3",
        "'a' < 1",
        "body.n && true",
        "(",
        "body.",
        "a b",
        "",
        "1 / 0 == 1",
        r"'\(' == 'x'",
    ],
)
def test_an_error_is_an_error(text: str) -> None:
    with pytest.raises(cel.Failed):
        cel.evaluate(text, NAMES)


@pytest.mark.parametrize("text", ["body.n.foo()", "parseJSON(body.ref)", "{'a': 1}.a == 1"])
def test_what_is_not_understood_is_said_to_be_so(text: str) -> None:
    with pytest.raises(cel.Unsupported):
        cel.evaluate(text, NAMES)
