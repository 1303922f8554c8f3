"""A pass over one repository: look, decide, act; then look again for as long as something landed.

    report = await one_pass(forge, Terms(), Tools(registries, ledger))

It is level-triggered: what ought to be is worked out anew from what stands there, and compared with the requests that are open.
So a pass that is run twice does nothing the second time, and one that was killed anywhere is completed by the next.

    looking      head, configuration, images, CI definitions, our requests          bot/reading/looking.py
    choosing     every distinct question once, all at the same time                 bot/reading/answering.py, choosing.py
    deciding     updates, holds, proposals, plan                                    bot/passes/deciding.py
    acting       open, refresh, close, push                                         bot/passes/acting.py, bot/passes/pushing.py
    landing      our open requests by their rules, one at a time for each base      bot/passes/landing.py

What could not be read is trouble: it is reported, and nothing is done because of it or to what belongs to it.
"""

from __future__ import annotations

from bot import tracing
from bot.forges.base import Forge, ForgeError, Gone, Limited
from bot.passes.reviewing import review
from bot.passes.running import Pass
from bot.passes.tools import Mode, Tools
from bot.reading.looking import NoConfig, Terms
from bot.report import Report
from bot.state.ledger import LedgerError
from rules.config import ConfigError

__all__ = ["Mode", "Terms", "Tools", "one_pass"]


async def one_pass(forge: Forge, terms: Terms, tools: Tools) -> Report:
    """One pass over one repository. Trouble ends up in the report; nothing is raised but cancellation and defects."""
    report = Report(forge.name)
    with tracing.span("pass", root=True, repository=forge.name) as told:
        await _run(forge, terms, tools, report)
        if report.failed:
            told.failed(next(report.of("trouble")).reason)
    return report


async def _run(forge: Forge, terms: Terms, tools: Tools, report: Report) -> None:
    running = Pass(forge, terms, tools, report)
    try:
        await running.run()
    except NoConfig as error:
        report.add("left", "", str(error))
        await running.take_back()
    except Gone as error:
        report.add("left", "", str(error))
    except ConfigError as error:
        for finding in error.findings:
            report.find("trouble", finding)
        await running.take_back()
        if tools.mode != "observe":  # the request that mends it is just what is looked for
            await review(forge, terms, report)
    except Limited as error:
        report.add("trouble", "", str(error), wake=error.until)
    except LedgerError as error:
        report.add("trouble", "", str(error))
        await running.take_back()
    except ForgeError as error:
        report.add("trouble", "", str(error))
        await running.take_back()
    finally:
        running.settle()
    await running.publish()
