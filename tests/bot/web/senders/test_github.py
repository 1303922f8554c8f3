"""GitHub's webhooks: only genuine ones are read, and each becomes the place where to look."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.forges.github.requests import COMMENT_LINE
from bot.state.hints import Hint
from bot.web.senders import github
from bot.web.senders.base import BadWebhook, Forged, Incoming

SECRET = "It's a Secret to Everybody"
REPOSITORY = {"full_name": "acme/gitops"}


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def delivery(event: str, payload: Any, **headers: str) -> Incoming:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    known = {"x-github-event": event, "x-github-delivery": "72d3162e", "x-hub-signature-256": signed(body)}
    return Incoming(known | headers, body)


def test_githubs_own_example() -> None:
    expected = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert github.trusted(Incoming({"x-hub-signature-256": f"sha256={expected}"}, b"Hello, World!"), SECRET)


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", "sha1=abc", signed(b"{}", "another"), signed(b"{} "), "sha256=é", signed(b"{}").upper(), signed(b"{}")[7:]],
)
def test_a_forged_one(signature: str) -> None:
    incoming = delivery("push", b"{}", **{"x-hub-signature-256": signature})
    assert not github.trusted(incoming, SECRET)
    with pytest.raises(Forged):
        github.read(incoming, SECRET)


def test_an_empty_secret_trusts_nobody() -> None:
    assert not github.trusted(Incoming({"x-hub-signature-256": signed(b"{}", "")}, b"{}"), "")


@given(st.binary(max_size=200), st.integers(0, 199), st.integers(1, 255))
def test_a_changed_byte_is_noticed(body: bytes, place: int, change: int) -> None:
    signature = signed(body)
    other = bytearray(body or b"x")
    other[place % len(other)] ^= change
    assert github.trusted(Incoming({"x-hub-signature-256": signature}, body), SECRET)
    assert not github.trusted(Incoming({"x-hub-signature-256": signature}, bytes(other)), SECRET)


def at(reason: str, number: int | None = None) -> tuple[Hint, ...]:
    kind = "repository" if number is None else "request"
    return (Hint(kind, reason, repository="acme/gitops", request=number, delivery="72d3162e"),)  # type: ignore[arg-type]


PULL = {"pull_request": {"number": 7}}
EVENTS: list[tuple[str, dict[str, Any], tuple[Hint, ...]]] = [
    ("push", {"ref": "refs/heads/main"}, at("a push to main")),
    ("push", {"ref": "refs/heads/tagboat/web-1"}, at("a push to tagboat/web-1")),
    ("push", {"ref": "refs/tags/v1"}, ()),
    ("pull_request", {"action": "closed", **PULL}, at("pull request: closed", 7)),
    ("pull_request_review", {"action": "submitted", **PULL}, at("pull request review: submitted", 7)),
    (
        "check_run",
        {"action": "completed", "check_run": {"name": "ci", "pull_requests": [{"number": 7}]}},
        at("check run: completed", 7),
    ),
    ("check_run", {"action": "completed", "check_run": {"name": "ci", "pull_requests": []}}, at("check run: completed")),
    ("check_run", {"action": "completed", "check_run": {"name": "tagboat", "pull_requests": [{"number": 7}]}}, ()),
    (
        "check_suite",
        {"action": "completed", "check_suite": {"pull_requests": [{"number": 7}, {"number": 8}]}},
        at("check suite: completed"),
    ),
    ("status", {"state": "success", "sha": "aaa"}, at("a status: success")),
    (
        "issue_comment",
        {"action": "created", "issue": {"number": 7, "pull_request": {"url": "x"}}, "comment": {"body": "@tagboat hold"}},
        at("a comment", 7),
    ),
    ("issue_comment", {"action": "created", "issue": {"number": 7}, "comment": {"body": "@tagboat hold"}}, ()),
    (
        "issue_comment",
        {"action": "deleted", "issue": {"number": 7, "pull_request": {"url": "x"}}, "comment": {"body": "x"}},
        (),
    ),
    (
        "issue_comment",
        {"action": "edited", "issue": {"number": 7, "pull_request": {"url": "x"}}, "comment": {"body": f"x {COMMENT_LINE}"}},
        (),
    ),
    ("merge_group", {"action": "destroyed"}, at("the merge queue: destroyed")),
    ("installation", {"action": "created"}, (Hint("installation", "the installation: created", delivery="72d3162e"),)),
    (
        "installation_repositories",
        {"action": "removed"},
        (Hint("installation", "the installation: removed", delivery="72d3162e"),),
    ),
    (
        "repository",
        {"action": "renamed"},
        (
            Hint("installation", "the repository was renamed", delivery="72d3162e"),
            *at("the repository was renamed"),
        ),
    ),
    ("ping", {"zen": "…"}, (Hint("none", "a ping", delivery="72d3162e"),)),
    ("star", {"action": "created"}, ()),
]


@pytest.mark.parametrize(("event", "payload", "expected"), EVENTS)
def test_where_each_event_points(event: str, payload: dict[str, Any], expected: tuple[Hint, ...]) -> None:
    assert github.read(delivery(event, {"repository": REPOSITORY} | payload), SECRET) == expected


@pytest.mark.parametrize("event", ["package", "registry_package"])
@pytest.mark.parametrize(
    ("action", "kind", "tag", "expected"),
    [
        ("published", "CONTAINER", "1.2.3", "ghcr.io/acme/web"),
        ("updated", "docker", "1.2.3", "ghcr.io/acme/web"),
        ("published", "CONTAINER", "", None),
        ("published", "npm", "1.2.3", None),
        ("deleted", "CONTAINER", "1.2.3", None),
    ],
)
def test_a_package(event: str, action: str, kind: str, tag: str, expected: str | None) -> None:
    package = {
        "name": "web",
        "namespace": "Acme",
        "package_type": kind,
        "package_version": {"container_metadata": {"tag": {"name": tag, "digest": "sha256:" + "a" * 64}}},
    }
    found = github.read(delivery(event, {"action": action, event: package, "repository": REPOSITORY}), SECRET)
    assert [(hint.kind, hint.image, hint.tag, hint.delivery) for hint in found] == (
        [("image", expected, "1.2.3", "72d3162e")] if expected else []
    )


@pytest.mark.parametrize(
    ("event", "payload", "headers"),
    [
        ("push", b"not json", {}),
        ("push", b"[]", {}),
        ("push", b"[" * 100_000, {}),
        ("push", {"ref": "refs/heads/main"}, {}),
        ("push", {"ref": "refs/heads/main", "repository": {"full_name": 7}}, {}),
        ("pull_request", {"repository": {"full_name": "a/b/c"}, "pull_request": {"number": 7}}, {}),
        ("push", {}, {"x-github-delivery": ""}),
        ("", {}, {}),
    ],
)
def test_what_github_would_not_send(event: str, payload: Any, headers: dict[str, str]) -> None:
    with pytest.raises(BadWebhook):
        github.read(delivery(event, payload, **headers), SECRET)


@given(
    st.sampled_from([event for event, _, _ in EVENTS] + ["package"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["action", "repository", "full_name", "number", "check_run", "issue", "comment", "ref", "package"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
)
def test_no_payload_breaks_it(event: str, payload: Any) -> None:
    """Whatever is signed and sent becomes hints, or is told to be none of GitHub's."""
    try:
        found = github.read(delivery(event, payload), SECRET)
    except BadWebhook:
        return
    assert all(isinstance(hint, Hint) for hint in found)


def test_the_developers_samples(shared: Path) -> None:
    for name in ("github-push", "github-package-published", "github-registry_package-published"):
        body = (shared / "facts" / "webhooks" / f"{name}.json").read_bytes()
        found = github.read(delivery(name.removeprefix("github-").removesuffix("-published"), body), SECRET)
        assert all(hint.delivery == "72d3162e" for hint in found)
