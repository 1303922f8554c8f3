"""What Tagboat asks of GitHub: requests counted by the server, for each thing that it does, and how it keeps to the limits.

    python benchmarks/github_costs.py [--repositories 300]

The server is the one of the tests (real git behind it); an installation's token, once an hour, is not counted. The second table
is a simulation with a clock of its own: so many repositories want a plain new request at the same moment.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.forges.base import Landing, Standing  # noqa: E402
from bot.forges.github.forge import GitHubForge  # noqa: E402
from bot.forges.github.limits import Budget, Pace  # noqa: E402
from rules.requests import PullRequest  # noqa: E402
from tests.bot.forges.github.test_pacing import Shop, Simulation, most_within  # noqa: E402
from tests.bot.forges.github.world import LANDING, World, head_of, wish, world  # noqa: E402

Step = Callable[[GitHubForge, str, PullRequest | None], Awaitable[object]]
STANDING = Standing("wait", "not finished: ci/test")


async def read(forge: GitHubForge, base: str) -> None:
    """What a pass reads of a head that it does not know."""
    entries = await forge.tree(base)
    await forge.blobs([entry.oid for entry in entries.values()])


async def plain(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    await read(forge, base)
    await forge.open(wish(), base)


async def labelled(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    await read(forge, base)
    await forge.open(wish(labels=("images", "dev")), base)


async def reviewed(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    await read(forge, base)
    await forge.open(wish(reviewers=("ada", "acme/platform")), base)


async def everybody(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    await read(forge, base)
    await forge.open(wish(labels=("images",), reviewers=("ada",), assignees=("ada",)), base)


async def executable(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    await read(forge, base)
    await forge.open(wish(mode="100755"), base)


async def refresh(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    assert request
    await forge.refresh(request, wish("1.2.0"), base, rewrite=True)


async def words(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    assert request
    await forge.refresh(request, wish("1.2.0"), base, rewrite=False)


async def show(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    assert request
    await forge.show(request, STANDING)


async def comment(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    assert request
    await forge.comment(request, "Waiting for a person.")


async def close(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    assert request
    await forge.close(request, "nothing left to update")


async def land(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    assert request
    await forge.changes(request)
    await forge.merge(request, Landing("squash", LANDING, request.head))


async def look(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    await forge.look()


async def hear(forge: GitHubForge, base: str, request: PullRequest | None) -> None:
    assert request
    await forge.comments(request)


# What is done, whether a request is open before, and its words.
ROWS: tuple[tuple[Step, bool, str], ...] = (
    (look, True, "a look where nothing moved, requests open or not"),
    (plain, False, "a plain new request, beyond the look: tree, files, branch, commit, request"),
    (labelled, False, "the same with labels"),
    (reviewed, False, "the same with reviewers and a team"),
    (everybody, False, "the same with labels, reviewers and assignees"),
    (executable, False, "the same for a file that is not 0644"),
    (refresh, True, "a newer tag in an open request"),
    (words, True, "new words only"),
    (show, True, "the check run, where it changed"),
    (comment, True, "the comment, where it changed"),
    (hear, True, "what people wrote"),
    (land, True, "a landing: compared with what would be written, landed, branch deleted"),
    (close, True, "closed with its reason, branch deleted"),
)


async def counted(step: Step, opened: bool) -> int:
    """The requests of one step, by a process that has looked."""
    with tempfile.TemporaryDirectory() as folder:
        async with world(Path(folder)) as found:
            return await _counted(found, step, opened)


async def _counted(found: World, step: Step, opened: bool) -> int:
    found.repo.teams.add("platform")
    if opened:
        forge = await found.installed()
        await forge.open(wish(), await head_of(forge))
    forge = await found.installed()
    seen = await forge.look()
    found.server.take()
    await step(forge, seen.heads["main"], seen.requests[0] if seen.requests else None)
    return len([one for one in found.server.take() if "/app/" not in one])


async def pacing(repositories: int) -> None:
    time = Simulation()
    shop, start = Shop(time, Budget(Pace(), time.clock())), time.now
    await time.run(*(shop.want(f"repository-{n}", n * 0.001) for n in range(repositories)))
    print(f"\n{repositories} repositories want a plain new request at once ({len(shop.sent)} writes)\n")
    print(f"{'the most writes in any minute (80 are allowed)':64} {most_within(shop.sent, 60):6}")
    print(f"{'the most writes in any hour (500 are allowed)':64} {most_within(shop.sent, 3600):6}")
    for share in (0.5, 1.0):
        moment = shop.done[max(0, round(len(shop.done) * share) - 1)][0]
        print(f"{f'{share:.0%} of them have theirs after, minutes':64} {(moment - start) / 60:6.1f}")
    order = [int(name.rpartition("-")[2]) for _, name in shop.done]
    print(f"{'the furthest that one came from its place in the queue':64} {max(abs(at - n) for at, n in enumerate(order)):6}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=300)
    repositories: int = parser.parse_args().repositories
    print(f"{'requests to GitHub':80} count")
    for step, opened, text in ROWS:
        print(f"{text:80} {await counted(step, opened):5}")
    await pacing(repositories)


if __name__ == "__main__":
    asyncio.run(main())
