"""`tagboat run` and `tagboat serve` as a person starts them, against a GitLab and a registry on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.stories.gitlab.world import World
from tests.stories.world import DEV_LANDS, pod

ROOT = Path(__file__).parent.parent.parent.parent
FILES = {".tagboat.yaml": DEV_LANDS, "dev/web.yaml": pod("HOST/acme/web:1.4.0"), "prod/web.yaml": pod("HOST/acme/web:1.4.0")}
TAGS = {"acme/web": ["1.4.0", "1.4.1"]}
MUST = {"only_allow_merge_if_pipeline_succeeds": True}
SECRET = "a-webhook-secret"


def app_yaml(world: World, listen: str = "127.0.0.1:0") -> str:
    return (
        f"server: {{listen: '{listen}'}}\n"
        f'forges: [{{kind: gitlab, url: "{world.gitlab.url}", token: {{env: GITLAB_TOKEN}}, webhook_secret: {{env: HOOK}}}}]\n'
        f'registries: [{{host: "{world.registry.host}", insecure: true, webhook_secret: {{env: HOOK}}}}]\n'
        "repositories_without_file: propose\nscan: {every: 1h}\n"
    )


@asynccontextmanager
async def tagboat(world: World, *args: str, text: str) -> AsyncIterator[asyncio.subprocess.Process]:
    (world.folder / "app.yaml").write_text(text)
    env = os.environ | {"GITLAB_TOKEN": world.token, "HOOK": SECRET, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *args,
        cwd=world.folder,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.communicate(), 30)


async def run(world: World) -> tuple[int | None, str]:
    async with tagboat(world, "run", "--app", "app.yaml", text=app_yaml(world)) as process:
        out, errors = await asyncio.wait_for(process.communicate(), 60)
        assert world.token not in (out + errors).decode()
        return process.returncode, out.decode() + errors.decode()


async def test_run_opens_and_lands(tmp_path: Path) -> None:
    async with World.of(tmp_path, FILES, TAGS, ci="request", ci_status="running", **MUST) as world:
        code, words = await run(world)
        assert (code, len(world.titles())) == (0, 2), words
        world.gitlab.finish(world.project)
        code, words = await run(world)
        assert (code, sorted(world.states().values())) == (0, ["merged", "opened"]), words
        assert "1.4.1" in words
        code, words = await run(world)
        assert code == 0
        world.gitlab.tokens[world.token].revoked = True
        code, words = await run(world)
        assert (code, "does not accept the token" in words) == (1, True), words


async def until(holds: Any, seconds: float = 30) -> None:
    for _ in range(int(seconds / 0.1)):
        if holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not happen in time")


async def test_serve_is_led_by_webhooks(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with World.of(tmp_path, FILES, TAGS, ci="request", ci_status="running", **MUST) as world:
        text = app_yaml(world, f"127.0.0.1:{port}")
        async with tagboat(world, "serve", "--app", "app.yaml", text=text), aiohttp.ClientSession() as session:
            await until(lambda: len(world.titles()) == 2)

            async def hook(event: str, payload: dict[str, Any], token: str = SECRET) -> int:
                headers = {"X-Gitlab-Event": event, "X-Gitlab-Token": token}
                body = json.dumps({"project": {"path_with_namespace": "acme/gitops"}} | payload)
                async with session.post(f"http://127.0.0.1:{port}/webhooks/gitlab", data=body, headers=headers) as answer:
                    return answer.status

            world.gitlab.finish(world.project)
            assert await hook("Pipeline Hook", {"object_attributes": {"status": "success"}}, "wrong") in (401, 403)
            assert await hook("Pipeline Hook", {"object_attributes": {"status": "success"}}) < 300
            await until(lambda: "merged" in world.states().values())
            assert world.headlines()[0].startswith("Update acme/web from 1.4.0 to 1.4.1 in dev")
