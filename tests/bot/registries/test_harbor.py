"""Harbor: push times and platforms over its API, and never a pull."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.registries.base import Credentials, RegistryError
from bot.registries.limits import Limits
from bot.registries.pool import Registries, RegistryAccess
from tests.servers.faults import FaultServer, reply
from tests.servers.harbor import ROBOT, SECRET, HarborServer

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
QUICK = Limits(attempts=1)


def access(harbor: HarborServer, password: str = SECRET, kind: str = "harbor") -> RegistryAccess:
    return RegistryAccess(harbor.host, kind=kind, insecure=True, credentials=Credentials(ROBOT, password))


async def test_push_times_of_tags_not_of_artifacts() -> None:
    async with HarborServer() as harbor, Registries([access(harbor)], limits=QUICK) as registries:
        for hours, tag in enumerate(("1.0", "1.1", "1.2", "1.3")):
            await harbor.push("team/deep/web", tag, NOON + timedelta(hours=hours), layers=[tag.encode()])
        await harbor.push("team/deep/web", "stable", NOON + timedelta(hours=9), layers=[b"1.0"])
        await harbor.put_image("team/deep/web", "ancient", layers=[b"0"])
        image = f"{harbor.host}/team/deep/web"
        tags = await registries.tags(image)
        assert set(tags) == {"1.0", "1.1", "1.2", "1.3", "stable", "ancient"}
        pushed = await registries.pushed(image, tags)
        assert pushed == {
            "1.0": NOON,
            "1.1": NOON + timedelta(hours=1),
            "1.2": NOON + timedelta(hours=2),
            "1.3": NOON + timedelta(hours=3),
            "stable": NOON + timedelta(hours=9),
        }
        assert len(harbor.api_requests) == 1
        assert "/projects/team/repositories/deep%252Fweb/artifacts?" in harbor.api_requests[0]
        assert await registries.pushed(image, ["1.1"]) == {"1.1": NOON + timedelta(hours=1)}
        assert await registries.pushed(image, ["gone"]) == {}
        assert harbor.pulls == []


async def test_pages_are_read_until_all_are_found() -> None:
    async with HarborServer() as harbor, Registries([access(harbor)], limits=QUICK) as registries:
        for n in range(250):
            await harbor.push("team/web", f"1.{n}", NOON + timedelta(minutes=n), layers=[str(n).encode()])
        image = f"{harbor.host}/team/web"
        newest = [f"1.{n}" for n in range(240, 250)]
        assert set(await registries.pushed(image, newest)) == set(newest)
        assert len(harbor.api_requests) == 1
        assert len(await registries.pushed(image, await registries.tags(image))) == 250
        assert len(harbor.api_requests) == 4


async def test_platforms_and_labels_without_a_pull() -> None:
    async with HarborServer() as harbor, Registries([access(harbor)], limits=QUICK) as registries:
        labels = {"org.opencontainers.image.revision": "abc"}
        await harbor.push("team/web", "one", NOON, labels=labels, annotations={"team": "a"})
        both = await harbor.push(
            "team/web", "both", NOON, platforms=("linux/amd64", "linux/arm/v6"), labels=labels, attested=True
        )
        image = f"{harbor.host}/team/web"
        found = await registries.describe(image, "one")
        assert found is not None
        assert found.platforms == {"linux/amd64"}
        assert found.labels == labels | {"team": "a"}
        assert (found.size, found.created_at) == (123, datetime(2026, 1, 1, tzinfo=UTC))
        found = await registries.describe(image, "both", labels=True)
        assert found is not None
        assert (found.digest, found.platforms) == (both, frozenset({"linux/amd64", "linux/arm/v6"}))
        assert found.labels == labels
        assert await registries.describe(image, "none") is None
        assert harbor.pulls == []


async def test_what_the_api_does_not_tell_is_read_from_the_manifest() -> None:
    async with HarborServer() as harbor, Registries([access(harbor)], limits=QUICK) as registries:
        await harbor.push("team/web", "small", NOON, platforms=("linux/arm/v6",))
        found = await registries.describe(f"{harbor.host}/team/web", "small")
        assert found is not None
        assert found.platforms == {"linux/arm/v6"}
        assert len(harbor.pulls) == 1


async def test_a_robot_that_may_only_pull() -> None:
    async with HarborServer() as harbor, Registries([access(harbor)], limits=QUICK) as registries:
        harbor.may_use_api = False
        await harbor.push("team/web", "1.0", NOON)
        image = f"{harbor.host}/team/web"
        assert await registries.tags(image) == ("1.0",)
        found = await registries.describe(image, "1.0")
        assert found is not None
        assert found.platforms == {"linux/amd64"}
        with pytest.raises(
            RegistryError, match=r"does not allow reading the artifacts of team/web over its API \(403\): the robot"
        ):
            await registries.pushed(image, ["1.0"])


async def test_a_wrong_secret_is_not_shown() -> None:
    async with HarborServer() as harbor, Registries([access(harbor, "wrong-secret")], limits=QUICK) as registries:
        for ask in (registries.tags(f"{harbor.host}/team/web"), registries.pushed(f"{harbor.host}/team/web", ["1.0"])):
            with pytest.raises(RegistryError) as caught:
                await ask
            assert "wrong-secret" not in str(caught.value)


async def test_a_harbor_as_a_plain_registry() -> None:
    async with HarborServer() as harbor, Registries([access(harbor, kind="oci")], limits=QUICK) as registries:
        await harbor.push("team/web", "1.0", NOON)
        assert await registries.tags(f"{harbor.host}/team/web") == ("1.0",)
        assert await registries.pushed(f"{harbor.host}/team/web", ["1.0"]) == {}
        assert harbor.api_requests == []


@pytest.mark.parametrize("body", [b"<html>", b"5", b"[1]", b"[" * 100_000])
async def test_an_api_that_is_not_harbors(body: bytes) -> None:
    async with FaultServer(reply(200, body)) as server:
        row = RegistryAccess(server.host, kind="harbor", insecure=True)
        async with Registries([row], limits=QUICK) as registries:
            with pytest.raises(RegistryError, match="its API sent something that is not Harbor's"):
                await registries.pushed(f"{server.host}/team/web", ["1.0"])
