"""The life of a repository, by chance: pushes, people, checks, the clock and crashes in any order, and real passes in between.

After every pass: what could not be read closed nothing; no stream has two requests; no commit of a person is gone; nothing landed
against the rules; every update that is wanted is somewhere, or a reason for it; and a further pass does nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from bot.passes import Tools, one_pass
from bot.reading.looking import Memory, Terms
from bot.report import Report
from bot.state import orders
from bot.state.ledger import Ledger
from rules.images import canonical
from rules.plan import PullRequest
from rules.rollbacks import Health
from tests.bot.passes.small import HOST, Registry, pod
from tests.servers.memory_forge import LOGIN, NOON, MemoryForge

CI = "ci/test"
DISABLED = "tagboat:disabled"
RULES = {
    "dev lands": "rules: [{match: {paths: ['dev/**']}, automerge: true}]\n",
    "all lands": "rules: [{automerge: {update_branch: always}}]\n",
    "a group": "rules: [{group: platform}, {match: {paths: ['dev/**']}, automerge: true}]\n",
    "in lockstep": "rules: [{match: {images: ['**/web', '**/api']}, group: platform, lockstep: true, automerge: true}]\n",
    "promotion": (
        "rules:\n  - {match: {paths: ['dev/**']}, automerge: true}\n"
        "  - {match: {paths: ['prod/**']}, policy: follow, follow: {from: 'dev/**', soak: 2h}}\n"
    ),
    "straight": "rules: [{match: {paths: ['dev/**']}, delivery: push, batch: true}]\n",
    "going back": (
        "rules:\n  - {match: {paths: ['dev/**']}, automerge: true, rollback: auto}\n"
        "  - {match: {paths: ['prod/**']}, rollback: propose}\n"
    ),
    "limits": "pull_requests: {limit: 2, hourly: 1}\nrules: [{match: {paths: ['dev/**']}, automerge: true, priority: 3}]\n",
}
FILES = {"dev/web.yaml": ["web"], "prod/web.yaml": ["web"], "dev/both.yaml": ["api", "db"], "prod/api.yaml": ["api"]}
IMAGES = ("web", "api", "db")
STEPS = ("patch", "patch", "minor", "major")


class Crash(BaseException):
    """The process is gone."""


def stands(text: str) -> list[tuple[str, str]]:
    """The images of a file, with their tags."""
    return re.findall(rf"image: {re.escape(HOST)}/(\w+):([0-9.]+)\n", text)


def numbers(tag: str) -> tuple[int, ...]:
    return tuple(map(int, tag.split(".")))


class Life(RuleBasedStateMachine):
    """One repository, its registry, its people, and Tagboat."""

    @initialize(rules=st.sampled_from(sorted(RULES)), strict=st.booleans())
    def begin(self, rules: str, strict: bool) -> None:
        self.loop = asyncio.new_event_loop()
        self.now, self.fault_at, self.passed = NOON, -1, 0
        self.named = rules
        files = {path: pod(*(f"{image}:1.0.0" for image in images)) for path, images in FILES.items()}
        self.forge = MemoryForge({**files, ".tagboat.yaml": RULES[rules]}, (CI,), strict)
        self.forge.clock, self.forge.fault = lambda: self.now, self.fault
        self.registry = Registry({image: ["1.0.0"] for image in IMAGES})
        self.down: dict[str, Any] = {}
        self.broken: dict[str, str] = {}
        self.memory = Memory()
        self.ledger = self.loop.run_until_complete(Ledger.open("sqlite://"))
        self.theirs: dict[str, set[str]] = {}  # branch -> commits of people on it
        self.held: set[tuple[str, str]] = set()  # image and file, by a person's word
        self.allowed: set[int] = set()
        for image in IMAGES:
            self.a_build_is_pushed(image, "patch")
        self.a_pass()

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.run_until_complete(self.ledger.close())
            self.loop.close()

    def fault(self, point: str) -> None:
        """Counts the points of a pass; at one of them the process ends."""
        self.passed += 1
        if self.fault_at >= 0 and self.passed > self.fault_at:
            raise Crash(point)

    # -- what happens

    @rule(image=st.sampled_from(IMAGES), step=st.sampled_from(STEPS))
    def a_build_is_pushed(self, image: str, step: str) -> None:
        tags = self.down[image] if image in self.down else self.registry.tags_of[image]
        major, minor, patch = max(map(numbers, tags))
        new = {"patch": (major, minor, patch + 1), "minor": (major, minor + 1, 0), "major": (major + 1, 0, 0)}[step]
        tags.append(".".join(map(str, new)))

    @rule(image=st.sampled_from(IMAGES))
    def a_registry_goes_down_or_comes_back(self, image: str) -> None:
        if image in self.down:
            self.registry.tags_of[image] = self.down.pop(image)
        else:
            self.down[image] = self.registry.tags_of[image]
            self.registry.tags_of[image] = None

    @rule(path=st.sampled_from(sorted(FILES)), well=st.booleans())
    def a_watcher_reports(self, path: str, well: bool) -> None:
        """How the images of a file are, by their tags of now."""
        if path not in self.broken:
            healths = [Health(f"{HOST}/{image}:{tag}", path, well, "", self.now) for image, tag in stands(self.forge.text(path))]
            self.loop.run_until_complete(orders.report(self.ledger, self.forge.name, *healths))

    @rule(minutes=st.sampled_from([1, 20, 60, 180]))
    def time_goes_by(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @precondition(lambda self: self.forge.open_requests())
    @rule(data=st.data(), conclusion=st.sampled_from(["success", "success", "failure", None]))
    def a_check_speaks(self, data: st.DataObject, conclusion: str | None) -> None:
        self.forge.check(self.pick(data).number, CI, conclusion)

    def all_checks_are_green(self) -> None:
        for request in self.forge.open_requests():
            self.forge.check(request.number, CI, "success")

    @precondition(lambda self: self.forge.open_requests())
    @rule(data=st.data())
    def a_person_closes(self, data: st.DataObject) -> None:
        self.forge.person_closes(self.pick(data).number)

    @precondition(lambda self: self.forge.open_requests())
    @rule(data=st.data())
    def a_person_merges(self, data: st.DataObject) -> None:
        self.forge.person_merges(self.pick(data).number)

    @precondition(lambda self: self.forge.open_requests())
    @rule(data=st.data(), how=st.sampled_from(["pushes", "rebases"]))
    def a_person_touches_the_branch(self, data: st.DataObject, how: str) -> None:
        request = self.pick(data)
        if how == "pushes":
            self.forge.person_writes(f"notes/{self.now:%H%M}-{request.number}.txt", "mine", request.branch)
        else:
            self.forge.person_rebases(request.number)
        head = self.forge.branches[request.branch]
        if self.forge.nodes[head].author != LOGIN:
            self.theirs.setdefault(request.branch, set()).add(head)

    @precondition(lambda self: self.forge.open_requests())
    @rule(data=st.data(), label=st.sampled_from([DISABLED, "nice"]))
    def a_person_labels(self, data: st.DataObject, label: str) -> None:
        request = self.pick(data)
        self.forge.person_changes(request.number, labels=self.forge.requests[request.number].labels | {label})

    @precondition(lambda self: self.forge.open_requests())
    @rule(data=st.data())
    def a_person_spoils_the_words(self, data: st.DataObject) -> None:
        request = self.pick(data)
        self.forge.person_changes(request.number, body=request.body.replace("tagboat", "tugboat"), title="Something else")

    @rule(path=st.sampled_from(sorted(FILES)), back=st.integers(0, 3))
    def a_person_writes_a_tag(self, path: str, back: int) -> None:
        """An older one, or the newest of all."""
        if path in self.broken:
            return
        text = self.forge.text(path)
        for image, tag in stands(text)[:1]:
            tags = sorted(self.down.get(image) or self.registry.tags_of[image] or [], key=numbers)
            new = tags[max(0, tags.index(tag) - back)] if back else tags[-1]
            self.forge.person_writes(path, text.replace(f"{image}:{tag}\n", f"{image}:{new}\n"))

    @rule(path=st.sampled_from(sorted(FILES)))
    def a_person_breaks_or_mends_a_file(self, path: str) -> None:
        if path in self.broken:
            self.forge.person_writes(path, self.broken.pop(path))
        else:
            self.broken[path] = self.forge.text(path)
            self.forge.person_writes(path, self.broken[path] + "  {[\n")

    @precondition(lambda self: self.forge.open_requests())
    @rule(data=st.data(), command=st.sampled_from(["hold", "resume", "skip", "merge", "refresh", "why"]), may=st.booleans())
    def a_person_says(self, data: st.DataObject, command: str, may: bool) -> None:
        request = self.pick(data)
        self.forge.person_says(request.number, f"@tagboat {command}", may_write=may)
        places = {(canonical(image), file) for file, image, _, _ in request.record.targets} if request.record else set()
        if may and command == "hold":
            self.held |= places
        elif may and command == "resume":
            self.held -= places
        elif may and command == "merge" and places:
            self.allowed.add(request.number)

    def pick(self, data: st.DataObject) -> PullRequest:
        return data.draw(st.sampled_from(self.forge.open_requests()))

    # -- passes

    @rule(at=st.integers(0, 12))
    def a_pass_crashes(self, at: int) -> None:
        self.fault_at, before = at, self.picture()
        try:
            self.run()
        except Crash:
            self.memory = Memory()
        finally:
            self.fault_at = -1
        self.check_people(before)

    @rule()
    def a_good_day(self) -> None:
        """Checks pass, and whatever may land does."""
        for _ in range(2):
            self.all_checks_are_green()
            self.a_pass()

    @rule()
    def a_pass(self) -> None:
        before = self.picture()
        report = self.run()
        assert not any("defect" in note.reason for note in report.notes)
        self.check_unread(before)
        self.check_streams()
        self.check_people(before)
        self.check_landings()
        self.check_nothing_is_lost(report)
        writes = list(self.forge.writes)
        again = self.run()
        more = self.forge.writes[len(writes) :]
        assert not more, f"a further pass did {more}: {[(note.kind, note.where, note.reason) for note in again.notes]}"
        assert not again.changed

    def run(self) -> Report:
        self.passed = 0
        tools = Tools(self.registry, self.ledger, self.memory, clock=lambda: self.now, fault=self.fault, sleep=_no_sleep)
        return self.loop.run_until_complete(one_pass(self.forge, Terms(), tools))

    def picture(self) -> dict[str, Any]:
        """What must not get lost."""
        return {
            "requests": {request.number: request for request in self.forge.open_requests()},
            "main": self.forge.branches["main"],
            "landings": len(self.forge.landings),
        }

    # -- what has to hold

    def check_unread(self, before: dict[str, Any]) -> None:
        """What could not be read closed nothing, and nothing was written to what is for it."""
        for number, request in before["requests"].items():
            targets = request.record.targets if request.record else ()
            unread = any(canonical(image).rpartition("/")[2] in self.down or file in self.broken for file, image, _, _ in targets)
            if unread:
                now = self.forge.requests[number]
                assert now.state == "open", f"request {number} ended although nothing is known of what it is for"
                assert self.forge.branches[request.branch] == request.head

    def check_streams(self) -> None:
        requests = self.forge.open_requests()
        streams = [request.record.stream for request in requests if request.record]
        assert len(streams) == len(set(streams)), "two requests for one stream"
        assert len({request.branch for request in requests}) == len(requests)

    def check_people(self, before: dict[str, Any]) -> None:
        """No commit of a person is gone, and the base only grew."""
        assert before["main"] in self.forge._ancestors(self.forge.branches["main"])
        open_branches = {request.branch for request in self.forge.requests.values() if request.state == "open"}
        for branch, commits in self.theirs.items():
            if branch in open_branches and branch in self.forge.branches:
                mine = set(self.forge._ancestors(self.forge.branches[branch]))
                there = {commit for commit in commits if self.forge.nodes[commit].author != LOGIN}
                ended = any(one.branch == branch and one.state != "open" for one in self.forge.requests.values())
                assert ended or there <= mine, "a person's commit was written over"
        for node in (self.forge.nodes[oid] for oid in self.forge._ancestors(self.forge.branches["main"])):
            if node.author == LOGIN:
                self.check_only_tags_moved(node.tree, self.forge.nodes[node.parents[0]].tree)

    def check_only_tags_moved(self, after: Any, before: Any) -> None:
        blank: Callable[[bytes], bytes] = lambda data: re.sub(rb":[0-9.]+\n", b":TAG\n", data)  # noqa: E731
        assert after.keys() == before.keys()
        assert all(blank(after[path][1]) == blank(before[path][1]) for path in after)

    def check_landings(self) -> None:
        """Nothing landed against the rules."""
        for request, readiness in self.forge.landings:
            checks = {check.name: check.conclusion for check in readiness.checks}
            assert checks.get(CI) == "success", "it landed without its required check"
            assert not request.edited_by_person, "it landed with a person's commit"
            assert DISABLED not in request.labels
            assert not (self.forge.strict and readiness.behind_by), "it landed behind a strict base"
            assert not readiness.conflict
            files = {file for file, _, _, _ in request.record.targets} if request.record else set()
            by_rule = self.named in ("all lands", "in lockstep") or all(file.startswith("dev/") for file in files)
            assert by_rule or request.number in self.allowed, "a person lands it, and nobody did"

    def check_nothing_is_lost(self, report: Report) -> None:
        """Every place that could move is in an open request, or there is a reason for it."""
        told = {(stay.occurrence.file, stay.occurrence.image) for wish in report.wishes for stay in wish.stays}
        told |= {
            (stay.occurrence.file, stay.occurrence.image)
            for wish in report.wishes
            for one in wish.proposals
            for stay in one.left_out
        }
        wanted = {
            (update.occurrence.file, update.occurrence.image): (proposal.stream.key, update)
            for wish in report.wishes
            for proposal in wish.proposals
            for update in proposal.updates
        }
        withheld = any(wish.withheld for wish in report.wishes)
        open_streams = {request.record.stream for request in self.forge.open_requests() if request.record}
        left = {note.title for note in report.of("left", "blocked", "waiting", "trouble")}
        for path in FILES.keys() - self.broken.keys():
            for image, tag in stands(self.forge.text(path)):
                if image in self.down:
                    continue
                key = (path, f"{HOST}/{image}")
                tags = self.registry.tags_of[image] or []
                newest = max((numbers(one) for one in tags if numbers(one)[0] == numbers(tag)[0]), default=numbers(tag))
                if newest == numbers(tag):
                    continue
                stream, update = wanted.get(key, (None, None))
                assert key in told or stream is not None or withheld, f"{key} is lost: {tag} stands there"
                if update is not None and stream not in open_streams:
                    assert left, f"{key} has neither a request nor a reason"


async def _no_sleep(seconds: float) -> None:
    """No test waits."""


def test_a_repositorys_life() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Life,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )
