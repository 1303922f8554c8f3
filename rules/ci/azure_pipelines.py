"""Azure Pipelines: `azure-pipelines.yml`. `trigger` and `pr` with branches and paths.

    trigger: {branches: {include: [main]}, paths: {exclude: [deploy]}}

Its skip tokens are reported to be passed over in places, so none is relied on; paths are the way. GitLab repositories have no
YAML pipelines there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rules.ci import filters
from rules.ci.base import YES, Event, ForgeName, Job, Pipeline, Push, Skip, Start, Unreadable, Work
from rules.ci.nodes import BadYaml, Node, first
from rules.ci.paths import listed
from rules.ci.plain import Plain, Trigger
from rules.ci.work import image, joined, of_words, shell
from rules.ci.work import read as read_work

NAME = "azure-pipelines"
TITLE = "Azure Pipelines"
FORGES: frozenset[ForgeName] = frozenset({"github"})
SKIP: Skip | None = Skip(
    "[skip ci]",
    r"(?i)\[(?:skip (?:ci|azurepipelines|azpipelines|azp)|(?:ci|azurepipelines|azpipelines|azp) skip)\]|\*\*\*NO_CI\*\*\*"
    r"|skip-checks:\s*true",
    "microsoft/azure-pipelines-agent#2944",
    request=frozenset(),
    doubt="Azure Pipelines is reported to pass over its tokens in places (microsoft/azure-pipelines-agent#2944)",
)
_FILE = re.compile(
    r"(?:.*/)?\.?azure-pipelines?[^/]*\.ya?ml|\.?azure-pipelines/.*\.ya?ml|\.azuredevops/.*\.ya?ml|\.pipelines/.*\.ya?ml"
)
_HOW = "add `paths: {{exclude: [{paths}]}}` under `trigger`"


def claims(path: str) -> bool:
    """Where such definitions usually stand; the name is free there."""
    return _FILE.fullmatch(path) is not None


def read(files: Mapping[str, bytes], repository: str | None) -> Iterator[Pipeline | Unreadable]:
    """Each file that is no template is a pipeline."""
    for path in sorted(files):
        if not claims(path):
            continue
        try:
            document = first(files[path])
        except BadYaml as error:
            yield Unreadable(NAME, path, error.line, str(error))
            continue
        if not document.is_map or (
            document.get("parameters") and not any(document.get(key) for key in ("trigger", "pr", "pool"))
        ):
            continue  # a template
        trigger, requests = document.get("trigger"), document.get("pr")
        line = trigger.line if trigger else 1
        jobs = tuple(_jobs(document, files))
        name = document.get("name").text or path
        yield Plain(
            NAME, name if "$" not in name else path, path, line, jobs, SKIP, _Trigger(trigger, requests, line).start, _HOW
        )


class _Trigger:
    def __init__(self, trigger: Node, requests: Node, line: int) -> None:
        self.trigger, self.requests, self.line = trigger, requests, line

    def start(self, event: Event) -> Start:
        push = isinstance(event, Push)
        if not push and getattr(event, "action", "") == "merged":
            return Start("no", "merging starts nothing by itself: the push does", line=self.line)
        here = self.trigger if push else self.requests
        word = "trigger" if push else "pr"
        branch = event.branch if push else event.base
        if here.text == "none":
            return Start("no", f"`{word}: none`", line=here.line)
        if not here:
            return Start("yes", f"without `{word}` every branch starts it", line=self.line)
        branches = here if here.is_list or here.text else here.get("branches")
        include = branches.get("include").texts() if branches.is_map else branches.texts()
        if include and not any(_fits(branch, pattern) for pattern in include):
            return Start("no", f"only for branches {listed(include)}", "trigger", branches.line)
        if any(_fits(branch, pattern) for pattern in branches.get("exclude").texts()):
            return Start("no", f"not for branches {listed(branches.get('exclude').texts())}", "trigger", branches.line)
        paths = here.get("paths")
        left = [path for path in event.paths if _taken(path, paths)]
        if paths and event.paths and not left:
            return Start("no", f"`paths` of `{word}` leaves it out", "paths", paths.line)
        return Start("yes", "a push starts it" if push else "a request starts it", line=here.line)


def _taken(path: str, paths: Node) -> bool:
    include, exclude = paths.get("include").texts(), paths.get("exclude").texts()
    taken = not include or any(_below(path, pattern) for pattern in include)
    longest = max((len(pattern) for pattern in include if _below(path, pattern)), default=0)
    return taken and not any(_below(path, pattern) and len(pattern) >= longest for pattern in exclude)


def _below(path: str, pattern: str) -> bool:
    pattern = pattern.strip("/")
    return pattern in ("", "*", ".") or filters.fits(path, pattern) or filters.fits(path, f"{pattern}/**")


def _fits(branch: str, pattern: str) -> bool:
    pattern = pattern.removeprefix("refs/heads/")
    return filters.fits(branch, pattern.replace("*", "**"))


def _jobs(document: Node, files: Mapping[str, bytes]) -> Iterator[Job]:
    known = _variables(document)
    stages = document.get("stages").each() or (document,)
    for stage in stages:
        jobs = stage.get("jobs").each() or (stage,)
        for job in jobs:
            name = job.get("job").text or job.get("deployment").text or stage.get("stage").text or "steps"
            steps = job.get("steps") or job.get("strategy", "runOnce", "deploy", "steps")
            works = [_step(step, known, files) for step in steps.each()]
            template = job.get("template").text or stage.get("template").text
            if template is not None:
                works.append(Work(opaque=f"the template {template}", effects=of_words(template)))
            effects = of_words(f"{name} {stage.get('stage').text or ''}") | ({"deploy"} if job.get("deployment") else frozenset())
            condition = job.get("condition") or stage.get("condition")
            rule = _condition(condition) if condition else None
            yield Job(name, job.line, joined([*works, Work(effects=frozenset(effects))]), (), rule)


def _condition(condition: Node) -> Trigger:
    text = re.sub(r"\s+", "", condition.text or "")
    branch = re.search(r"eq\(variables\['Build\.SourceBranch'\],'refs/heads/([^']+)'\)", text)
    rest = re.sub(r"and\(|succeeded\(\)|always\(\)|eq\(variables\['Build\.SourceBranch'\],'[^']+'\)|[(),]", "", text)

    def told(event: Event) -> Start:
        if branch and not (isinstance(event, Push) and event.branch == branch[1]):
            return Start("no", f"only for branch {branch[1]}", "rule", condition.line)
        return Start("unknown", "its condition is not evaluated here", "unknown", condition.line) if rest else YES

    return told


def _step(step: Node, known: dict[str, tuple[str, ...]], files: Mapping[str, bytes]) -> Work:
    for key in ("script", "bash", "pwsh", "powershell"):
        text = step.get(key)
        if text.text is not None:
            return read_work(shell(text.text, text.line + ("\n" in text.text)), known, files)
    task, given = step.get("task").text or "", step.get("inputs")
    if task.startswith("Docker@"):
        command = given.get("command").text or "buildAndPush"
        if command.lower() not in ("buildandpush", "push"):
            return Work()
        name = given.get("repository").text or given.get("imageName").text or "*"
        return Work(built=tuple(image(f"*/{name}" if "." not in name.partition("/")[0] else name, step.line, task, known)))
    if step.get("template").text:
        return Work(opaque=f"the template {step.get('template').text}", effects=of_words(step.get("template").text or ""))
    inline = given.get("inlineScript") or given.get("script")
    work = read_work(shell(inline.text or "", inline.line + 1), known, files) if inline.text else Work()
    return joined([work, Work(effects=of_words(task))])


def _variables(document: Node) -> dict[str, tuple[str, ...]]:
    node = document.get("variables")
    pairs = [(key.text_or_empty, value.text) for key, value in node.items()]
    if node.is_list:
        pairs = [(one.get("name").text or "", one.get("value").text) for one in node.each()]
    return {name: (value,) for name, value in pairs if value is not None}
