"""`tagboat explain IMAGE[:TAG] [PATH] [--app app.yaml] [--json]`: each tag of the live registry, kept or dropped, by what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bot.reading.checking import LIMITS, Local, Stock
from bot.reading.choosing import Chooser, CurrentMissing
from bot.registries.base import RegistryError
from bot.registries.pool import Registries
from bot.terminal import DONE, FAILED, UsageError, complain, say, say_json, table
from rules.formats.base import Occurrence
from rules.images import BadReference, ImageRef, canonical
from rules.messages import counts, why_not
from rules.policies import words
from rules.policies.base import Choice, Choosing
from rules.promotion import upstream
from rules.updates import Stay, Subject, Trouble, subjects

_STYLES = {"verdict": "cyan", "reason": "dim"}


@dataclass(frozen=True, slots=True)
class Case:
    """One question about the image, with the places that ask it, if any do."""

    image: str
    choosing: Choosing
    tag: str | None
    digest: str | None
    places: tuple[Occurrence, ...] = ()


def explain(
    image: str, path: Path = Path(), /, *, app: Path | None = None, json: Annotated[bool, Parameter(negative=())] = False
) -> int:
    """Say of each tag in an image's registry whether it is taken or dropped, and by what.

    The rules are those that hold where the image stands in the checkout; one that stands nowhere there is judged by the rules
    that hold for all paths.

    Parameters
    ----------
    image
        The image; with a tag, as if that one stood there.
    path
        A folder with a checkout, or one file.
    app
        The server's settings, for its registries; `app.yaml` in the current folder unless given.
    json
        One JSON object a line, for each place with rules or a tag of its own.
    """
    try:
        reference = ImageRef.parse(image)
    except BadReference as error:
        raise UsageError(str(error)) from None
    local = Local.at(path, app)
    stock = local.read()
    cases, stays, troubles = cases_of(reference, stock)
    for trouble in troubles:
        complain(local.shown(trouble))
    for stay in () if json else stays:
        place = stay.occurrence
        at = f" at {place.tag}" if place.tag else ""
        say(f"{local.shown(place.file)}:{place.line}: {place.image}{at} stays ({stay.reason})")
    answers = asyncio.run(_ask(local, stock, cases))
    status = FAILED if troubles else DONE
    for case, answer in zip(cases, answers, strict=True):
        if isinstance(answer, str):
            complain(f"{case.image}: {answer}")
            status = FAILED
        elif json:
            say_json(as_row(case, answer, local))
        else:
            _show(case, answer, local)
    return status


def cases_of(reference: ImageRef, stock: Stock) -> tuple[list[Case], list[Stay], list[str]]:
    """The questions: one for each way in which the image is chosen in the checkout; the places that no registry is asked for; and
    what could not be read."""
    mine = [place for place in stock.occurrences if canonical(place.image) == reference.canonical]
    asked, answered = subjects(mine, stock.config, stock.flux)
    troubles = [f"{one.file}:{one.line}: {one.reason}" for one in answered if isinstance(one, Trouble)]
    troubles += [f"{one.file}{f':{one.line}' if one.line else ''}: {one.reason}" for one in stock.unread if not one.skipped]
    stays = [one for one in answered if isinstance(one, Stay) and reference.tag in (None, one.occurrence.tag)]
    cases = [_case(subject) for subject in asked]
    if reference.tag is None and reference.digest is None:
        return cases or [_nowhere(reference, stock)], stays, troubles
    there = [case for case in cases if case.tag == reference.tag and reference.digest in (None, case.digest)]
    as_if = [replace(case, tag=reference.tag, digest=reference.digest) for case in cases]
    return there or list({case.choosing: case for case in as_if}.values()) or [_nowhere(reference, stock)], stays, troubles


def _case(subject: Subject) -> Case:
    return Case(subject.places[0].image, subject.choosing, subject.tag, subject.digest, subject.places)


def _nowhere(reference: ImageRef, stock: Stock) -> Case:
    return Case(reference.name, stock.config.choosing(reference.name, ""), reference.tag, reference.digest)


async def _ask(local: Local, stock: Stock, cases: Iterable[Case]) -> Sequence[Choice | str]:
    """The choice for each case, or why there is none. What is followed (policy follow) has no history here."""
    stood = stock.stood
    async with Registries(local.accesses, limits=LIMITS) as registries:
        chooser = Chooser(registries, datetime.now(UTC))

        async def one(case: Case) -> Choice | str:
            try:
                return await chooser.choose(
                    case.image, case.choosing, case.tag, case.digest, upstream(case.choosing, case.image, stood)
                )
            except (RegistryError, CurrentMissing) as error:
                return str(error)

        return await asyncio.gather(*map(one, cases))


def as_row(case: Case, choice: Choice, local: Local) -> dict[str, Any]:
    """An explanation as the JSON line that scripts read."""
    return {
        "image": case.image,
        "current": case.tag,
        "digest": case.digest,
        "policy": case.choosing.policy,
        "places": [f"{local.shown(place.file)}:{place.line}" for place in case.places],
        "chosen": choice.chosen,
        "major": choice.major,
        "reason": words.of_choice(choice),
        "candidates": [{"tag": one.tag, "verdict": one.verdict.value, "reason": why_not(one)} for one in choice.candidates],
    }


def _show(case: Case, choice: Choice, local: Local) -> None:
    at = f" at {case.tag}" if case.tag else ""
    say(f"{case.image}{at}, policy {case.choosing.policy}: {choice.chosen or 'stays'} ({words.of_choice(choice)})")
    if choice.major:
        say(f"next major: {choice.major}")
    for place in case.places:
        say(f"  {local.shown(place.file)}:{place.line}")
    if looked_at := counts(choice):
        say(looked_at)
    table(("tag", "verdict", "reason"), ((one.tag, one.verdict.value, why_not(one)) for one in choice.candidates), styles=_STYLES)
