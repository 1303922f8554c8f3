"""`tagboat choose`, as a black box: tags in, a tag out, and an exit status."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.cli import run

DIGEST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


class Shell:
    """Runs the command with something on standard input."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, given: str | bytes, *arguments: str) -> tuple[int, str, str]:
        data = given if isinstance(given, bytes) else given.encode()
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        status = run(["choose", *arguments])
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def json(self, given: str | bytes, *arguments: str) -> dict[str, Any]:
        _, out, _ = self(given, *arguments, "--json")
        assert out.count("\n") == 1
        found = json.loads(out)
        assert list(found) == ["chosen", "candidates"]
        assert all(list(one) == ["tag", "verdict", "reason"] and one["reason"] for one in found["candidates"])
        return found  # type: ignore[no-any-return]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


LISTED = "1.2.3\n1.2.4\n1.3.0\n2.0.0\n1.4.0-rc.1\n1.3.0-alpine\nlatest\n"
BUILDS = "main-3f2a9c1-9\nmain-8e1b2c3-10\nmain-0a1b2c3-100\ndev-3f2a9c1-999\nlatest\n"


@pytest.mark.parametrize(
    ("arguments", "given", "expected"),
    [
        (["--current", "1.2.3"], LISTED, "1.3.0"),
        (["--policy", "auto", "--current=1.2.3", "--max-step", "patch"], LISTED, "1.2.4"),
        (["--current", "1.2.3", "--prereleases"], LISTED, "1.4.0-rc.1"),
        (["--policy", "semver"], LISTED, "2.0.0"),
        (["--policy", "semver", "--range", "^1.2"], LISTED, "1.3.0"),
        (["--range", "^1.2"], LISTED, "1.3.0"),  # a range makes it semver
        (["--range", ">=1, <1.3 || ~1.2"], LISTED, "1.2.4"),
        (["--policy", "semver", "--variant", "any", "--range", "^1-0"], LISTED, "1.4.0-rc.1"),
        (["--policy", "semver", "--ignore", "2.*", "--ignore", "1.3.*"], LISTED, "1.2.4"),
        (["--policy", "alphabetical"], "a\nc\nb\n", "c"),
        (["--policy", "alphabetical", "--order", "desc"], "a\nc\nb\n", "a"),
        (["--policy", "numerical"], "-5\n9\n10\n", "10"),
        (["--policy", "numerical", "--tags", r"^main-[0-9a-f]+-(?P<ts>\d+)$", "--extract", "$ts"], BUILDS, "main-0a1b2c3-100"),
        (["--policy", "numerical", "--tags", r"-(\d+)$", "--extract", "${1}"], BUILDS, "dev-3f2a9c1-999"),
        (["--current", "main-3f2a9c1-9"], BUILDS, "main-0a1b2c3-100"),
    ],
)
def test_the_tag_is_printed(shell: Shell, arguments: list[str], given: str, expected: str) -> None:
    assert shell(given, *arguments) == (0, f"{expected}\n", "")


@pytest.mark.parametrize(
    ("arguments", "given", "reason"),
    [
        ([], LISTED, "no tag stands there"),
        (["--current", ""], LISTED, "no tag stands there"),
        (["--current", "1.3.0"], LISTED, "nothing newer of its kind (1.x) is there; 2.0.0 is the next major"),
        (["--current", "2.0.0"], LISTED, "nothing newer of its kind (2.x) is there"),
        (["--policy", "alphabetical"], "", "there is no tag to choose from"),
        (["--current", "latest"], LISTED, "latest is a name that moves"),
        (["--policy", "none", "--current", "1.2.3"], LISTED, "policy: none"),
        (["--policy", "semver", "--range", "^3"], LISTED, "no tag is a version in ^3"),
        (["--policy", "semver"], "", "no tag is a version in *"),
        (["--policy", "newest", "--current", "a"], "a\nb\n", "nobody tells when a was pushed"),
        (["--current", "1.2.3", "--min-age", "3d"], "1.2.3\n1.2.4\n", "nobody tells how old 1.2.4 is, and the rule wants 3d"),
    ],
)
def test_nothing_to_choose_is_status_3_and_says_why(shell: Shell, arguments: list[str], given: str, reason: str) -> None:
    status, out, err = shell(given, *arguments)
    assert (status, out) == (3, "")
    assert reason in err
    found = shell.json(given, *arguments)
    assert found["chosen"] is None
    assert {one["tag"] for one in found["candidates"]} == set(given.split())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--policy", "smver"], "--policy: 'smver' cannot be tried on a list of tags (did you mean 'semver'?)"),
        (["--policy", "follow"], "it takes what stands in other files"),
        (["--policy", ""], "--policy: ''"),
        (["--range", "^1.a"], "--range: '1.a' is no version: 'a' is neither a number nor x"),
        (["--range", ""], "--range: the range is empty"),
        (["--range", "-1"], "--range: '-1' is no version"),
        (["--range", "latest"], "--range: 'latest' is no version"),
        (["--tags", "(?=a)"], "--tags: '(?=a)' is not a regular expression of RE2"),
        (["--tags", "a", "--extract", "$1"], "--extract: there is no group '1' in `tags`"),
        (["--extract", "$1"], "--extract: there are no groups to take"),
        (["--ignore", "["], "--ignore: "),
        (["--order", "up"], "up"),
        (["--max-step", "huge"], "huge"),
        (["--variant", "some"], "some"),
        (["--min-age", "3"], "--min-age: 3 has no unit: write 3d"),
        (["--nothing"], "nothing"),
        (["1.2.3"], "1.2.3"),
    ],
)
def test_wrong_values_are_status_2_and_say_what_is_wrong(shell: Shell, arguments: list[str], reason: str) -> None:
    status, out, err = shell(LISTED, *arguments)
    assert (status, out) == (2, "")
    assert reason in err
    assert "Traceback" not in err


def test_all_wrong_values_are_said_at_once(shell: Shell) -> None:
    _, _, err = shell("", "--policy", "x", "--range", "^", "--tags", "(")
    assert [line.split(":")[1].strip() for line in err.splitlines()] == ["--policy", "--range", "--tags"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("1.2.3\tyesterday\n", "line 1: 'yesterday' is not a time of RFC 3339"),
        ("\n1.2.3\t2026-01-02T03:04:05\n", "line 2: '2026-01-02T03:04:05' is not a time of RFC 3339"),
        ("1.2.3\t2026-01-02\n", "line 1: '2026-01-02' is not a time of RFC 3339"),
        ("1.2.3\t2026-01-02T03:04:05Z\tsha\n", "line 1: 'sha' is not a digest"),
        (f"1.2.3\t\t{DIGEST}\tx\n", "is followed by 3 columns"),
        (f"\t2026-01-02T03:04:05Z\t{DIGEST}\n", "line 1: no tag stands in the first column"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(shell: Shell, given: str, reason: str) -> None:
    status, out, err = shell(given, "--policy", "alphabetical")
    assert (status, out) == (2, "")
    assert reason in err


@pytest.mark.parametrize(
    "given",
    [
        "1.2.3\r\n1.2.4\r\n",
        "1.2.3\n1.2.4",
        "\ufeff1.2.3\n1.2.4\n",
        "\n\n1.2.3\n\n  1.2.4  \n\n",
        "1.2.4\n1.2.3\n1.2.4\n1.2.4\n",
        f"1.2.3\t2026-01-02T03:04:05Z\t{DIGEST}\n1.2.4\t\t{OTHER}\n",
        f"1.2.3\t{DIGEST}\n1.2.4\t2026-01-02t03:04:05.123456789z\n",
        "1.2.3\t2016-12-31T23:59:60Z\n1.2.4\t2026-01-02T03:04:05+01:00\n",
        b"1.2.3\n1.2.4\n\xff\xfe\n1.2\xff.9\n",
        "1.2.3\n1.2.4\n\x00\n\x1b[31m1.2.9\n" + "9" * 5000 + "\n",
    ],
)
def test_lines_as_the_world_writes_them(shell: Shell, given: str | bytes) -> None:
    assert shell(given, "--current", "1.2.3") == (0, "1.2.4\n", "")
    found = shell.json(given, "--current", "1.2.3")
    tags = [one["tag"] for one in found["candidates"]]
    assert len(tags) == len(set(tags))


def test_the_answer_as_json(shell: Shell) -> None:
    assert shell.json("1.2.3\n1.2.4\n2.0.0\n", "--current", "1.2.3") == {
        "chosen": "1.2.4",
        "candidates": [
            {"tag": "1.2.3", "verdict": "older", "reason": "it stands there now"},
            {"tag": "1.2.4", "verdict": "chosen", "reason": "it is the newest 1.x"},
            {"tag": "2.0.0", "verdict": "filtered", "reason": "it is of the next major, which has a request of its own"},
        ],
    }
    assert shell.json("") == {"chosen": None, "candidates": []}


def test_times_of_the_second_column(shell: Shell) -> None:
    given = "zz\t2026-01-01T00:00:00Z\nbb\t2026-01-03T00:00:00Z\nyy\t2026-01-02T23:00:00-02:00\naa\n"
    assert shell(given, "--policy", "newest") == (0, "yy\n", "")
    assert shell(given, "--policy", "newest", "--current", "zz")[1] == "yy\n"
    assert shell(given, "--policy", "newest", "--current", "yy")[:2] == (3, "")
    verdicts = {one["tag"]: one["verdict"] for one in shell.json(given, "--policy", "newest")["candidates"]}
    assert verdicts == {"zz": "older", "bb": "older", "yy": "chosen", "aa": "waiting"}


def test_a_bare_hash_goes_by_time(shell: Shell) -> None:
    given = "3f2a9c1\t2026-01-01T00:00:00Z\n8e1b2c3\t2026-01-03T00:00:00Z\n1234567\t2026-01-02T00:00:00Z\n"
    assert shell(given, "--current", "3f2a9c1")[1] == "8e1b2c3\n"
    assert shell("3f2a9c1\n8e1b2c3\n", "--current", "3f2a9c1")[0] == 3


def test_an_age(shell: Shell) -> None:
    now = datetime.now(UTC)
    given = "".join(f"1.2.{n}\t{(now - timedelta(days=9 - n)).isoformat()}\n" for n in range(3, 9))
    assert shell(given, "--current", "1.2.3", "--min-age", "3d")[1] == "1.2.6\n"
    verdicts = [one["verdict"] for one in shell.json(given, "--current", "1.2.3", "--min-age", "3d")["candidates"]]
    assert verdicts == ["older", "older", "older", "chosen", "waiting", "waiting"]


def test_a_digest_is_followed(shell: Shell) -> None:
    given = f"latest\t\t{OTHER}\n1.2.3\t\t{DIGEST}\n"
    assert shell(given, "--policy", "digest", "--current", f"latest@{DIGEST}")[:2] == (0, "latest\n")
    assert shell(given, "--policy", "digest", "--current", "latest")[:2] == (0, "latest\n")
    assert shell(given, "--policy", "digest", "--current", f"latest@{OTHER}")[0] == 3
    assert shell("latest\n", "--policy", "digest", "--current", f"latest@{DIGEST}")[0] == 3
    # As in a file: what stands there at a digest follows it under every policy, unless something newer is there.
    assert shell(given, "--current", f"latest@{DIGEST}")[:2] == (0, "latest\n")
    assert shell(given, "--current", f"latest@{OTHER}")[0] == 3
    assert shell(given, "--policy", "none", "--current", f"latest@{DIGEST}")[0] == 3
    assert [one["verdict"] for one in shell.json(given, "--policy", "digest", "--current", "latest")["candidates"]] == [
        "chosen", "filtered",
    ]  # fmt: skip


def test_ten_thousand_tags(shell: Shell) -> None:
    given = "".join(f"main-{n * 7919 % 268435456:07x}-{n}\n" for n in range(10_000))
    found = shell.json(given, "--current", "main-0000000-0")
    assert found["chosen"].endswith("-9999")
    assert len(found["candidates"]) == 10_000
