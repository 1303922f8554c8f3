"""Titles: the headline of the branch commit and the title of its request. They never carry a token that a CI reads.

    Update web from 1.4.1 to 1.4.2
    Update web from 1.4.1 to 1.4.2 in envs/prod      where the image stands elsewhere too, in a request of its own
    Update web from 1.4.1 to 1.4.2 on release        where several base branches are kept fresh: on all but the first
    Update platform: 3 images                        a group whose members move by steps of their own
    Pin nginx 1.25 to its digest
    Roll back web from 1.4.2 to 1.4.1

A repository's own template (`commits.title`) is followed to the letter; these shapes are what the default one becomes where its
words would not fit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rules import titles
from rules.images import DOCKER_HUB, canonical
from rules.messages.escaping import clean, plain
from rules.updates import ROLLBACK, Target, Update, largest

LIMIT = 250  # characters: GitHub takes 256, GitLab 255
SEVERAL = "several tags"


def title(
    updates: Sequence[Update],
    template: str,
    group: str | None = None,
    elsewhere: Collection[str] = (),
    *,
    base: str = "",
    bases: Sequence[str] = (),
) -> str:
    """The title for a stream's updates. `group` is the name of its group; `elsewhere` are the other files with these images;
    `base` is its base branch, `bases` are those that are kept fresh, where they have to be told apart."""
    values = fields(updates, group, base)
    if template != titles.DEFAULT:
        return plain(titles.fill(template, values), LIMIT)
    where = clean(_apart_from(elsewhere, updates), 60)
    # What tells two requests apart is never what is cut off.
    last = f" on {clean(base, 60)}" if base in bases[1:] and base != bases[0] else ""
    return plain(clean(_default(updates, values) + (f" in {where}" if where else ""), LIMIT - len(last)) + last, LIMIT)


def fields(updates: Sequence[Update], group: str | None = None, base: str = "") -> dict[str, str]:
    """The values of the fields that a template may name (`rules.titles.FIELDS`)."""
    files = sorted({update.occurrence.file for update in updates})
    kinds = {update.kind for update in updates}
    back = all(update.policy == ROLLBACK for update in updates)
    images = _images(updates)
    return {
        "action": "Roll back" if back else "Pin" if kinds == {"pin"} else "Update",
        "image": group or (images[0] if len(images) == 1 else f"{len(images)} images"),
        "old": _one_of(short(update.current, update.target) for update in updates),
        "new": _one_of(short(update.target, update.current) for update in updates),
        "kind": largest([update.kind for update in updates]) or "",
        "path": files[0] if len(files) == 1 else "",
        "group": group or "",
        "count": str(len(updates)),
        "base": base,
    }


def name(image: str) -> str:
    """An image's name for people: as written, Docker Hub's own host left out."""
    return image.removeprefix(f"{DOCKER_HUB}/").removeprefix("library/") if canonical(image).startswith(DOCKER_HUB) else image


def short(target: Target, other: Target | None = None) -> str:
    """A tag; where both have the same tag, or there is none, the start of the digest too: `1.25 (sha256:1f3a9c0d)`."""
    algorithm, _, digits = (target.digest or "").partition(":")
    digest = f"{algorithm}:{digits[:8]}" if digits else ""
    if target.tag is None:
        return digest
    return f"{target.tag} ({digest})" if digest and other is not None and other.tag == target.tag else target.tag


def _apart_from(elsewhere: Collection[str], updates: Sequence[Update]) -> str:
    """What tells these places from those in other files: the folder of them all, or their one file; empty: nothing does."""
    if not elsewhere:
        return ""
    files = {update.occurrence.file for update in updates}
    common: list[str] = []
    for parts in zip(*(file.split("/")[:-1] for file in files), strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    folder = "/".join(common)
    if folder and not any(file.startswith(f"{folder}/") for file in elsewhere):
        return folder
    return files.pop() if len(files) == 1 else ""


def _default(updates: Sequence[Update], values: dict[str, str]) -> str:
    image, old, new = values["image"], values["old"], values["new"]
    if values["action"] == "Pin":
        return f"Pin {image} {old} to its digest" if old != SEVERAL else f"Pin {image} to digests"
    if new == SEVERAL:
        images = len(_images(updates))
        if not values["group"] and images > 1:
            return f"{values['action']} {image}"
        return (
            f"{values['action']} {image}: {images} images"
            if images > 1
            else f"{values['action']} {image} in {len(updates)} places"
        )
    return f"{values['action']} {image} to {new}" if old == SEVERAL else titles.fill(titles.DEFAULT, values)


def _images(updates: Sequence[Update]) -> list[str]:
    """The images, each under the first name that it has."""
    found: dict[str, str] = {}
    for update in updates:
        found.setdefault(canonical(update.occurrence.image), name(update.occurrence.image))
    return list(found.values())


def _one_of(texts: Iterable[str]) -> str:
    found = set(texts)
    return found.pop() if len(found) == 1 else SEVERAL
