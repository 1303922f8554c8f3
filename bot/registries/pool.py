"""All registries of a pass: each image is listed once, however many files and repositories use it.

    registries = Registries([RegistryAccess("harbor.example.com", credentials=…, images=("team/*",))])
    tags = await registries.tags("harbor.example.com/team/web", for_repository="acme/gitops")

A host in the list is asked with the first row that fits the image and the repository whose files name it; where no row
fits, and for public hosts that are not in the list, it is asked anonymously: a credential bound to some images or some
repositories is never used for others. Outcomes are shared only between those who are asked for with the same credentials,
failures included. `no_older_than` asks anew where what is known was read before that moment.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from bot.registries.addresses import AddressRule, host_and_port
from bot.registries.base import Credentials, Description, Registry, RegistryError
from bot.registries.harbor import HarborRegistry
from bot.registries.limits import Clock, Limits, Quota
from bot.registries.oci import ManifestCache, MemoryCache, OciRegistry
from bot.registries.wire import RequestKind, Wire
from bot.state.allowances import Allowances
from rules.globs import matches_any
from rules.images import BadReference, ImageRef

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """One row of `registries` in `app.yaml`: a host (with its port, if any) and how it is asked.

    `insecure`: over plain http. `images` are globs of repositories on the host that `credentials` read, `for_repositories`
    globs of the git repositories whose files may name them; empty: all. `auth_hosts`: token services elsewhere. `missing`: why
    the credentials could not be had; then nothing is asked with this row, neither with other ones nor without.
    """

    host: str
    kind: str = "oci"
    insecure: bool = False
    credentials: Credentials | None = None
    auth_hosts: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    for_repositories: tuple[str, ...] = ()
    missing: str = ""

    def reads(self, repository: str, for_repository: str | None) -> bool:
        """Whether the credentials answer for an image's repository, named in the files of a git repository (None: of none)."""
        if self.images and not matches_any(self.images, repository):
            return False
        if not self.for_repositories:
            return True
        return for_repository is not None and matches_any(self.for_repositories, for_repository)


KINDS: dict[str, type[OciRegistry]] = {"oci": OciRegistry, "harbor": HarborRegistry}


class _Outcome(Generic[_T]):
    """An answer that is being read, or was; `since` is when the reading began (seconds since 1970)."""

    __slots__ = ("done", "error", "found", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.done: asyncio.Event | None = asyncio.Event()  # until it is read: many are kept, and an event is large
        self.error: RegistryError | None = None
        self.found: tuple[_T] | None = None


class Registries:
    """The registries that `app.yaml` lists, and the public ones. Use it inside one event loop; `close` it, or `async with`."""

    def __init__(
        self,
        accesses: Iterable[RegistryAccess] = (),
        *,
        limits: Limits | None = None,
        cache: ManifestCache | None = None,
        clock: Clock | None = None,
        allowances: Allowances | None = None,
    ) -> None:
        self._accesses: dict[str, list[RegistryAccess]] = {}
        listed: set[tuple[str, int]] = set()
        for access in accesses:
            if access.kind not in KINDS:
                raise ValueError(f"registry {access.host}: kind {access.kind!r} is not one of {', '.join(sorted(KINDS))}")
            host = _canonical_host(access.host)
            self._accesses.setdefault(host, []).append(replace(access, host=host))
            listed.add(host_and_port(host, default=80 if access.insecure else 443))
            listed |= {host_and_port(name, default=443) for name in access.auth_hosts}
        self._clock = clock or Clock()
        self._wire = Wire(AddressRule(listed), limits, self._clock, allowances)
        self._cache = cache or MemoryCache()
        self._registries: dict[tuple[str, int], Registry] = {}
        self._found: dict[tuple[str, str | None], tuple[Registry, tuple[str, int], str]] = {}
        self._outcomes: dict[tuple[Any, ...], _Outcome[Any]] = {}

    @property
    def requests(self) -> Counter[tuple[str, RequestKind]]:
        """Requests sent so far, by (host, kind); every attempt and every hop of a redirect counts."""
        return self._wire.requests

    @property
    def quotas(self) -> Mapping[str, Quota]:
        """What hosts said of our allowance, by host."""
        return self._wire.known()

    async def tags(self, image: str, *, for_repository: str | None = None, no_older_than: float | None = None) -> tuple[str, ...]:
        """Every tag of an image (a name as written in a file). Raises RegistryError."""
        registry, scope, name = self._find(image, for_repository)

        async def read() -> tuple[str, ...]:
            return tuple(await registry.tags(name))

        return await self._once(("tags", *scope, name), read, no_older_than)

    def scope(self, image: str, for_repository: str | None) -> str:
        """What tells apart those who may be told different things of an image: the row of the settings that it is read with, the
        same in every process. Raises RegistryError."""
        _, (host, chosen), _ = self._find(image, for_repository)
        if chosen < 0:
            return "anonymous"
        row = self._accesses[host][chosen]
        said = (row.host, row.kind, row.credentials.username if row.credentials else None, row.images, row.for_repositories)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:32]

    async def digest(
        self, image: str, reference: str, *, for_repository: str | None = None, no_older_than: float | None = None
    ) -> str | None:
        """The digest that a tag points at; None where the tag does not exist. Raises RegistryError."""
        registry, scope, name = self._find(image, for_repository)
        return await self._once(("digest", *scope, name, reference), lambda: registry.digest(name, reference), no_older_than)

    async def describe(
        self,
        image: str,
        reference: str,
        *,
        for_repository: str | None = None,
        labels: bool = False,
        no_older_than: float | None = None,
    ) -> Description | None:
        """What a tag or digest points at; None where it does not exist there. Raises RegistryError.

        `labels` asks for the labels of an image for several platforms too, which costs two more requests, once for ever."""
        registry, scope, name = self._find(image, for_repository)
        # A HEAD finds out whether the image is there for these credentials: what is known of a digest says nothing of that.
        digest = await self.digest(image, reference, for_repository=for_repository, no_older_than=no_older_than)
        if digest is None:
            return None
        key = ("describe", *scope, name, digest, labels)
        return await self._once(key, lambda: registry.describe(name, digest, labels=labels), no_older_than)

    async def pushed(
        self, image: str, tags: Iterable[str], *, for_repository: str | None = None, no_older_than: float | None = None
    ) -> dict[str, datetime]:
        """When tags were pushed, for those of which the registry can tell. Raises RegistryError."""
        registry, scope, name = self._find(image, for_repository)
        wanted = tuple(tags)
        return dict(await self._once(("pushed", *scope, name, wanted), lambda: registry.pushed(name, wanted), no_older_than))

    def forget(self) -> None:
        """Drop what was read of tags, so that the next pass reads anew. Logins, connections and manifests are kept."""
        self._outcomes.clear()
        self._found.clear()

    def prune(self, before: float) -> None:
        """Drop what was read of tags before a moment (seconds since 1970), for a server that runs for long."""
        self._outcomes = {key: one for key, one in self._outcomes.items() if one.since >= before or one.done is not None}
        self._found.clear()

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def _once(self, key: tuple[Any, ...], read: Callable[[], Awaitable[_T]], no_older_than: float | None) -> _T:
        """The outcome of `read`, shared by all who ask for the same: the first reads, the others wait for it."""
        while True:
            outcome: _Outcome[_T] | None = self._outcomes.get(key)
            if outcome is None or (no_older_than is not None and outcome.since < no_older_than):
                return await self._read(key, read)
            if outcome.done is not None:
                await outcome.done.wait()
            if outcome.found is not None:
                return outcome.found[0]
            if outcome.error is not None:
                raise type(outcome.error)(*outcome.error.args) from outcome.error
            # The one who read was cancelled: another takes over.

    async def _read(self, key: tuple[Any, ...], read: Callable[[], Awaitable[_T]]) -> _T:
        outcome: _Outcome[_T] = _Outcome(self._clock.wall())
        self._outcomes[key] = outcome
        try:
            found = await read()
            outcome.found = (found,)
            return found
        except RegistryError as error:
            outcome.error = error
            raise
        finally:
            if outcome.found is None and outcome.error is None and self._outcomes.get(key) is outcome:
                del self._outcomes[key]
            if outcome.done is not None:
                outcome.done.set()
                outcome.done = None

    def _find(self, image: str, for_repository: str | None) -> tuple[Registry, tuple[str, int], str]:
        """The registry to ask, the scope of what it answers, and the image's name there."""
        known = self._found.get((image, for_repository))
        if known is not None:
            return known
        try:
            ref = ImageRef.parse(image)
        except BadReference as error:
            raise RegistryError(str(error)) from None
        host, repository = ref.registry, ref.repository
        rows: Sequence[RegistryAccess] = self._accesses.get(host, ())
        chosen = next((at for at, row in enumerate(rows) if row.reads(repository, for_repository)), -1)
        if chosen >= 0 and rows[chosen].missing:
            raise RegistryError(f"{host}: no credentials: {rows[chosen].missing}")
        key = (host, chosen)
        registry = self._registries.get(key)
        if registry is None:
            try:
                registry = self._registries[key] = self._build(host, rows, chosen)
            except ValueError:
                # The grammar of images allows ports and addresses that cannot be.
                raise RegistryError(f"{host} is not a host that can be asked") from None
        found = self._found[image, for_repository] = (registry, key, repository)
        return found

    def _build(self, host: str, rows: Sequence[RegistryAccess], chosen: int) -> Registry:
        if chosen >= 0:
            access = rows[chosen]
        elif rows:
            access = replace(rows[0], credentials=None)
        else:
            access = RegistryAccess(host)
        return KINDS[access.kind](
            self._wire,
            access.host,
            access.credentials,
            # Of a host, not of a row: it does not answer in two ways.
            insecure=any(row.insecure for row in rows),
            auth_hosts=access.auth_hosts,
            cache=self._cache,
        )


def _canonical_host(host: str) -> str:
    """A host as image names have it: Docker Hub's many names are one, letters are lower case."""
    try:
        ref = ImageRef.parse(f"{host}/a/b")
    except BadReference:
        raise ValueError(f"{host!r} is not the host of a registry; write it as in an image's name, without a scheme") from None
    if ref.repository != "a/b":
        raise ValueError(f"{host!r} is not the host of a registry; write it as in an image's name, without a path")
    return ref.registry
