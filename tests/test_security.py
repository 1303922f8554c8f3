"""Every threat that Tagboat answers, with the tests that show it: those that are elsewhere are named and checked to be there.

Here as well: a server between failing peers, whose every output is searched for every secret.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import hashlib
import hmac
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import aiohttp
import psycopg
import pytest
import structlog
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot import logs
from bot.app import App
from bot.demo.world import World
from bot.forges.base import Look
from bot.settings import load
from tests.servers.postgres import PASSWORD

TESTS = Path(__file__).parent
PROVED = {
    "a forged webhook": [
        "bot/web/test_server.py::test_who_is_not_who_they_say_is_turned_away",
        "bot/web/senders/test_registry.py::test_only_who_knows_the_secret_is_heard",
        "bot/web/senders/test_gitlab.py::test_whoever_does_not_know_the_token_is_not_heard",
        "bot/web/senders/test_github.py::test_an_empty_secret_trusts_nobody",
    ],
    "a webhook that is sent again": [
        "bot/web/test_server.py::test_the_same_delivery_means_nothing_the_second_time",
        "bot/web/senders/test_registry.py::test_two_deliveries_of_one_event_have_one_name_and_two_events_two",
    ],
    "a webhook that is too large, or never ends": [
        "bot/web/test_server.py::test_who_is_not_who_they_say_is_turned_away",
        "bot/web/test_server.py::test_a_body_that_does_not_come_is_not_waited_for",
    ],
    "a webhook's words are believed": [
        "bot/web/senders/test_registry.py::test_no_body_breaks_the_reading",
        "bot/web/test_server.py::test_an_image_that_stands_nowhere_asks_for_nothing",
    ],
    "a manifest names an internal host": [
        "bot/registries/test_addresses.py::test_an_image_on_an_inner_host_is_refused",
        "bot/registries/test_addresses.py::test_a_name_is_judged_by_each_of_its_addresses",
        "bot/registries/test_addresses.py::test_a_name_that_changes_its_mind_is_refused",
        "bot/registries/test_addresses.py::test_an_address_in_disguise_is_refused",
        "bot/registries/test_faults.py::test_a_redirect_to_a_store_that_is_not_listed_is_refused",
        "bot/commands/test_check.py::test_a_private_registry_that_nobody_listed_is_not_asked",
    ],
    "credentials go to a stranger": [
        "bot/registries/test_auth.py::test_credentials_go_to_no_stranger",
        "bot/registries/test_auth.py::test_the_services_that_are_trusted",
        "bot/registries/test_faults.py::test_a_redirect_to_another_host_leaves_the_login_behind",
        "bot/forges/github/test_wire.py::test_a_redirect_elsewhere_is_not_followed_with_the_token",
        "bot/forges/gitlab/test_wire.py::test_a_redirect_on_the_same_server_is_followed_and_the_token_goes_nowhere_else",
    ],
    "one team's manifest names another team's private image": [
        "bot/registries/test_pool.py::test_a_credential_answers_for_what_it_is_bound_to",
    ],
    "our own check counts for us": [
        "bot/forges/github/test_readiness.py::test_all_facts_of_a_pull_request",
        "bot/forges/gitlab/test_talk.py::test_how_a_request_stands_is_escaped",
    ],
    "a pull request changes the rules": ["test_security.py::test_rules_come_from_the_default_branch_only"],
    "what is in a request is not what we proposed": [
        "bot/passes/test_passes.py::test_the_change_is_held_against_the_proposal",
        "rules/test_records.py::test_hostile_tags_are_only_data",
    ],
    "a person's words come from somebody who may not write": [
        "bot/passes/test_hearing.py::test_who_may_not_write_changes_nothing"
    ],
    "hostile tags, labels and changelogs": [
        "rules/messages/test_escaping.py::test_nothing_from_outside_does_anything",
        "rules/messages/test_body.py::test_no_text_from_outside_does_anything",
        "rules/messages/test_headlines.py::test_no_text_from_outside_makes_a_title_do_anything",
        "rules/messages/test_commits.py::test_no_text_from_outside_does_anything_or_forges_a_trailer",
        "rules/ci/test_by_chance.py::test_no_token_survives_being_defused",
        "bot/registries/test_faults.py::test_null_and_hostile_tags_are_left_out",
        "bot/web/pages/test_pages.py::test_hostile_text_is_shown_as_text",
        "bot/serving/test_notify.py::test_chats_get_text_that_calls_nobody",
        "bot/commands/test_images.py::test_names_do_not_drive_the_terminal",
    ],
    "user regexps, YAML bombs, huge files": [
        "test_security.py::test_an_expression_takes_no_longer_than_its_text",
        "rules/formats/test_scan.py::test_bombs_of_aliases_and_merges_cost_nothing",
        "rules/formats/test_scan.py::test_many_nodes_are_refused",
        "rules/formats/test_scan.py::test_cycles_end",
        "rules/config/test_findings.py::test_no_file_takes_long",
    ],
    "paths and symlinks": [
        "bot/reading/test_checkout.py::test_a_file_that_became_a_link_is_not_read",
        "bot/reading/test_checkout.py::test_a_planted_link_is_not_written_through",
        "bot/commands/test_images.py::test_links_are_not_followed",
        "bot/forges/git/test_odd.py::test_paths_that_leave_the_repository",
        "bot/forges/git/test_odd.py::test_a_hostile_branch_from_a_config_touches_nothing",
    ],
    "a form on another site acts on the dashboard": [
        "bot/web/pages/test_pages.py::test_a_form_from_elsewhere_does_nothing",
        "bot/web/pages/test_pages.py::test_a_forged_cookie_is_no_session",
        "bot/web/pages/test_pages.py::test_the_login_leads_nowhere_else",
        "bot/web/pages/test_pages.py::test_with_a_token_nothing_is_shown_before_the_login",
    ],
    "somebody says who they are, as only the trusted proxy may": [
        "bot/web/pages/test_access.py::test_whom_the_proxy_names_is_logged_in",
        "bot/web/pages/test_access.py::test_two_names_are_nobody",
        "bot/web/pages/test_access.py::test_a_name_is_shown_as_what_it_is",
        "bot/web/pages/test_access.py::test_what_somebody_does_through_the_proxy_is_theirs",
    ],
    "a name that was made to lead to this machine (DNS rebinding)": [
        "bot/web/pages/test_access.py::test_a_name_that_was_made_to_lead_here_shows_nothing",
        "bot/web/pages/test_access.py::test_whom_the_proxy_names_is_logged_in",
    ],
    "secrets": [
        "test_security.py::test_no_secret_is_in_any_log_page_metric_or_error",
        "bot/test_settings.py::test_settings_never_show_a_secret",
        "bot/test_settings.py::test_no_error_repeats_what_stands_where_a_secret_belongs",
        "bot/registries/test_harbor.py::test_a_wrong_secret_is_not_shown",
        "bot/registries/test_dockerconfig.py::test_a_broken_file_is_named_without_its_secrets",
        "bot/commands/test_push.py::test_a_server_that_does_not_take_it_is_a_failure_and_no_secret_is_shown",
    ],
}


@pytest.mark.parametrize("threat", PROVED)
def test_every_threat_has_its_tests(threat: str) -> None:
    assert PROVED[threat]
    for proof in PROVED[threat]:
        file, _, name = proof.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in names, f"{proof} is not there"


async def test_rules_come_from_the_default_branch_only(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.start()
    async with await App.open(load(world.settings, {})) as app:
        ((berth,), _) = await app.berths()
        await app.one(berth)
        (mine,) = _open(await berth.forge.look())
        rules = "version: 1\nrules: [{automerge: {on_human_edit: merge, require_protection: false}}]\n"

        def person(branch: str, *, push_to: str) -> None:
            for command in (
                ["fetch", "-q", "origin"],
                ["checkout", "-q", "-B", "work", f"origin/{branch}"],
            ):
                subprocess.run(["git", *command], cwd=world.checkout, check=True, capture_output=True)
            (world.checkout / ".tagboat.yaml").write_text(rules)
            who = ("-c", "user.name=Eve", "-c", "user.email=eve@example.com")
            for command in (["add", "-A"], [*who, "commit", "-qm", "Rules"], ["push", "-q", "origin", f"HEAD:{push_to}"]):
                subprocess.run(["git", *command], cwd=world.checkout, check=True, capture_output=True)

        await asyncio.to_thread(person, mine.branch, push_to=mine.branch)
        report = await app.one(berth)
        assert not list(report.of("landed")), "the rules of the branch would have landed it"
        assert [one.number for one in _open(await berth.forge.look())] == [mine.number]
        # The same rules on the default branch do it: so the test could have failed.
        await asyncio.to_thread(person, "main", push_to="main")
        report = await app.one(berth)
        assert list(report.of("landed")), [str(note) for note in report.notes]
    await world.stop()


def _open(look: Look) -> list[object]:
    return [one for one in look.requests if one.state == "open"]


def test_an_expression_takes_no_longer_than_its_text() -> None:
    begun = time.monotonic()
    reader = subprocess.run(
        [sys.executable, "-m", "bot", "choose", "--policy", "alphabetical", "--tags", "^(a+)+$"],
        input="\n".join(["a" * 100 + "!", "a" * 120 + "!"]), capture_output=True, text=True, timeout=60, check=False,
        cwd=TESTS.parent,
    )  # fmt: skip
    assert reader.returncode == 3
    assert time.monotonic() - begun < 30


SECRETS = {
    "REGISTRY_PASSWORD": "registry-password-7f3a",
    "REGISTRY_HOOK": "registry-hook-9c41",
    "GITHUB_TOKEN": "ghp_githubtoken5d2e",
    "GITHUB_HOOK": "github-hook-1b77",
    "GITLAB_TOKEN": "glpat-gitlabtoken-88aa",
    "GITLAB_HOOK": "gitlab-hook-3e90",
    "GIT_PASSWORD": "git-password-c0de",
    "DASHBOARD": "dashboard-token-42ff",
    "NOTIFY": "http://127.0.0.1:PORT/notify/path-secret-6b1d",
    "STATE": "",
}


class Peers:
    """Forges, registries and receivers that fail in every way, and throw back at us what we sent."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.runner: web.AppRunner | None = None
        self.port = 0
        self.spans = b""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.count[request.path] += 1
        sent = {name: value for name, value in request.headers.items() if name.lower() in ("authorization", "private-token")}
        echo = json.dumps({"message": f"you sent {sent}", "errors": [{"code": "DENIED", "message": str(sent)}]})
        match self.count[request.path] % 4:
            case 0:
                return web.Response(status=500, text=echo, reason=f"No {' '.join(sent.values())[:60]}")
            case 1:
                where = f'Basic realm="{" ".join(sent.values())}"'
                return web.Response(status=401, text=echo, headers={"WWW-Authenticate": where})
            case 2:
                return web.Response(status=302, text=echo, headers={"Location": f"http://127.0.0.1:1/?{' '.join(sent.values())}"})
            case _:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=502, text=echo)

    async def collect(self, request: web.Request) -> web.Response:
        """The one peer that fails nobody: it takes what is told to a collector of spans."""
        self.spans += await request.read()
        return web.Response()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/traces", self.collect)
        app.router.add_route("*", "/{path:.*}", self.answer)
        self.runner = web.AppRunner(app, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.port = self.runner.addresses[0][1]


SETTINGS = """
server: {listen: "127.0.0.1:@PORT@", dashboard_token: {env: DASHBOARD}}
state: {env: STATE}
scan: {every: 1m}
notify: [{kind: slack, url: {env: NOTIFY}}, {kind: webhook, url: {env: NOTIFY}}]
forges:
  - {kind: git, url: "@WORLD@", branch: main}
  - {kind: git, url: "http://127.0.0.1:@PEER@/acme/gitops.git", username: tagboat, password: {env: GIT_PASSWORD}}
  - {kind: github, url: "http://127.0.0.1:@PEER@", token: {env: GITHUB_TOKEN}, repositories: [a/b],
     webhook_secret: {env: GITHUB_HOOK}}
  - {kind: github, url: "http://127.0.0.1:@PEER@/app", app: {id: 1, private_key: {file: key.pem}}}
  - {kind: gitlab, url: "http://127.0.0.1:@PEER@", token: {env: GITLAB_TOKEN}, projects: [c/d],
     webhook_secret: {env: GITLAB_HOOK}}
registries:
  - {host: "@REGISTRY@", insecure: true, username: robot, password: {env: REGISTRY_PASSWORD},
     webhook_secret: {env: REGISTRY_HOOK}}
  - {host: "127.0.0.1:@PEER@", insecure: true, kind: harbor, username: "robot", password: {env: REGISTRY_PASSWORD}}
"""
# No net below: what turns up has to be found here.
CHILD = "import bot.logs; bot.logs.hide = lambda secrets: None; from bot.__main__ import main; main()"


@asynccontextmanager
async def served(folder: Path, environ: dict[str, str], port: int) -> AsyncIterator[Path]:
    log = folder / "log"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS.parent), "HOME": str(folder), **environ}
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, "serve", cwd=folder, env=env, stdout=file, stderr=file
        )
    try:
        async with asyncio.timeout(60):
            while True:
                assert process.returncode is None, await asyncio.to_thread(log.read_text)
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.1)
        yield log
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 25) == 0
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_no_secret_is_in_any_log_page_metric_or_error(tmp_path: Path, database: str) -> None:
    world, peers = World(tmp_path), Peers()
    await world.start()
    await peers.start()
    await asyncio.to_thread(_name_the_peer, world, f"127.0.0.1:{peers.port}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    (tmp_path / "key.pem").write_text(pem)
    words = {"PORT": str(port), "WORLD": world.url, "PEER": str(peers.port), "REGISTRY": world.registry.host}
    settings = SETTINGS
    for word, value in words.items():
        settings = settings.replace(f"@{word}@", value)
    world.settings.write_text(settings)
    environ = SECRETS | {"STATE": database, "NOTIFY": SECRETS["NOTIFY"].replace("PORT", str(peers.port))}
    secrets = {value for name, value in environ.items() if name not in ("STATE", "NOTIFY")}
    secrets |= {PASSWORD, "path-secret-6b1d", pem.splitlines()[3]}
    secrets |= {base64.b64encode(f"{user}:{word}".encode()).decode().rstrip("=") for user in ("robot", "tagboat", "oauth2")
                for word in list(secrets)}  # fmt: skip
    seen: dict[str, str] = {}
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{peers.port}"}
    async with served(tmp_path, environ | told, port) as log:
        base = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:

            async def ask(name: str, method: str, path: str, **more: object) -> int:
                async with session.request(method, f"{base}{path}", allow_redirects=False, **more) as answer:  # type: ignore[arg-type]
                    seen[f"{name} ({len(seen)})"] = f"{answer.status} {dict(answer.headers)}\n{await answer.text()}"
                    return answer.status

            async with asyncio.timeout(90):
                while await ask("readiness", "GET", "/readyz") != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.3)
            assert await ask("login", "POST", "/login", data={"token": SECRETS["DASHBOARD"], "next": "/"}) == 303
            host = world.registry.host
            body = json.dumps({"image": "harbour/shop", "tag": "x"}).encode()
            signed = "sha256=" + hmac.new(SECRETS["GITHUB_HOOK"].encode(), b"{}", hashlib.sha256).hexdigest()
            for name, path, status, headers in (
                ("registry", f"/webhooks/registry/{host}", 202, {"Authorization": SECRETS["REGISTRY_HOOK"]}),
                ("registry, in the path", f"/webhooks/registry/{host}/{SECRETS['REGISTRY_HOOK']}", 202, {}),
                ("registry, broken", f"/webhooks/registry/{host}/{SECRETS['REGISTRY_HOOK']}/more", 404, {}),
                ("registry, another", f"/webhooks/registry/other.example.com/{SECRETS['REGISTRY_HOOK']}", 404, {}),
                ("registry, forged", f"/webhooks/registry/{host}", 401, {"Authorization": SECRETS["GITHUB_HOOK"]}),
                ("gitlab", "/webhooks/gitlab", 401, {"X-Gitlab-Token": SECRETS["REGISTRY_HOOK"]}),
            ):
                assert await ask(name, "POST", path, data=body, headers=headers) == status, name
            await ask("github", "POST", "/webhooks/github", data=b"{}", headers={"X-Hub-Signature-256": signed})
            async with asyncio.timeout(60):
                while '"event": "pass"' not in await asyncio.to_thread(log.read_text):  # noqa: ASYNC110
                    await asyncio.sleep(0.3)
            await asyncio.sleep(3)
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            await asyncio.sleep(3)
            for path in (
                "/",
                "/images",
                "/history",
                f"/repository?key=git:{world.url}",
                "/metrics",
                "/readyz",
                "/healthz",
                "/setup",
            ):
                await ask(path, "GET", path)
            assert await ask("setup", "GET", "/setup?code=1&state=2") in (403, 502)
    seen["log"] = await asyncio.to_thread(log.read_text)
    seen["spans"] = peers.spans.decode("utf-8", "replace")
    assert "repository" in seen["spans"] or find_spec("opentelemetry") is None
    seen["database"] = await asyncio.to_thread(_dump, database)
    assert peers.count.total() > 5, "nobody was asked"
    assert any("trouble" in text for where, text in seen.items() if where.startswith("/ ("))
    for where, text in seen.items():
        assert "got itself in trouble" not in text, where
        found = {secret for secret in secrets if secret in text}
        around = {secret: text[max(text.index(secret) - 200, 0) : text.index(secret) + 60] for secret in found}
        assert not found, f"{where}: {around}"
    await world.stop()
    assert peers.runner is not None
    await peers.runner.cleanup()


def _name_the_peer(world: World, host: str) -> None:
    (world.checkout / "envs/dev/more.yaml").write_text(
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec: {{containers: [{{name: x, image: '{host}/team/web:1.0.0'}}]}}\n"
    )
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    for command in (["add", "-A"], [*who, "commit", "-qm", "More"], ["push", "-q", "origin", "HEAD:main"]):
        subprocess.run(["git", *command], cwd=world.checkout, check=True, capture_output=True)


def _dump(database: str) -> str:
    """Every row of every table."""
    with psycopg.connect(database) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        ]
        return "\n".join(str(connection.execute(f"SELECT * FROM {table}").fetchall()) for table in tables)


def test_the_net_below_masks_what_would_turn_up(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(server=True)
    logs.hide(["very-secret-word", "abc"])
    try:
        structlog.get_logger().error("abc went wrong", url="https://x/very-secret-word")
        logging.getLogger("some.library").warning("cannot reach %s", "https://x/very-secret-word")
    finally:
        logs.hide([])
        structlog.reset_defaults()
        logging.getLogger().handlers.clear()
    said = capsys.readouterr().err
    assert "very-secret-word" not in said
    assert '"event": "abc went wrong"' in said
    assert '"url": "https://x/***"' in said
    assert '"event": "cannot reach https://x/***"' in said
