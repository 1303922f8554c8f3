"""A GitLab CI definition as one: local includes read, `extends` and `!reference` followed.

tree = Tree.of({".gitlab-ci.yml": b"include: {local: ci/build.yml}", "ci/build.yml": b"build: {script: [make]}"})
tree.jobs["build"]                       Place(...)
tree.outside                             what is included from elsewhere
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rules import globs
from rules.ci.nodes import BadYaml, Node, first

ROOT = ".gitlab-ci.yml"
_FILES = 60
_DEPTH = 11  # GitLab's own bound for extends
_EXTENDED = 200
_MEMBERS = 2000
_NO_JOBS = frozenset(
    {
        "include",
        "workflow",
        "default",
        "variables",
        "stages",
        "image",
        "services",
        "before_script",
        "after_script",
        "cache",
        "spec",
        "types",
        "pages:deploy",
    }
)


@dataclass(frozen=True, slots=True)
class Outside:
    """Something that is included and not in this repository."""

    what: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Found:
    """A value, and the file it stands in."""

    node: Node
    file: str

    def __bool__(self) -> bool:
        return bool(self.node)


@dataclass(slots=True)
class Tree:
    """All files together; what the root says comes before what it includes. `absent` are paths and patterns of local includes
    that are not among the files, or may have more."""

    files: Mapping[str, bytes]
    documents: list[tuple[str, Node]] = field(default_factory=list)
    outside: list[Outside] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    _found: dict[tuple[str, ...], Found] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, files: Mapping[str, bytes], root: str = ROOT) -> Tree:
        """Read the root and what it includes. Raises BadYaml with the root's line."""
        tree = cls(files)
        tree._add(root, 0)
        return tree

    def _add(self, path: str, depth: int) -> None:
        if any(path == file for file, _ in self.documents) or len(self.documents) >= _FILES:
            return
        parts = [document for document in _documents(self.files[path]) if not document.get("spec")]
        for document in parts:
            self.documents.append((path, document))
        for document in parts:
            for entry in document.get("include").each():
                self._include(entry, path, depth)

    def _include(self, entry: Node, file: str, depth: int) -> None:
        text, local = entry.text, entry.get("local").text
        if text is not None and "://" not in text:
            local = text
        if local is None or "$" in local:
            what = text or next(
                (
                    f"{key} {_said(entry.get(key))}"
                    for key in ("project", "remote", "template", "component", "local")
                    if entry.get(key)
                ),
                "",
            )
            if entry.get("project") and entry.get("file"):
                what = f"{what} {_said(entry.get('file'))}"
            self.outside.append(Outside(what or "something", file, entry.line))
            return
        wanted = local.removeprefix("/")
        self.absent += [wanted] if wanted and (wanted not in self.files) else []
        found = [path for path in sorted(self.files) if path == wanted or ("*" in wanted and globs.matches_any((wanted,), path))]
        for path in found:
            try:
                self._add(path, depth + 1)
            except BadYaml:
                self.outside.append(Outside(f"{path} (it cannot be read)", file, entry.line))
        if not found:
            self.outside.append(Outside(f"local {wanted} (it is not there)", file, entry.line))

    def get(self, *keys: str) -> Found:
        """A value by its place, from the first file that has it."""
        found = self._found.get(keys)
        if found is None:
            found = self._found[keys] = self._get(keys)
        return found

    def _get(self, keys: tuple[str, ...]) -> Found:
        for file, document in self.documents:
            node = document.get(*keys)
            if node:
                return Found(node, file)
        return Found(Node(None, 1), self.documents[0][0] if self.documents else ROOT)

    def names(self) -> list[str]:
        """The jobs, hidden ones (`.base`) left out."""
        names = (key.text_or_empty for _, document in self.documents for key, value in document.items() if value.is_map)
        return list(dict.fromkeys(name for name in names if name not in _NO_JOBS and not name.startswith(".")))

    def _line_of(self, job: str) -> list[str]:
        """A job and what it extends, in the order in which keys are looked for: itself first, of what it extends the last."""
        order: list[str] = []
        todo = [job]
        while todo and len(order) < _EXTENDED:
            here = todo.pop(0)
            if here not in order:
                order.append(here)
                todo = [*reversed(self.get(here, "extends").node.texts()), *todo]
        return order

    def value(self, job: str, key: str) -> Found:
        """A job's own value for a key, else what it extends has, the last named first."""
        for name in self._line_of(job):
            found = self.get(name, key)
            if found:
                return found
        own = self.get(job)
        return Found(Node(None, own.node.line), own.file)

    def variables(self, job: str) -> dict[str, str]:
        """A job's variables, those that it extends included."""
        found: dict[str, str] = {}
        for name in reversed(self._line_of(job)):
            found |= plain(self.get(name, "variables").node)
        return found

    def missing(self, job: str) -> str | None:
        """What a job extends that is nowhere here."""
        return next((base for base in self.get(job, "extends").node.texts() if not self.get(base)), None)

    def each(self, node: Node) -> Iterator[Node]:
        """The members of a list, nested lists and `!reference` opened; of very many only the first."""
        todo, left = [(node, 0)], _MEMBERS
        while todo and left:
            here, depth = todo.pop()
            left -= 1
            if here.tag == "!reference" and depth < _DEPTH:
                todo.append((self.get(*here.texts()).node, depth + 1))
            elif (here.is_list or depth == 0) and depth < _DEPTH:
                todo += [(child, depth + 1) for child in reversed(here.each()[:left])]
            elif here:
                yield here


def plain(variables: Node) -> dict[str, str]:
    """The variables of a `variables:`; one can be a mapping with a `value`."""
    pairs = (
        (key.text_or_empty, value.text if value.text is not None else value.get("value").text) for key, value in variables.items()
    )
    return {name: value for name, value in pairs if value is not None}


def _said(node: Node) -> str:
    return ", ".join(node.texts()) or (node.text or "")


def _documents(data: bytes) -> list[Node]:
    from rules.ci.nodes import documents

    return list(documents(data)) or [first(data)]
