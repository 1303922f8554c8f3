"""GitHub's webhooks: proven by their signature, and read as hints of where to look. Nothing that they say is believed.

    read(incoming, secret)      (Hint("request", "a check run: completed", repository="acme/gitops", request=7, delivery="…"),)
                                (): genuine, and nothing to do
                                raises Forged or BadWebhook

An event about a repository or one of its requests means: look at it. One about what the App is installed on means: ask again
which repositories there are. One about a package names the image that was pushed (as `ghcr` reads it).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bot.forges.base import OWN_CHECK
from bot.forges.github.requests import COMMENT_LINE
from bot.state.hints import Hint
from bot.web.senders import ghcr
from bot.web.senders.base import BadWebhook, Forged, Incoming, get, items, same, text

NAME = "github"
_GHCR = "ghcr.io"

Json = Mapping[str, Any]


def trusted(incoming: Incoming, secret: str) -> bool:
    """Whether `X-Hub-Signature-256` is the body's, compared in constant time. An empty secret trusts nobody."""
    if not secret:
        return False
    wanted = "sha256=" + hmac.new(secret.encode(), incoming.body, hashlib.sha256).hexdigest()
    return same(incoming.header("x-hub-signature-256"), wanted)


def read(incoming: Incoming, secret: str) -> tuple[Hint, ...]:
    """The hints of a delivery. Each has the delivery's number, which is the same when GitHub sends it again."""
    if not trusted(incoming, secret):
        raise Forged("the signature is missing or not this webhook's")
    event, delivery = incoming.header("x-github-event"), incoming.header("x-github-delivery")
    if not event or not delivery:
        raise BadWebhook("github: X-GitHub-Event or X-GitHub-Delivery is missing")
    try:
        payload = json.loads(incoming.body)
    except (ValueError, RecursionError):
        raise BadWebhook("github: the body is not JSON; the webhook's content type has to be application/json") from None
    if not isinstance(payload, Mapping):
        raise BadWebhook("github: the body is not an object")
    reader = _EVENTS.get(event)
    return tuple(replace(hint, delivery=delivery) for hint in reader(payload, event)) if reader else ()


def _at(payload: Json, reason: str, number: Any = None) -> Hint:
    repository = text(payload, "repository", "full_name")
    if repository.count("/") != 1:
        raise BadWebhook("github: the repository's name is missing")
    if isinstance(number, int) and not isinstance(number, bool):
        return Hint("request", reason, repository=repository, request=number)
    return Hint("repository", reason, repository=repository)


def _push(payload: Json, event: str) -> Iterator[Hint]:
    branch = text(payload, "ref").removeprefix("refs/heads/")
    if text(payload, "ref") != branch:  # else a tag's
        yield _at(payload, f"a push to {branch}")


def _request(payload: Json, event: str) -> Iterator[Hint]:
    yield _at(payload, f"{event.replace('_', ' ')}: {text(payload, 'action')}", get(payload, "pull_request", "number"))


def _check(payload: Json, event: str) -> Iterator[Hint]:
    if event == "check_run" and text(payload, event, "name") == OWN_CHECK:
        return  # our own, which says nothing new to us
    numbers = [get(one, "number") for one in items(payload, event, "pull_requests")]
    reason = f"{event.replace('_', ' ')}: {text(payload, 'action')}"
    yield _at(payload, reason, numbers[0] if len(numbers) == 1 else None)


def _status(payload: Json, event: str) -> Iterator[Hint]:
    yield _at(payload, f"a status: {text(payload, 'state')}")


def _comment(payload: Json, event: str) -> Iterator[Hint]:
    said = text(payload, "comment", "body")
    if text(payload, "action") != "deleted" and get(payload, "issue", "pull_request") and COMMENT_LINE not in said:
        yield _at(payload, "a comment", get(payload, "issue", "number"))


def _queue(payload: Json, event: str) -> Iterator[Hint]:
    yield _at(payload, f"the merge queue: {text(payload, 'action')}")


def _repository(payload: Json, event: str) -> Iterator[Hint]:
    reason = f"the repository was {text(payload, 'action')}"
    yield Hint("installation", reason)
    yield _at(payload, reason)


def _installation(payload: Json, event: str) -> Iterator[Hint]:
    yield Hint("installation", f"the installation: {text(payload, 'action')}")


def _package(payload: Json, event: str) -> Iterator[Hint]:
    if text(payload, "action") in ("published", "updated"):
        # Without a tag it is a part of an image, or a signature.
        yield from (hint for hint in ghcr.read(payload, _GHCR) if hint.tag)


def _ping(payload: Json, event: str) -> Iterator[Hint]:
    yield Hint("none", "a ping")


_EVENTS: dict[str, Callable[[Json, str], Iterator[Hint]]] = {
    "push": _push,
    "pull_request": _request,
    "pull_request_review": _request,
    "check_suite": _check,
    "check_run": _check,
    "status": _status,
    "issue_comment": _comment,
    "merge_group": _queue,
    "repository": _repository,
    "installation": _installation,
    "installation_repositories": _installation,
    "package": _package,
    "registry_package": _package,
    "ping": _ping,
}
