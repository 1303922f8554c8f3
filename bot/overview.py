"""The report of a pass as an overview: for `tagboat status` and the dashboard issue alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.report import Report
from rules.messages import name
from rules.messages.dashboard import Line, Overview
from rules.updates import Stay


def overview(report: Report) -> Overview:
    """How the repository stood when the pass had ended."""
    held = tuple(_held(report))
    return Overview(
        open=tuple(_open(report)),
        waiting=tuple(_waiting(report, {line.reason for line in held})),
        held=held,
        alarms=tuple(Line(note.title, note.where, note.reason, note.wake) for note in report.of("trouble")),
        wake=report.wake,
    )


def waiting(report: Report) -> list[Line]:
    """The updates that only a clock holds back (an age, a schedule, a soak, a freeze), the next first: each image once for a
    reason, at the first of its places."""
    found = overview(report)
    alike: dict[tuple[str, str], list[Line]] = {}
    for line in sorted((*found.waiting, *found.held), key=lambda line: line.wake.timestamp() if line.wake else 0):
        if line.wake is not None:
            alike.setdefault((line.what, line.reason), []).append(line)
    return [
        replace(first, where=f"{first.where} and {len(more)} more" if more else first.where) for first, *more in alike.values()
    ]


def _open(report: Report) -> Iterator[Line]:
    wakes = {note.where: note.wake for note in report.notes if note.wake is not None}
    told = {note.where: note.reason for note in report.of("waiting", "blocked", "left", "would")}
    landed = {note.where for note in report.of("landed", "closed")}
    for request in report.requests:
        where = f"!{request.number}"
        if request.state == "open" and where not in landed:
            standing = report.standings.get(request.number)
            reason = standing.reason if standing is not None else told.get(where, "")
            yield Line(request.title, where, reason, wakes.get(where), request.number)
    known = {f"!{request.number}" for request in report.requests}
    for note in report.of("opened"):  # since the last look
        if note.where not in known and note.where not in landed:
            number = int(note.where.removeprefix("!"))
            yield Line(note.title, note.where, told.get(note.where, ""), wakes.get(note.where), number)


def _held(report: Report) -> Iterator[Line]:
    for wish in report.wishes:
        stays = [*wish.stays, *(stay for proposal in wish.proposals for stay in proposal.left_out)]
        told = {stay.reason for stay in stays if stay.held is not None}
        for stay in dict.fromkeys(stays):
            if stay.held is not None:
                yield Line(f"{name(stay.occurrence.image)} {stay.held.target}", _place(stay), stay.reason, stay.wake)
        for one in wish.withheld:
            if one.reason not in told:
                yield Line(one.stream.subject, "", one.reason, one.wake)


def _waiting(report: Report, held: set[str]) -> Iterator[Line]:
    for note in report.of("left", "would"):
        if not note.where.startswith("!") and note.reason not in held and note.where:
            yield Line(note.title, note.where, note.reason, note.wake)
    for stay in (stay for wish in report.wishes for stay in wish.stays):
        if stay.held is None and stay.wake is not None:
            yield Line(name(stay.occurrence.image), _place(stay), stay.reason, stay.wake)


def _place(stay: Stay) -> str:
    return f"{stay.occurrence.file}:{stay.occurrence.tag_line or stay.occurrence.line}"
