"""What happens on a GitLab: people and tokens, pushes and what follows from them, pipelines, merging, trains."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.servers.gitlab.merging import ACTIVE, SKIP, Merging
from tests.servers.gitlab.repo import ZERO, Repo
from tests.servers.gitlab.state import DEVELOPER, MAINTAINER, OWNER, Merge, Pipeline, Project, Time, Token, User


class World(Merging):
    """The state, and everything that changes it but for HTTP."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.time = Time()
        self.projects: dict[int, Project] = {}
        self.users: dict[int, User] = {}
        self.tokens: dict[str, Token] = {}
        self._ids = itertools.count(1)

    # -- who and what there is

    def user(self, username: str, *, bot: bool = False, id_: int | None = None) -> User:
        """A user, made at the first call."""
        for one in self.users.values():
            if one.username == username:
                return one
        number = id_ or next(self._ids)
        user = User(number, username, username.capitalize(), f"{username}@example.com", bot)
        if bot:
            user.email = f"{username}@noreply.gitlab.example.com"
        self.users[user.id] = user
        return user

    def project(self, path: str, files: Mapping[str, bytes] | None = None, **settings: Any) -> Project:
        """A project with a protected branch `main`, on which only Maintainers push and merge; Ada maintains it, Bob develops."""
        number = next(self._ids)
        usual: dict[str, Any] = {
            "default_branch": "main",
            "merge_method": "merge",
            "squash_option": "default_off",
            "only_allow_merge_if_pipeline_succeeds": False,
            "allow_merge_on_skipped_pipeline": False,
            "only_allow_merge_if_all_discussions_are_resolved": False,
            "merge_trains_enabled": False,
            "remove_source_branch_after_merge": True,
            "merge_commit_template": None,
            "squash_commit_template": None,
        }
        project = Project(number, path, Repo(self.folder / f"{number}.git"), usual | settings)
        project.protected["main"] = (MAINTAINER, MAINTAINER)
        self.projects[number] = project
        for name, level in (("ada", OWNER), ("bob", DEVELOPER), ("eve", 10)):
            self.member(project, self.user(name), level)
        files = {"app.yaml": b"image: web:1.0.0\n", "other.yaml": b"image: db:1.0.0\n"} if files is None else files
        if files:
            self.push_as("ada", project, "main", files, "First commit")
        else:
            project.settings["default_branch"] = None
        return project

    def member(self, project: Project, user: User, level: int) -> User:
        project.members[user.id] = level
        project.users[user.id] = user
        return user

    def bot(self, project: Project, level: int = MAINTAINER) -> User:
        """The user of a project access token."""
        user = self.user(f"project_{project.id}_bot_{project.id:04x}", bot=True)
        user.name = "tagboat"
        return self.member(project, user, level)

    def token(self, user: User, **facts: Any) -> str:
        """A new token of a user, good for a year."""
        text = f"glpat-{len(self.tokens):020}"
        facts.setdefault("expires_at", date.today() + timedelta(days=365))  # noqa: DTZ011
        self.tokens[text] = Token(user, **facts)
        return text

    # -- pushes

    def push_as(
        self,
        name: str,
        project: Project,
        branch: str,
        files: Mapping[str, bytes | None],
        message: str,
        *,
        onto: str | None = None,
        mode: str = "100644",
    ) -> str:
        """A person commits and pushes; `onto` is the commit below it (a forced push), else the branch's own, else main's."""
        repo, user = project.repo, self.user(name)
        parent = onto or repo.head(branch) or repo.head("main")
        there = repo.tree(parent) if parent else {}
        laid: dict[str, tuple[str, str] | None] = {}
        for path, data in files.items():
            kept = there[path][0] if path in there else mode
            laid[path] = None if data is None else (kept, repo.store(data))
        commit = repo.commit(message, [parent] if parent else [], user.who, user.who, laid)
        self.moved(project, user, branch, commit)
        return commit

    def moved(self, project: Project, user: User, branch: str, to: str | None) -> None:
        """Move a branch, and all that GitLab does after a push."""
        before = project.repo.move(branch, to)
        at = self.time.text()
        data = {
            "ref_type": "branch",
            "ref": branch,
            "commit_from": None if before == ZERO else before,
            "commit_to": to,
            "action": "removed" if to is None else "created" if before == ZERO else "pushed",
        }
        project.events.append(
            {"id": next(self._ids), "action_name": "pushed to", "author": user.brief(), "created_at": at, "push_data": data}
        )
        for merge in list(project.merges.values()):
            if merge.state != "opened":
                continue
            if merge.source == branch:
                merge.updated_at = at
                merge.stale, merge.stale_left = before, project.lag
                merge.auto = None
                if project.reset_approvals:
                    merge.approved_by = []
                self.note(merge, user, "added 1 commit" if to else "deleted the source branch", system=True)
            if merge.target == branch and to is not None:
                self._merged_by_hand(project, merge, user, to)
        if to is not None:
            self._run_ci(project, user, branch, to)

    def _merged_by_hand(self, project: Project, merge: Merge, user: User, to: str) -> None:
        head = project.repo.head(merge.source)
        if head and head != merge.fork and merge.merged_at is None and project.repo.contains(head, to):
            self.end(project, merge, user, to if to != head else None)

    def _run_ci(self, project: Project, user: User, branch: str, commit: str) -> None:
        if project.ci is None:
            return
        skipped = SKIP.search(str(project.repo.info(commit)["message"])) is not None
        state = "skipped" if skipped else project.ci_status
        if project.ci in ("branch", "both") or branch == project.settings["default_branch"]:
            self.pipeline(project, commit, state, ref=branch, user=user)
        for merge in project.merges.values():
            if merge.source == branch and merge.state == "opened" and project.ci in ("request", "both"):
                self.pipeline(project, commit, state, merge=merge, user=user)

    def opened(self, project: Project, merge: Merge) -> None:
        """What runs when a request is opened."""
        head = project.repo.head(merge.source)
        if project.ci in ("request", "both") and head:
            skipped = SKIP.search(str(project.repo.info(head)["message"])) is not None
            self.pipeline(project, head, "skipped" if skipped else project.ci_status, merge=merge, user=merge.author)

    # -- pipelines

    def pipeline(
        self,
        project: Project,
        sha: str,
        state: str = "running",
        *,
        ref: str = "",
        merge: Merge | None = None,
        kind: str = "head",
        source: str = "",
        user: User | None = None,
    ) -> Pipeline:
        """A new pipeline: of a branch, or for a merge request (`kind` head, merge or train)."""
        at = self.time.text()
        name = f"refs/merge-requests/{merge.iid}/{kind}" if merge else ref
        origin = source or ("merge_request_event" if merge else "push")
        found = Pipeline(next(self._ids), sha, name, state, origin, user or self.user("ada"), at, at)
        project.pipelines.append(found)
        return found

    def finish(self, project: Project, state: str = "success", merge: Merge | None = None) -> None:
        """Every running pipeline (of a request) ends in this status; auto-merges take place."""
        for one in project.pipelines:
            if one.status in ACTIVE and (merge is None or self._is_of(project, one, merge)):
                one.status, one.updated_at = state, self.time.text()
        for each in list(project.merges.values()):
            if each.auto is not None and each.state == "opened" and self.detailed(project, each) == "mergeable":
                self.accept(project, each, each.auto["user"], each.auto)

    def head_pipeline(self, project: Project, merge: Merge) -> Pipeline | None:
        """The newest one for the request, else the newest one for its branch, on its head."""
        mine = [one for one in project.pipelines if self._is_of(project, one, merge)]
        for_request = [one for one in mine if one.source == "merge_request_event"]
        return max(for_request or mine, key=lambda one: one.id, default=None)

    def _is_of(self, project: Project, one: Pipeline, merge: Merge) -> bool:
        head = project.repo.head(merge.source)
        if one.ref.startswith(f"refs/merge-requests/{merge.iid}/"):
            if one.ref.endswith("/merge"):
                return head in project.repo.info(one.sha)["parent_ids"]  # type: ignore[operator]
            return one.sha == head and one.ref.endswith("/head")
        return one.sha == head and one.ref == merge.source
