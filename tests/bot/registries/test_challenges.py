"""What `WWW-Authenticate` says, well-formed and not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.registries.challenges import Challenge, parse

HUB = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull"'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            HUB,
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:library/nginx:pull",
                    },
                )
            ],
        ),
        ('Basic realm="x"', [("basic", {"realm": "x"})]),
        ("Basic", [("basic", {})]),
        ("Negotiate, Basic", [("negotiate", {}), ("basic", {})]),
        ("NTLM TlRMTVNTUAAB, Basic realm=x", [("ntlm", {}), ("basic", {"realm": "x"})]),
        ('Bearer realm="a",service="b",Basic realm="c"', [("bearer", {"realm": "a", "service": "b"}), ("basic", {"realm": "c"})]),
        ('Basic realm="a, b=c", Bearer realm=d', [("basic", {"realm": "a, b=c"}), ("bearer", {"realm": "d"})]),
        (r'Basic realm="say \"hi\""', [("basic", {"realm": 'say "hi"'})]),
        ("bearer  Realm = x ,  SERVICE=y", [("bearer", {"realm": "x", "service": "y"})]),
        (
            'Bearer realm="https://x/?a=b&c=d",error="insufficient_scope"',
            [("bearer", {"realm": "https://x/?a=b&c=d", "error": "insufficient_scope"})],
        ),
        ('Bearer realm="first",realm="second"', [("bearer", {"realm": "first"})]),
        ("Bearer realm=", [("bearer", {"realm": ""})]),
        ("", []),
        (",,,", []),
        ('"quoted', []),
        ('Bearer realm="never closed', [("bearer", {})]),
        ('Basic realm="x", =oops, Bearer realm=y', [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})]),
    ],
)
def test_parse(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse([header]) == tuple(Challenge(scheme, parameters) for scheme, parameters in expected)


def test_several_headers() -> None:
    assert [challenge.scheme for challenge in parse(['Basic realm="x"', HUB])] == ["basic", "bearer"]


WORDS = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
CHALLENGES = st.lists(st.tuples(WORDS, st.dictionaries(WORDS, VALUES, min_size=1, max_size=4)), min_size=1, max_size=3)


@given(CHALLENGES)
def test_what_is_written_by_the_grammar_is_read_back(challenges: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = ", ".join(
        scheme + " " + ", ".join(f"{name}={quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    )
    assert parse([header]) == tuple(Challenge(scheme, parameters) for scheme, parameters in challenges)


@given(st.text(st.sampled_from('Bearer realm="x",=\\ \t;basic'), max_size=60))
def test_anything_is_read_without_trouble(header: str) -> None:
    for challenge in parse([header]):
        assert challenge.scheme == challenge.scheme.lower()


def test_a_long_header_takes_no_long_time() -> None:
    started = time.process_time()
    assert parse(['Bearer realm="' + "\\" * 100_000]) == (Challenge("bearer", {}),)
    for piece in ("a=", "a ", 'a="', "a,", " ", '"', "=", "a=b "):
        parse([piece * 100_000, "Basic " + piece * 100_000])
    assert time.process_time() - started < 1
