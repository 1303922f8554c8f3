"""Steps of Drone and Woodpecker: commands in containers, and plugins that build or deploy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rules.ci.base import Work
from rules.ci.nodes import Node
from rules.ci.work import image, joined, of_words, read, shell

_BUILDERS = re.compile(
    r"(?:^|/)(?:[\w-]*docker[\w-]*|[\w-]*kaniko[\w-]*|[\w-]*buildx[\w-]*|ecr|gcr|acr|gar|buildah)(?::|@|$)", re.IGNORECASE
)


def step_work(step: Node, known: Mapping[str, Any], files: Mapping[str, bytes]) -> Work:
    """What a step does."""
    name, plugin = step.get("name").text or "", step.get("image").text or ""
    settings = step.get("settings") or step
    works = [Work(effects=of_words(f"{name} {plugin}"))]
    lines = [line for node in step.get("commands").each() if node.text for line in shell(node.text, node.line)]
    if lines:
        works.append(read(lines, known, files))
    elif _BUILDERS.search(plugin) and (settings.get("dry_run") or settings.get("dry-run")).text != "true":
        works.append(Work(built=tuple(one for text in _names(settings) for one in image(text, step.line, plugin, known))))
    return joined(works)


def _names(settings: Node) -> list[str]:
    names = [text for key in ("repo", "repository", "destinations", "destination") for text in settings.get(key).texts()]
    registry = settings.get("registry").text
    if registry:
        host = registry.removeprefix("https://").removeprefix("http://").strip("/")
        names = [name if name.startswith(host) else f"{host}/{name}" for name in names]
    return names or ["*"]
