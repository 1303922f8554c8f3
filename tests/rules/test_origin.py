"""Layer 3: an image that was only built again is told from one in which something is new."""

from __future__ import annotations

import pytest

from rules.origin import Made, Rebuild, Step, Update, judge

SHOP, API, REPOSITORY = "ghcr.io/acme/shop", "ghcr.io/acme/api", "acme/shop"
SOURCE = "https://github.com/acme/shop"
OLD, NEW = Made("a" * 40, SOURCE), Made("f" * 40, SOURCE)


def bump(
    oid: str = "b1",
    image: str = SHOP,
    *,
    ours: bool = True,
    paths: tuple[str, ...] | None = ("deploy/app.yaml",),
    parents: int = 1,
) -> Step:
    return Step(
        oid,
        f"Update shop from 1 to 2\n\n- deploy/app.yaml:9\n\nTagboat-Image: {image}\nTagboat-Update: patch\n",
        ours,
        paths,
        parents,
    )


PERSON = Step("p1", "Sell more", ours=False, paths=("src/shop.go",))


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        pytest.param((bump(),), Rebuild, id="one bump of ours, squashed"),
        pytest.param((bump("b1"), bump("b2")), Rebuild, id="two of them"),
        pytest.param((bump("b1"), bump("m1", parents=2)), Rebuild, id="a bump and our merge commit"),
        pytest.param(
            (bump("b1"), Step("m1", "Merge branch 'x'", ours=False, paths=("deploy/app.yaml",), parents=2)),
            Rebuild,
            id="merged by a person",
        ),
        pytest.param((bump(ours=False),), Rebuild, id="squashed by a person, and only the place changes"),
        pytest.param((), Update, id="no commit at all: a build of the night"),
        pytest.param((PERSON,), Update, id="a person's commit"),
        pytest.param((bump(), PERSON), Update, id="a bump and a person's commit"),
        pytest.param((bump(image=API),), Update, id="a bump of another image"),
        pytest.param((bump("b1"), bump("b2", image=API)), Update, id="a bump of another image with it"),
        pytest.param((bump(paths=("Dockerfile",)),), Update, id="a bump in a Dockerfile: its base image is new"),
        pytest.param((bump(paths=(".github/workflows/ci.yml",)),), Update, id="a bump in what builds it"),
        pytest.param((bump(ours=False, paths=("src/shop.go",)),), Update, id="our trailers on a person's change"),
        pytest.param((bump(ours=False, paths=None),), Update, id="our trailers, and nobody knows what changes"),
        pytest.param(
            (bump(), Step("m1", "Merge", ours=False, paths=("src/shop.go",), parents=2)),
            Update,
            id="a merge with a change of its own",
        ),
        pytest.param((Step("m1", "Merge", ours=False, paths=(), parents=2),), Update, id="nothing but a merge"),
        pytest.param(None, Update, id="the history could not be read"),
    ],
)
def test_what_lies_between_decides(between: tuple[Step, ...] | None, expected: type) -> None:
    found = judge(SHOP, OLD, NEW, between, REPOSITORY, places=["deploy/app.yaml"])
    assert type(found) is expected
    assert found.reason


@pytest.mark.parametrize(
    ("current", "new"),
    [
        (Made(), NEW),
        (OLD, Made()),
        (OLD, Made(None, SOURCE)),
        (OLD, OLD),
        (Made("a" * 40, None), NEW),
        (OLD, Made("f" * 40, "https://github.com/acme/other")),
        (Made("a" * 40, "https://github.com/acme/base"), NEW),
    ],
)
def test_labels_that_say_nothing_hold_nothing_back(current: Made, new: Made) -> None:
    assert isinstance(judge(SHOP, current, new, (bump(),), REPOSITORY), Update)


@pytest.mark.parametrize(
    "source",
    [
        "https://github.com/acme/shop",
        "https://github.com/Acme/Shop.git",
        "git@github.com:acme/shop.git",
        "ssh://git@host:2222/acme/shop",
    ],
)
def test_a_source_is_read_in_every_spelling(source: str) -> None:
    assert isinstance(judge(SHOP, Made("a", source), Made("b", source), (bump(),), REPOSITORY), Rebuild)


def test_without_a_name_of_the_repository_nothing_is_held_back() -> None:
    assert isinstance(judge(SHOP, OLD, NEW, (bump(),), None), Update)


def test_images_of_one_repository_do_not_take_turns_for_ever() -> None:
    """Two images, built by every push: a bump of one is no change of the other, if both are made here."""
    between = (bump("b1", API), bump("b2", SHOP))
    assert isinstance(judge(SHOP, OLD, NEW, between, REPOSITORY, siblings=[API]), Rebuild)
    assert isinstance(judge(SHOP, OLD, NEW, between[:1], REPOSITORY, siblings=[API]), Update)  # it was not bumped itself


def test_the_reason_names_commits_and_the_labels() -> None:
    found = judge(SHOP, OLD, NEW, (bump("b1"),), REPOSITORY)
    made = "by its labels it was made of ffffffffff"
    assert found == Rebuild(f"{SHOP} was only built again: {made}, and since aaaaaaaaaa there are only our own bumps of it (b1)")


def test_a_name_that_was_defused_is_still_read() -> None:
    assert Step("x", "Update\n\nTagboat-Image: ghcr.io/a\u2060cme/shop\n", ours=True).images == {SHOP}
