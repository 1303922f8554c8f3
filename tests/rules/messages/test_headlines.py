"""Titles: what they say, and that no text from outside makes them do anything."""

from __future__ import annotations

import pytest
from hypothesis import given

from rules.messages.headlines import LIMIT, fields, name, short, title
from rules.titles import DEFAULT
from rules.updates import Target, Update
from tests.rules.messages.hostile import TEXT
from tests.rules.messages.reading import plain_dangers
from tests.rules.small_world import DIGEST, OTHER, update

API = update("image: acme/api:2.0.0", "2.1.0", "minor", "api.yaml")
PIN = update("image: acme/web:1.4.1", f"1.4.1@{DIGEST}", "pin")
MOVED = update(f"image: acme/web:1.4.1@{DIGEST}", f"1.4.1@{OTHER}", "digest")
BARE = update(f"image: acme/web@{DIGEST}", f"@{OTHER}", "digest")


@pytest.mark.parametrize(
    ("updates", "group", "elsewhere", "expected"),
    [
        ([update()], None, (), "Update acme/web from 1.4.1 to 1.4.2"),
        ([update(), update(file="b.yaml")], None, (), "Update acme/web from 1.4.1 to 1.4.2"),
        ([update(), update("image: acme/web:1.3.0", file="b.yaml")], None, (), "Update acme/web to 1.4.2"),
        ([update(), update(new="1.4.3", file="b.yaml")], None, (), "Update acme/web in 2 places"),
        ([update("image: docker.io/library/nginx:1.25", "1.26")], None, (), "Update nginx from 1.25 to 1.26"),
        ([update("image: ghcr.io/acme/web:1.4.1")], None, (), "Update ghcr.io/acme/web from 1.4.1 to 1.4.2"),
        ([PIN], None, (), "Pin acme/web 1.4.1 to its digest"),
        ([PIN, update("image: acme/web:1.3.0", f"1.3.0@{OTHER}", "pin", "b.yaml")], None, (), "Pin acme/web to digests"),
        ([MOVED], None, (), "Update acme/web from 1.4.1 (sha256:11111111) to 1.4.1 (sha256:22222222)"),
        ([BARE], None, (), "Update acme/web from sha256:11111111 to sha256:22222222"),
        # groups
        ([update(), API], "platform", (), "Update platform: 2 images"),
        ([update(), update("image: acme/api:1.4.1", file="b.yaml")], "platform", (), "Update platform from 1.4.1 to 1.4.2"),
        ([update()], "platform", (), "Update platform from 1.4.1 to 1.4.2"),
        # where the image stands elsewhere too
        ([update(file="envs/dev/a.yaml")], None, ("envs/prod/a.yaml",), "Update acme/web from 1.4.1 to 1.4.2 in envs/dev"),
        ([update(file="a.yaml")], None, ("b.yaml",), "Update acme/web from 1.4.1 to 1.4.2 in a.yaml"),
        ([update(file="x/a.yaml"), update(file="x/b.yaml")], None, ("x/c.yaml",), "Update acme/web from 1.4.1 to 1.4.2"),
    ],
)
def test_titles(updates: list[Update], group: str | None, elsewhere: tuple[str, ...], expected: str) -> None:
    assert title(updates, DEFAULT, group, elsewhere) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("bump {image} ({kind})", "bump acme/web (patch)"),
        ("deps({path}): {image} -> {new}", "deps(app.yaml): acme/web -> 1.4.2"),
        ("{{x}} {count} {group}", "{x} 1"),
        ("{action}", "Update"),
    ],
)
def test_a_template_is_followed_to_the_letter(template: str, expected: str) -> None:
    assert title([update()], template) == expected


@given(TEXT, TEXT, TEXT, TEXT)
def test_no_text_from_outside_makes_a_title_do_anything(image: str, tag: str, group: str, file: str) -> None:
    odd = Update(update(file=file or "a").occurrence, Target(tag), None, "auto", update().choice)
    for template in (DEFAULT, "{action} {image} {old} {new} {kind} {path} {group} {count} {base}"):
        found = title([odd], template, group or None, (image,), base=file, bases=("main", file))
        assert plain_dangers(found) == []
        assert "\n" not in found
        assert len(found.replace("\u2060", "")) <= LIMIT
        assert len(found) <= 2 * LIMIT


@given(TEXT, TEXT)
def test_a_template_is_never_read_out_of_a_value(tag: str, group: str) -> None:
    here = update("image: acme/secret-name:1").occurrence
    odd = Update(here, Target("{image}" + tag), None, "auto", update().choice)
    assert "acme/secret-name" not in title([odd], "{new}", "{image}" + group)


def test_a_title_is_short_enough_for_every_forge() -> None:
    """GitHub takes 256 characters, GitLab 255, both after our own joiners were put in."""
    found = title([update(new="1.4.2", file="x/" * 400)], "{path} " + "@x " * 200)
    assert len(found) <= 255


@pytest.mark.parametrize(
    ("base", "bases", "expected"),
    [
        ("main", (), "Update acme/web from 1.4.1 to 1.4.2"),
        ("main", ("main",), "Update acme/web from 1.4.1 to 1.4.2"),
        ("main", ("main", "release"), "Update acme/web from 1.4.1 to 1.4.2"),
        ("release", ("main", "release"), "Update acme/web from 1.4.1 to 1.4.2 on release"),
        ("main", ("release", "main"), "Update acme/web from 1.4.1 to 1.4.2 on main"),
        ("main", ("main", "main"), "Update acme/web from 1.4.1 to 1.4.2"),
    ],
)
def test_of_several_base_branches_all_but_the_first_are_named(base: str, bases: tuple[str, ...], expected: str) -> None:
    assert title([update()], DEFAULT, base=base, bases=bases) == expected
    assert title([update()], "{image} {new}", base=base, bases=bases) == "acme/web 1.4.2"
    assert title([update()], "[{base}] {image}", base=base, bases=bases) == f"[{base}] acme/web"


def test_what_tells_two_requests_apart_is_never_cut_off() -> None:
    long = update(f"image: {'long/' * 60}web:1.4.1")
    found = {title([long], DEFAULT, base=base, bases=("main", "a", "b")) for base in ("main", "a", "b")}
    assert len(found) == 3
    assert all(len(one) <= LIMIT for one in found)


def test_the_fields_of_a_template() -> None:
    assert fields([update(), API], "platform") == {
        "action": "Update", "image": "platform", "old": "several tags", "new": "several tags", "kind": "minor", "path": "",
        "group": "platform", "count": "2", "base": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("image", "expected"),
    [("docker.io/library/nginx", "nginx"), ("docker.io/acme/web", "acme/web"), ("ghcr.io/library/x", "ghcr.io/library/x")],
)
def test_names(image: str, expected: str) -> None:
    assert name(image) == expected


@pytest.mark.parametrize(
    ("target", "other", "expected"),
    [
        (Target("1.4"), None, "1.4"),
        (Target("1.4", DIGEST), Target("1.5"), "1.4"),
        (Target("1.4", DIGEST), Target("1.4", OTHER), "1.4 (sha256:11111111)"),
        (Target(None, DIGEST), None, "sha256:11111111"),
    ],
)
def test_short(target: Target, other: Target | None, expected: str) -> None:
    assert short(target, other) == expected
