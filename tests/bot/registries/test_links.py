"""Where the next page of a listing is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.registries.base import RegistryError
from bot.registries.links import following

ASKED = "https://registry.example/v2/acme/web/tags/list?n=1000"
BASE = "https://registry.example/v2/acme/web/tags/list"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        (["", "rubbish", "<"], None),
        (['</v2/acme/web/tags/list?last=1.0&n=100>; rel="next"'], f"{BASE}?last=1.0&n=100"),
        (["</v2/acme/web/tags/list?last=1.0&n=100>; rel=next"], f"{BASE}?last=1.0&n=100"),
        ([f'<{BASE}?last=1.0>; rel="next"'], f"{BASE}?last=1.0"),
        (['<https://REGISTRY.example:443/v2/acme/web/tags/list?last=a>; rel="next"'], f"{BASE}?last=a"),
        (['<?last=1.0>; rel="next"'], f"{BASE}?last=1.0"),
        (['<list?last=1.0>; rel="next"'], f"{BASE}?last=1.0"),
        # Azure writes an empty value, AWS an opaque token, Artifactory leaves out the front of the path.
        (['</v2/acme/web/tags/list?last=v1&n=2&orderby=>; rel="next"'], f"{BASE}?last=v1&n=2&orderby="),
        (['</v2/acme/web/tags/list?last=AbC%2B%2F%3D%3D>; rel="next"'], f"{BASE}?last=AbC%2B%2F%3D%3D"),
        (['</v2/web/tags/list?last=1.0>; rel="next"'], f"{BASE}?last=1.0"),
        (['</x?last=0>; rel="prev", </x?last=a,b>; title="a, \\"b"; rel="last next"'], f"{BASE}?last=a,b"),
        (['</x?last=0>; rel="prev"', '</x?last=2>; REL="Next"'], f"{BASE}?last=2"),
        (['</x?last=0>; rel="nextish"'], None),
        (["</x?last=0>"], None),
    ],
)
def test_following(headers: list[str], expected: str | None) -> None:
    assert following(headers, ASKED) == expected


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/v2/acme/web/tags/list?last=1",
        "http://registry.example/v2/acme/web/tags/list?last=1",
        "https://registry.example:444/v2/acme/web/tags/list?last=1",
        "https://ann:pw@registry.example/v2/acme/web/tags/list?last=1",
        "//evil.example/v2/acme/web/tags/list?last=1",
        "https://registry.example.evil.example/?last=1",
        "file:///etc/passwd",
        "https://[::1/?last=1",
        "https://registry.example:port/?last=1",
    ],
)
def test_a_link_to_another_place_is_refused(target: str) -> None:
    with pytest.raises(RegistryError, match=r"registry.example sends"):
        following([f'<{target}>; rel="next"'], ASKED)


@pytest.mark.parametrize(
    "header", ["<x>" + ";a" * 8000, "<x>" + " " * 16000, "<x>;a=" + " " * 16000, '<x>;a="' + "\\" * 16000, "<" * 16000]
)
def test_a_long_header_takes_no_long_time(header: str) -> None:
    started = time.process_time()
    assert following([header], ASKED) is None
    assert time.process_time() - started < 0.5


@settings(max_examples=50)
@given(st.text(max_size=80), st.text(st.sampled_from('<>;,="\\ relnxt/?:.@[]'), max_size=60))
def test_nothing_leads_to_another_host(target: str, tail: str) -> None:
    for header in (f'<{target}>; rel="next"', f"<{target}>{tail}", tail):
        try:
            found = following([header], ASKED)
        except RegistryError:
            continue
        assert found is None or found == BASE or found.startswith(f"{BASE}?")
