"""The pass on a forge whose checks, queues and refusals the test decides: who lands, in which order, and what waits for what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from bot.forges.base import Change, Entry, NotLanded, Unreachable
from bot.forges.git.objects import blob_id
from bot.passes import Mode, Terms, Tools, one_pass
from bot.passes.comparing import Foreign, Outdated, compare
from bot.reading.looking import Memory
from bot.registries.base import Description, RegistryError
from bot.report import Report
from bot.state.ledger import Ledger
from rules.merging import Readiness
from rules.proposals import FileChange, Message, Proposal, Stream
from rules.requests import PullRequest
from tests.bot.memory_forge import GREEN, NOW, RUNNING, STRICT, MemoryForge, green


@dataclass
class Shelf:
    """The registries: tags by image."""

    images: dict[str, tuple[str, ...]]
    platforms: frozenset[str] = frozenset({"linux/amd64"})
    pushed_at: dict[str, datetime] = field(default_factory=dict)

    async def tags(self, image: str, *, for_repository: str | None = None) -> tuple[str, ...]:
        if image not in self.images:
            raise RegistryError(f"{image} is not there")
        return self.images[image]

    async def digest(self, image: str, reference: str, *, for_repository: str | None = None) -> str | None:
        return f"sha256:{hash((image, reference)) & (2**256 - 1):064x}"

    async def describe(
        self, image: str, reference: str, *, for_repository: str | None = None, labels: bool = False
    ) -> Description | None:
        return Description(await self.digest(image, reference) or "", self.platforms)

    async def pushed(self, image: str, tags: Iterable[str], *, for_repository: str | None = None) -> dict[str, datetime]:
        return {tag: self.pushed_at[tag] for tag in tags if tag in self.pushed_at}


def files(count: int, rules: str = "{automerge: true}") -> dict[str, bytes]:
    """Files with one image each, and the rules for them."""
    found = {
        f"{at}.yaml": f"apiVersion: v1\nkind: Pod\nspec: {{containers: [{{image: acme/app{at}:1.0.0}}]}}\n" for at in range(count)
    }
    return {path: text.encode() for path, text in found.items()} | {".tagboat.yaml": f"rules: [{rules}]\n".encode()}


@dataclass
class Bay:
    """A forge and its registries, passed over again and again."""

    forge: MemoryForge
    shelf: Shelf
    ledger: Ledger
    now: datetime = NOW
    slept: list[float] = field(default_factory=list)

    async def run(self, memory: Memory | None = None, mode: Mode = "merge") -> Report:
        """One pass, by a process that remembers nothing unless it is given its memory."""

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        self.forge.asked.clear()
        tools = Tools(self.shelf, self.ledger, memory or Memory(), mode, clock=lambda: self.now, sleep=sleep)
        return await one_pass(self.forge, Terms(), tools)


async def bay(forge: MemoryForge) -> Bay:
    images = {f"acme/app{at}": ("1.0.0", "1.0.1") for at in range(len(forge.files) - 1)}
    return Bay(forge, Shelf(images), await Ledger.open("sqlite://"))


def reasons(report: Report, *kinds: str) -> list[str]:
    return [note.reason for note in report.notes if note.kind in kinds]


async def test_opened_in_one_pass_and_landed_in_the_next() -> None:
    """A new request has no checks yet that could be looked at."""
    here = await bay(MemoryForge(files(2)))
    report = await here.run()
    assert here.forge.effects == ["open 1", "open 2"]
    assert reasons(report, "waiting") == ["it was written just now; its checks are looked at in the next pass"] * 2
    await here.run()
    assert here.forge.effects == ["merge 1", "merge 2"]
    assert here.forge.messages == ["Update acme/app0 from 1.0.0 to 1.0.1 (#1)", "Update acme/app1 from 1.0.0 to 1.0.1 (#2)"]
    await here.run()
    assert here.forge.asked == ["look"]


async def test_only_the_one_whose_turn_it_is_is_brought_up_to_date() -> None:
    """Three behind a strict base: one update, one run of checks, one landing at a time."""
    checks = {1: GREEN, 2: GREEN, 3: GREEN}

    def strict(forge: MemoryForge, request: PullRequest) -> Readiness:
        state = "BEHIND" if forge.behind(request) else "CLEAN" if checks[request.number] is GREEN else "BLOCKED"
        return replace(green(forge, request), protection=STRICT, merge_state=state, checks=(checks[request.number],))

    here = await bay(MemoryForge(files(3), strict))
    await here.run()
    await here.run()
    assert here.forge.effects == ["merge 1", "refresh 2"]
    checks[2] = RUNNING
    report = await here.run()
    assert here.forge.effects == []
    assert any("request 2 goes first" in reason for reason in reasons(report, "waiting"))
    checks[2] = GREEN
    await here.run()
    assert here.forge.effects == ["merge 2", "refresh 3"]
    await here.run()
    assert here.forge.effects == ["merge 3"]


async def test_checks_that_hang_hold_up_nobody_else() -> None:
    def strict(forge: MemoryForge, request: PullRequest) -> Readiness:
        state = "BLOCKED" if request.number == 1 else "BEHIND"
        checks = (RUNNING,) if request.number == 1 else (GREEN,)
        return replace(green(forge, request), protection=STRICT, merge_state=state, checks=checks)

    here = await bay(MemoryForge(files(2), strict))
    await here.run()
    await here.run()
    assert here.forge.effects == []
    here.now += timedelta(hours=3)
    await here.run()
    assert here.forge.effects == ["refresh 2"]


async def test_a_forge_that_computes_is_given_a_moment() -> None:
    looks: list[int] = []

    def computing(forge: MemoryForge, request: PullRequest) -> Readiness:
        looks.append(request.number)
        known = forge.moves == 1 or looks.count(request.number) > 3
        return replace(
            green(forge, request), mergeable="MERGEABLE" if known else "UNKNOWN", merge_state="CLEAN" if known else "UNKNOWN"
        )

    here = await bay(MemoryForge(files(2), computing))
    await here.run()
    await here.run()
    assert here.forge.effects == ["merge 1", "merge 2"]
    assert here.slept == [1.0, 2.0]


async def test_nothing_waits_for_a_forge_that_computes_where_nothing_landed() -> None:
    here = await bay(MemoryForge(files(1), lambda forge, request: replace(green(forge, request), mergeable="UNKNOWN")))
    await here.run()
    report = await here.run()
    assert (here.slept, here.forge.effects) == ([], [])
    assert reasons(report, "waiting") == ["GitHub is still computing whether it can be merged"]


@pytest.mark.parametrize(
    ("status", "next_pass", "after_an_hour"),
    [
        pytest.param(409, ["merge 1"], ["merge 1"], id="moved: again in the next pass"),
        pytest.param(405, ["merge 1"], ["merge 1"], id="not mergeable yet: again in the next pass"),
        pytest.param(None, ["merge 1"], ["merge 1"], id="refused without a status"),
        pytest.param(403, [], ["merge 1"], id="not allowed: again after a while"),
        pytest.param(500, [], [], id="may have happened: a person has to look"),
    ],
)
async def test_a_refused_landing(status: int | None, next_pass: list[str], after_an_hour: list[str]) -> None:
    here = await bay(MemoryForge(files(1)))
    await here.run()
    here.forge.landings = [NotLanded(status, "no")]
    report = await here.run()
    assert reasons(report, "waiting") == ["the forge refused the landing: no"]
    here.forge.landings = [NotLanded(status, "no")]
    await here.run()
    assert here.forge.effects == next_pass
    here.forge.landings = []
    here.now += timedelta(hours=2)
    await here.run()
    assert here.forge.effects == after_an_hour


async def test_five_refusals_are_enough() -> None:
    here = await bay(MemoryForge(files(1)))
    await here.run()
    for _ in range(5):
        here.forge.landings = [NotLanded(405, "no")]
        await here.run()
    report = await here.run()
    assert here.forge.effects == []
    assert reasons(report, "blocked") == ["the forge refused to land it 5 times"]


async def test_a_landing_in_trouble_is_reported_and_the_next_one_goes_on() -> None:
    here = await bay(MemoryForge(files(2)))
    await here.run()
    here.forge.landings = [Unreachable("the forge did not answer in time")]
    report = await here.run()
    assert here.forge.effects[:2] == ["merge 1", "merge 2"]
    assert report.failed
    assert reasons(report, "trouble") == ["the forge did not answer in time"]


async def test_how_a_request_stands_is_shown_on_it() -> None:
    here = await bay(MemoryForge(files(1), lambda forge, request: replace(green(forge, request), checks=(RUNNING,))))
    await here.run()
    assert here.forge.shown == {}
    await here.run()
    standing = here.forge.shown[1]
    assert (standing.decision, standing.reason) == ("wait", "not finished: ci/test")
    assert {one.name for one in standing.conditions if one.met is not True} == {"checks"}


async def test_priority_goes_first_and_the_limit_holds() -> None:
    rules = "{automerge: true}, {match: {images: [acme/app2]}, priority: 5}"
    forge = MemoryForge(files(3, rules))
    forge.files[".tagboat.yaml"] += b"pull_requests: {limit: 1}\n"
    here = await bay(forge)
    report = await here.run()
    assert forge.effects == ["open 1"]
    assert forge.requests[1].title == "Update acme/app2 from 1.0.0 to 1.0.1"
    assert reasons(report, "left") == ["1 request is open, and pull_requests.limit is 1"] * 2


async def test_a_young_tag_waits_and_says_until_when() -> None:
    here = await bay(MemoryForge(files(1, "{automerge: {min_age: 2d}}")))
    here.shelf.pushed_at = {"1.0.1": NOW - timedelta(days=1)}
    await here.run()
    report = await here.run()
    assert here.forge.effects == []
    assert report.wake == NOW + timedelta(days=1)
    here.now += timedelta(days=1)
    await here.run()
    assert here.forge.effects == ["merge 1"]


PROPOSAL = Proposal(
    Stream("main", "docker.io/acme/web", "rule"), "b", "t", "", Message("t"),
    (FileChange("a.yaml", "100644", blob_id(b"old", "sha1"), b"new"),), (), "f",
)  # fmt: skip
SAME = Change("a.yaml", blob_id(b"old", "sha1"), blob_id(b"new", "sha1"), "100644", "100644")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param([SAME], type(None), id="the same"),
        pytest.param([replace(SAME, old_oid=blob_id(b"older", "sha1"))], Outdated, id="the base moved under it"),
        pytest.param([replace(SAME, new_oid=blob_id(b"evil", "sha1"))], Foreign, id="something else in the file"),
        pytest.param([replace(SAME, new_mode="100755")], Foreign, id="another mode"),
        pytest.param([replace(SAME, new_oid=None, new_mode=None)], Foreign, id="the file is deleted"),
        pytest.param([SAME, replace(SAME, path="evil.yaml")], Foreign, id="one file more"),
        pytest.param([SAME, Change(".tagboat.yaml", None, blob_id(b"", "sha1"), None, "100644")], Foreign, id="the rules change"),
        pytest.param([], Foreign, id="nothing at all"),
        pytest.param(
            [replace(SAME, old_oid=blob_id(b"older", "sha1")), replace(SAME, path="evil.yaml")],
            Foreign,
            id="moved and one file more",
        ),
    ],
)
def test_the_change_is_held_against_the_proposal(changes: list[Change], expected: type) -> None:
    assert isinstance(compare(PROPOSAL, changes, "sha1"), expected)


async def test_a_branch_that_a_person_pushed_to_is_left_to_them_and_that_is_said_once() -> None:
    here = await bay(MemoryForge(files(1)))
    await here.run()
    here.forge.requests[1] = replace(here.forge.requests[1], edited_by_person=True)
    here.shelf.images["acme/app0"] = ("1.0.0", "1.0.1", "1.0.2")
    memory = Memory()
    for expected in (["comment 1"], []):
        await here.run(memory)
        assert here.forge.effects == expected


async def test_base_branches_are_asked_for_at_once() -> None:
    """One look where nothing moved, also where the configuration names its base branches."""
    forge = MemoryForge(files(1))
    forge.files[".tagboat.yaml"] += b"base_branches: [main]\n"
    here, memory = await bay(forge), Memory()
    await here.run(memory)
    await here.run(memory)
    await here.run(memory)
    assert forge.asked == ["look"]


async def test_a_configuration_under_another_name_is_not_read() -> None:
    """It is pointed out, and neither a look nor a blob is asked for because of it."""

    class Counting(MemoryForge):
        async def tree(self, commit: str) -> Mapping[str, Entry]:
            self.asked.append("tree")
            return await super().tree(commit)

        async def blobs(self, oids: Collection[str]) -> Mapping[str, bytes]:
            self.asked += sorted(oids)
            return await super().blobs(oids)

    asked: list[list[str]] = []
    for other, hints in (("any.yml", []), ("tagboat.yml", ["tagboat.yml"])):  # any YAML may hold images, and is read for them
        here = await bay(Counting(files(1)))
        here.forge.files = {"0.yaml": here.forge.files["0.yaml"], other: b"rules: [{policy: none}]\n"}
        report = await here.run()
        asked.append(list(here.forge.asked))
        assert [note.where for note in report.of("left") if "that file is called" in note.reason] == hints
    assert asked[0] == asked[1]
    assert "open 1" in asked[0]


async def test_the_update_that_waits_longest_is_opened_first() -> None:
    """With room for one request, two updates take turns: the one that was refreshed goes behind the one that has waited."""
    forge = MemoryForge(files(2, "{labels: [x]}"))
    forge.files[".tagboat.yaml"] += b"pull_requests: {limit: 1}\n"
    here = await bay(forge)
    await here.run()
    assert forge.requests[1].title == "Update acme/app0 from 1.0.0 to 1.0.1"
    here.now += timedelta(hours=1)
    here.shelf.images["acme/app0"] = ("1.0.0", "1.0.1", "1.0.2")
    forge.requests[1] = replace(forge.requests[1], state="closed", ended_at=here.now)
    await here.run()
    assert forge.requests[2].title == "Update acme/app1 from 1.0.0 to 1.0.1"


async def test_no_branch_is_brought_up_to_date_for_a_landing_that_will_not_be() -> None:
    def behind(forge: MemoryForge, request: PullRequest) -> Readiness:
        return replace(green(forge, request), protection=STRICT, merge_state="BEHIND", behind_by=1)

    here = await bay(MemoryForge(files(1), behind))
    await here.run()
    report = await here.run(mode="propose")
    assert here.forge.effects == []
    assert "nothing lands with `mode: propose`" in reasons(report, "waiting")[0]
    await here.run()
    assert here.forge.effects == ["refresh 1"]


async def test_a_report_holds_no_listing() -> None:
    """A server keeps the report of each of its repositories."""
    here = await bay(MemoryForge(files(2)))
    here.shelf.images["acme/app1"] = ("1.0.0",)
    report = await here.run()
    (wish,) = report.wishes
    assert [one.files for one in wish.proposals] == [()]
    choices = [update.choice for one in wish.proposals for update in one.updates] + [stay.choice for stay in wish.stays]
    assert [len(choice.candidates) for choice in choices if choice] == [0, 0]
