"""GitLab's webhooks: who may send them, and what each means."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from bot.forges.gitlab.notes import Note
from bot.state.hints import Hint
from bot.web.senders.base import BadWebhook, Forged, Incoming
from bot.web.senders.gitlab import read, trusted

SECRET = "a secret of ours"
PROJECT = {"id": 7, "path_with_namespace": "acme/apps/gitops"}


def incoming(event: str, payload: Any, **headers: str) -> Incoming:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Incoming({"x-gitlab-event": event, "x-gitlab-token": SECRET, **named}, json.dumps(payload).encode())


def repository(reason: str, delivery: str | None = None) -> tuple[Hint, ...]:
    return (Hint("repository", reason, repository="acme/apps/gitops", delivery=delivery),)


def request(reason: str, number: int) -> tuple[Hint, ...]:
    return (Hint("request", reason, repository="acme/apps/gitops", request=number),)


def note(text: str, **said: Any) -> dict[str, Any]:
    return {
        "project": PROJECT,
        "object_attributes": {"noteable_type": "MergeRequest", "note": text, "system": False} | said,
        "merge_request": {"iid": 3},
    }


def pipeline(status: str, **more: Any) -> dict[str, Any]:
    return {"project": PROJECT, "object_attributes": {"status": status}, "merge_request": {"iid": 3}} | more


EVENTS: list[tuple[str, str, Any, tuple[Hint, ...]]] = [
    ("a push", "Push Hook", {"ref": "refs/heads/main", "project": PROJECT}, repository("a push to main")),
    ("a tag", "Tag Push Hook", {"ref": "refs/tags/v1", "project": PROJECT}, ()),
    (
        "a request",
        "Merge Request Hook",
        {"project": PROJECT, "object_attributes": {"iid": 3, "action": "approved"}},
        request("a merge request: approved", 3),
    ),
    (
        "a request without a number",
        "Merge Request Hook",
        {"project": PROJECT, "object_attributes": {"iid": True}},
        repository("a merge request: changed"),
    ),
    ("a pipeline of a request", "Pipeline Hook", pipeline("success"), request("a pipeline: success", 3)),
    ("a pipeline of a branch", "Pipeline Hook", pipeline("failed", merge_request=None), repository("a pipeline: failed")),
    ("a pipeline that runs", "Pipeline Hook", pipeline("running"), ()),
    ("a comment", "Note Hook", note("@tagboat hold"), request("a comment", 3)),
    ("our own note", "Note Hook", note(str(Note("hello"))), ()),
    ("GitLab's own note", "Note Hook", note("approved this merge request", system=True), ()),
    ("a comment on an issue", "Note Hook", note("hello", noteable_type="Issue"), ()),
    (
        "a project that appeared",
        "System Hook",
        {"event_name": "project_create"},
        (Hint("installation", "GitLab says project_create"),),
    ),
    ("a key that appeared", "System Hook", {"event_name": "key_create"}, ()),
    (
        "a token that runs out",
        "Resource Access Token Hook",
        {"object_kind": "access_token"},
        (Hint("installation", "an access token is about to expire"),),
    ),
    ("what does not matter", "Emoji Hook", {"project": PROJECT}, ()),
]


@pytest.mark.parametrize(("event", "payload", "expected"), [row[1:] for row in EVENTS], ids=[row[0] for row in EVENTS])
def test_what_an_event_means(event: str, payload: Any, expected: tuple[Hint, ...]) -> None:
    assert read(incoming(event, payload), SECRET) == expected


def test_a_push_as_gitlab_documents_it(shared: Path) -> None:
    body = (shared / "facts" / "webhooks" / "gitlab-push.json").read_bytes()
    sent = Incoming({"x-gitlab-event": "Push Hook", "x-gitlab-token": SECRET, "idempotency-key": "f5e57eb4"}, body)
    assert read(sent, SECRET) == (Hint("repository", "a push to master", repository="mike/diaspora", delivery="f5e57eb4"),)


@pytest.mark.parametrize(("given", "secret"), [("wrong", SECRET), ("", SECRET), ("", ""), (SECRET + "x", SECRET), ("ä", SECRET)])
def test_whoever_does_not_know_the_token_is_not_heard(given: str, secret: str) -> None:
    with pytest.raises(Forged):
        read(incoming("Push Hook", {"ref": "refs/heads/main", "project": PROJECT}, x_gitlab_token=given), secret)


BODY = b'{"ref": "refs/heads/main", "project": {"path_with_namespace": "acme/gitops"}}'
NOW = 1_780_000_000


def signature(key: bytes, body: bytes = BODY, moment: int = NOW) -> str:
    digest = hmac.new(key, f"msg_1.{moment}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def signed(value: str, moment: int = NOW, body: bytes = BODY) -> Incoming:
    headers = {
        "x-gitlab-event": "Push Hook",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(moment),
        "webhook-signature": value,
    }
    return Incoming(headers, body)


RAW = b"0123456789abcdef0123456789abcdef"
STANDARD = "whsec_" + base64.b64encode(RAW).decode()


@pytest.mark.parametrize(
    ("value", "secret", "expected"),
    [
        (signature(SECRET.encode()), SECRET, True),
        (signature(RAW), STANDARD, True),
        (signature(STANDARD.encode()), STANDARD, True),
        (f"v1,bm9uZQ== {signature(RAW)}", STANDARD, True),
        (signature(RAW, b"{}"), STANDARD, False),
        (signature(RAW, moment=NOW - 1), STANDARD, False),
        (signature(b"another"), STANDARD, False),
        ("v1,", STANDARD, False),
        ("", STANDARD, False),
        (signature(b""), "", False),
        (signature(RAW).replace("v1,", "v2,"), STANDARD, False),
    ],
)
def test_a_signature_is_as_good_as_a_token(value: str, secret: str, expected: bool) -> None:
    assert trusted(signed(value), secret, NOW) is expected


@pytest.mark.parametrize(("now", "expected"), [(NOW + 200, True), (NOW + 400, False), (NOW - 400, False), (None, True)])
def test_an_old_signature_may_be_a_replay(now: float | None, expected: bool) -> None:
    assert trusted(signed(signature(RAW)), STANDARD, now) is expected


def test_the_delivery_is_named() -> None:
    (hint,) = read(signed(signature(SECRET.encode())), SECRET)
    assert (hint.repository, hint.delivery) == ("acme/gitops", "msg_1")


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("Push Hook", b"{"),
        ("Push Hook", b"[]"),
        ("Push Hook", b"{}"),
        ("", b"{}"),
        ("Push Hook", b'{"project": {"path_with_namespace": 3}}'),
    ],
)
def test_what_makes_no_sense_is_refused(event: str, body: bytes) -> None:
    with pytest.raises(BadWebhook):
        read(Incoming({"x-gitlab-event": event, "x-gitlab-token": SECRET}, body), SECRET)
