"""`tagboat doctor [PATH] [--forge github|gitlab] [--json] [--app app.yaml]`: proves that no landing starts a CI loop here.

$ tagboat doctor
github  squash  landing  CI  skipped  no loop  .github/workflows/ci.yml:3  the newest commit has a skip token
github  rebase  landing  CI  starts   LOOP     .github/workflows/ci.yml:3  a push starts it; docker push …
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from bot.forges.base import OWN_CHECK, OWN_SETTINGS, ForgeError
from bot.reading.checkout import Checkout, Unreadable
from bot.reading.origin import Origin
from bot.settings import Settings
from bot.settings import load as load_settings
from bot.terminal import DONE, FAILED, UsageError, complain, say, say_json, table
from rules import ci
from rules.ci.base import ForgeName
from rules.ci.proof import Case, Row, prove
from rules.config import FILE, Config, ConfigError, load, misnamed
from rules.formats import is_manifest, scan
from rules.images import canonical
from rules.loops import is_definition

_FLAG = Parameter(negative=())
_COLUMNS = ("forge", "landing", "event", "pipeline", "verdict", "loop", "where", "reason", "fix")
_STYLES = {"verdict": "cyan", "loop": "bold red", "where": "dim", "fix": "green"}


def doctor(
    path: Path = Path(),
    /,
    *,
    forge: Literal["github", "gitlab"] | None = None,
    json: Annotated[bool, _FLAG] = False,
    app: Path | None = None,
) -> int:
    """Say what every landing method would start in this repository's CI, and whether that can loop or hang (exit 1).

    Parameters
    ----------
    path
        A folder with a checkout.
    forge
        Where the repository is; from its remote or its CI definitions unless given, else both.
    json
        One JSON object a line, for each landing method, event and pipeline.
    app
        The server's settings, to be checked as well; `app.yaml` in the current folder unless given.
    """
    checkout = Checkout.at(path)
    problems: list[str] = []
    settings = _settings(app, problems)
    config = _config(checkout)
    definitions = dict(_definitions(checkout, problems))
    origin = Origin.of(checkout.root)
    base = config.base_branches[0] if config.base_branches else origin.branch or _branch(definitions)
    case = Case(definitions, _places(checkout, config, problems), origin.repository, base, config.commits.marker)
    found = [*ci.pipelines(definitions, origin.repository)]
    forges = [forge] if forge else [origin.forge] if origin.forge else sorted(ci.forges(found))
    if app is not None and not settings.missing:
        said, required = asyncio.run(_asked(settings, case))
        problems, case = [*problems, *said], replace(case, required=required)
    rows = [row for one in forges for row in prove(case, one)]
    _show(rows, case, forges, json=json)
    sys.stdout.flush()
    for problem in (*map(str, config.notes), *problems):
        complain(problem)
    return FAILED if problems or any(row.loop or row.verdict == "blocked" for row in rows) else DONE


def _show(rows: list[Row], case: Case, forges: Iterable[ForgeName], *, json: bool) -> None:
    if json:
        for row in rows:
            say_json(asdict(row))
        return
    if not rows:
        say(f"No definition of a CI system that {' or '.join(forges)} starts was found here, so no landing starts a build.")
        return
    table(_COLUMNS, map(_cells, rows), styles=_STYLES)
    loops = sum(row.loop for row in rows)
    blocked = sum(row.verdict == "blocked" for row in rows)
    unknown = sum(row.verdict == "unknown" for row in rows)
    if not case.places:
        say("No image was found here; this is for an image that the repository itself would build.")
    say(f"{len(rows)} cases: {loops} with a loop, {blocked} blocked, {unknown} unknown.")


def _cells(row: Row) -> tuple[object, ...]:
    where = f"{row.file}:{row.line}" if row.line else row.file
    return (
        row.forge,
        row.landing,
        row.event,
        row.pipeline,
        row.verdict,
        "LOOP" if row.loop else "no loop",
        where,
        row.reason,
        row.fix,
    )


def _config(checkout: Checkout) -> Config:
    """The repository's own file. Raises UsageError where it is broken."""
    try:
        data = checkout.read(FILE) if checkout.only is None and os.path.lexists(checkout.root / FILE) else b""
        config = load(data, file=FILE)
    except Unreadable as error:
        raise UsageError(f"{FILE}: {error}") from None
    except ConfigError as error:
        raise UsageError(str(error)) from None
    return replace(config, notes=(*config.notes, *misnamed(lambda name: os.path.lexists(checkout.root / name))))


def _settings(app: Path | None, problems: list[str]) -> Settings:
    """The server's settings. Raises UsageError where they are broken; what is missing in them is a problem only where they were
    asked for."""
    settings = load_settings(app, os.environ)
    if app is not None:
        problems += [str(one) for one in settings.missing]
    return settings


async def _asked(settings: Settings, case: Case) -> tuple[list[str], frozenset[str]]:
    """What is wrong with the credentials, and which checks the base branch demands."""
    from bot.credentials import problems, required_checks

    found = [problem async for problem in problems(settings, case.places)]
    if case.repository is None:
        return found, frozenset()
    try:
        required = await asyncio.wait_for(required_checks(settings, case.repository, case.base), 60)
    except (ForgeError, TimeoutError) as error:
        return [*found, f"{case.repository}: {str(error) or 'it did not answer in time'}"], frozenset()
    return [*found, *_own_required(required, case)], required


def _own_required(required: Iterable[str], case: Case) -> Iterator[str]:
    """Checks of Tagboat's own that somebody made required: they stand on some requests only, and are no judgement of a change."""
    for name in sorted({OWN_CHECK, OWN_SETTINGS} & set(required)):
        yield (
            f"{case.repository}: {case.base} requires the check `{name}`, which is Tagboat's own: a request that has none can "
            "never be merged; take it out of the branch's rules"
        )


def _definitions(checkout: Checkout, problems: list[str]) -> Iterator[tuple[str, bytes]]:
    """Everything that CI may read: what the path says, and Sensors and triggers by their content, wherever they stand."""
    for path in checkout.paths(lambda name: is_definition(name) or name.endswith((".yaml", ".yml"))):
        try:
            data = checkout.read(path)
        except Unreadable as error:
            problems += [f"{path}: {error}"] if is_definition(path) else []
            continue
        if is_definition(path) or ci.looks_like_definition(data):
            yield path, data


def _places(checkout: Checkout, config: Config, problems: list[str]) -> dict[str, tuple[str, ...]]:
    """Where each image stands that Tagboat would keep fresh here."""
    found: dict[str, dict[str, None]] = {}
    for path in checkout.paths(lambda name: is_manifest(name) and config.wants(name)):
        try:
            occurrences, unread = scan(path, checkout.read(path))
        except Unreadable as error:
            problems.append(f"{path}: {error}")
            continue
        if unread is not None and not unread.skipped:
            problems.append(f"{unread.file}: {unread.reason}")
        for one in occurrences:
            if config.choosing(one.image, one.file).policy != "none":
                found.setdefault(canonical(one.image), {})[one.file] = None
    return {image: tuple(files) for image, files in sorted(found.items())}


def _branch(definitions: dict[str, bytes]) -> str:
    """The base branch where nothing says it: the one that the definitions speak of."""
    texts = list(definitions.values())
    return "master" if any(b"master" in text for text in texts) and not any(b"main" in text for text in texts) else "main"
