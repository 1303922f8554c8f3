"""The client against the distribution project's own registry, filled by raw requests and by skopeo."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.demo.registry import DemoRegistry
from bot.registries.base import Credentials, RegistryError
from bot.registries.limits import Limits
from bot.registries.pool import Registries, RegistryAccess
from tests.servers.docker_registry import PASSWORD, USER, DockerRegistry, need_docker_registry, need_skopeo

INSECURE = ("--src-tls-verify=false", "--dest-tls-verify=false")
QUICK = Limits(first_pause=0.01)


def access(registry: DockerRegistry, credentials: Credentials | None = None) -> RegistryAccess:
    return RegistryAccess(registry.host, insecure=True, credentials=credentials)


async def test_tags_digests_and_descriptions(docker_registry: DockerRegistry) -> None:
    first = docker_registry.push("acme/web", "1.0.0", labels={"org.opencontainers.image.revision": "abc"})
    second = docker_registry.push("acme/web", "1.1.0", architecture="arm64")
    image = f"{docker_registry.host}/acme/web"
    async with Registries([access(docker_registry)]) as registries:
        assert set(await registries.tags(image)) == {"1.0.0", "1.1.0"}
        assert await registries.digest(image, "1.1.0") == second
        assert await registries.digest(image, "2.0.0") is None
        found = await registries.describe(image, "1.0.0")
        assert found is not None
        assert (found.digest, found.platforms) == (first, frozenset({"linux/amd64"}))
        assert found.labels == {"org.opencontainers.image.revision": "abc"}
        assert found.created_at is not None
        assert found.created_at.isoformat() == "2026-01-02T03:04:05+00:00"
        assert await registries.describe(image, first) == found
        assert await registries.describe(image, "2.0.0") is None


async def test_thousands_of_tags(docker_registry: DockerRegistry) -> None:
    tags = [f"2.{n}" for n in range(2345)]
    docker_registry.make_tags("acme/many", tags)
    async with Registries([access(docker_registry)]) as registries:
        found = await registries.tags(f"{docker_registry.host}/acme/many")
        assert len(found) == len(tags)
        assert set(found) == set(tags)


async def test_a_repository_that_is_not_there(docker_registry: DockerRegistry) -> None:
    async with Registries([access(docker_registry)]) as registries:
        with pytest.raises(RegistryError, match=r"has no repository acme/nothing.*NAME_UNKNOWN"):
            await registries.tags(f"{docker_registry.host}/acme/nothing")


async def test_an_index_that_skopeo_copied(docker_registry: DockerRegistry) -> None:
    need_skopeo()
    image = f"{docker_registry.host}/acme/copied"
    async with DemoRegistry() as source:
        platforms = ("linux/amd64", "linux/arm64/v8", "linux/arm/v7")
        digest = await source.put_image("acme/parts", "both", platforms=platforms, labels={"for": "all"}, attested=True)
        await skopeo(
            "copy", "--all", "--preserve-digests", *INSECURE, f"docker://{source.host}/acme/parts:both", f"docker://{image}:1"
        )
    async with Registries([access(docker_registry)]) as registries:
        assert await registries.digest(image, "1") == digest
        found = await registries.describe(image, "1")
        assert found is not None
        assert found.platforms == {"linux/amd64", "linux/arm64", "linux/arm/v7"}
        assert found.labels == {}
        labelled = await registries.describe(image, "1", labels=True)
        assert labelled is not None
        assert labelled.labels == {"for": "all"}


async def test_the_right_login_reads(docker_registry_with_login: DockerRegistry) -> None:
    docker_registry_with_login.push("acme/secret", "1.0.0")
    image = f"{docker_registry_with_login.host}/acme/secret"
    async with Registries([access(docker_registry_with_login, Credentials(USER, PASSWORD))]) as registries:
        assert await registries.tags(image) == ("1.0.0",)
        assert await registries.digest(image, "1.0.0") is not None
        # The first request finds out that a login is wanted; all others bring it along.
        assert registries.requests.total() == 3


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        (None, "wants a login for acme/secret, and none is configured"),
        (Credentials(USER, "wrong-password"), "refuses the credentials for acme/secret"),
        (Credentials(None, "a-bearer-token"), "refuses the credentials for acme/secret"),
    ],
)
async def test_a_wrong_login_is_named_but_not_shown(
    docker_registry_with_login: DockerRegistry, credentials: Credentials | None, words: str
) -> None:
    async with Registries([access(docker_registry_with_login, credentials)]) as registries:
        with pytest.raises(RegistryError, match=words) as caught:
            await registries.tags(f"{docker_registry_with_login.host}/acme/secret")
    assert "wrong-password" not in str(caught.value)
    assert "a-bearer-token" not in str(caught.value)


async def test_a_registry_that_goes_down_is_said_to_be_down(tmp_path: Path) -> None:
    need_docker_registry()
    with DockerRegistry(tmp_path) as registry:
        registry.push("acme/web", "1.0.0")
        image = f"{registry.host}/acme/web"
        async with Registries([access(registry)], limits=QUICK) as registries:
            assert await registries.tags(image) == ("1.0.0",)
            registry.stop()
            registries.forget()
            with pytest.raises(RegistryError, match=f"{registry.host} cannot be reached: Connection refused"):
                await registries.tags(image)


async def skopeo(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec("skopeo", *arguments, stdout=-1, stderr=-1)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()
