"""CI systems: what a push starts there, and what keeps it from starting. One file each, one row in the table."""

from __future__ import annotations

import re

_DEFINITIONS = re.compile(
    r"\.github/workflows/[^/]+\.ya?ml|(?:.*/)?\.gitlab-ci\.ya?ml|(?:.*/)?[^/]+\.gitlab-ci\.ya?ml|\.gitlab/.*\.ya?ml"
    r"|(?:.*/)?Jenkinsfile[^/]*|(?:.*/)?[^/]+\.[Jj]enkinsfile"
    r"|(?:.*/)?[^/]*(?:sensor|eventsource|trigger)[^/]*\.ya?ml|(?:.*/)?\.tekton/.*\.ya?ml"
    r"|\.circleci/.*\.ya?ml|(?:.*/)?azure-pipelines[^/]*\.ya?ml|\.azure-pipelines/.*\.ya?ml"
    r"|\.drone\.ya?ml|\.woodpecker(?:\.ya?ml|/.*\.ya?ml)|\.buildkite/.*\.ya?ml|bitbucket-pipelines\.ya?ml|\.travis\.ya?ml"
)


def claims(path: str) -> bool:
    """Whether the path may hold a CI definition of any known system."""
    return _DEFINITIONS.fullmatch(path) is not None
