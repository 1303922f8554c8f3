"""The house keeps its own rules: what is there has a test and a place in the docs, and the papers say what is true.

Each check reads the tree as it is, so what is added tomorrow is held to the same.
"""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from bot.app import FORGES
from bot.cli import COMMANDS
from bot.registries.pool import KINDS
from rules.ci import SYSTEMS
from rules.commands import WORDS as WORDS_OF_PEOPLE
from rules.formats import FORMATS
from rules.policies import POLICIES

ROOT = Path(__file__).resolve().parent.parent
LINES = 330  # of a module; what is longer does two things
AT_THE_TOP = frozenset({
    ".ci", ".dockerignore", ".gitattributes", ".github", ".gitignore", ".gitlab-ci.yml", ".tagboat.yaml", "CHANGELOG.md",
    "CONTRIBUTING.md", "Dockerfile", "LICENSE", "Makefile", "README.md", "app.yaml", "benchmarks", "bot", "deploy", "docs",
    "examples", "pyproject.toml", "rules", "tests",
})  # fmt: skip
# What belongs to the place where something was written, and not to what was written. In halves, so that this file has none.
WORDS = [
    one + two
    for one, two in ((r"(?<!\w)/wor", "k/"), ("cla", "ude"), ("anth", "ropic"), ("helper ", "session"), ("sub", "agent"))
]


@dataclass(frozen=True)
class Kind:
    """A family of which more can be added: where its modules are, its members, and where their tests and docs are."""

    name: str
    members: tuple[str, ...]
    module: str
    test: str
    docs: str

    def filled(self, pattern: str, member: str) -> str:
        return pattern.format(member.replace("-", "_"))


FAMILIES = [
    Kind("policy", tuple(POLICIES), "rules/policies/{}.py", "tests/rules/policies/test_{}*.py", "docs/policies.md"),
    Kind("format", tuple(FORMATS), "rules/formats/{}.py", "tests/rules/formats/test_{}*.py", "docs/formats.md"),
    Kind("CI system", tuple(SYSTEMS), "rules/ci/{}.py", "tests/rules/ci/test_{}*.py", "docs/ci-loops.md"),
    Kind("registry", tuple(KINDS), "bot/registries/{}.py", "tests/bot/registries/test_{}*.py", "docs/registries.md"),
    Kind("forge", tuple(FORGES), "bot/forges/{}/forge.py", "tests/bot/forges/{}/test_*.py", "docs/forges.md"),
]
MEMBERS = [pytest.param(kind, member, id=f"{kind.name} {member}") for kind in FAMILIES for member in kind.members]


@cache
def tree() -> tuple[str, ...]:
    """Every file that is, or would be, in the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, capture_output=True, check=True, timeout=60)
    return tuple(sorted(path for path in done.stdout.decode().split("\0") if path and (ROOT / path).is_file()))


def modules(*folders: str) -> Iterator[str]:
    return (path for path in tree() if path.endswith(".py") and path.startswith(folders))


@cache
def parsed(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


@pytest.mark.parametrize(("kind", "member"), MEMBERS)
def test_every_member_of_a_family_has_a_module_a_test_and_a_section(kind: Kind, member: str) -> None:
    assert (ROOT / kind.filled(kind.module, member)).is_file()
    test = kind.filled(kind.test, member)
    tried = list(ROOT.glob(test)) or dotted(kind.filled(kind.module, member)) in imported("tests/") or is_named(test, member)
    assert tried, f"no {test}, and no other test of it"
    assert (ROOT / kind.docs).is_file(), f"no {kind.docs}"
    text = (ROOT / kind.docs).read_text()
    heading = re.compile(rf"^#+ .*\b{member.replace('-', '[- ]?')}\b", re.MULTILINE | re.IGNORECASE)
    assert heading.search(text) or f"`{member}`" in text, f"{kind.docs} says nothing of {member}"


@pytest.mark.parametrize("kind", FAMILIES, ids=lambda kind: kind.name)
def test_a_module_of_a_family_is_a_member_or_serves_one(kind: Kind) -> None:
    """No module lies about that nothing imports: a row in the table may have been forgotten."""
    folder = kind.module.partition("{")[0]
    alone = [path for path in modules(folder) if dotted(path) not in imported("bot/", "rules/")]
    assert [path for path in alone if not path.endswith("/__init__.py")] == []


def is_named(test: str, member: str) -> bool:
    """Whether a test, or a table of one, in the folder of a family names a member in quotes."""
    files = [path for path in tree() if path.startswith(test.rpartition("/")[0] + "/")]
    return any(re.search(rf"""["']{re.escape(member)}["']""", (ROOT / path).read_text(errors="replace")) for path in files)


def dotted(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


@cache
def imported(*folders: str) -> frozenset[str]:
    """The names of all modules that some module in these folders imports, or names as text (commands are loaded by name)."""
    names: set[str] = set()
    for path in modules(*folders):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and re.fullmatch(r"(?:bot|rules)[\w.]+(:\w+)?", node.value)
            ):
                names.add(node.value.partition(":")[0])
    return frozenset(names)


def test_no_module_is_long() -> None:
    long = {path: count for path in modules("bot/", "rules/") if (count := (ROOT / path).read_text().count("\n")) > LINES}
    assert long == {}


def test_every_module_says_what_it_is() -> None:
    silent = [
        path
        for path in modules("bot/", "rules/", "tests/", "benchmarks/")
        if parsed(path).body and not ast.get_docstring(parsed(path))
    ]
    assert [path for path in silent if "/sample/" not in path] == []


def test_every_public_function_of_the_rules_is_described() -> None:
    """By itself, by the protocol that it answers, or by the row of a table in which it stands."""
    silent = []
    for path in modules("rules/"):
        answers = protocol_members(path) | rows_of_tables(path.rpartition("/")[0])
        for function in parsed(path).body:
            if isinstance(function, ast.FunctionDef) and not function.name.startswith("_") and function.name not in answers:
                silent += [] if ast.get_docstring(function) else [f"{path}: {function.name}"]
    assert silent == []


def protocol_members(path: str) -> set[str]:
    """The described functions of the protocols in the `base.py` beside a module."""
    base = path.rpartition("/")[0] + "/base.py"
    if base not in tree() or base == path:
        return set()
    return {
        member.name
        for one in parsed(base).body
        if isinstance(one, ast.ClassDef) and any(isinstance(parent, ast.Name) and parent.id == "Protocol" for parent in one.bases)
        for member in one.body
        if isinstance(member, ast.FunctionDef) and ast.get_docstring(member)
    }


@cache
def rows_of_tables(folder: str) -> set[str]:
    """The functions that stand in a table of a package, each with words in its row: `Step("open", "it is open", is_open)`."""
    names: set[str] = set()
    for path in modules(folder + "/"):
        tables = [one.value for one in parsed(path).body if isinstance(one, (ast.Assign, ast.AnnAssign)) and one.value]
        for row in (one for table in tables for one in ast.walk(table) if isinstance(one, ast.Call)):
            if any(isinstance(cell, ast.Constant) and isinstance(cell.value, str) for cell in row.args):
                names |= {cell.attr for cell in row.args if isinstance(cell, ast.Attribute)}
                names |= {cell.id for cell in row.args if isinstance(cell, ast.Name)}
    return names


@pytest.mark.parametrize("word", WORDS, ids=range(len(WORDS)))
def test_nothing_names_the_place_where_it_was_written(word: str) -> None:
    pattern = re.compile(word.encode(), re.IGNORECASE)
    assert [path for path in tree() if pattern.search(path.encode()) or pattern.search((ROOT / path).read_bytes())] == []


def test_nothing_stands_at_the_top_that_has_no_place_there() -> None:
    assert {path.partition("/")[0] for path in tree()} - AT_THE_TOP == set()


def test_the_readme_says_what_ci_runs() -> None:
    readme, script = (ROOT / "README.md").read_text(), (ROOT / ".ci/run").read_text()
    shown = re.findall(r"^\$ (make \w+)", readme, re.MULTILINE)
    assert "make test" in shown
    assert "make test" in script.splitlines()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {command.removeprefix("make ") for command in (*shown, *re.findall(r"^make \w+$", script, re.MULTILINE))} <= targets


def test_the_readme_and_the_docs_name_commands_that_are_there() -> None:
    told = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    used = {
        (path.name, name)
        for path in told
        for name in re.findall(r"(?:^\$ |`|\| )tagboat ([a-z]+)\b", path.read_text(), re.MULTILINE)
    }
    said = {word.partition(" ")[0] for word in WORDS_OF_PEOPLE}  # in comments, to the same name
    assert {(file, name) for file, name in used if name not in COMMANDS and name not in said} == set()


def test_every_command_leads_somewhere_and_is_in_the_docs() -> None:
    docs = (ROOT / "docs/commands.md").read_text()
    for name, (place, _) in COMMANDS.items():
        module, _, function = place.partition(":")
        assert callable(getattr(importlib.import_module(module), function)), place
        assert f"tagboat {name}" in docs, f"docs/commands.md does not know `tagboat {name}`"


def test_licence_and_changelog() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()


PAPERS = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_links_lead_somewhere(paper: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)\)", paper.read_text()):
        file, _, anchor = target.partition("#")
        place = (paper.parent / file).resolve() if file else paper
        assert place.exists(), f"{target} is not there"
        if anchor and place.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", place.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}, target


def test_the_recipes_name_what_is_there() -> None:
    """CONTRIBUTING's paths exist, and the tables and protocols that it names stand in the files that it names."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = set(re.findall(r"`((?:bot|rules|tests|docs)/[\w/.-]+)`", text))
    assert {path for path in paths if not (ROOT / path).exists()} == set()
    named = re.findall(r"`(\w+)` (?:in|\()\s*`?\(?`?((?:bot|rules)/[\w/]+\.py)`", text)
    assert named
    for name, path in named:
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), f"{path} has no {name}"
