"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.servers.postgres import PROGRAMS, Postgres, postgres

# How long an example takes says more of the machine than of the code.
settings.register_profile("tagboat", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tagboat")

HERE = Path(__file__).parent
ROOT = HERE.parent


@pytest.fixture(autouse=True)
def _logs_of_its_own() -> Iterator[None]:
    """A command sets up the logs of its process, on the error stream that it has: the next test has another one."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The developers' folder of facts, corpus and decision tables (not part of the project); skips where it is not there."""
    folder = Path(os.environ.get("TAGBOAT_SHARED", ROOT.parent / "shared"))
    if not (folder / "corpus").is_dir():
        pytest.skip("the corpus folder is not beside this checkout (TAGBOAT_SHARED names it)")
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests that want one; skips where PostgreSQL is not installed."""
    if PROGRAMS is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with postgres() as running:
        yield running


@pytest.fixture
def database(server: Postgres) -> str:
    """The URL of an empty database."""
    return server.database()
