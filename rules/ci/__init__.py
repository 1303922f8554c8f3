"""CI systems: what a push starts there, and what keeps it from starting. One file each, one row in the table.

pipelines(definitions, "acme/shop")      every pipeline that these files define, and every file that could not be read
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rules.ci import (
    argo_events,
    azure_pipelines,
    bitbucket,
    buildkite,
    circleci,
    drone,
    github_actions,
    gitlab_ci,
    jenkins,
    pipelines_as_code,
    tekton_triggers,
    travis,
    woodpecker,
)
from rules.ci.base import CiSystem, ForgeName, Pipeline, Unreadable
from rules.ci.builds import is_recipe
from rules.ci.support import is_support
from rules.ci.tokens import may_have_token

SYSTEMS: dict[str, CiSystem] = {
    "github-actions": github_actions,
    "gitlab-ci": gitlab_ci,
    "jenkins": jenkins,
    "argo-events": argo_events,
    "tekton-triggers": tekton_triggers,
    "pipelines-as-code": pipelines_as_code,
    "circleci": circleci,
    "azure-pipelines": azure_pipelines,
    "drone": drone,
    "woodpecker": woodpecker,
    "buildkite": buildkite,
    "travis": travis,
    "bitbucket": bitbucket,
}

_KINDS = (b"kind: Sensor", b"kind: EventSource", b"kind: EventListener", b"kind: TriggerTemplate", b"pipelinesascode.tekton.dev")


def claims(path: str) -> bool:
    """Whether the path may hold a CI definition of any known system, something that one runs, or a recipe for images."""
    return any(system.claims(path) for system in SYSTEMS.values()) or is_recipe(path) or is_support(path)


def looks_like_definition(data: bytes) -> bool:
    """Whether a YAML file that can stand anywhere says by its content that it starts pipelines."""
    return any(word in data for word in _KINDS)


def pipelines(definitions: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """Everything that the definitions of a repository can start."""
    for system in SYSTEMS.values():
        yield from system.read(definitions, repository)


def system_of(pipeline: Pipeline | Unreadable) -> CiSystem:
    """The row of the table that a pipeline belongs to."""
    return SYSTEMS[pipeline.system]


def is_native(token: str) -> bool:
    """Whether some CI system reads this text by itself: then it never stands in a branch commit or in a title."""
    return any(system.SKIP is not None and may_have_token(system.SKIP, f"Update {token}") for system in SYSTEMS.values())


def forges(found: Iterable[Pipeline | Unreadable]) -> frozenset[ForgeName]:
    """The forges that these definitions speak of: those of systems that are at home on one of them, else both."""
    homes = [system_of(one).FORGES for one in found]
    at_home: frozenset[ForgeName] = frozenset(forge for home in homes if len(home) == 1 for forge in home)
    both: frozenset[ForgeName] = frozenset({"github", "gitlab"})
    return at_home or both
