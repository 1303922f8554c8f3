"""The world of the demo: an embedded registry and a bare repository with a GitOps sample, in a folder of its own.

The repository is like many: the code of `shop`, the workflow that builds its image on every push to main, and the manifests of
dev and prod beside them. There the loop is real: a landing that started the workflow would build the image anew.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from bot.demo.registry import DemoRegistry

STANDS = "main-3f2a9c1-41"
BUILT = ("main-8d0be77-42", "main-c41d9aa-43", "main-55e07f2-44")
_IMAGES: Mapping[str, tuple[str, ...]] = {
    "harbour/shop": ("latest", "main-17bd02e-40", STANDS, BUILT[0], "feature-login-99"),
    "harbour/migrate": ("1.3.9", "1.4.0", "1.4.1", "1.5.0-rc.1"),
    "harbour/cache": ("7.2-alpine", "7.4", "7.4-alpine", "8.0-bookworm"),
    "harbour/gateway": ("1.9", "1.10", "1.10.3", "1"),
}
_PERSON = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")


class World:
    """The registry's address is `host`, the repository is `url`; `settings` is an app.yaml for both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = DemoRegistry()
        self.bare = folder / "gitops.git"
        self.checkout = folder / "gitops"
        self.settings = folder / "app.yaml"
        self.builds = list(BUILT[1:])

    @property
    def url(self) -> str:
        return self.bare.as_uri()

    async def start(self) -> None:
        """Fill the registry, make the repository, write the settings."""
        await self.registry.start()
        for image, tags in _IMAGES.items():
            for tag in tags:
                await self.registry.put_image(image, tag)
        await asyncio.to_thread(self._seed)
        lines = [
            "# app.yaml's own settings, with these two.",
            "forges:",
            f'  - {{kind: git, url: "{self.url}", branch: main}}',
            "registries:",
            f'  - {{host: "{self.registry.host}", insecure: true}}',
            f'state: "sqlite:///{self.folder}/data/tagboat.db"',
        ]
        self.settings.write_text("\n".join(lines) + "\n")

    async def stop(self) -> None:
        """Stop the registry; the folder stays for who owns it."""
        await self.registry.stop()

    async def build(self) -> str | None:
        """What a pipeline does after a push: the next image of `shop`; its tag, None where there is no further one."""
        if not self.builds:
            return None
        tag = self.builds.pop(0)
        await self.registry.put_image("harbour/shop", tag)
        return tag

    async def head(self) -> str:
        """The commit that main stands at."""
        return (await self.git("rev-parse", "main")).strip()

    async def message(self, commit: str) -> str:
        """The headline of a commit."""
        return (await self.git("log", "-1", "--format=%s", commit)).strip()

    async def merge(self, branch: str) -> None:
        """What a person does with a request: merge its branch."""
        await asyncio.to_thread(self._merge, branch)

    async def git(self, *args: str) -> str:
        """Output of a git command in the bare repository."""
        return await asyncio.to_thread(_git, self.bare, *args)

    def _seed(self) -> None:
        _git(self.folder, "init", "-q", "--bare", "--initial-branch=main", str(self.bare))
        _git(self.folder, "clone", "-q", str(self.bare), str(self.checkout))
        _git(self.checkout, "checkout", "-q", "-B", "main")
        sample = files("bot.demo") / "sample"
        for path in _walk(Path(str(sample))):
            target = self.checkout / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((sample / str(path)).read_bytes().replace(b"REGISTRY", self.registry.host.encode()))
        _git(self.checkout, "add", "-A")
        _git(self.checkout, *_PERSON, "commit", "-q", "-m", "Shop: code, build and manifests")
        _git(self.checkout, "push", "-q", "origin", "main")

    def _merge(self, branch: str) -> None:
        _git(self.checkout, "fetch", "-q", "origin")
        _git(self.checkout, "checkout", "-q", "-B", "main", "origin/main")
        _git(self.checkout, *_PERSON, "merge", "-q", "--no-ff", "-m", f"Merge {branch}", f"origin/{branch}")
        _git(self.checkout, "push", "-q", "origin", "main")


def _walk(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _git(folder: Path, *args: str) -> str:
    """Run git without anybody's configuration."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "HOME": str(folder),
    }
    done = subprocess.run(["git", *args], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603, S607
    if done.returncode:
        raise RuntimeError(f"git {args[0]}: {done.stderr.strip()}")
    return done.stdout
