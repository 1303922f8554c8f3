"""The JSON Schema of `.tagboat.yaml` (draft 2020-12), made from the models: editors complete and check the file with it."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from rules.config.model import FileModel


class Untitled(GenerateJsonSchema):
    """Without the titles that pydantic makes of the names of keys: they say nothing new."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """The schema, as a value that `json.dumps` takes."""
    made = FileModel.model_json_schema(schema_generator=Untitled)
    for name, definition in made["$defs"].items():
        definition["title"] = _words(name)
        for key in definition["properties"].values():
            if key.get("default", ...) is None:
                del key["default"]
    return {"$schema": Untitled.schema_dialect, **made, "title": ".tagboat.yaml"}


def _words(name: str) -> str:
    """`PullRequestsModel` as `pull requests`."""
    return "".join(f" {char.lower()}" if char.isupper() else char for char in name.removesuffix("Model")).strip()
