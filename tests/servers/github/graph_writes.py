"""The mutations of GitHub's GraphQL."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from graphql import GraphQLError

from tests.servers.github.gitdir import GITHUB
from tests.servers.github.world import Pull, Repo, Viewer, World

Json = dict[str, Any]


def refused(kind: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"type": kind})


class Writes:
    """What a viewer changes."""

    world: World
    viewer: Viewer
    _commit: Callable[[Repo, str], Json]
    _pull: Callable[[Repo, Pull], Json]

    def _writable(self, repo: Repo | None) -> Repo:
        if repo is None:
            raise refused("NOT_FOUND", "Could not resolve to a node with the global id.")
        if repo.archived:
            raise refused("UNPROCESSABLE", "Repository was archived so is read-only.")
        if not self.viewer.may("contents", "write"):
            raise refused("FORBIDDEN", "Resource not accessible by integration")
        return repo

    def _commit_on_branch(self, info: Any, input: Json) -> Json:  # noqa: A002
        repo = self._writable(self.world.find(input["branch"]["repositoryNameWithOwner"]))
        branch, expected = input["branch"]["branchName"], input["expectedHeadOid"]
        head = repo.head(branch)
        if head is None:
            raise refused("NOT_FOUND", f"No branch {branch}")
        if head != expected:
            raise refused("STALE_DATA", f'Expected branch to point to "{expected}" but it did not. Pull and try again.')
        if branch in repo.locked_branches:
            raise refused("UNPROCESSABLE", "Repository rule violations found: Changes must be made through a pull request.")
        rows = [
            (one["path"], "100644", repo.git.write_blob(base64.b64decode(one["contents"])))
            for one in (input.get("fileChanges") or {}).get("additions") or ()
        ]
        tree = repo.git.write_tree(head, rows, self.world.folder / "index")
        message = input["message"]
        text = f"{message['headline']}\n\n{message.get('body') or ''}".strip() + "\n"
        new = repo.git.write_commit(tree, [head], text, self.viewer.account.person, GITHUB)
        repo.git.set_ref(f"refs/heads/{branch}", new, head)
        self.world.sync(repo, self.viewer.account)
        return {"commit": self._commit(repo, new)}

    def _update_refs(self, info: Any, input: Json) -> Json:  # noqa: A002
        repo = self.world.by_node(input["repositoryId"])
        assert repo is None or isinstance(repo, Repo)
        repo = self._writable(repo)
        refs, moves = repo.git.refs(), []
        for update in input["refUpdates"]:
            name, new, old = update["name"], update["afterOid"], update.get("beforeOid")
            there = refs.get(name, "0" * 40)
            if old is not None and old != there:
                raise refused("UNPROCESSABLE", f"The ref {name} is at {there} but expected {old}")
            if set(new) != {"0"} and there in refs.values() and not update.get("force") and not repo.git.ancestor(there, new):
                raise refused("UNPROCESSABLE", "Update is not a fast forward")
            if name.removeprefix("refs/heads/") in repo.locked_branches:
                raise refused("UNPROCESSABLE", "Cannot update this protected ref.")
            if set(new) == {"0"} and not self.world.deletes_by_graphql:
                raise refused("UNPROCESSABLE", "afterOid is no commit")
            moves.append((name, new, old))
        if not repo.git.move_refs(moves):
            raise refused("UNPROCESSABLE", "A ref update failed")
        self.world.sync(repo, self.viewer.account)
        return {"clientMutationId": None}

    def _target(self, input: Json) -> tuple[Repo, Pull]:  # noqa: A002
        pull = self.world.by_node(input["pullRequestId"])
        if not isinstance(pull, Pull):
            raise refused("NOT_FOUND", "Could not resolve to a node with the global id.")
        if input.get("expectedHeadOid") not in (None, pull.head_oid):
            raise refused("STALE_DATA", "Head sha did not match.")
        return self.world.repo_of(pull), pull

    def _auto_merge(self, info: Any, input: Json) -> Json:  # noqa: A002
        repo, pull = self._target(input)
        if not repo.allow_auto_merge:
            raise refused("UNPROCESSABLE", "Auto merge is not allowed for this repository")
        state = self.world.merge_state(repo, pull)
        if state in ("CLEAN", "UNSTABLE"):
            raise refused("UNPROCESSABLE", f"Pull request Pull request is in {state.lower()} status")
        pull.auto_merge = {
            "method": input["mergeMethod"],
            "headline": input.get("commitHeadline"),
            "body": input.get("commitBody"),
            "by": self.viewer.account,
        }
        return {"pullRequest": self._pull(repo, pull)}

    def _no_auto_merge(self, info: Any, input: Json) -> Json:  # noqa: A002
        repo, pull = self._target(input)
        if pull.auto_merge is None:
            raise refused("UNPROCESSABLE", "Can't disable auto-merge for this pull request")
        pull.auto_merge = None
        return {"pullRequest": self._pull(repo, pull)}

    def _enqueue(self, info: Any, input: Json) -> Json:  # noqa: A002
        repo, pull = self._target(input)
        if not self.world.has_queue(repo, pull.base):
            raise refused("UNPROCESSABLE", "The merge queue is not enabled for this branch")
        pull.queued = True
        return {"mergeQueueEntry": {"id": f"MQE_{pull.id}"}}
