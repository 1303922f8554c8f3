"""The command line: a table of commands, each loaded only when it is called.

Exit status everywhere: 0 done; 1 something could not be looked at or done (named; the rest was); 2 wrong usage, option value,
config or policy; 3 nothing chosen, or updates exist (`check --exit-code`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from cyclopts import App, CycloptsError

from bot.terminal import DONE, FAILED, USAGE, UsageError, complain

COMMANDS = {
    "images": ("bot.commands.images:images", "Every image reference in a checkout."),
    "choose": ("bot.commands.choose:choose", "Try a policy on tags from standard input."),
    "check": ("bot.commands.check:check", "What would change in a checkout, now."),
    "explain": ("bot.commands.explain:explain", "Each candidate of the live registry: kept or dropped, by what."),
    "run": ("bot.commands.run:run", "One pass over every repository, then exit."),
    "serve": ("bot.commands.serve:serve", "Webhooks, timer, dashboard, figures."),
    "status": ("bot.commands.status:status", "What is open, waiting, held and in trouble, and when that can change."),
    "hold": ("bot.commands.hold:hold", "No update of an image until somebody says resume."),
    "resume": ("bot.commands.resume:resume", "Lift the holds and skips on an image."),
    "skip": ("bot.commands.skip:skip", "Not this version of an image; a newer one will be proposed."),
    "merge": ("bot.commands.merge:merge", "Let a request land, by your word."),
    "close": ("bot.commands.close:close", "Close a request and skip its version."),
    "worker": ("bot.commands.worker:worker", "One more worker on PostgreSQL."),
    "ledger": ("bot.commands.ledger:ledger", "The care of the ledger: backup, migrate."),
    "push": ("bot.commands.push:push", "Tell a server that an image was just pushed."),
    "decide": ("bot.commands.decide:decide", "Try a merge rule on facts from standard input."),
    "doctor": ("bot.commands.doctor:doctor", "Prove that no landing starts a CI loop in this repository."),
    "schema": ("bot.commands.schema:schema", "The JSON Schema of .tagboat.yaml."),
    "demo": ("bot.commands.demo:demo", "The whole thing on embedded parts."),
}


def application() -> App:
    """The cyclopts application, with every command registered by its import path."""
    app = App(name="tagboat", help="Keeps the container image tags in git repositories fresh, safely.", version=_version)
    for name, (path, help_text) in COMMANDS.items():
        app.command(path, name=name, help=help_text)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; no traceback reaches the user."""
    try:
        status = application()(arguments, exit_on_error=False, result_action="return_value")
    except CycloptsError:
        return USAGE  # said already, by the parser
    except UsageError as error:
        complain(str(error))
        return USAGE
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    return status if isinstance(status, int) else DONE


def _version() -> str:
    try:
        return version("tagboat")
    except PackageNotFoundError:
        return "unknown (not installed)"
