"""How a branch stands to its base, found in a shallow clone that is deepened only as far as the question needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.forges.base import Change, Commit, Entry, ForgeError
from bot.forges.git.address import tree_path
from bot.forges.git.clone import Clone
from bot.forges.git.objects import LOG_FORMAT, Person, read_changes, read_commit, read_log, read_tree

# Generations fetched, one step after the other, until two commits meet.
_DEPTHS = (50, 500, 5000)
_HISTORY_DEPTH = 500
_HISTORY_LIMIT = 300
_BATCH = 1000

Files = Collection[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Relation:
    """How a head stands to its base. None: not known (no common commit within reach).

    `contained`: the base has the head; `adds`: merging it would change the base; `fork` is the newest commit they share."""

    fork: str | None
    contained: bool = False
    behind: int | None = None
    conflict: bool | None = None
    adds: bool | None = None
    merged_tree: str | None = None
    conflicting: tuple[str, ...] = ()


async def relation(clone: Clone, head: str, base: str, tips: Mapping[str, str]) -> Relation:
    """Compare two commits; `tips` are the refs by which they can be fetched deeper."""
    fork = await _fork(clone, head, base, tips)
    if fork is None:
        return Relation(None)
    if fork == head:
        return Relation(fork, contained=True, behind=0, conflict=False, adds=False)
    behind = 0 if fork == base else int(await clone.git.local("rev-list", "--count", f"{head}..{base}"))
    tree, conflicting = await _merge_tree(clone, head, base, fork)
    facts = await clone.small([head, base, fork])
    mine, theirs, common = (read_commit(facts[oid]).tree for oid in (head, base, fork))
    # A branch whose own changes cancel out adds nothing, but nothing of it has landed either.
    adds = bool(conflicting) or tree != theirs or mine == common
    return Relation(fork, False, behind, bool(conflicting), adds, tree, conflicting)


async def _fork(clone: Clone, head: str, base: str, tips: Mapping[str, str]) -> str | None:
    for depth in (0, *_DEPTHS):
        if depth and not await clone.deepen(tips, depth):
            continue
        answer = await clone.git.answer("merge-base", head, base, ok=(0, 1))
        if not answer.code:
            return answer.out.decode().strip()
    return None


async def _merge_tree(clone: Clone, head: str, base: str, fork: str) -> tuple[str, tuple[str, ...]]:
    """The tree of merging the two, and the paths that conflict."""
    if fork == base:
        return read_commit((await clone.small([head]))[head]).tree, ()
    if clone.filtered:
        # Contents are read only where both sides changed a file: these are fetched in one go.
        mine = {change.path: change for change in await changes(clone, fork, head)}
        theirs = [change for change in await changes(clone, fork, base) if change.path in mine]
        pairs = [side for change in theirs for side in (change, mine[change.path])]
        await clone.objects({oid for side in pairs for oid, mode in _contents(side) if mode != "160000"})
    answer = await clone.git.answer("merge-tree", "--write-tree", "--no-messages", "--name-only", "-z", base, head, ok=(0, 1))
    tree, *paths = answer.out.decode("utf-8", "surrogateescape").split("\0")
    return tree.strip(), tuple(dict.fromkeys(path for path in paths if path)) if answer.code else ()


def _contents(change: Change) -> list[tuple[str, str]]:
    sides = ((change.old_oid, change.old_mode), (change.new_oid, change.new_mode))
    return [(oid, mode) for oid, mode in sides if oid and mode]


async def changes(clone: Clone, old: str, new: str) -> list[Change]:
    """The files that differ between two commits."""
    out = await clone.git.local("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--end-of-options", old, new)
    return read_changes(out)


async def diff(clone: Clone, old: str, new: str) -> str:
    """The unified diff between two commits."""
    if clone.filtered:
        files = await changes(clone, old, new)
        await clone.objects({oid for change in files for oid, mode in _contents(change) if mode != "160000"})
    out = await clone.git.local("diff-tree", "-p", "--no-renames", "--no-ext-diff", "--no-textconv", "--end-of-options", old, new)
    return out.decode("utf-8", "replace")


async def stands(clone: Clone, files: Files, commit: str) -> bool:
    """Whether a commit holds exactly these files. False for no files at all."""
    there: dict[str, Entry] = {}
    for some in _batches([path for path, _, _ in files]):
        there |= read_tree(await clone.git.local("ls-tree", "-z", "--full-tree", commit, "--", *some))
    return bool(files) and all(path in there and (there[path].mode, there[path].oid) == (mode, oid) for path, mode, oid in files)


async def landing_commit(clone: Clone, files: Files, head: str | None, base: str) -> str:
    """The commit on the base by which a branch landed: by ancestry where `head` is given, else by contents."""
    if head is not None:
        chain = await _commits(clone, "--first-parent", f"--max-count={_HISTORY_DEPTH}", base)
        if head in chain:
            return head
        after = set(await _commits(clone, "--ancestry-path", f"{head}..{base}"))
        return next((commit for commit in reversed(chain) if commit in after), base)
    paths = [path for path, _, _ in files][:_BATCH]
    touching = await _commits(clone, "--first-parent", "--max-count=50", base, "--", *paths)
    cut = await _cut_off(clone, touching)
    landed = None
    for commit in touching:
        if commit in cut or not await stands(clone, files, commit):
            break
        landed = commit
    return landed or next(iter(touching), base)


async def _commits(clone: Clone, *args: str) -> list[str]:
    return (await clone.git.local("rev-list", *args)).decode().split()


async def history(
    clone: Clone, base: str, tips: Mapping[str, str], paths: Sequence[str], since: datetime | None, us: Person
) -> list[Commit]:
    """The newest commits that touched any of the paths (none: all), newest first, from as far back as the clone is deepened."""
    await clone.deepen(tips, _HISTORY_DEPTH)
    args = ["log", "--no-show-signature", f"--max-count={_HISTORY_LIMIT}", LOG_FORMAT]
    if since is not None:
        args.append(f"--since={int(since.timestamp())}")
    found: dict[str, Commit] = {}
    for some in _batches(paths) or [[]]:
        found |= {commit.oid: commit for commit in read_log(await clone.git.local(*args, base, "--", *some), us)}
    commits = list(found.values())
    if len(paths) > _BATCH:
        commits = sorted(commits, key=lambda commit: commit.at, reverse=True)[:_HISTORY_LIMIT]
    cut = await _cut_off(clone, [commit.oid for commit in commits])
    return [commit for commit in commits if commit.oid not in cut]


def _batches(paths: Sequence[str]) -> list[list[str]]:
    # A command line has an end; a thousand paths are well before it.
    return [[tree_path(path) for path in paths[at : at + _BATCH]] for at in range(0, len(paths), _BATCH)]


async def _cut_off(clone: Clone, oids: Sequence[str]) -> frozenset[str]:
    """Those of the commits at which the clone ends: git takes each for the one that made every file."""
    outer = clone.boundary().intersection(oids)
    return frozenset(oid for oid, data in (await clone.small(outer)).items() if read_commit(data).parents)


async def require(clone: Clone, oid: str) -> bool:
    """Have a commit, if the remote still has it."""
    try:
        await clone.need_commit(oid)
    except ForgeError:
        return False
    return True
