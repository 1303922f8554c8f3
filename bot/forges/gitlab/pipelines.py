"""The pipelines of a project, as far as they say something of our requests.

One question for the newest of them tells for all requests whether any pipeline moved since the last look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache

from bot.forges.gitlab.people import Us
from bot.forges.gitlab.session import Declined
from bot.forges.gitlab.wire import Lane

Json = Mapping[str, Any]

_NEWEST = 50


@dataclass(slots=True)
class Pipelines:
    """Those of one project. `watch` before asking anything else in a look."""

    lane: Lane
    _newest: dict[int, Json] | None = None
    _moved: list[Json] | None = None  # None: cannot be told
    _parents: LRUCache[str, tuple[str, ...]] = field(default_factory=lambda: LRUCache(maxsize=500))

    async def watch(self) -> None:
        """See which pipelines moved since the last time. To be called before the requests are read."""
        try:
            rows = await self.lane.get("/pipelines", order_by="updated_at", sort="desc", per_page=_NEWEST)
        except Declined:  # CI is switched off here, or not for us to see
            self._newest = self._moved = None
            return
        before, self._newest = self._newest, {int(row["id"]): row for row in rows}
        moved = [row for key, row in self._newest.items() if before is None or before.get(key) != row]
        self._moved = None if before is None or len(moved) == len(rows) >= _NEWEST else moved

    def has_moved(self, row: Json) -> bool:
        """Whether one of a request's pipelines moved, as far as can be told."""
        return self._moved is None or any(_is_of(pipeline, row) for pipeline in self._moved)

    async def of(self, request: Json) -> Sequence[Json]:
        """The pipelines that may say something of a request: GitLab's own choice, and what runs for its head."""
        own = request.get("head_pipeline") or request.get("pipeline")  # the older name
        if self._newest is None or (len(self._newest) >= _NEWEST and (own is None or own["id"] not in self._newest)):
            try:
                listed = await self.lane.get(f"/merge_requests/{request['iid']}/pipelines", per_page=_NEWEST)
            except Declined:
                listed = []
        else:
            listed = [one for one in self._newest.values() if _is_of(one, request)]
        found = {int(one["id"]): one for one in (*listed, *([own] if own else []))}
        return [await self._with_user(one) for one in found.values()]

    async def _with_user(self, pipeline: Json) -> Json:
        """Lists leave out who started a pipeline; of statuses from outside it matters."""
        if pipeline.get("source") != "external" or "user" in pipeline:
            return pipeline
        try:
            return {**pipeline, "user": (await self.lane.get(f"/pipelines/{pipeline['id']}")).get("user")}
        except Declined:
            return pipeline

    async def parents(self, pipelines: Iterable[Json]) -> Mapping[str, Sequence[str]]:
        """The parents of the commits on which pipelines of merged results ran: GitLab made these, and their parents tell of
        which head."""
        merged = [str(one["sha"]) for one in pipelines if str(one.get("ref") or "").endswith("/merge") and one.get("sha")]
        found = {sha: await self._parents_of(sha) for sha in list(dict.fromkeys(merged))[:5]}
        return {sha: parents for sha, parents in found.items() if parents}

    async def _parents_of(self, sha: str) -> tuple[str, ...]:
        if sha not in self._parents:
            try:
                commit = await self.lane.find(f"/repository/commits/{sha}")
            except Declined:
                commit = None
            self._parents[sha] = tuple(map(str, (commit or {}).get("parent_ids") or ()))
        return self._parents[sha]


def counting(pipelines: Iterable[Json], us: Us) -> list[Json]:
    """Without those of statuses that were posted with our own token: they count neither for nor against."""
    return [one for one in pipelines if one.get("source") != "external" or (one.get("user") or {}).get("username") != us.login]


def _is_of(pipeline: Json, row: Json) -> bool:
    """Whether a pipeline runs for a request: on its head, its branch, or what GitLab merged of it."""
    if pipeline.get("sha") == row.get("sha") or pipeline.get("ref") == row.get("source_branch"):
        return True
    return str(pipeline.get("ref") or "").startswith(f"refs/merge-requests/{row['iid']}/")
