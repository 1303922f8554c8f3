"""Whether a merge request may be merged, and what happens when it is: by the merge call, by hand, by the train."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.servers.gitlab.repo import Who
from tests.servers.gitlab.state import Merge, Note, Project, User

SKIP = re.compile(r"\[(ci[ _-]skip|skip[ _-]ci)\]", re.IGNORECASE)
_DRAFT = re.compile(r"\A\s*(\[draft\]|\(draft\)|draft:)", re.IGNORECASE)
ACTIVE = ("created", "waiting_for_resource", "preparing", "pending", "running", "manual", "scheduled")
GITLAB = Who("GitLab", "noreply@gitlab.example.com")


class Refused(Exception):
    """A request that GitLab refuses, with the status that it answers."""

    def __init__(self, status: int, message: object) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Merging:
    """The part of the world that is about merge requests."""

    def note(self, merge: Merge, user: User, body: str, *, system: bool = False, resolvable: bool = False) -> Note:
        at = self.time.text()
        note = Note(next(self._ids), user, body, at, at, system, resolvable)
        merge.notes.append(note)
        merge.updated_at = at
        return note

    def approve(self, merge: Merge, name: str) -> None:
        merge.approved_by.append(self.user(name))
        self.note(merge, self.user(name), "approved this merge request", system=True)

    def blocking_resolved(self, merge: Merge) -> bool:
        return all(note.resolved for note in merge.notes if note.resolvable)

    def diverged(self, project: Project, merge: Merge) -> int:
        repo = project.repo
        head, target = repo.head(merge.source), repo.head(merge.target)
        return len(repo.log(f"{head}..{target}")) if head and target else 0

    def conflicts(self, project: Project, merge: Merge) -> bool:
        repo = project.repo
        head, target = repo.head(merge.source), repo.head(merge.target)
        return bool(head and target) and repo.merged_tree(str(target), str(head)) is None

    def detailed(self, project: Project, merge: Merge) -> str:
        """Why it cannot be merged, the first reason only; the order is GitLab's as far as its documentation shows it."""
        if merge.status is not None:
            return merge.status
        if merge.looking:
            return "checking"
        return next(self._troubles(project, merge), None) or self._waits_for_ci(project, merge) or "mergeable"

    def _troubles(self, project: Project, merge: Merge) -> Iterator[str]:
        repo, settings = project.repo, project.settings
        if merge.state != "opened":
            yield "not_open"
        if _DRAFT.match(merge.title):
            yield "draft_status"
        head, target = repo.head(merge.source), repo.head(merge.target)
        if head is None or target is None or repo.contains(head, target):
            yield "commits_status"
        if settings["only_allow_merge_if_all_discussions_are_resolved"] and not self.blocking_resolved(merge):
            yield "discussions_not_resolved"
        if "requested_changes" in merge.review_states.values():
            yield "requested_changes"
        if len(merge.approved_by) < project.approvals_required:
            yield "not_approved"
        if self.conflicts(project, merge):
            yield "conflict"
        if settings["merge_method"] in ("ff", "rebase_merge") and self.diverged(project, merge):
            yield "need_rebase"

    def _waits_for_ci(self, project: Project, merge: Merge) -> str | None:
        if not project.settings["only_allow_merge_if_pipeline_succeeds"]:
            return None
        last = self.head_pipeline(project, merge)
        if last is not None and last.status in ACTIVE:
            return "ci_still_running"
        fine = ("success", "skipped") if project.settings["allow_merge_on_skipped_pipeline"] else ("success",)
        return None if last is not None and last.status in fine else "ci_must_pass"

    # -- merging

    def accept(self, project: Project, merge: Merge, user: User, terms: Mapping[str, Any]) -> None:
        """Merge by the project's method. Nothing about whether it may is asked here."""
        repo, settings = project.repo, project.settings
        head, target = str(repo.head(merge.source)), str(repo.head(merge.target))
        squash = settings["squash_option"] == "always" or bool(terms.get("squash", merge.squash))
        if settings["squash_option"] == "never":
            squash = False
        tip, reference = head, f"See merge request {project.path}!{merge.iid}"
        if squash:
            words = terms.get("squash_commit_message") or merge.title
            tree = repo.git("rev-parse", f"{head}^{{tree}}")
            fork = str(repo.merge_base(head, target))
            committer = GITLAB if project.signs else user.who
            tip = repo.commit(words, [fork], merge.author.who, committer, tree=tree)
            merge.squash_commit = tip
        merge.head = head
        if settings["merge_method"] == "ff":
            if repo.merge_base(tip, target) != target:
                raise Refused(422, "Branch cannot be merged")
            self.moved_quietly(project, merge, user, tip)
            return
        usual = f"Merge branch '{merge.source}' into '{merge.target}'\n\n{merge.title}\n\n{reference}"
        words = terms.get("merge_commit_message") or usual
        tree_id = repo.merged_tree(target, tip)
        if tree_id is None:
            raise Refused(422, "Branch cannot be merged")
        merge.merge_commit = repo.commit(words, [target, tip], user.who, user.who, tree=tree_id)
        self.moved_quietly(project, merge, user, merge.merge_commit)

    def moved_quietly(self, project: Project, merge: Merge, user: User, tip: str) -> None:
        """Put the target on its new tip, end the request, and let CI see it."""
        remove = merge.remove_source
        self.end(project, merge, user, merge.merge_commit)
        self.moved(project, user, merge.target, tip)
        if remove and project.repo.head(merge.source):
            self.moved(project, user, merge.source, None)

    def end(self, project: Project, merge: Merge, user: User, commit: str | None) -> None:
        merge.head = merge.head or str(project.repo.head(merge.source))
        merge.state, merge.merged_by, merge.merged_at = "merged", user, self.time.text()
        merge.merge_commit = commit
        merge.updated_at, merge.auto, merge.car = merge.merged_at, None, "merged" if merge.car else None

    def close(self, project: Project, merge: Merge, user: User) -> None:
        merge.head = str(project.repo.head(merge.source) or merge.head)
        merge.state, merge.closed_by, merge.closed_at = "closed", user, self.time.text()
        merge.updated_at = merge.closed_at

    def run_train(self, project: Project) -> None:
        """The train's pipelines pass, and what is on it is merged with GitLab's own words; a skipped one is dropped."""
        for merge in project.merges.values():
            if merge.car not in ("idle", "fresh") or merge.state != "opened":
                continue
            if SKIP.search(merge.title):  # in the message of the train's commit
                merge.car = None
                self.note(merge, merge.author, "removed this merge request from the merge train: skipped", system=True)
                continue
            self.accept(project, merge, merge.author, {"squash": merge.squash})
