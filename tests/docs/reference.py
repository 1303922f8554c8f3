"""The tables of keys in docs/configuration.md and docs/settings.md, made from the models.

A table stands between `<!-- keys: NAME -->` and `<!-- end -->`. `python -m tests.docs.reference` writes them anew; a test says
when that was forgotten.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bot.settings import model as app
from rules import durations
from rules.config import Proposing
from rules.config import model as file
from rules.config.rule_model import AutomergeModel, FollowModel, MatchModel, RuleModel
from rules.config.schema import Untitled
from rules.policies.base import Choosing

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("configuration.md", "settings.md")
BLOCK = re.compile(r"<!-- keys: (?P<name>[^\n]+) -->\n.*?<!-- end -->", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Part:
    """Keys of a model, in its order. `defaults`: what holds for keys that have no default in the model itself."""

    model: type[BaseModel]
    keys: frozenset[str] | None = None
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _defaults(owner: type) -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(owner)}


CHOOSING, PROPOSING = _defaults(Choosing), _defaults(Proposing)
_LANDING = frozenset({"automerge", "rollback", "delivery", "batch", "priority"})
PARTS = {
    "the file": Part(file.FileModel),
    "files": Part(file.FilesModel),
    "rule": Part(RuleModel, frozenset({"match"})),
    "match": Part(MatchModel),
    "rule: which tag is next": Part(RuleModel, frozenset(CHOOSING), CHOOSING),
    "rule: how it is proposed": Part(RuleModel, frozenset(PROPOSING) - _LANDING, PROPOSING),
    "rule: how it lands": Part(RuleModel, _LANDING, PROPOSING | {"automerge": False}),
    "follow": Part(FollowModel),
    "automerge": Part(AutomergeModel),
    "freeze": Part(file.FreezeModel),
    "loop": Part(file.LoopModel),
    "commits": Part(file.CommitsModel),
    "author": Part(file.AuthorModel),
    "pull_requests": Part(file.PullRequestsModel),
    "app.yaml": Part(app.AppModel),
    "server": Part(app.ServerModel),
    "trusted_proxy": Part(app.ProxyModel),
    "scan": Part(app.ScanModel),
    "notify": Part(app.NotifyModel),
    "github": Part(app.GitHubModel),
    "app": Part(app.GitHubAppModel),
    "gitlab": Part(app.GitLabModel),
    "git": Part(app.GitModel),
    "registries": Part(app.RegistryModel),
    "limits": Part(file.LimitsModel),
    "limits.automerge": Part(file.AutomergeLimitsModel),
    "limits.pull_requests": Part(file.RequestLimitsModel),
    "github_app": Part(app.ManifestModel),
}


def table(part: Part) -> str:
    """The keys of a part as a Markdown table."""
    shapes = _shapes(part.model)
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in part.model.model_fields.items():
        if part.keys is not None and name not in part.keys:
            continue
        key = field.alias or name
        default = "needed" if field.is_required() else _shown(part.defaults.get(name, field.default))
        rows.append(f"| `{key}` | {shapes(key)} | {default} | {field.description} |")
    return "\n".join(rows)


def page(text: str) -> str:
    """A page with its tables made anew."""
    return BLOCK.sub(lambda match: f"<!-- keys: {match['name']} -->\n{table(PARTS[match['name']])}\n<!-- end -->", text)


def _shapes(model: type[BaseModel]) -> Callable[[str], str]:
    made = model.model_json_schema(schema_generator=Untitled)
    return lambda key: _shape(made["properties"][key])


def _shape(schema: Mapping[str, Any]) -> str:
    """What can stand there, in few words."""
    if "title" in schema:
        return str(schema["title"])
    if "$ref" in schema:
        return "mapping"
    if "enum" in schema:
        return ", ".join(dict.fromkeys(f"`{value}`" for value in schema["enum"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        shapes = dict.fromkeys(_shape(one) for one in schema["anyOf"] if one.get("type") != "null")
        return " or ".join(shape for shape in shapes if shape)
    match schema.get("type"):
        case "boolean":
            return "`true`, `false`"
        case "integer":
            return "whole number"
        case "array":
            return f"list of {_several(_shape(schema.get('items', {})))}"
        case "string" | ["string", "number"]:
            return "text"
        case "object":
            return "mapping"
        case _:
            return ""


def _several(shape: str) -> str:
    return {"text": "texts", "mapping": "mappings", "": "mappings"}.get(shape, shape)


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case BaseModel():
            return ""
        case timedelta():
            return f"`{durations.text(value)}`"
        case bool():
            return f"`{str(value).lower()}`"
        case tuple() if len(value) == 2 and value[0] == "127.0.0.1":
            return f"`{value[0]}:{value[1]}`"
        case tuple():
            return f"`[{', '.join(value)}]`"
        case _:
            return f"`{value}`".replace("|", r"\|")


def main() -> None:
    """Write the tables of all pages anew."""
    for name in PAGES:
        path = DOCS / name
        path.write_text(page(path.read_text()))
    sys.stdout.write("written\n")


if __name__ == "__main__":
    main()
