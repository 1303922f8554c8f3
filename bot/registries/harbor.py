"""Harbor: the protocol for tags and digests, Harbor's own API (v2.0) for what the protocol does not tell.

* Push times, for `min_age` and `newest`: `…/artifacts?sort=-push_time`, newest first, as many pages as it takes. Of each tag, not
  of the artifact: an old artifact can get a new tag.
* Platforms and labels: `…/artifacts/<digest>`. Reading a manifest counts as a pull in Harbor: it would keep every image alive
  that is to be removed when it is no longer pulled, and set off a webhook. Only where the API does not tell (the variant of a
  single arm image), or does not let us, the manifest is read.

A robot account needs `repository:pull` for the first, and `artifact:list`, `artifact:read` and `tag:list` for the rest.
Quirks: a slash in a repository's name is encoded twice; the API takes Basic logins, and never the tokens of the protocol.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from bot.registries.base import Credentials, RegistryError
from bot.registries.manifests import Facts, labels, moment, platform
from bot.registries.oci import ManifestCache, OciRegistry
from bot.registries.wire import Wire

_PAGE = 100  # artifacts a page; Harbor gives no more
_PAGES = 1000
_LIMIT = 32 * 1024 * 1024
_FEW = 3  # tags up to which each is asked for by itself


class HarborRegistry(OciRegistry):
    """One Harbor, asked with one set of credentials or none. See `Registry` for the methods."""

    def __init__(
        self,
        wire: Wire,
        host: str,
        credentials: Credentials | None = None,
        *,
        insecure: bool = False,
        auth_hosts: Sequence[str] = (),
        cache: ManifestCache | None = None,
    ) -> None:
        super().__init__(wire, host, credentials, insecure=insecure, auth_hosts=auth_hosts, cache=cache)
        self._headers: dict[str, str] = {}
        if credentials is not None and credentials.username is not None and credentials.password is not None:
            self._headers["Authorization"] = aiohttp.encode_basic_auth(credentials.username, credentials.password)

    async def pushed(self, repository: str, tags: Sequence[str]) -> Mapping[str, datetime]:
        """When tags were pushed. A tag that was moved counts from its move."""
        wanted = set(tags)
        found: dict[str, datetime] = {}
        if len(wanted) <= _FEW:
            for tag in wanted:
                artifact = await self._api(repository, f"/{tag}?with_tag=true")
                found |= _times(artifact) if isinstance(artifact, dict) else {}
        else:
            for page in range(1, _PAGES + 1):
                query = f"?with_tag=true&with_label=false&q=tags%3D*&sort=-push_time&page_size={_PAGE}&page={page}"
                artifacts = await self._api(repository, query) or []
                for artifact in artifacts:
                    # The newest come first; where a tag is on two pages it has just been moved.
                    found = _times(artifact) | found
                if len(artifacts) < _PAGE or wanted <= found.keys():
                    break
        return {tag: found[tag] for tag in wanted & found.keys()}

    async def _facts(self, repository: str, digest: str) -> Facts | None:
        kept = await self._kept(digest)
        if kept is not None:
            return kept
        try:
            artifact = await self._api(repository, f"/{digest}?with_tag=false&with_label=false")
        except _NotAllowed:
            artifact = None
        facts = _read(digest, artifact) if isinstance(artifact, dict) else None
        # What the API says is not checked against the digest, so it is not kept for ever.
        return facts if facts is not None else await super()._facts(repository, digest)

    async def _api(self, repository: str, rest: str) -> Any:
        """JSON from `…/artifacts` + `rest`; None where there is none such."""
        project, _, name = repository.partition("/")
        path = f"/api/v2.0/projects/{quote(project, safe='')}/repositories/{quote(quote(name, safe=''), safe='')}/artifacts{rest}"
        answer = await self._wire.fetch(
            "GET",
            URL(self._base + path, encoded=True),
            "api",
            limit=_LIMIT,
            headers={"Accept": "application/json"} | self._headers,
        )
        match answer.status:
            case 200:
                pass
            case 404:
                return None
            case 401 | 403:
                raise _NotAllowed(
                    f"{self.host} does not allow reading the artifacts of {repository} over its API ({answer.status}): "
                    "the robot account needs artifact:list, artifact:read and tag:list; `kind: oci` does without"
                )
            case _:
                raise self._refusal(answer, repository)
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) and not (isinstance(found, list) and all(isinstance(one, dict) for one in found)):
            raise RegistryError(f"{self.host}: its API sent something that is not Harbor's; `kind: oci` does without")
        return found


class _NotAllowed(RegistryError):
    """The API is not open to these credentials."""


def _times(artifact: Mapping[str, Any]) -> dict[str, datetime]:
    """When each tag of an artifact was pushed."""
    tags = artifact.get("tags")
    said = (
        ((tag.get("name"), moment(tag.get("push_time"))) for tag in tags if isinstance(tag, dict))
        if isinstance(tags, list)
        else ()
    )
    # Year 1 is how Harbor writes `never`.
    return {name: at for name, at in said if isinstance(name, str) and at is not None and at.year > 1}


def _read(digest: str, artifact: Mapping[str, Any]) -> Facts | None:
    """An artifact as Harbor's API has it; None where that does not say enough."""
    annotations = labels(artifact.get("annotations"))
    children = artifact.get("references")
    if artifact.get("digest") != digest:
        return None
    if isinstance(children, list) and children:
        entries = [
            (platform(child.get("platform") or {}), child.get("child_digest")) for child in children if isinstance(child, dict)
        ]
        named = {name: child for name, child in reversed(entries) if name and isinstance(child, str)}
        return Facts(digest, named, annotations, is_index=True)
    about = artifact.get("extra_attrs")
    # Harbor drops the variant, and plain `arm` could be v6 or v7.
    if artifact.get("type") != "IMAGE" or not isinstance(about, dict) or about.get("architecture") in (None, "", "arm"):
        return None
    name, config, created, size = platform(about), about.get("config"), about.get("created"), artifact.get("size")
    return Facts(
        digest,
        {name: digest} if name else {},
        (labels(config.get("Labels")) if isinstance(config, dict) else {}) | annotations,
        created_at=created if isinstance(created, str) else None,
        size=size if isinstance(size, int) else None,
    )
