"""Directives: what a comment beside an image says of that one place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.directives import BadDirective, Directive, FluxMarker, Ignore, Policy, read
from rules.policies.base import Choosing, Follow


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        (None, None),
        ("", None),
        ("# the newest that works", None),
        ("# see tagboat: ignore", None),
        ("# tagboats: ignore", None),
        ("# tagboat: ignore", Ignore()),
        ("tagboat: ignore", Ignore()),
        ("#tagboat:ignore", Ignore()),
        ("##  tagboat:   ignore", Ignore()),
        ("# tagboat: ignore until the database is migrated", Ignore("until the database is migrated")),
        ("# tagboat: semver", Policy("semver")),
        ("# tagboat: semver ^1.4", Policy("semver", "^1.4")),
        ("# tagboat: semver >=1.2   <2 || ^3", Policy("semver", ">=1.2 <2 || ^3")),
        ("# tagboat: alphabetical", Policy("alphabetical")),
        ("# tagboat: numerical desc", Policy("numerical", "desc")),
        ("# tagboat: alphabetical asc", Policy("alphabetical", "asc")),
        ("# tagboat: auto", Policy("auto")),
        ("# tagboat: newest", Policy("newest")),
        ("# tagboat: digest", Policy("digest")),
        ('# {"$imagepolicy": "flux-system:web"}', FluxMarker("flux-system:web")),
        ('{"$imagepolicy": "flux-system:web:tag"}', FluxMarker("flux-system:web")),
        ('# {"$imagepolicy": "flux-system:web:digest"} # and more', FluxMarker("flux-system:web")),
        ('# { "a": 1, "$imagepolicy": "flux-system:web:name" }', FluxMarker("flux-system:web")),
    ],
)
def test_what_a_comment_says(comment: str | None, expected: Directive | None) -> None:
    assert read(comment) == expected


@pytest.mark.parametrize(
    ("comment", "says"),
    [
        ("# tagboat: ignroe", "did you mean 'ignore'?"),
        ("# tagboat: semvar ^1", "did you mean 'semver'?"),
        ("# tagboat:", "write "),
        ("# tagboat: follow", "is not understood"),  # needs more than a word: it belongs into a rule
        ("# tagboat: semver ^1.a", "'1.a' is no version: 'a' is neither a number nor x"),
        ("# tagboat: numerical down", "takes asc or desc, not 'down'"),
        ("# tagboat: newest first", "takes nothing, not 'first'"),
        ('# {"$imagepolicy": "x:y"', None),  # never closed: somebody else's text
        ('# {"$imagepolicy" "x:y"}', "is not JSON"),
        ('# {"$imagepolicy": 7}', "names no ImagePolicy"),
        ('# {"$imagepolicy": ' + '{"a":' * 3000 + "}", "is not JSON"),
        ("# tagboat: " + "x" * 10_000, "is not understood"),
    ],
)
def test_what_is_meant_for_us_and_cannot_be_understood_is_told(comment: str, says: str | None) -> None:
    if says is None:
        assert read(comment) is None
        return
    with pytest.raises(BadDirective) as error:
        read(comment)
    assert says in str(error.value)
    assert len(str(error.value)) < 300


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for comment in (text, f"# tagboat: {text}", f'# {{"$imagepolicy": {text}}}'):
        try:
            read(comment)
        except BadDirective as error:
            assert 0 < len(str(error)) < 300  # noqa: PT017


EVERYTHING = Choosing(
    policy="follow", range="^9", order="desc", tags="x", ignore=("y",), pin=True, follow=Follow("envs/dev/**"), max_step="minor"
)


@pytest.mark.parametrize(
    ("policy", "range_", "order"),
    [
        (Policy("semver", "^1.4"), "^1.4", "asc"),
        (Policy("semver"), None, "asc"),
        (Policy("numerical", "desc"), None, "desc"),
        (Policy("auto"), None, "asc"),
    ],
)
def test_a_policy_beside_an_image_replaces_policy_range_and_order_and_nothing_else(
    policy: Policy, range_: str | None, order: str
) -> None:
    found = policy.over(EVERYTHING)
    assert (found.policy, found.range, found.order, found.follow) == (policy.name, range_, order, None)
    rest = replace(found, policy="follow", range="^9", order="desc", follow=EVERYTHING.follow)
    assert rest == EVERYTHING
