"""What a manifest says: an index's platforms, or one image's platform, labels and time.

Four media types exist, two of Docker's and two of the OCI's, in two shapes: an *index* lists manifests by platform, a
*manifest* names a config blob that holds platform, labels and time of creation. BuildKit puts attestations into an index as
manifests for the platform `unknown/unknown`; they are no images and are left out.

Platforms are brought to one spelling (`rules.platforms`). What was learned of a digest is true for ever, so it can be kept
(`Facts.dump`, `Facts.load`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.registries.base import Description
from rules.platforms import platform as spelled

INDEX_TYPES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFEST_TYPES = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
ACCEPT = ", ".join(INDEX_TYPES + MANIFEST_TYPES)

_KEPT = 1  # version of what `dump` writes
_LABELS = 200
_LABEL_LENGTH = 4096


class BadManifest(ValueError):
    """The bytes are no manifest that we know; the message says why."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one digest says. `platforms` maps a platform to the digest of its manifest (of itself, if it is one image);
    `config` is the digest of the config blob that is still to be read, if any."""

    digest: str
    platforms: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: str | None = None
    size: int | None = None
    is_index: bool = False
    config: str | None = None

    def dump(self) -> str:
        """One line of JSON that `load` reads."""
        return json.dumps({"v": _KEPT} | asdict(self), separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Facts | None:
        """What `dump` wrote; None where another version wrote it."""
        data = json.loads(text)
        return cls(**data) if isinstance(data, dict) and data.pop("v", None) == _KEPT else None

    def described(self) -> Description:
        """The same, as callers know it."""
        return Description(
            self.digest, frozenset(self.platforms), self.labels, size=self.size, created_at=moment(self.created_at)
        )


def read(digest: str, media_type: str, body: bytes) -> Facts:
    """Facts from a manifest's bytes. Raises BadManifest."""
    data = _object(body)
    kind = data.get("mediaType") or media_type.partition(";")[0].strip()
    annotations = labels(data.get("annotations"))
    if kind in INDEX_TYPES or isinstance(data.get("manifests"), list):
        entries = list(_entries(data.get("manifests")))
        return Facts(digest, dict(reversed(entries)), annotations, is_index=True)
    config, layers = data.get("config"), data.get("layers")
    if data.get("schemaVersion") == 1:
        raise BadManifest("a manifest of the old format (schema 1)")
    if not isinstance(config, dict) or not isinstance(config.get("digest"), str) or not isinstance(layers, list):
        raise BadManifest("no manifest of an image")
    size = sum(layer["size"] for layer in layers if isinstance(layer, dict) and isinstance(layer.get("size"), int))
    return Facts(digest, {}, annotations, size=size, config=config["digest"])


def with_config(facts: Facts, body: bytes) -> Facts:
    """The facts of one image, completed by its config blob. Annotations stay over labels. Raises BadManifest."""
    data = _object(body)
    inner = data.get("config")
    inherited = labels(inner.get("Labels")) if isinstance(inner, dict) else {}
    created = data.get("created")
    # The config of an artifact that is no image (a Helm chart, a policy) names no platform.
    name = platform(data)
    return Facts(
        facts.digest,
        {name: facts.digest} if name else {},
        {**inherited, **facts.labels},
        created_at=created if isinstance(created, str) else None,
        size=facts.size,
    )


def platform(data: Mapping[str, Any]) -> str | None:
    """`os/architecture[/variant]` in one spelling; None where it is not said, or of an attestation."""
    system, machine, variant = (str(data.get(key) or "") for key in ("os", "architecture", "variant"))
    if not system or not machine or (system, machine) == ("unknown", "unknown"):
        return None
    return spelled(system, machine, variant)


def is_genuine(digest: str, body: bytes) -> bool:
    """Whether the bytes have the digest. An algorithm that is not known here is not genuine: nothing can be said of it."""
    algorithm, _, wanted = digest.partition(":")
    if algorithm not in ("sha256", "sha384", "sha512"):
        return False
    return hashlib.new(algorithm, body).hexdigest() == wanted.lower()


def _entries(manifests: object) -> Iterator[tuple[str, str]]:
    if not isinstance(manifests, list):
        raise BadManifest("an index without manifests")
    for entry in manifests:
        if not isinstance(entry, dict) or not isinstance(entry.get("digest"), str):
            raise BadManifest("an index with an entry that has no digest")
        said = entry.get("platform")
        name = platform(said) if isinstance(said, dict) else None
        if name:
            yield name, entry["digest"]


def labels(found: object) -> dict[str, str]:
    """Labels or annotations, as far as they are texts of a bearable number and length."""
    if not isinstance(found, dict):
        return {}
    fitting = ((k, v) for k, v in found.items() if isinstance(v, str) and len(k) + len(v) <= _LABEL_LENGTH)
    return dict(pair for pair, _ in zip(fitting, range(_LABELS), strict=False))


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise BadManifest("no JSON") from None
    if not isinstance(data, dict):
        raise BadManifest("no JSON object")
    return data


def moment(text: object) -> datetime | None:
    """A moment by RFC 3339, in UTC where it names no zone; None where it is none."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) and text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found
