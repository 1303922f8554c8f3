"""The dashboard issue: how everything stands, and that no text from outside does anything in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given

from rules.messages.dashboard import LINES, Line, Overview, dashboard
from tests.rules.messages.hostile import TEXT
from tests.rules.messages.reading import dangers

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FULL = Overview(
    open=(Line("Update acme/web from 1.4.1 to 1.4.2", "!7", "not finished: ci/test", number=7),),
    waiting=(Line("acme/db", "db.yaml:3", "1.5.0 is not 3d old yet", NOON),),
    held=(Line("acme/api 2.1.0", "api.yaml:4", "held by ann: not on friday"),),
    alarms=(Line("", "old.yaml:1", "does not parse"),),
    wake=NOON,
)


def test_the_whole_page() -> None:
    assert dashboard(FULL) == (
        "Every image update that Tagboat has open here, and everything that it leaves for now, with the reason.\n\n"
        "## Open\n\n- #7 Update acme/web from 1.4.1 to 1.4.2: not finished: ci/test\n\n"
        "## Waiting\n\n- `db.yaml:3` acme/db: 1.5.0 is not 3d old yet (until 2026-03-02 12:00 UTC)\n\n"
        "## On hold\n\n- `api.yaml:4` acme/api 2.1.0: held by ann: not on friday\n\n"
        "## In trouble\n\n- `old.yaml:1`: does not parse\n\n"
        "The next thing that changes by itself: 2026-03-02 12:00 UTC.\n\n"
        "Say `@tagboat why` on a request to learn more.\n"
    )
    assert "- !7 Update" in dashboard(FULL, "!")
    assert dashboard(FULL, comments=False).endswith("`tagboat status` says the same.\n")
    assert "Everything is up to date." in dashboard(Overview())


def test_very_much_is_counted_and_cut() -> None:
    many = Overview(open=tuple(Line(f"x{at}", f"!{at}", "y", number=at) for at in range(LINES + 9)))
    assert "- and 9 more" in dashboard(many)
    long = Overview(*((Line("x" * 300, "f" * 300, "y" * 300),) * LINES for _ in range(4)))
    assert len(dashboard(long)) < 65_000


def test_it_is_written_anew_only_where_something_changed() -> None:
    waits = Line("acme/db", "db.yaml:3", "it was opened 3m ago", NOON)
    one, later = Overview(waiting=(waits,)), Overview(waiting=(replace(waits, reason="it was opened 9m ago"),))
    assert one.gist == later.gist
    assert one.gist != Overview(waiting=(replace(waits, wake=None),)).gist
    assert FULL.gist != replace(FULL, open=()).gist
    assert FULL.gist == replace(FULL, wake=None).gist


@given(TEXT, TEXT, TEXT)
def test_no_text_from_outside_does_anything(what: str, where: str, reason: str) -> None:
    line = Line(what, where, reason)
    for found in dashboard(Overview((line,), (line,), (line,), (line,))).splitlines():
        if not found.startswith(("## ", "Every ", "Say ")):
            assert dangers(found.removeprefix("- ")) == [], found
