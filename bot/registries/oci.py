"""A registry that speaks the OCI distribution protocol, and no more than that.

    GET  /v2/<name>/tags/list?n=1000     every tag, page by page (`Link`)
    HEAD /v2/<name>/manifests/<tag>      what a tag points at; no registry counts this as a pull
    GET  /v2/<name>/manifests/<digest>   once for ever, then from the cache
    GET  /v2/<name>/blobs/<digest>       the config of one image: platform, labels, time

The digest of a tag is that of what the tag points at: of the index, for an image for several platforms. Bytes that are read
by digest are checked against it. Push times are not in the protocol.
"""

from __future__ import annotations

import hashlib
import json
import re
from asyncio import Event, get_running_loop
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from yarl import URL

from bot.registries import manifests
from bot.registries.auth import Login
from bot.registries.base import Credentials, Description, RegistryError
from bot.registries.links import following
from bot.registries.manifests import ACCEPT, BadManifest, Facts
from bot.registries.wire import Answer, RequestKind, Wire, host_of
from rules.images import DOCKER_HUB, is_digest, is_tag

_PAGE = 1000  # tags a page; ECR refuses more
_PAGES = 1000
_TAGS = 1_000_000
_PAGE_LIMIT = 32 * 1024 * 1024
_MANIFEST_LIMIT = 4 * 1024 * 1024  # what the specification asks registries to take
_TAG_BYTES = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-\n"
_ALONE = 2.0  # seconds
_CODE = re.compile(r"[A-Z_]{3,40}\Z")
_ASKED_AT = {DOCKER_HUB: "registry-1.docker.io"}


class ManifestCache(Protocol):
    """Keeps what was learned of a digest, for ever. The ledger is one."""

    async def manifest(self, digest: str) -> str | None: ...

    async def keep_manifest(self, digest: str, description: str) -> None: ...


class MemoryCache:
    """A cache for as long as the process runs."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    async def manifest(self, digest: str) -> str | None:
        return self._kept.get(digest)

    async def keep_manifest(self, digest: str, description: str) -> None:
        self._kept.setdefault(digest, description)


class OciRegistry:
    """One registry host, asked with one set of credentials or none. See `Registry` for the methods."""

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
        self.host = host
        asked_at = _ASKED_AT.get(host, host)
        self._wire = wire
        self._base = f"{'http' if insecure else 'https'}://{asked_at}"
        self._login = Login(wire, asked_at, URL(self._base), credentials, auth_hosts, insecure=insecure)
        self._has_credentials = credentials is not None
        self._cache = cache or MemoryCache()
        self._meeting = False
        self._met = Event()
        self._page = f"?n={_PAGE}"

    async def tags(self, repository: str) -> Sequence[str]:
        """Every tag, in the registry's own order (which means nothing)."""
        first = f"{self._base}/v2/{repository}/tags/list"
        answer = await self._ask("GET", first + self._page, repository, "listings", _PAGE_LIMIT)
        if self._page and (answer.status == 405 or (answer.status == 400 and _code(answer) != "NAME_INVALID")):
            # The registry does not take this page size: it is asked for its own.
            answer = await self._ask("GET", first, repository, "listings", _PAGE_LIMIT)
            self._page = "" if answer.status == 200 else self._page
        tags = self._listed(answer, repository)
        if "Link" not in answer.headers:
            return tags
        found = dict.fromkeys(tags)
        seen = {first, first + self._page}
        for _ in range(_PAGES):
            onward = following(answer.headers.getall("Link", ()), first)
            if onward is None:
                return list(found)
            if onward in seen:
                raise RegistryError(f"{self.host} lists the tags of {repository} in a circle")
            if len(found) > _TAGS:
                break
            seen.add(onward)
            answer = await self._ask("GET", onward, repository, "listings", _PAGE_LIMIT)
            found |= dict.fromkeys(self._listed(answer, repository))
        raise RegistryError(f"{self.host} never comes to the end of the tags of {repository} ({len(found)} so far)")

    async def digest(self, repository: str, reference: str) -> str | None:
        """The digest that a tag points at (HEAD: no pull is counted); None where the tag does not exist."""
        url = self._manifest(repository, reference)
        answer = await self._ask("HEAD", url, repository, "manifests", _MANIFEST_LIMIT, accept=ACCEPT)
        if answer.status == 404:
            return None
        said = answer.headers.get("Docker-Content-Digest", "").strip()
        if answer.status == 200 and is_digest(said):
            if is_digest(reference) and said.lower() != reference.lower():
                raise RegistryError(f"{self.host} answers with another digest than the one asked for in {repository}")
            return said
        if answer.status not in (200, 400, 405, 501):
            raise self._refusal(answer, repository)
        # Older registries do not say the digest, or know no HEAD.
        answer = await self._ask("GET", url, repository, "manifests", _MANIFEST_LIMIT, accept=ACCEPT)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._refusal(answer, repository)
        return f"sha256:{hashlib.sha256(answer.body).hexdigest()}"

    async def describe(self, repository: str, reference: str, *, labels: bool = False) -> Description | None:
        """The manifest behind a tag or digest; None where it does not exist. A tag is looked up by HEAD first.

        Of an image for several platforms the index alone is read; with `labels` one of its platforms too, for its labels."""
        digest = reference if is_digest(reference) else await self.digest(repository, reference)
        facts = await self._facts(repository, digest) if digest else None
        if facts is None:
            return None
        described = facts.described()
        if labels and facts.is_index and facts.platforms:
            child = facts.platforms.get("linux/amd64") or next(iter(facts.platforms.values()))
            inner = await self._facts(repository, child)
            if inner is not None:
                described = Description(
                    facts.digest, described.platforms, {**inner.labels, **facts.labels}, created_at=inner.described().created_at
                )
        return described

    async def pushed(self, repository: str, tags: Sequence[str]) -> Mapping[str, datetime]:
        """Nothing: the protocol does not tell."""
        return {}

    async def _facts(self, repository: str, digest: str) -> Facts | None:
        kept = await self._kept(digest)
        if kept is not None:
            return kept
        answer = await self._ask(
            "GET", self._manifest(repository, digest), repository, "manifests", _MANIFEST_LIMIT, accept=ACCEPT
        )
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._refusal(answer, repository)
        self._hold_to(digest, answer, repository)
        try:
            facts = manifests.read(digest, answer.headers.get("Content-Type", ""), answer.body)
            if facts.config is not None:
                facts = manifests.with_config(facts, await self._blob(repository, facts.config))
        except BadManifest as error:
            raise RegistryError(f"{self.host}: what {repository}@{digest[:19]}… points at is {error}") from error
        await self._cache.keep_manifest(digest, facts.dump())
        return facts

    async def _kept(self, digest: str) -> Facts | None:
        text = await self._cache.manifest(digest)
        return Facts.load(text) if text is not None else None

    async def _blob(self, repository: str, digest: str) -> bytes:
        if not is_digest(digest):
            raise BadManifest("a manifest whose config has no digest")
        url = f"{self._base}/v2/{repository}/blobs/{digest}"
        answer = await self._ask("GET", url, repository, "blobs", _MANIFEST_LIMIT)
        if answer.status != 200:
            raise self._refusal(answer, repository)
        self._hold_to(digest, answer, repository)
        return answer.body

    def _manifest(self, repository: str, reference: str) -> str:
        if not (is_tag(reference) or is_digest(reference)):
            raise RegistryError(f"{reference[:80]!r} is neither a tag nor a digest of {repository}")
        return f"{self._base}/v2/{repository}/manifests/{reference}"

    async def _ask(self, method: str, url: str, repository: str, kind: RequestKind, limit: int, *, accept: str = "") -> Answer:
        """One request, logged in as far as the registry wants it. A 401 that stays is a RegistryError."""
        # The first request alone finds out whether a login is wanted, before many do at once; not for long, if it is slow.
        if not self._meeting:
            self._meeting = True
            enough = get_running_loop().call_later(_ALONE, self._met.set)
            try:
                return await self._logged_in(method, url, repository, kind, limit, accept)
            finally:
                enough.cancel()
                self._met.set()
        await self._met.wait()
        return await self._logged_in(method, url, repository, kind, limit, accept)

    async def _logged_in(self, method: str, url: str, repository: str, kind: RequestKind, limit: int, accept: str) -> Answer:
        asked = URL(url, encoded=True)
        headers = {"Accept": accept} if accept else {}
        authorization = await self._login.header(repository)
        if authorization is not None:
            headers["Authorization"] = authorization
        answer = await self._wire.fetch(method, asked, kind, limit=limit, headers=headers)
        if answer.status == 401 and answer.url.origin() == asked.origin():
            better = await self._login.answer(answer, repository, authorization)
            if better is not None:
                headers["Authorization"] = better
                answer = await self._wire.fetch(method, asked, kind, limit=limit, headers=headers)
        if answer.status == 401:
            raise self._refusal(answer, repository)
        return answer

    def _listed(self, answer: Answer, repository: str) -> Sequence[str]:
        """The tags on one page. Raises RegistryError where it is none."""
        if answer.status != 200:
            raise self._refusal(answer, repository)
        try:
            tags = json.loads(answer.body)["tags"]
            if tags is None:
                return ()
            text = "\n".join(tags) if isinstance(tags, list) else None
        except (ValueError, KeyError, TypeError, RecursionError):
            text = None
        if text is None:
            shape = "a page of HTML" if answer.body.lstrip()[:1] == b"<" else "something else"
            raise RegistryError(f"{self.host}: asked for the tags of {repository}, it sent {shape}")
        return tags if _are_plain(tags, text) else [tag for tag in tags if is_tag(tag)]

    def _hold_to(self, digest: str, answer: Answer, repository: str) -> None:
        if not manifests.is_genuine(digest, answer.body):
            raise RegistryError(f"{self.host} sent other bytes than those of {repository}@{digest[:19]}…")

    def _refusal(self, answer: Answer, repository: str) -> RegistryError:
        """An answer that is no use, in plain words."""
        said = f"{answer.status} {_code(answer)}".strip()
        where = self.host if answer.url.origin() == URL(self._base).origin() else f"{host_of(answer.url)} (for {self.host})"
        match answer.status:
            case 401 if self._has_credentials:
                return RegistryError(f"{where} refuses the credentials for {repository} ({said})")
            case 401:
                return RegistryError(f"{where} wants a login for {repository}, and none is configured ({said})")
            case 403:
                return RegistryError(f"{where} does not allow reading {repository} ({said})")
            case 404:
                return RegistryError(f"{where} has no repository {repository}, or does not show it ({said})")
            case _:
                return RegistryError(f"{where}: asked about {repository}, it answers with status {said}")


def _are_plain(tags: Sequence[str], text: str) -> bool:
    """Whether all are tags by the grammar, but for their length; `text` is the same, joined by newlines. No loop in Python."""
    if text.count("\n") >= len(tags):
        return False
    if not text.isascii() or text.encode().translate(None, _TAG_BYTES):
        return False
    lines = f"\n{text}\n"
    return not ("\n." in lines or "\n-" in lines or "\n\n" in lines)


def _code(answer: Answer) -> str:
    """The error code that a registry gives, if it is one; its text is not repeated: anyone may have written it."""
    try:
        code = json.loads(answer.body)["errors"][0]["code"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return ""
    return code if isinstance(code, str) and _CODE.match(code) else ""
