"""`tagboat schema`: the JSON Schema of `.tagboat.yaml`, for editors and for checks in CI."""

from __future__ import annotations

import json
import sys

from bot.terminal import DONE
from rules.config import schema as schema_of_config


def schema() -> int:
    """The JSON Schema of .tagboat.yaml (draft 2020-12)."""
    sys.stdout.write(json.dumps(schema_of_config(), ensure_ascii=False, indent=2) + "\n")
    return DONE
