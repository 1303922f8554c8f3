"""Branches and commits on GitHub.

A commit is made by `createCommitOnBranch`: GitHub signs it (Verified) and it goes onto the branch only where that still stands at
the commit it is made for. What that cannot do goes through trees: files that are not plain ones (0644), and commits by an author
whom the repository names. Branches move by `updateRefs`, all or none, each only from the commit where we saw it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bot.forges.base import Denied, ForgeError, Moved, Unreachable
from bot.forges.github import queries
from bot.forges.github.answers import Refusal, quoted
from bot.forges.github.looking import NOBODY
from bot.forges.github.place import Json, Place, blob_id
from bot.forges.github.wire import Wire
from rules.messages import signed
from rules.proposals import FileChange, Message

log = structlog.get_logger(__name__)

PLAIN = "100644"
_FILES = 50
PART = 24 * 1024 * 1024
"""Bytes of files in one commit: GitHub takes about 40 MB, and base64 makes a third more of them."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch as it is now: its newest commit (None: there is no such branch), how many commits are its own, open requests."""

    oid: str | None
    message: str = ""
    author: Json | None = None
    parents: tuple[str, ...] = ()
    own: int | None = None
    open: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A branch is to move from one commit to another; None: it is not there before, or after."""

    branch: str
    old: str | None
    new: str | None


class Committer:
    """Makes commits and moves branches of one place."""

    def __init__(self, wire: Wire, place: Place) -> None:
        self._wire = wire
        self._place = place
        self.signoff = False

    async def branch(self, name: str, base: str) -> Branch:
        """What there is of a branch."""
        data, troubles = await self._wire.query(
            queries.BRANCH, ref=f"refs/heads/{name}", branch=name, base=base, **self._place.names
        )
        found = data.get("repository")
        if found is None:
            raise Denied(
                f"GitHub tells nothing of {self._place.path}: {troubles[0].message if troubles else 'it gives no reason'}"
            )
        self._place.id = self._place.id or str(found.get("id") or "")
        requests = tuple(node for node in (found.get("pullRequests") or {}).get("nodes") or () if node)
        ref = found.get("ref")
        if not ref:
            return Branch(None, open=requests)
        target = ref.get("target") or {}
        return Branch(
            oid=target.get("oid"),
            message=str(target.get("message") or ""),
            author=target.get("author"),
            parents=tuple(parent["oid"] for parent in (target.get("parents") or {}).get("nodes") or () if parent),
            own=(ref.get("compare") or {}).get("behindBy"),
            open=requests,
        )

    async def create(self, name: str, at: str) -> bool:
        """Make a branch. False: there is one by that name."""
        try:
            await self._wire.write("POST", f"{self._place.rest}/git/refs", {"ref": f"refs/heads/{name}", "sha": at}, again=True)
        except Refusal as refusal:
            if refusal.status == 422 and "exist" in str(refusal).lower() and "object" not in str(refusal).lower():
                return False
            raise
        return True

    async def move(self, *moves: Move, force: bool = True) -> None:
        """Move branches, all or none. Raises Refusal where one is not where it was, or where GitHub does not let us."""
        updates = [
            {"name": f"refs/heads/{move.branch}", "beforeOid": move.old or NOBODY, "afterOid": move.new or NOBODY, "force": force}
            for move in moves
        ]
        try:
            await self._wire.mutate(queries.MOVE, again=True, input={"repositoryId": await self._id(), "refUpdates": updates})
        except Refusal as refusal:
            if "updaterefs" not in str(refusal).lower():
                raise
            # A server that does not know the mutation: REST compares nothing, so it is looked at right before.
            for move in moves:
                await self._move_by_rest(move, force)

    async def _move_by_rest(self, move: Move, force: bool) -> None:
        there = await self._where(move.branch)
        if there == move.new:
            return
        if there != move.old:
            raise Refusal(f"the branch {move.branch!r} is not where it was expected", 409)
        path = f"{self._place.rest}/git/refs/heads/{quoted(move.branch)}"
        if move.new is None:
            await self._wire.write("DELETE", path, again=True)
        elif move.old is None:
            await self.create(move.branch, move.new)
        else:
            await self._wire.write("PATCH", path, {"sha": move.new, "force": force}, again=True)

    async def drop(self, *moves: Move) -> bool:
        """Delete branches that nothing needs any more; those that moved, and those that may not be deleted, stay."""
        try:
            if moves:
                await self.move(*moves)
        except Refusal:
            # Some servers delete only by REST, which asks for no commit: so it is looked at right before.
            return all([await self._delete(move) for move in moves])
        except ForgeError as error:
            log.info("branch not deleted", repository=self._place.path, branch=moves[0].branch, why=str(error))
            return False
        return True

    async def _delete(self, move: Move) -> bool:
        try:
            if await self._where(move.branch) != move.old:
                return False
            await self._wire.write("DELETE", f"{self._place.rest}/git/refs/heads/{quoted(move.branch)}", again=True)
        except ForgeError as error:
            log.info("branch not deleted", repository=self._place.path, branch=move.branch, why=str(error))
            return False
        return True

    async def _id(self) -> str:
        if not self._place.id:
            self._place.id = str((await self._wire.get(self._place.rest))["node_id"])
        return self._place.id

    def needs_trees(self, files: Sequence[FileChange]) -> bool:
        """Whether the commit cannot be made on a branch by GitHub itself."""
        return self._place.us.author is not None or any(file.mode != PLAIN for file in files)

    def message(self, message: Message) -> Message:
        """The message as it is written, signed off where that is asked for."""
        return signed(message, *self._place.us.signature) if self.signoff else message

    async def commit(self, branch: str, at: str, files: Sequence[FileChange], message: Message) -> str:
        """Put a commit with the files on a branch that stands at `at`. Raises Moved where it does not. The new commit."""
        if self.needs_trees(files):
            new = await self.detached(at, files, message)
            try:
                await self.move(Move(branch, at, new), force=False)
            except Refusal as refusal:
                if (await self._where(branch)) != new:
                    raise self._moved(branch, refusal) from None
            return new
        head = at
        for part in _parts(files):
            head = await self._on_branch(branch, head, part, self.message(message))
            self._place.written[head] = True
        return head

    async def _on_branch(self, branch: str, at: str, files: Sequence[FileChange], message: Message) -> str:
        additions = [{"path": file.path, "contents": base64.b64encode(file.data).decode()} for file in files]
        wish = {
            "branch": {"repositoryNameWithOwner": self._place.path, "branchName": branch},
            "expectedHeadOid": at,
            "message": {"headline": message.headline} | ({"body": message.body} if message.body else {}),
            "fileChanges": {"additions": additions},
        }
        try:
            # Said twice it is done once: the second time the branch is no longer where it is expected.
            answer = await self._wire.mutate(queries.COMMIT, again=True, input=wish)
            return str(answer["createCommitOnBranch"]["commit"]["oid"])
        except (KeyError, TypeError):
            raise Unreachable("GitHub made a commit and does not say which") from None
        except (Refusal, Unreachable) as trouble:
            # The answer may have been lost, and then the commit is there.
            made = await self._made(branch, at, files, message)
            if made is not None:
                return made
            if isinstance(trouble, Refusal):
                raise self._moved(branch, trouble) from None
            raise

    async def _made(self, branch: str, at: str, files: Sequence[FileChange], message: Message) -> str | None:
        """The newest commit of a branch, if it is the one that was to be made."""
        there = await self.branch(branch, self._place.default)
        same = there.parents == (at,) and there.message.strip() == str(message).strip()
        if there.oid is None or not same or not self._place.us.wrote(there.author, there.message):
            return None
        return there.oid if await self.holds(there.oid, files) else None

    async def holds(self, commit: str, files: Sequence[FileChange]) -> bool:
        """Whether a commit has exactly these contents."""
        for start in range(0, len(files), _FILES):
            some = files[start : start + _FILES]
            variables = {f"f{at}": f"{commit}:{file.path}" for at, file in enumerate(some)}
            data, _ = await self._wire.query(queries.standing(len(some)), **variables, **self._place.names)
            found = data.get("repository") or {}
            if any((found.get(f"f{at}") or {}).get("oid") != blob_id(file.data) for at, file in enumerate(some)):
                return False
        return True

    async def detached(self, onto: str, files: Sequence[FileChange], message: Message) -> str:
        """Make a commit on `onto` that is on no branch yet, keeping the files' modes."""
        rest, us = self._place.rest, self._place.us
        tree = (await self._wire.get(f"{rest}/git/commits/{onto}"))["tree"]["sha"]
        rows = [await self._row(file) for file in files]
        made = await self._wire.write("POST", f"{rest}/git/trees", {"base_tree": tree, "tree": rows}, again=True)
        wish: dict[str, Any] = {"message": str(self.message(message)), "tree": made["sha"], "parents": [onto]}
        if us.author is not None:
            wish["author"] = {"name": us.author[0], "email": us.author[1]}
        commit = str((await self._wire.write("POST", f"{rest}/git/commits", wish, again=True))["sha"])
        self._place.written[commit] = True
        return commit

    async def _row(self, file: FileChange) -> Mapping[str, Any]:
        row = {"path": file.path, "mode": file.mode, "type": "blob"}
        try:
            return row | {"content": file.data.decode()}
        except UnicodeDecodeError:
            data = {"content": base64.b64encode(file.data).decode(), "encoding": "base64"}
            return row | {"sha": (await self._wire.write("POST", f"{self._place.rest}/git/blobs", data, again=True))["sha"]}

    async def _where(self, branch: str) -> str | None:
        return (await self.branch(branch, self._place.default)).oid

    def _moved(self, branch: str, refusal: Refusal) -> ForgeError:
        words = str(refusal).lower()
        if refusal.kind == "STALE_DATA" or "expected" in words or "fast forward" in words or "fast-forward" in words:
            return Moved(f"{self._place.path}: the branch {branch!r} is not where it was read")
        return Denied(f"{self._place.path}: GitHub refuses a commit on {branch!r}: {refusal}")


def writes(files: Sequence[FileChange]) -> int:
    """How many requests a commit takes, at most."""
    return sum(1 for _ in _parts(files)) + (3 + len(files) if any(file.mode != PLAIN for file in files) else 0)


def _parts(files: Sequence[FileChange]) -> Iterator[list[FileChange]]:
    """The files, as many at once as fit into one commit."""
    part: list[FileChange] = []
    size = 0
    for file in files:
        if part and size + len(file.data) > PART:
            yield part
            part, size = [], 0
        part.append(file)
        size += len(file.data)
    yield part
