"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The developers' folder of facts, corpus and decision tables (not part of the project); skips where it is not there."""
    folder = Path(os.environ.get("TAGBOAT_SHARED", ROOT.parent / "shared"))
    if not (folder / "corpus").is_dir():
        pytest.skip("the corpus folder is not beside this checkout (TAGBOAT_SHARED names it)")
    return folder
