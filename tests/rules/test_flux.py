"""Flux's ImagePolicies become the keys of a rule."""

from __future__ import annotations

import pytest

from rules.flux import policies
from rules.policies.base import Choosing


def policy(spec: str, name: str = "web", namespace: str = ", namespace: apps", group: str = "image.toolkit.fluxcd.io/v1") -> str:
    return f"apiVersion: {group}\nkind: ImagePolicy\nmetadata: {{name: {name}{namespace}}}\nspec: {spec}\n"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{policy: {semver: {range: '>=1.0.0'}}}", Choosing("semver", range=">=1.0.0")),
        ("{policy: {semver: {range: 5.0.x}}}", Choosing("semver", range="5.0.x")),
        ("{policy: {alphabetical: {order: desc}}}", Choosing("alphabetical", order="desc")),
        ("{policy: {alphabetical: {}}}", Choosing("alphabetical")),
        ("{policy: {numerical: }}", Choosing("numerical")),
        (
            "{filterTags: {pattern: '^main-(?P<ts>[0-9]+)$', extract: '$ts'}, policy: {numerical: {order: asc}}}",
            Choosing("numerical", tags="^main-(?P<ts>[0-9]+)$", extract="$ts"),
        ),
        ("{policy: {}}", None),
        ("{policy: {lunar: {}}}", None),
        ("[]", None),
    ],
)
def test_a_policy(spec: str, expected: Choosing | None) -> None:
    assert policies(policy(spec).encode()) == ({"apps:web": expected} if expected else {})


def test_several_in_one_file_and_other_things_beside_them() -> None:
    any_spec = "{policy: {numerical: {}}}"
    parts = [
        policy(any_spec),
        "kind: ImagePolicy\napiVersion: v1\n",
        policy(any_spec, name="api", namespace=""),
        policy(any_spec, name="other", group="kyverno.io/v1"),
        "- ImagePolicy\n",
    ]
    assert policies("---\n".join(parts).encode()) == {"apps:web": Choosing("numerical"), "flux-system:api": Choosing("numerical")}


@pytest.mark.parametrize("data", [b"", b"kind: ImagePolicy\n  - {[", b"\xff\xfeImagePolicy", b"ImagePolicy: &a [*a]"])
def test_what_cannot_be_read_has_none(data: bytes) -> None:
    assert policies(data) == {}
