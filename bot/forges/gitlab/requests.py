"""Our merge requests as GitLab lists them, kept from look to look: one page tells what changed.

The first look reads a few hundred of them, newest change first, and all that are open. Later ones read the first page; further
pages only as far as something changed since, and what is open and stands on none of them by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from bot.forges.gitlab.people import Us
from bot.forges.gitlab.wire import Lane
from rules.records import record_of
from rules.requests import PullRequest

Json = Mapping[str, Any]

# How a branch of ours ends, whatever its prefix (`Stream.mark`).
_MARKED = re.compile(r"-[0-9a-f]{8}\Z")
# The head that we wrote, at the end of a description: an instance may put other names under our commits than our own.
_HEAD_LINE = re.compile(r"<!-- tagboat: head ([0-9a-f]{40,64}) -->\s*\Z")
_KEPT = (
    "iid", "state", "title", "source_branch", "target_branch", "sha", "web_url", "labels", "draft", "created_at", "updated_at",
    "merged_at", "closed_at", "closed_by", "merge_commit_sha", "squash_commit_sha",
)  # fmt: skip
_FIRST_PAGES = 3
_ENDED_KEPT = 400


class Table:
    """Our requests of one project, by number, each as its newest listing."""

    def __init__(self) -> None:
        self.rows: dict[int, Json] = {}
        self._until = ""

    def open(self) -> Iterator[Json]:
        return (row for row in self.rows.values() if is_open(row))

    def put(self, row: Json) -> None:
        """Take in a newer answer about one of our requests."""
        self.rows[int(row["iid"])] = row if is_open(row) else slim(row)

    async def read(self, lane: Lane, us: Us) -> None:
        """Bring the table up to date."""
        query = {
            "state": "all",
            "author_id": us.id,
            "order_by": "updated_at",
            "sort": "desc",
            "with_merge_status_recheck": "true",
        }
        fresh: dict[int, Json] = {}
        newest, count, whole = "", 0, True
        async for page in lane.pages("/merge_requests", query):
            count += 1
            changed = [str(row.get("updated_at") or "") for row in page]
            newest = max([newest, *changed])
            fresh |= {int(row["iid"]): row for row in page if _ours(row, us)}
            whole = len(page) < 100
            old_enough = count >= _FIRST_PAGES if not self._until else bool(changed) and changed[-1] < self._until
            if old_enough and not whole:
                break
        unseen = [iid for iid, row in self.rows.items() if is_open(row) and iid not in fresh]
        if not whole and (unseen or not self._until):
            async for page in lane.pages("/merge_requests", {**query, "state": "opened"}):
                fresh |= {int(row["iid"]): row for row in page if _ours(row, us)}
        for iid in unseen:
            if iid not in fresh:
                row = await lane.find(f"/merge_requests/{iid}")
                del self.rows[iid]
                fresh |= {iid: row} if row is not None else {}
        for row in fresh.values():
            self.put(row)
        self._until = max(self._until, newest)
        self._forget()

    def _forget(self) -> None:
        ended = [(str(row.get("updated_at") or ""), iid) for iid, row in self.rows.items() if not is_open(row)]
        for _, iid in sorted(ended)[:-_ENDED_KEPT]:
            del self.rows[iid]


def slim(row: Json) -> Json:
    """What is needed of a request that has ended; of its description only our hidden lines."""
    lines = [line for line in str(row.get("description") or "").splitlines() if line.startswith("<!-- tagboat: ")]
    return {key: row[key] for key in _KEPT if key in row} | {"description": "\n".join(lines[-3:])}


def is_open(row: Json) -> bool:
    """`locked` is a request that is being merged right now."""
    return row.get("state") in ("opened", "locked")


def _ours(row: Json, us: Us) -> bool:
    """Whether we opened a request, from a branch of our kind in this very project."""
    mine = (row.get("author") or {}).get("username") == us.login
    here = row.get("source_project_id") == row.get("target_project_id")
    return mine and here and _MARKED.search(str(row.get("source_branch") or "")) is not None


def request_of(row: Json, us: Us) -> PullRequest:
    """The request as the rest of the program knows it, by its listing. Readiness and persons' commits are read elsewhere."""
    state: Literal["open", "closed", "merged"] = "open"
    if not is_open(row):
        state = "merged" if row.get("state") == "merged" else "closed"
    body = _HEAD_LINE.sub("", str(row.get("description") or ""))
    return PullRequest(
        number=int(row["iid"]),
        branch=str(row["source_branch"]),
        base=str(row["target_branch"]),
        title=str(row.get("title") or ""),
        body=body,
        head=str(row.get("sha") or ""),
        state=state,
        url=str(row.get("web_url") or ""),
        labels=frozenset(_label(label) for label in row.get("labels") or ()),
        draft=bool(row.get("draft", row.get("work_in_progress"))),
        created_at=moment(row.get("created_at")),
        ended_at=None if state == "open" else moment(row.get("merged_at") or row.get("closed_at") or row.get("updated_at")),
        closed_by_us=state == "closed" and (row.get("closed_by") or {}).get("username") == us.login,
        landed=landed(row),
        record=record_of(body),
        auto_merge_by=str((row.get("merge_user") or {}).get("username") or "") if row.get("merge_when_pipeline_succeeds") else "",
    )


def with_head(text: str, head: str) -> str:
    """A description that says which head we wrote."""
    return f"{text.rstrip()}\n<!-- tagboat: head {head} -->\n"


def head_of(description: str) -> str | None:
    """The head that a description names. Whoever may edit it can write another: good for planning, never for merging."""
    found = _HEAD_LINE.search(description)
    return found[1] if found else None


def landed(row: Json) -> str | None:
    """The commit on the base by which a request landed: the merge commit, else the squashed one, else its head."""
    if row.get("state") != "merged":
        return None
    commit = row.get("merge_commit_sha") or row.get("squash_commit_sha") or row.get("sha")
    return str(commit) if commit else None


def moment(text: object) -> datetime | None:
    """A time as GitLab writes it."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def _label(label: object) -> str:
    return str(label.get("name")) if isinstance(label, Mapping) else str(label)
