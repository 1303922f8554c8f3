"""A PostgreSQL server for all tests, a database for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.postgres import PROGRAMS, Postgres, postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    if PROGRAMS is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with postgres() as running:
        yield running


@pytest.fixture
def database(server: Postgres) -> str:
    return server.database()
