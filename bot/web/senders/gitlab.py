"""GitLab's webhooks: proven by their token or signature, and read as hints of where to look. Nothing that they say is believed.

    read(incoming, secret)      (Hint("request", "a pipeline: success", repository="acme/gitops", request=7, delivery="…"),)
                                (): genuine, and nothing to do
                                raises Forged or BadWebhook

`secret` is the webhook's secret token (`X-Gitlab-Token`), or its signing token (`webhook-signature`, an HMAC of id, moment and
body); where GitLab sends both, one of them has to be right.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bot.state.hints import Hint
from bot.web.senders.base import BadWebhook, Forged, Incoming, get, same, text

NAME = "gitlab"

Json = Mapping[str, Any]

_OLDEST = 300.0  # seconds: an older signature may be a replay
_KEY = "whsec_"
# The end of our own note on a request.
_OWN_NOTE = "<!-- tagboat: end -->"
# While a pipeline only gets on, there is nothing to decide.
_TELLING = frozenset({"success", "failed", "canceled", "skipped", "manual"})
_DELIVERY = ("idempotency-key", "webhook-id", "x-gitlab-event-uuid")


def trusted(incoming: Incoming, secret: str, now: float | None = None) -> bool:
    """Whether the token or the signature is right, compared in constant time. An empty secret trusts nobody. With `now` (seconds
    since 1970) a signature has to be fresh too."""
    return same(incoming.header("x-gitlab-token"), secret) or _signed(incoming, secret, now)


def _signed(incoming: Incoming, secret: str, now: float | None) -> bool:
    number, moment = incoming.header("webhook-id"), incoming.header("webhook-timestamp")
    if not secret or not moment.isdecimal() or (now is not None and abs(now - float(moment[:15])) > _OLDEST):
        return False
    message = f"{number}.{moment}.".encode() + incoming.body
    wanted = [base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode() for key in _keys(secret)]
    given = [part.removeprefix("v1,") for part in incoming.header("webhook-signature").split() if part.startswith("v1,")]
    return any(same(one, other) for one in given[:10] for other in wanted)


def _keys(secret: str) -> Iterator[bytes]:
    """The key as it stands, and where it has the usual form, what it stands for."""
    yield secret.encode()
    if secret.startswith(_KEY):
        try:
            yield base64.b64decode(secret.removeprefix(_KEY), validate=True)
        except binascii.Error:
            return


def read(incoming: Incoming, secret: str, now: float | None = None) -> tuple[Hint, ...]:
    """The hints of a delivery. Each has the delivery's number, which is the same when GitLab sends it again."""
    if not trusted(incoming, secret, now):
        raise Forged("the token or signature is missing or not this webhook's")
    event = incoming.header("x-gitlab-event")
    if not event:
        raise BadWebhook("gitlab: X-Gitlab-Event is missing")
    try:
        payload = json.loads(incoming.body)
    except (ValueError, RecursionError):
        raise BadWebhook("gitlab: the body is not JSON") from None
    if not isinstance(payload, Mapping):
        raise BadWebhook("gitlab: the body is not an object")
    delivery = next((found for name in _DELIVERY if (found := incoming.header(name))), None)
    reader = _EVENTS.get(event)
    return tuple(replace(hint, delivery=delivery) for hint in reader(payload)) if reader else ()


def _at(payload: Json, reason: str, number: Any = None) -> Hint:
    repository = text(payload, "project", "path_with_namespace")
    if "/" not in repository.strip("/"):
        raise BadWebhook("gitlab: the project's path is missing")
    if isinstance(number, int) and not isinstance(number, bool):
        return Hint("request", reason, repository=repository, request=number)
    return Hint("repository", reason, repository=repository)


def _push(payload: Json) -> Iterator[Hint]:
    yield _at(payload, f"a push to {text(payload, 'ref').removeprefix('refs/heads/')}")


def _request(payload: Json) -> Iterator[Hint]:
    action = text(payload, "object_attributes", "action") or "changed"
    yield _at(payload, f"a merge request: {action}", get(payload, "object_attributes", "iid"))


def _pipeline(payload: Json) -> Iterator[Hint]:
    status = text(payload, "object_attributes", "status")
    if status in _TELLING:
        yield _at(payload, f"a pipeline: {status}", get(payload, "merge_request", "iid"))


def _note(payload: Json) -> Iterator[Hint]:
    said = get(payload, "object_attributes")
    about_request = text(said, "noteable_type") == "MergeRequest"
    if about_request and not get(said, "system") and _OWN_NOTE not in text(said, "note"):
        yield _at(payload, "a comment", get(payload, "merge_request", "iid"))


def _projects(payload: Json) -> Iterator[Hint]:
    name = text(payload, "event_name")
    if name.startswith("project_") or name.endswith("_team"):
        yield Hint("installation", f"GitLab says {name}")


def _token(payload: Json) -> Iterator[Hint]:
    yield Hint("installation", "an access token is about to expire")


_EVENTS: dict[str, Callable[[Json], Iterator[Hint]]] = {
    "Push Hook": _push,
    "Merge Request Hook": _request,
    "Pipeline Hook": _pipeline,
    "Note Hook": _note,
    "Confidential Note Hook": _note,
    "System Hook": _projects,
    "Resource Access Token Hook": _token,
}
