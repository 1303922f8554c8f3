"""Messages to people: each subject once, not even a restart repeats it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from bot.report import Report
from bot.serving.notify import Messenger, Subject, body, subjects
from bot.settings.secrets import Secret
from bot.settings.values import Notice
from bot.state.ledger import Ledger
from bot.state.notebook import Notebook
from rules.formats.base import Occurrence
from rules.policies.base import Choice
from rules.proposals import Wishes
from rules.updates import Stay, Target, Update

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PLACE = Occurrence("envs/prod/app.yaml", 7, "kubernetes", "acme/web", "1.4.1")


class Receiver:
    """Takes messages, or refuses them."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[dict[str, Any]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        if self.status == 200:
            self.got.append(await request.json())
        return web.Response(status=self.status)

    @property
    def states(self) -> list[str]:
        return [f"{one['topic']} {one['state']}" for one in self.got]


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/hook/very-secret", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook/very-secret"
    yield found
    await runner.cleanup()


@pytest_asyncio.fixture
async def notebook(tmp_path: Path) -> AsyncIterator[Notebook]:
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/tagboat.db")
    yield await Notebook.open(ledger)
    await ledger.close()


def messenger(url: str, notebook: Notebook, *topics: Any, kind: Any = "webhook") -> Messenger:
    return Messenger([Notice(kind, Secret(url), topics or ("alarm", "hold"))], notebook, lambda: NOW)


def quiet() -> Report:
    return Report("acme/gitops", places=(PLACE,))


def held(reason: str = "ann went back to 1.4.0") -> Report:
    update = Update(PLACE, Target("1.4.2"), "patch", "auto", Choice("1.4.2", "patch", "newest"))
    return Report("acme/gitops", wishes=(Wishes("main", stays=(Stay(PLACE, reason, held=update),)),), places=(PLACE,))


def troubled() -> Report:
    report = quiet()
    report.add("trouble", "envs/prod/app.yaml:7", "harbor.example.com answers 503", title="acme/web")
    return report


async def test_a_hold_is_told_when_it_begins_when_its_reason_changes_and_when_it_is_over(
    receiver: Receiver, notebook: Notebook
) -> None:
    teller = messenger(receiver.url, notebook)
    for report in (held(), held(), held("bob said so"), held("bob said so"), quiet(), quiet()):
        await teller.tell(report)
    assert receiver.states == ["hold began", "hold changed", "hold over"]
    assert receiver.got[0]["text"] == "acme/web in envs/prod/app.yaml is on hold: ann went back to 1.4.0"
    await teller.close()


async def test_a_restart_repeats_nothing(receiver: Receiver, notebook: Notebook) -> None:
    for _ in range(2):
        teller = messenger(receiver.url, notebook)
        await teller.tell(troubled())
        await teller.close()
    assert receiver.states == ["alarm began"]


async def test_what_could_not_be_delivered_is_told_at_the_next_pass(
    receiver: Receiver, notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    teller = messenger(receiver.url, notebook)
    receiver.status = 500
    await teller.tell(troubled())
    receiver.status = 200
    await teller.tell(troubled())
    assert receiver.states == ["alarm began"]
    await teller.close()
    captured = capsys.readouterr()
    assert "very-secret" not in captured.out + captured.err


async def test_a_receiver_that_is_away_stops_nothing_and_its_address_is_not_logged(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    teller = messenger("http://127.0.0.1:1/very-secret", notebook, kind="slack")
    await teller.tell(troubled())
    await teller.close()
    captured = capsys.readouterr()
    assert "very-secret" not in captured.out + captured.err
    assert await notebook.told("acme/gitops") == {}


async def test_a_pass_that_saw_nothing_does_not_say_that_something_is_over(receiver: Receiver, notebook: Notebook) -> None:
    teller = messenger(receiver.url, notebook)
    await teller.tell(held())
    blind = Report("acme/gitops")
    blind.add("trouble", "", "the forge answers 502")
    await teller.tell(blind)
    assert receiver.states == ["hold began", "alarm began"]
    await teller.close()


async def test_who_wants_alarms_only_gets_no_holds(receiver: Receiver, notebook: Notebook) -> None:
    teller = messenger(receiver.url, notebook, "alarm")
    await teller.tell(held())
    await teller.tell(troubled())
    assert receiver.states == ["alarm began"]
    await teller.close()


async def test_an_image_that_goes_round_is_an_alarm(receiver: Receiver, notebook: Notebook) -> None:
    teller = messenger(receiver.url, notebook, "alarm")
    report = held("acme/web was bumped 3 times without a commit of a person in between")
    stay = replace(report.wishes[0].stays[0], alarm=True)
    round_ = replace(report, wishes=(Wishes("main", stays=(stay,)),))
    for one in (round_, round_, held(), quiet()):
        await teller.tell(one)
    assert receiver.states == ["alarm began", "alarm over"]
    assert "bumped 3 times" in receiver.got[0]["text"]
    await teller.close()


async def test_what_is_wrong_with_a_forge_is_told_once_and_when_it_is_over(receiver: Receiver, notebook: Notebook) -> None:
    teller = messenger(receiver.url, notebook)
    runs_out = "the token runs out in {} days"
    for said in ([runs_out.format(9)], [runs_out.format(9)], [runs_out.format(8), "it answers 502"], ["it answers 502"], []):
        await teller.tell_of_row("https://gitlab.example.com", said)
    assert receiver.states == ["alarm began", "alarm changed", "alarm began", "alarm over", "alarm over"]
    assert {one["repository"] for one in receiver.got} == {"https://gitlab.example.com"}
    await teller.close()


@pytest.mark.parametrize("kind", ["slack", "teams", "mattermost"])
def test_chats_get_text_that_calls_nobody(kind: str) -> None:
    hostile = Subject("k", "alarm", "acme/gitops", "<!channel> @everyone <https://evil.example.com|click> & more")
    said = body(kind, hostile, "began", NOW)
    assert list(said) == ["text"]
    assert "<" not in said["text"]
    assert "@everyone" not in said["text"]


def test_one_subject_a_place() -> None:
    report = held()
    report.add("trouble", "envs/prod/app.yaml:7", "no answer", title="acme/other")
    assert [one.topic for one in subjects(report)] == ["alarm", "hold"]
