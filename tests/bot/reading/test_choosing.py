"""One question to its answer: what is asked of a registry, how often, and what becomes of facts that cannot be had."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from bot.reading.choosing import Chooser, CurrentMissing
from bot.registries.base import Description, RegistryError
from rules.policies import words
from rules.policies.base import Choice, Choosing, Verdict

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
IMAGE = "harbor.example.com/team/web"
GONE = "sha256:gone"
BOTH, ONE = "linux/amd64 linux/arm64", "linux/amd64"


@dataclass
class Registry:
    """A registry of one image: its tags with the platforms of each (None: nobody can read them), and what was asked."""

    images: dict[str, str | None]
    times: dict[str, datetime] = field(default_factory=dict)
    broken: bool = False
    asked: list[str] = field(default_factory=list)
    for_repositories: set[str | None] = field(default_factory=set)

    async def tags(self, image: str, *, for_repository: str | None = None) -> tuple[str, ...]:
        self._asked("tags", for_repository)
        return tuple(self.images)

    async def digest(self, image: str, reference: str, *, for_repository: str | None = None) -> str | None:
        self._asked(f"digest {reference}", for_repository)
        return self._digest(reference)

    async def describe(
        self, image: str, reference: str, *, for_repository: str | None = None, labels: bool = False
    ) -> Description | None:
        self._asked(f"describe {reference}", for_repository)
        platforms = self.images.get(reference, BOTH if reference.startswith("sha256:") else None)
        digest = self._digest(reference)
        return Description(digest, frozenset(platforms.split())) if platforms is not None and digest is not None else None

    async def pushed(self, image: str, tags: Iterable[str], *, for_repository: str | None = None) -> dict[str, datetime]:
        self._asked(f"pushed {' '.join(tags)}", for_repository)
        return {tag: self.times[tag] for tag in tags if tag in self.times}

    def _asked(self, what: str, repository: str | None) -> None:
        if self.broken:
            raise RegistryError("harbor.example.com does not answer")
        self.asked.append(what)
        self.for_repositories.add(repository)

    def _digest(self, reference: str) -> str | None:
        if reference == GONE:
            return None
        return reference if reference.startswith("sha256:") else f"sha256:{reference}"


@dataclass
class Ledger:
    """Remembers what it saw first."""

    seen: dict[tuple[str, str | None], datetime] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)

    async def first_seen(self, image: str, tags: Iterable[tuple[str, str | None]], now: datetime) -> dict[str, datetime]:
        self.images.add(image)
        return {tag: self.seen.setdefault((tag, digest), now) for tag, digest in tags}


async def ask(
    registry: Registry, tag: str | None, digest: str | None = None, ledger: Ledger | None = None, **choosing: object
) -> Choice:
    chooser = Chooser(registry, NOW, ledger, "acme/gitops")
    return await chooser.choose(IMAGE, Choosing(**choosing), tag, digest)  # type: ignore[arg-type]


async def test_the_listing_and_two_manifests_are_enough() -> None:
    registry = Registry({"1.2.3": BOTH, "1.2.4": BOTH, "1.2.5": BOTH})
    assert (await ask(registry, "1.2.3")).chosen == "1.2.5"
    assert sorted(registry.asked) == ["describe 1.2.3", "describe 1.2.5", "digest 1.2.3", "digest 1.2.5", "tags"]
    assert registry.for_repositories == {"acme/gitops"}


@pytest.mark.parametrize("platforms", ["any", ("linux/arm64",)])
async def test_what_stands_there_is_read_only_where_the_rule_goes_by_it(platforms: object) -> None:
    registry = Registry({"1.2.3": BOTH, "1.2.4": BOTH})
    assert (await ask(registry, "1.2.3", platforms=platforms)).chosen == "1.2.4"
    assert registry.asked == (["tags"] if platforms == "any" else ["tags", "describe 1.2.4"])


async def test_where_the_digest_is_gone_its_tag_tells_the_platforms() -> None:
    registry = Registry({"1.2.3": BOTH, "1.2.4": BOTH, "1.2.5": ONE})
    assert (await ask(registry, "1.2.3", GONE)).chosen == "1.2.4"


async def test_nothing_newer_costs_the_listing_alone() -> None:
    registry = Registry({"1.2.3": BOTH, "1.2.2": BOTH})
    assert (await ask(registry, "1.2.3")).chosen is None
    assert registry.asked == ["tags"]


async def test_the_next_best_is_asked_for_where_the_best_lacks_a_platform() -> None:
    registry = Registry({"1.2.3": BOTH, "1.2.4": BOTH, "1.2.5": None, "1.2.6": ONE, "2.0.0": ONE})
    choice = await ask(registry, "1.2.3")
    assert (choice.chosen, choice.major) == ("1.2.4", None)
    assert [one.verdict for one in choice.candidates] == [
        Verdict.OLDER, Verdict.CHOSEN, Verdict.WAITING, Verdict.REFUSED, Verdict.REFUSED,
    ]  # fmt: skip
    assert [what for what in registry.asked if what.startswith("describe")].count("describe 1.2.3") == 1


async def test_a_hundred_that_lack_a_platform_are_not_all_read() -> None:
    registry = Registry({"1.2.3": BOTH} | {f"1.3.{n}": ONE for n in range(100)} | {f"2.0.{n}": ONE for n in range(100)})
    assert (await ask(registry, "1.2.3")).chosen is None
    assert sum(what.startswith("describe") for what in registry.asked) <= 1 + 2 * 12


async def test_where_nothing_is_known_of_what_stands_there_nothing_is_wanted() -> None:
    registry = Registry({"1.2.3": None, "1.2.4": ONE})
    assert (await ask(registry, "1.2.3")).chosen == "1.2.4"
    assert "describe 1.2.4" not in registry.asked


async def test_a_listing_without_the_current_tag_is_never_acted_on() -> None:
    registry = Registry({"1.2.4": BOTH})
    with pytest.raises(CurrentMissing, match=r"harbor.example.com/team/web has no tag '1\.2\.3' in its registry"):
        await ask(registry, "1.2.3")
    assert (await ask(registry, "1.2.3", policy="none")).chosen is None


async def test_a_registry_in_trouble_is_told() -> None:
    with pytest.raises(RegistryError, match="does not answer"):
        await ask(Registry({"1.2.3": BOTH}, broken=True), "1.2.3")


async def test_the_clock_of_every_tag_starts_when_it_is_first_listed() -> None:
    registry, ledger = Registry({"1.2.2": BOTH, "1.2.3": BOTH, "1.2.4": BOTH}), Ledger()
    choice = await ask(registry, "1.2.3", None, ledger, min_age=3 * DAY)
    assert (choice.chosen, choice.wake) == (None, NOW + 3 * DAY)
    assert {tag for tag, digest in ledger.seen if digest is None} == {"1.2.2", "1.2.3", "1.2.4"}
    assert ledger.images == {IMAGE}
    ledger.seen[("1.2.4", None)] = NOW - 4 * DAY
    assert (await ask(registry, "1.2.3", None, ledger, min_age=3 * DAY)).chosen == "1.2.4"


async def test_an_age_that_nobody_knows_is_not_enough() -> None:
    registry = Registry({"1.2.3": BOTH, "1.2.4": BOTH, "1.2.5": BOTH}, times={"1.2.4": NOW - 4 * DAY})
    choice = await ask(registry, "1.2.3", min_age=3 * DAY)
    assert choice.chosen == "1.2.4"
    assert words.of_candidate(choice.candidates[2]) == "nobody tells how old it is, and the rule wants 3d"


async def test_times_are_asked_for_by_the_policy_that_needs_them() -> None:
    times = {"3f2a9c1": NOW - 3 * DAY, "8e1b2c3": NOW - DAY, "0a1b2c3": NOW - 2 * DAY}
    registry = Registry(dict.fromkeys(times, BOTH), times=times)
    choice = await ask(registry, "3f2a9c1")
    assert (choice.chosen, choice.kind) == ("8e1b2c3", "build")
    assert [what for what in registry.asked if what.startswith("pushed")] == ["pushed 3f2a9c1 8e1b2c3 0a1b2c3"]
    assert (await ask(Registry(dict.fromkeys(times, BOTH)), "3f2a9c1")).chosen is None


async def test_a_digest_is_followed_and_has_an_age_of_its_own() -> None:
    registry, ledger = Registry({"latest": BOTH}), Ledger()
    old = "sha256:0123"
    choice = await ask(registry, "latest", old, ledger, policy="digest")
    assert (choice.chosen, choice.kind, choice.digest) == ("latest", "digest", "sha256:latest")
    assert (await ask(registry, "latest", "sha256:latest", ledger, policy="digest")).chosen is None
    # the tag is old, its content is not
    ledger.seen[("latest", None)] = NOW - 9 * DAY
    choice = await ask(registry, "latest", old, ledger, policy="digest", min_age=3 * DAY)
    assert (choice.chosen, choice.wake) == (None, NOW + 3 * DAY)
    ledger.seen[("latest", "sha256:latest")] = NOW - 3 * DAY
    choice = await ask(registry, "latest", old, ledger, policy="digest", min_age=3 * DAY)
    assert (choice.chosen, choice.digest) == ("latest", "sha256:latest")


async def test_a_digest_that_lacks_a_platform_is_not_followed() -> None:
    registry = Registry({"latest": ONE})
    choice = await ask(registry, "latest", "sha256:0123", policy="digest")
    assert choice.chosen is None
    assert words.of_choice(choice) == "latest is not there for linux/arm64"


@pytest.mark.parametrize(
    ("serves", "code"), [(BOTH, "nothing-newer-alike"), (ONE, "held-platforms-missing"), (None, "held-platforms-unknown")]
)
async def test_new_content_under_a_tag_that_stays_has_to_serve_every_platform(serves: str | None, code: str) -> None:
    registry = Registry({"1.2.3": serves})
    choice = await ask(registry, "1.2.3", "sha256:0123")
    assert (choice.chosen, choice.code) == (None, code)
    if code.startswith("held"):
        assert choice.detail.startswith("1.2.3")


async def test_content_that_stays_is_not_read() -> None:
    registry = Registry({"1.2.3": BOTH})
    await ask(registry, "1.2.3", "sha256:1.2.3")
    assert registry.asked == ["tags", "digest 1.2.3"]


async def test_a_policy_that_keeps_asking_is_a_fault() -> None:
    from bot.reading import choosing
    from rules.policies.base import Need

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "choose", lambda question: Need(ages=("1.2.3",)))
        with pytest.raises(AssertionError, match="kept asking"):
            await ask(Registry({"1.2.3": BOTH}), "1.2.3")
