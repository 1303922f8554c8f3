"""Harbor: webhooks of a project, in the default format or as CloudEvents.

In Harbor: project > Webhooks > New: notify type `http`, events "Artifact pushed" and "Scanning finished", endpoint
`https://tagboat.example.com/webhooks/registry/harbor.example.com`, auth header: the `webhook_secret` of the registry's row.
Harbor sends that header as it stands, and signs nothing. A push of an image for several platforms sends one event a platform,
whose tag is its digest, before the one with the tag.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.state.hints import Hint
from bot.web.senders.base import by_header, get, image_hint, items, text

NAME = "harbor"
trusted = by_header
_NEWS = frozenset({"PUSH_ARTIFACT", "SCANNING_COMPLETED", "DELETE_ARTIFACT", "TAG_RETENTION"})
_CLOUD_NEWS = {
    "harbor.artifact.pushed": "PUSH_ARTIFACT",
    "harbor.scan.completed": "SCANNING_COMPLETED",
    "harbor.artifact.deleted": "DELETE_ARTIFACT",
    "harbor.tag_retention.finished": "TAG_RETENTION",
}
_WORDS = {
    "SCANNING_COMPLETED": "harbor says that it was scanned",
    "DELETE_ARTIFACT": "harbor says that something of it was deleted",
}


def claims(headers: Mapping[str, str], payload: Any) -> bool:
    return isinstance(get(payload, "event_data"), Mapping) or text(payload, "type").startswith("harbor.")


def read(payload: Any, host: str) -> Iterator[Hint]:
    """The image that an event is about; events that change no image say nothing."""
    said = text(payload, "type")
    kind = _CLOUD_NEWS.get(said, said)
    data = get(payload, "event_data") or get(payload, "data")
    repository = text(data, "repository", "repo_full_name")
    if kind not in _NEWS or (kind == "TAG_RETENTION" and not repository):
        return
    if not repository and text(data, "repository", "namespace"):
        repository = f"{text(data, 'repository', 'namespace')}/{text(data, 'repository', 'name')}"
    # The default format has no id: time, kind and digest are as near as it comes.
    moment = text(payload, "id") or f"{get(payload, 'occur_at')}:{kind}"
    for resource in items(data, "resources") or [{}]:
        digest = text(resource, "digest")
        hint = image_hint(
            NAME,
            host,
            repository,
            text(resource, "tag"),
            digest,
            f"harbor:{moment}:{repository}:{digest}:{text(resource, 'tag')}",
        )
        yield Hint(
            "image", _WORDS.get(kind, hint.reason), image=hint.image, tag=hint.tag, digest=hint.digest, delivery=hint.delivery
        )
