"""GitLab's predefined variables in the pipeline of an event, as far as they are known.

predefined(Push("gitlab", "main", …))["CI_COMMIT_BRANCH"]      "main"
"""

from __future__ import annotations

import re

from rules.ci.base import Event, Push
from rules.ci.gitlab_expressions import SET, Value


def predefined(event: Event) -> dict[str, Value]:
    """GitLab's own variables in the pipeline of an event; those that are not named are not known."""
    message, title = event.head.message, event.head.title
    project = event.repository
    known: dict[str, Value] = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_DEFAULT_BRANCH": event.base,
        "CI_COMMIT_MESSAGE": message,
        "CI_COMMIT_TITLE": title,
        "CI_COMMIT_DESCRIPTION": message.partition("\n")[2].strip(),
        "CI_COMMIT_SHA": "a" * 40,
        "CI_COMMIT_SHORT_SHA": "a" * 8,
        "CI_COMMIT_TAG": None,
        "CI_PIPELINE_TRIGGERED": None,
        "CI_EXTERNAL_PULL_REQUEST_IID": None,
        "CI_DEPLOY_FREEZE": None,
    }
    if project is not None:
        owner, _, name = project.rpartition("/")
        known |= {"CI_PROJECT_PATH": project, "CI_PROJECT_NAME": name, "CI_PROJECT_NAMESPACE": owner}
        known |= {"CI_PROJECT_ROOT_NAMESPACE": owner.partition("/")[0]}
    merge_request = (
        "ID",
        "IID",
        "PROJECT_PATH",
        "REF_PATH",
        "DIFF_ID",
        "SOURCE_BRANCH_SHA",
        "TARGET_BRANCH_SHA",
        "LABELS",
        "ASSIGNEES",
    )
    if isinstance(event, Push):
        known |= {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": event.branch, "CI_COMMIT_REF_NAME": event.branch}
        known |= {"CI_COMMIT_REF_SLUG": re.sub(r"[^a-z0-9]", "-", event.branch.lower())[:63]}
        known |= {
            f"CI_MERGE_REQUEST_{name}": None
            for name in (*merge_request, "EVENT_TYPE", "SOURCE_BRANCH_NAME", "TARGET_BRANCH_NAME", "TITLE")
        }
        if event.on_base:
            known["CI_OPEN_MERGE_REQUESTS"] = None
        return known
    known |= {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": None, "CI_COMMIT_REF_NAME": event.branch}
    known |= {f"CI_MERGE_REQUEST_{name}": SET for name in merge_request if name not in ("LABELS", "ASSIGNEES")}
    known |= {"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": event.branch, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": event.base}
    known |= {"CI_MERGE_REQUEST_TITLE": event.title, "CI_MERGE_REQUEST_EVENT_TYPE": "merge_train" if event.queue else SET}
    return known
