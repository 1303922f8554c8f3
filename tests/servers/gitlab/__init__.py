"""A GitLab of our own: stateful, with real git behind it, over real sockets.

    async with GitLabServer(folder) as server:
        project = server.project("acme/gitops", {"app.yaml": b"image: web:1.0.0\\n"})
        token = server.token(server.bot(project))
        …                                   # talk to server.url with python-gitlab
        server.log                          # what was asked
        server.complaints                   # what GitLab would have ignored or refused silently: should be empty

It answers what GitLab's documentation says, as far as Tagboat asks: projects, members, branches, tree, blobs, archive, commits
with actions, merge requests with `detailed_merge_status`, pipelines, approvals, discussions, notes, merge, trains, labels, users,
issues, events, the token's own record. `Rule`s make it fail or let people act at a chosen moment.
"""

from __future__ import annotations

from tests.servers.gitlab.rules import Rule, drop, hang, limited, status, truncated
from tests.servers.gitlab.server import GitLabServer
from tests.servers.gitlab.state import Merge, Pipeline, Project, User

__all__ = ["GitLabServer", "Merge", "Pipeline", "Project", "Rule", "User", "drop", "hang", "limited", "status", "truncated"]
