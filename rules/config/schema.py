"""The JSON Schema of `.tagboat.yaml` (draft 2020-12), made from the models: editors complete and check the file with it."""

from __future__ import annotations

from typing import Any

from rules.config.model import FileModel

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema, as a value that `json.dumps` takes."""
    made = FileModel.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": DRAFT, "title": ".tagboat.yaml", **{key: value for key, value in made.items() if key != "title"}}
