"""What the commands of a job do: which images they build and push, and whether they deploy, scan or publish.

    read(shell("docker build -t acme/web . && docker push acme/web", 12), {}, {}).built     (Built("acme/web", …),)

Scripts and Makefile targets that are in the repository are read too. What a job runs beyond that is `opaque` where its name
suggests that it can build an image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from rules.ci.base import Answer, Built, Work
from rules.ci.names import Variables, is_bound, resolve, without_tag

Line = tuple[str, int]

_DEPLOY = re.compile(
    r"\b(?:kubectl\s.*?\b(?:apply|set\s+image|rollout|patch|replace|create)|oc\s+(?:apply|rollout|start-build)|helm\s.*?\b(?:upgrade|install)"
    r"|helmfile\s.*?\b(?:apply|sync)|argocd\s+app\s+(?:sync|set|wait)|flux\s+reconcile|kapp\s+deploy|terraform\s.*?\bapply"
    r"|tofu\s.*?\bapply|terragrunt\s.*?\bapply|ansible-playbook|pulumi\s+up|cdk\s+deploy|sam\s+deploy|serverless\s+deploy"
    r"|skaffold\s+(?:run|deploy)"
    r"|gcloud\s+run\s+deploy|gcloud\s+app\s+deploy"
    r"|aws\s+(?:ecs\s+update-service|s3\s+(?:sync|cp)|lambda\s+update)|az\s+\w+app\s+(?:up|update|deploy)"
    r"|flyctl\s+deploy|fly\s+deploy|firebase\s+deploy|netlify\s+deploy"
    r"|vercel\b.*--prod"
    r"|wrangler\s+(?:deploy|publish)|nomad\s+(?:job\s+)?run"
    r"|docker\s+stack\s+deploy|docker[ -]compose\s.*?\bup\s+-d|cf\s+push|eb\s+deploy"
    r"|rsync\s|ssh\s|scp\s|cap\s+\w+\s+deploy|mkdocs\s+gh-deploy)"
)
_SCAN = re.compile(
    r"\b(?:trivy|grype|snyk|semgrep|codeql|sonar-scanner|sonar:sonar|gitleaks|checkov|clairctl|anchore|docker\s+scout|kics|bandit|syft|cosign"
    r"|dependency-check|osv-scanner|scorecard|trufflehog)\b"
)
_PUBLISH = re.compile(
    r"\b(?:npm\s+publish|yarn\s+publish|pnpm\s.*?\bpublish|twine\s+upload|poetry\s+publish|uv\s+publish|cargo\s+publish|mvn\s.*?\bdeploy"
    r"|gh\s+release|goreleaser|semantic-release|helm\s+(?:push|cm-push)|cr\s+upload|oras\s+push|release-cli|gem\s+push|git\s+push|git\s+tag)\b"
)
_PUSH = re.compile(r"\b(docker|podman|nerdctl|buildah|img|finch)\s+(?:image\s+|manifest\s+)?push\b(?P<rest>.*)")
_BUILD = re.compile(
    r"\b(?:(docker|podman|nerdctl|finch)\s+(?:buildx\s+|image\s+)?build|buildah\s+(?:bud|build)|img\s+build|depot\s+build"
    r"|pack\s+build|buildctl(?:-daemonless\.sh)?\s+build|s2i\s+build)\b(?P<rest>.*)"
)
_KANIKO = re.compile(r"(?:/kaniko/executor|\bkaniko\b)(?P<rest>.*)")
_COPY = re.compile(r"\b(?:crane|skopeo|regctl|gcrane)\s+(?:image\s+)?(?:copy|cp|push|append|tag)\b(?P<rest>.*)")
_OTHER_BUILDERS = re.compile(
    r"\b(?:docker[ -]compose\s.*?\bpush|docker\s+(?:buildx\s+)?bake\b.*--push|ko\s+(?:build|publish|apply|resolve|create)"
    r"|jib(?!DockerBuild)\w*:build|jib\b"
    r"|skaffold\s+(?:build|run)|earthly\b.*--push|werf\s+(?:build|converge|bundle)|bazel\s+run\s+\S*push\S*|spring-boot:build-image"
    r"|bootBuildImage|gcloud\s+builds\s+submit|az\s+acr\s+build|goreleaser\s+(?:release|build)|apko\s+publish|dagger\s+call\s+\S*publish\S*)"
)
_TAGGED = re.compile(
    r"(?:\s|^)(?:-t|--tag|--destination|-d|--image|-n)(?:[= ]\s*|\s+)(?P<name>\S+)|\bname=(?P<output>[^,\s\"']+)"
)
_PUSHES = re.compile(r"(?:^|\s)--push\b|--publish\b|type=registry|push=true|--output[= ]\S*type=image\S*push=true")
_SCRIPT = re.compile(r"(?:^|\s)(?:\./|(?:bash|sh|source|\.)\s+(?:-\w+\s+)*)(?P<path>[\w./\-]+)")
_MAKE = re.compile(r"\b(?:make|just|task)\s+(?P<rest>[^|;&]*)")
SUSPICIOUS = re.compile(
    r"docker|image|oci\b|container|push|publish|release|build|\ball\b|\bci\b|pipeline|deliver|ship|package", re.IGNORECASE
)
_LOOKS_DEPLOY = re.compile(r"deploy|rollout|\bapply\b|argocd|helm|terraform|ansible", re.IGNORECASE)
_LOOKS_SCAN = re.compile(r"scan|codeql|trivy|snyk|sonar|grype|semgrep|scorecard|gitleaks", re.IGNORECASE)
_SPLIT = re.compile(r"\s*(?:&&|\|\||;|(?<![<>|])\|(?!\|))\s*")
_SUBSTITUTED = re.compile(r"\$\([^()]*\s[^()]*\)|`[^`]*`")
_ASSIGN = re.compile(r"^(?:export\s+|readonly\s+|local\s+)?(?P<name>[A-Za-z_]\w*)\s*[:?]?=\s*(?P<value>[^\s;].*?)\s*$")
_FILES_FOLLOWED = 20
_COMMANDS, _LENGTH = 2000, 2000  # commands of a job, characters of a command


def shell(text: str, line: int) -> list[Line]:
    """The commands of a script that starts at `line`, continued lines joined."""
    out: list[Line] = []
    pending, began = "", line
    for offset, raw in enumerate(text.splitlines()):
        if not pending:
            began = line + offset
        if raw.rstrip().endswith("\\"):
            pending += raw.rstrip()[:-1] + " "
            continue
        joined, pending = pending + raw, ""
        if joined.strip() and not joined.lstrip().startswith("#"):
            out.append((joined.strip(), began))
    if pending.strip():
        out.append((pending.strip(), began))
    return out


def read(lines: Iterable[Line], variables: Variables, files: Mapping[str, bytes], folder: str = "") -> Work:
    """What these commands do. `files` are what the repository has, as far as it was read; `folder` is where they run."""
    reading = _Reading(dict(variables), files, folder)
    for text, line in islice(lines, _COMMANDS):
        reading.command(text[:_LENGTH], line)
    return reading.work()


def of_words(name: str) -> frozenset[str]:
    """What the name of an action, a target or a job suggests that it does."""
    found = (("deploy", _LOOKS_DEPLOY), ("scan", _LOOKS_SCAN))
    return frozenset(effect for effect, pattern in found if pattern.search(name))


def joined(works: Iterable[Work]) -> Work:
    """Several parts as one."""
    listed = list(works)
    return Work(
        tuple(dict.fromkeys(built for work in listed for built in work.built)),
        next((work.opaque for work in listed if work.opaque), None),
        any(work.trusted for work in listed),
        frozenset(effect for work in listed for effect in work.effects),
    )


def image(name: str, line: int, sign: str, variables: Variables, pushed: Answer = "yes") -> Iterator[Built]:
    """The images that a written reference can mean."""
    for pattern in resolve(name, variables):
        yield Built(without_tag(pattern) or "*", line, sign, pushed, is_bound(name))


@dataclass(slots=True)
class _Reading:
    variables: dict[str, tuple[str, ...] | list[str] | object]
    files: Mapping[str, bytes]
    folder: str
    built: list[Built] = field(default_factory=list)
    opaque: str | None = None
    effects: set[str] = field(default_factory=set)
    followed: set[str] = field(default_factory=set)

    def work(self) -> Work:
        pushed = [one for one in self.built if one.pushed != "no"]
        return Work(tuple(dict.fromkeys(pushed)), self.opaque, False, frozenset(self.effects))

    def command(self, text: str, line: int) -> None:
        """One line of shell."""
        # What another command prints is not known, and may hold anything.
        for part in _SPLIT.split(_SUBSTITUTED.sub("$(_)", text)):
            if match := _ASSIGN.match(part):
                self.variables.setdefault(match["name"], (match["value"].strip("'\""),))
            self._effects(part)
            self._images(part, line)
            self._follow(part, line)

    def _effects(self, part: str) -> None:
        for effect, pattern in (("deploy", _DEPLOY), ("scan", _SCAN), ("publish", _PUBLISH)):
            if pattern.search(part):
                self.effects.add(effect)

    def _images(self, part: str, line: int) -> None:
        if match := _PUSH.search(part):
            names = [word for word in _words(match["rest"]) if not word.startswith("-")]
            self._add(names[-1:] or ["*"], line, f"{match[1]} push")
        elif match := _BUILD.search(part):
            names = _tagged(match["rest"])
            if not names and "pack build" in part:
                names = [word for word in _words(match["rest"]) if not word.startswith("-")][:1]
            self._add(names or ["*"], line, match[0].split(match["rest"])[0].strip() or "build", _pushes(part))
        elif match := _KANIKO.search(part):
            if "--no-push" not in part and ("--destination" in part or "executor" in part):
                self._add(_tagged(match["rest"]) or ["*"], line, "kaniko")
        elif match := _COPY.search(part):
            self._add([word for word in _words(match["rest"]) if not word.startswith("-")][-1:] or ["*"], line, part.split()[0])
        elif match := _OTHER_BUILDERS.search(part):
            self._add(_tagged(part) or ["*"], line, " ".join(match[0].split()[:2]))

    def _add(self, names: Iterable[str], line: int, sign: str, pushed: Answer = "yes") -> None:
        for name in names:
            self.built += image(name, line, sign, self.variables, pushed)  # type: ignore[arg-type]

    def _follow(self, part: str, line: int) -> None:
        if match := _MAKE.search(part):
            targets = [word for word in _words(match["rest"]) if not word.startswith("-") and "=" not in word]
            for target in targets or ["all"]:
                self._target(target, line)
        for match in _SCRIPT.finditer(part):
            self._script(match["path"], line)

    def _script(self, path: str, line: int) -> None:
        data = self._file(path)
        if data is None:
            self._unknown(path, line)
        elif path not in self.followed and len(self.followed) < _FILES_FOLLOWED:
            self.followed.add(path)
            for text, _ in shell(data.decode("utf-8", "replace")[:100_000], 1)[:_COMMANDS]:
                self.command(text[:_LENGTH], line)

    def _target(self, target: str, line: int) -> None:
        for name in ("Makefile", "makefile", "GNUmakefile", "justfile", "Justfile"):
            data = self._file(name)
            if data is None:
                continue
            if f"{name}:{target}" in self.followed or len(self.followed) >= _FILES_FOLLOWED:
                return
            self.followed.add(f"{name}:{target}")
            recipe = _recipe(data.decode("utf-8", "replace")[:100_000], target)
            if recipe is None:
                break
            for other in recipe[0]:
                self._target(other, line)
            for text in recipe[1][:_COMMANDS]:
                self.command(text[:_LENGTH], line)
            return
        else:
            self._unknown(f"make {target}", line)

    def _file(self, path: str) -> bytes | None:
        clean = path.removeprefix("./")
        return self.files.get(f"{self.folder}/{clean}" if self.folder else clean) or self.files.get(clean) or None

    def _unknown(self, what: str, line: int) -> None:
        self.effects |= of_words(what)
        if SUSPICIOUS.search(what):
            self.opaque = self.opaque or f"{what} (line {line})"


def _recipe(text: str, target: str) -> tuple[list[str], list[str]] | None:
    """What a Makefile's target needs and runs; None: there is no such target."""
    match = re.search(
        rf"^{re.escape(target)}\s*:(?![=:])(?P<needs>[^\n]*)\n(?P<body>(?:[\t ]+[^\n]*\n?|\s*\n)*)", text + "\n", re.MULTILINE
    )
    if match is None:
        return None
    lines = [text.lstrip("@- ") for text, _ in shell(match["body"].replace("$$", "$"), 1)]
    assigned = [raw for raw in text.splitlines() if _ASSIGN.match(raw) and not raw.startswith(("\t", " "))]
    return [need for need in match["needs"].partition("#")[0].split() if "$" not in need], [*assigned, *lines]


def _pushes(part: str) -> Answer:
    return "yes" if _PUSHES.search(part) else "no"


def _tagged(text: str) -> list[str]:
    return [(match["name"] or match["output"]).strip("'\"") for match in _TAGGED.finditer(text)]


def _words(text: str) -> list[str]:
    text = re.sub(r"\$\{\{.*?\}\}", lambda match: match[0].replace(" ", ""), text)
    return [word.strip("'\"") for word in text.split() if word not in (">", "2>&1", "\\") and not word.startswith(("#", ">"))]
