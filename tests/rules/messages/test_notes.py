"""Comments beside a request."""

from __future__ import annotations

import pytest
from hypothesis import given

from rules.messages import closing, held, left_to_you, split
from tests.rules.messages.hostile import TEXT
from tests.rules.messages.reading import dangers

LEFT = "Somebody pushed to this branch, so Tagboat leaves it alone."
RED = "The checks of this group failed. Taken out into"
SAY = "their checks will say which of them is red, and the other"
GREEN = "can land as soon as what is left here is green."
TAKE = "Take the commits off the branch, and it is Tagboat's again."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (closing("web.yaml says 1.4.2 already"), "Closed: web.yaml says 1.4.2 already."),
        (left_to_you(), f"{LEFT} {TAKE}"),
        (left_to_you("Update x from 1.0 to 1.1"), f"{LEFT} Meanwhile it would be: `Update x from 1.0 to 1.1`. {TAKE}"),
        (
            split(["acme/api"], 2),
            f"{RED} a request of its own: `acme/api`; {SAY} 2 images {GREEN}",
        ),
        (
            split(["acme/b", "acme/a"], 1),
            f"{RED} requests of their own: `acme/a`, `acme/b`; {SAY} 1 image {GREEN}",
        ),
        (held("acme/web", "", "ann said so"), "`acme/web` is on hold: ann said so. `tagboat resume` lifts it."),
        (held("acme/web", "a.yaml", "x"), "`acme/web` in `a.yaml` is on hold: x. `tagboat resume` lifts it."),
    ],
)
def test_what_is_said(text: str, expected: str) -> None:
    assert text == expected


@given(TEXT, TEXT, TEXT)
def test_no_text_from_outside_does_anything(one: str, two: str, three: str) -> None:
    for found in (closing(one), left_to_you(one), split([one, two], 3), held(one, two, three)):
        assert dangers(found) == []
        assert "\n" not in found
