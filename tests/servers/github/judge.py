"""GitHub's own descriptions of its API as judges of what we ask and of what the test server answers.

They are npm packages (`tests/tools.sh` fetches them); where they are missing, the tests that need them skip.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2] / ".tools" / "github-schemas" / "node_modules" / "@octokit"
SDL = ROOT / "graphql-schema" / "schema.graphql"
OPENAPI = ROOT / "openapi" / "generated" / "api.github.com.json"

# There the description wants an account to be a user and an enterprise at once.
_MISTAKEN = {("GET /app/installations: what is answered (200)", "0/account")}


def published(path: Path) -> Path:
    if not path.exists():
        pytest.skip(
            f"GitHub's published {'GraphQL' if path is SDL else 'REST'} schema is not there (sh tests/tools.sh fetches it)"
        )
    return path


@cache
def openapi() -> Any:
    return json.loads(published(OPENAPI).read_text())


@cache
def _routes() -> dict[tuple[str, str], Any]:
    """Operations by method and path, with all parameters alike."""
    return {
        (method.upper(), re.sub(r"\{[^}]+\}", "{}", path)): operation
        for path, methods in openapi()["paths"].items()
        for method, operation in methods.items()
    }


@dataclass
class Judge:
    """Notes what does not fit. Use it as `GitHubServer.judge`."""

    complaints: list[str] = field(default_factory=list)
    heard: set[str] = field(default_factory=set)

    def __call__(self, method: str, path: str, said: Any, status: int, answered: Any) -> None:
        operation = _routes().get((method, re.sub(r"\{[^}]+\}", "{}", path)))
        name = f"{method} {path}"
        self.heard.add(name)
        if operation is None:
            self.complaints.append(f"{name}: GitHub documents no such thing")
            return
        body = (operation.get("requestBody") or {}).get("content", {}).get("application/json")
        if said is not None and body:
            self._look(f"{name}: what we say", body["schema"], said)
        response = operation["responses"].get(str(status))
        if response is None:
            self.complaints.append(f"{name}: GitHub documents no answer {status}")
            return
        content = _resolved(response).get("content", {}).get("application/json")
        if content and status < 300:
            self._look(f"{name}: what is answered ({status})", content["schema"], answered)

    def _look(self, what: str, schema: Any, value: Any) -> None:
        for error in _validator(json.dumps(schema, sort_keys=True)).iter_errors(value):
            place = "/".join(map(str, error.instance_path))
            if (what, place) not in _MISTAKEN:
                self.complaints.append(f"{what}: {place}: {error.message[-200:]}")


def _resolved(node: Any) -> Any:
    while "$ref" in node:
        found = openapi()
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


@cache
def _validator(schema: str) -> Any:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(_closed(json.loads(schema)))


def _closed(schema: Any) -> Any:
    """The schema with all that it refers to, in the words of JSON Schema (`nullable` is OpenAPI 3.0's)."""
    definitions: dict[str, Any] = {}

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(one) for one in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("$ref"), str):
            name = node["$ref"].rpartition("/")[2]
            if name not in definitions:
                definitions[name] = {}
                definitions[name] = walk(_resolved(node))
            return {"$ref": f"#/$defs/{name}"}
        # Examples may hold anything, and GitHub's patterns are for another dialect.
        kept = {key: walk(value) for key, value in node.items() if key not in ("example", "examples", "nullable", "format")}
        if node.get("nullable"):
            return {"anyOf": [kept, {"type": "null"}]}
        return kept

    whole = walk(schema)
    return {**whole, "$defs": definitions} if isinstance(whole, dict) else whole
