"""`app.yaml`: what it says, what is wrong with it, and that nobody sees a secret."""

# ruff: noqa: E501  # a row is a line, however much is said
from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import pickle
import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.registries.base import Credentials
from bot.registries.pool import Registries, RegistryError
from bot.settings import (
    BadSettings,
    GitHubApp,
    GitHubSettings,
    GitLabSettings,
    GitSettings,
    MissingSecret,
    Secret,
    Settings,
    TrustedProxy,
    load,
    parse,
)
from bot.terminal import UsageError
from rules.config import Config, combine

HERE = Path("/srv/tagboat")
ROOT = Path(__file__).parents[2]


def read(text: str | bytes, folder: Path = HERE, **environ: str) -> Settings:
    return parse(text.encode() if isinstance(text, str) else text, Path("app.yaml"), folder, environ)


def said(text: str) -> list[str]:
    """What is said of a file; nothing where it can be used."""
    try:
        read(text)
    except BadSettings as error:
        return [str(finding).removeprefix("app.yaml") for finding in error.findings]
    return []


# what it says


def test_nothing_said_is_all_defaults() -> None:
    found = read("")
    assert (found.name, found.listen, found.public_url, found.mode) == (
        "tagboat",
        ("127.0.0.1", 8080),
        "http://127.0.0.1:8080",
        "merge",
    )
    assert (found.state.reveal(), found.scan_every) == ("sqlite:////srv/tagboat/data/tagboat.db", timedelta(hours=1))
    assert (found.forges, found.registries, found.hooks, found.notify, found.missing) == ((), (), (), (), ())
    assert combine(found.defaults, found.defaults, found.limits) == Config()
    assert found.repositories_without_file is None
    assert found.github_app.permissions["contents"] == "write"


def test_every_key_arrives(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN KEY-----\nx\n-----END KEY-----\n")
    found = read(
        """
name: harbour
server: {listen: ":80", public_url: "https://tagboat.example.com/", dashboard_token: {env: DASHBOARD},
  trusted_proxy: {addresses: ["10.0.0.0/8", "::1"], header: X-User}}
state: {env: STATE}
scan: {every: 30m}
notify:
  - {kind: slack, url: {env: SLACK}, on: [alarm]}
  - {kind: webhook, url: "http://127.0.0.1:9000/hook?x=1"}
mode: propose
defaults: {rules: [{policy: newest}]}
limits: {min_age: 1d, max_step: minor, push: false, automerge: {paths_never: ["prod/**"]}, pull_requests: {limit: 7}}
repositories_without_file: ignore
forges:
  - {kind: github, app: {id: 17, private_key: {file: key.pem}}, webhook_secret: {env: HOOK}}
  - {kind: github, url: "https://ghe.example.com/api/v3/", token: {env: TOKEN}, repositories: [acme/gitops], mode: observe}
  - {kind: gitlab, url: "https://gitlab.example.com", token: {env: TOKEN}, projects: [acme/sub/gitops, "42"], mode: merge}
  - {kind: git, url: "file:///srv/git/x.git", branch: main}
  - {kind: git, url: ./x.git}
  - {kind: git, url: "ssh://git@git.example.com/x.git", ssh_key: {file: id}, known_hosts: {file: /etc/hosts_known}}
  - {kind: git, url: "https://git.example.com/x.git", username: me, password: {env: TOKEN}}
registries:
  - {host: harbor.example.com, kind: harbor, username: "robot$x", password: {env: TOKEN}, webhook_secret: {env: HOOK}, webhook: {image: $.a.b, tag: "$.t[0]"},
     repositories: ["team/*"], for: ["acme/*"], auth_hosts: ["auth.example.com"]}
  - {host: "127.0.0.1:5000", insecure: true}
  - {host: ghcr.io, password: {env: TOKEN}}
github_app: {name: harbour, permissions: {contents: write, checks: none}, events: [push], public: true}
""",
        tmp_path,
        DASHBOARD="d", STATE="postgresql://u:p@db/x", SLACK="https://hooks.example.com/s", TOKEN="t", HOOK="h",
    )  # fmt: skip
    assert (found.name, found.listen, found.public_url) == ("harbour", ("", 80), "https://tagboat.example.com")
    assert found.dashboard_token is not None
    assert (found.dashboard_token.reveal(), found.state.reveal()) == ("d", "postgresql://u:p@db/x")
    assert found.trusted_proxy == TrustedProxy((ip_network("10.0.0.0/8"), ip_network("::1")), "X-User")
    assert (found.scan_every, found.mode, found.repositories_without_file) == (timedelta(minutes=30), "propose", "ignore")
    assert [(one.kind, one.url.reveal(), one.on) for one in found.notify] == [
        ("slack", "https://hooks.example.com/s", ("alarm",)),
        ("webhook", "http://127.0.0.1:9000/hook?x=1", ("alarm", "hold")),
    ]
    assert combine(found.defaults, read("").defaults, found.limits).choosing("x", "y").policy == "newest"
    assert (found.limits.min_age, found.limits.max_step, found.limits.push) == (timedelta(days=1), "minor", False)
    assert (found.limits.paths_never, found.limits.open_requests) == (("prod/**",), 7)
    hook, token = Secret("h", "env HOOK"), Secret("t", "env TOKEN")
    key = Secret("-----BEGIN KEY-----\nx\n-----END KEY-----", "file key.pem")
    assert found.forges == (
        GitHubSettings("https://api.github.com", GitHubApp("17", key), None, hook, (), "propose"),
        GitHubSettings("https://ghe.example.com/api/v3", None, token, None, ("acme/gitops",), "observe"),
        GitLabSettings("https://gitlab.example.com", token, None, ("acme/sub/gitops", "42"), "propose"),
        GitSettings("file:///srv/git/x.git", "main", mode="propose"),
        GitSettings(str(tmp_path / "x.git"), mode="propose"),
        GitSettings("ssh://git@git.example.com/x.git", None, tmp_path / "id", Path("/etc/hosts_known"), mode="propose"),
        GitSettings("https://git.example.com/x.git", None, None, None, "me", token, "propose"),
    )
    harbor, local, ghcr = found.registries
    assert (harbor.kind, harbor.credentials, harbor.images, harbor.for_repositories, harbor.auth_hosts) == (
        "harbor", Credentials("robot$x", "t"), ("team/*",), ("acme/*",), ("auth.example.com",),
    )  # fmt: skip
    assert (local.kind, local.insecure, local.credentials) == ("oci", True, None)
    assert ghcr.credentials == Credentials(None, "t")
    assert [(one.host, one.secret.reveal(), one.mapping) for one in found.hooks] == [
        ("harbor.example.com", "h", {"image": "$.a.b", "tag": "$.t[0]"})
    ]
    app = found.github_app
    assert (app.name, app.permissions, app.events, app.public) == (
        "harbour",
        {"contents": "write", "checks": "none"},
        ("push",),
        True,
    )
    assert found.missing == ()


@pytest.mark.parametrize(
    ("server", "mode", "row"),
    [
        ("merge", "merge", "merge"),
        ("merge", "observe", "observe"),
        ("observe", "merge", "observe"),
        ("propose", "merge", "propose"),
    ],
)
def test_the_stricter_mode_of_server_and_row_holds(server: str, mode: str, row: str) -> None:
    (forge,) = read(f"{{mode: {server}, forges: [{{kind: git, url: /srv/x, mode: {mode}}}]}}").forges
    assert forge.mode == row


@pytest.mark.parametrize(
    ("listen", "found", "public"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0), "http://127.0.0.1:0"),
        ("0.0.0.0:80", ("0.0.0.0", 80), "http://127.0.0.1:80"),
        (":8080", ("", 8080), "http://127.0.0.1:8080"),
        ("[::1]:8080", ("::1", 8080), "http://[::1]:8080"),
        ("tagboat.example.com:8080", ("tagboat.example.com", 8080), "http://tagboat.example.com:8080"),
    ],
)
def test_where_it_listens(listen: str, found: tuple[str, int], public: str) -> None:
    read_settings = read(f'server: {{listen: "{listen}"}}')
    assert (read_settings.listen, read_settings.public_url) == (found, public)


@pytest.mark.parametrize(
    ("state", "url"),
    [
        ("sqlite:///data/x.db", "sqlite:////srv/tagboat/data/x.db"),
        ("sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql:///tagboat", "postgresql:///tagboat"),
        ("postgresql://me@db.example.com/tagboat", "postgresql://me@db.example.com/tagboat"),
    ],
)
def test_a_ledger_of_its_own_begins_at_the_files_folder(state: str, url: str) -> None:
    assert read(f'state: "{state}"').state.reveal() == url


# what is wrong

SECRET = "a secret must not stand in this file: it has to be {env: NAME} or {file: PATH} (put it into the environment or a file of its own)"
SHAPE = "has to be {env: NAME} or {file: PATH}, one of the two and nothing else"

WRONG = [
    ("forgess: []", [":1: forgess: unknown key (did you mean 'forges'?)"]),
    ("rules: []", [":1: rules: unknown key (known here: defaults, forges, github_app, limits, mode, name, notify, registries, repositories_without_file, scan, server, state)"]),
    ("listen: ':80'", [":1: listen: unknown key (it belongs under server)"]),
    ("mode: dry-run", [":1: mode: 'dry-run' is not allowed: write observe, propose or merge"]),
    ("scan: {every: 5s}", [":1: scan.every: has to be at least 1m"]),
    ("scan: {every: 60}", [":1: scan.every: 60 has no unit: write 60d for days, 60h for hours, 60m for minutes"]),
    ("server: {listen: 8080}", [":1: server.listen: '8080' is not an address to listen on (write \"127.0.0.1:8080\", or \":8080\" for every address)"]),
    ("server: {listen: 'x:99999'}", [":1: server.listen: 'x:99999' is not an address to listen on (write \"127.0.0.1:8080\", or \":8080\" for every address)"]),
    ("server: {public_url: tagboat.example.com}", [":1: server.public_url: is not an address: it begins with https:// or http://, and a host follows"]),
    ('server:\n  trusted_proxy: {}', [':2: server.trusted_proxy.addresses: this key is missing']),
    ('server:\n  trusted_proxy: {addresses: []}', [':2: server.trusted_proxy.addresses: is empty, so no proxy would be believed (write for example ["10.1.2.3"])']),
    ('server:\n  trusted_proxy: {addresses: 10.0.0.1}', [':2: server.trusted_proxy.addresses: has to be a list, not a text (write [10.0.0.1])']),
    ('server:\n  trusted_proxy: {addresses: [proxy.example.com]}', [':2: server.trusted_proxy.addresses[0]: \'proxy.example.com\' is not a network or an address (write for example "10.0.0.0/8" or "127.0.0.1")']),
    ('server:\n  trusted_proxy: {addresses: [10.0.0.1/8]}', [':2: server.trusted_proxy.addresses[0]: \'10.0.0.1/8\' is an address within a network (write "10.0.0.0/8" for all of it, or the address alone)']),
    ('server:\n  trusted_proxy: {addresses: [10.0.0.1, 0.0.0.0/0]}', [":2: server.trusted_proxy.addresses[1]: '0.0.0.0/0' is everybody, and anybody could be anyone (write the address of the proxy)"]),
    ("server:\n  trusted_proxy: {addresses: ['::/0']}", [":2: server.trusted_proxy.addresses[0]: '::/0' is everybody, and anybody could be anyone (write the address of the proxy)"]),
    ('server:\n  trusted_proxy: {addresses: [10.0.0.1], header: X User}', [":2: server.trusted_proxy.header: 'X User' is not the name of a header (write for example X-Forwarded-User)"]),
    ("server:\n  trusted_proxy: {addresses: [10.0.0.1], header: 'X-User:'}", [":2: server.trusted_proxy.header: 'X-User:' is not the name of a header (write for example X-Forwarded-User)"]),
    ("server:\n  trusted_proxy: {addresses: [10.0.0.1], header: ''}", [":2: server.trusted_proxy.header: '' is not the name of a header (write for example X-Forwarded-User)"]),
    ('server:\n  trusted_proxy: {addresses: [10.0.0.1], header: Cookie}', [":2: server.trusted_proxy.header: Cookie means something else, or comes from everybody's browser (write for example X-Forwarded-User)"]),
    ('server:\n  trusted_proxy: {addresses: [10.0.0.1], header: authorization}', [":2: server.trusted_proxy.header: authorization means something else, or comes from everybody's browser (write for example X-Forwarded-User)"]),
    ('server:\n  trusted_proxy: {addresses: [10.0.0.1], header: X-Forwarded-For}', [":2: server.trusted_proxy.header: X-Forwarded-For means something else, or comes from everybody's browser (write for example X-Forwarded-User)"]),
    ('server:\n  trusted_proxy: {addresses: [10.0.0.1], header: Host}', [":2: server.trusted_proxy.header: Host means something else, or comes from everybody's browser (write for example X-Forwarded-User)"]),
    ('server:\n  trusted_proxy: {addresses: [10.0.0.1], header: Sec-Fetch-User}', [":2: server.trusted_proxy.header: Sec-Fetch-User means something else, or comes from everybody's browser (write for example X-Forwarded-User)"]),
    ('server:\n  trusted_proxy: {addresses: [10.0.0.1], header: X-Auth-Request-Access-Token}', [":2: server.trusted_proxy.header: X-Auth-Request-Access-Token means something else, or comes from everybody's browser (write for example X-Forwarded-User)"]),
    ('server:\n  trusted_proxy: {addresses: [10.0.0.1], header: From}', [":2: server.trusted_proxy.header: From means something else, or comes from everybody's browser (write for example X-Forwarded-User)"]),
    ("defaults:\n  rules:\n    - {polcy: auto}", [":3: defaults.rules[0].polcy: unknown key (did you mean 'policy'?)"]),
    ("defaults: []", [":1: defaults: has to be a mapping (key: value), not a list"]),
    ("limits: {min_age: 3}", [":1: limits.min_age: 3 has no unit: write 3d for days, 3h for hours, 3m for minutes"]),
    ("limits: {automerge: maybe}", [":1: limits.automerge: has to be a mapping (key: value), not a text"]),
    # forges
    ("forges: {kind: git}", [":1: forges: has to be a list, not a mapping"]),
    ("forges: [github]", [":1: forges[0]: has to be a mapping (key: value) (write {kind: github, …})"]),
    ("forges: [{url: x}]", [":1: forges[0].kind: the key `kind` is missing: github, gitlab or git"]),
    ("forges: [{kind: gitub}]", [":1: forges[0].kind: has to be github, gitlab or git (did you mean 'github'?)"]),
    ("forges: [{kind: github}]", [":1: forges[0]: an `app` or a `token` is missing (write app: {id: 1, private_key: {file: key.pem}}, or token: {env: GITHUB_TOKEN})"]),
    ("forges: [{kind: github, token: {env: T}, app: {id: 1, private_key: {file: k}}}]", [":1: forges[0]: has both an `app` and a `token`: one of them is enough (write app: {id: 1, private_key: {file: key.pem}}, or token: {env: GITHUB_TOKEN})"]),
    ("forges: [{kind: github, token: {env: T}, url: 'https://github.com'}]", [":1: forges[0].url: is GitHub's site, not its API (write https://api.github.com, or leave the key out)"]),
    ("forges: [{kind: github, token: {env: T}, url: 'https://x.example/api/graphql'}]", [":1: forges[0].url: is the address of the GraphQL API (write the base of the other one: https://HOST/api/v3)"]),
    ("forges: [{kind: github, token: {env: T}, repositories: [gitops]}]", [":1: forges[0].repositories[0]: is not a repository: write owner/name"]),
    ("forges: [{kind: github, token: {env: T}, repositories: acme/x}]", [":1: forges[0].repositories: has to be a list, not a text (write [acme/x])"]),
    ("forges: [{kind: github, token: {env: T}, projects: [a/b]}]", [":1: forges[0].projects: unknown key (known here: app, kind, mode, repositories, token, url, webhook_secret)"]),
    ("forges: [{kind: gitlab}]", [":1: forges[0].token: this key is missing"]),
    ("forges: [{kind: gitlab, token: {env: T}, url: 'https://gitlab.com/api/v4'}]", [":1: forges[0].url: is the address of the API (write https://gitlab.com)"]),
    ("forges: [{kind: git}]", [":1: forges[0].url: this key is missing"]),
    ("forges: [{kind: git, url: 'ext::sh -c x'}]", [":1: forges[0].url: 'ext::sh -c x' is not an address of a git repository"]),
    ("forges: [{kind: git, url: /srv/x, branch: '-x'}]", [":1: forges[0].branch: '-x' is not a usable branch name"]),
    ("forges: [{kind: git, url: /srv/x, ssh_key: {file: id}, password: {env: P}}]", [":1: forges[0].ssh_key: is for addresses over ssh only", ":1: forges[0].password: is for addresses over https only"]),
    ("forges: [{kind: git, url: 'git@h:x', ssh_key: {env: KEY}}]", [":1: forges[0].ssh_key: has to be {file: PATH}: it is handed on as a file"]),
    ("forges:\n- {kind: git, url: /srv/x}\n- {kind: git, url: /srv/y}\n- {kind: git, url: /srv/x, branch: b}", [":4: forges[2].url: this repository stands twice; the first is on line 2"]),
    ("forges:\n- {kind: gitlab, token: {env: T}, projects: [a/b, c/d]}\n- {kind: gitlab, token: {env: U}, projects: [a/x, A/b]}", [":3: forges[1].projects[1]: this repository stands twice; the first is on line 2"]),
    ("forges:\n- {kind: github, token: {env: T}, repositories: [a/b]}\n- {kind: github, url: 'http://h', token: {env: T}, repositories: [a/b]}\n- {kind: gitlab, token: {env: T}, projects: [a/b]}", []),
    # registries
    ("registries: [{kind: harbor}]", [":1: registries[0].host: this key is missing"]),
    ("registries: [{host: 'https://harbor.example.com/'}]", [":1: registries[0].host: is not the host of a registry: write it as in an image's name, without a scheme and without a path (write harbor.example.com)"]),
    ("registries: [{host: harbor.example.com/team}]", [":1: registries[0].host: is not the host of a registry: write it as in an image's name, without a scheme and without a path (write harbor.example.com)"]),
    ("registries: [{host: 'h.example.com:99999'}]", [":1: registries[0].host: is not the host of a registry: write it as in an image's name, without a scheme and without a path"]),
    ("registries: [{host: h.example.com, kind: harbour}]", [":1: registries[0].kind: 'harbour' is not allowed: write oci, harbor, dockerhub, ghcr, quay, acr, ecr, gar, gitlab, distribution or generic (did you mean 'harbor'?)"]),
    ("registries: [{host: h.example.com, username: me}]", [":1: registries[0].username: the `password` of the user is missing (write password: {env: NAME})"]),
    ("registries: [{host: h.example.com, username: me, password: {env: P}, docker_config: {file: c}}]", [":1: registries[0].docker_config: either `docker_config` or `username` and `password`, not both"]),
    ("registries: [{host: h.example.com, webhook: {image: $.x}}]", [":1: registries[0].webhook: a webhook needs a `webhook_secret` (write webhook_secret: {env: NAME})"]),
    ("registries: [{host: h.example.com, webhook_secret: {env: S}, webhook: {tag: $.x}}]", [":1: registries[0].webhook: has to say where the image stands (write for example {image: $.artifact.name, tag: $.artifact.tag})"]),
    ("registries: [{host: h.example.com, webhook_secret: {env: S}, webhook: {image: 'a b'}}]", [":1: registries[0].webhook.image: 'a b' is no path like $.artifact.name"]),
    ("registries: [{host: h.example.com, auth_hosts: ['https://a/b']}]", [":1: registries[0].auth_hosts[0]: is not a host or host:port (write it without a scheme and without a path)"]),
    ("registries: [{host: h.example.com, repositories: ['[']}]", [":1: registries[0].repositories[0]: '[': a '[' is never closed"]),
    ("registries: 'https://me:pw@h'", [":1: registries: has to be a list, not a text"]),
    # the rest
    ("notify: [{kind: slack}]", [":1: notify[0].url: this key is missing"]),
    ("notify: [{kind: webhook, url: {env: U}, on: [everything]}]", [":1: notify[0].on[0]: 'everything' is not allowed: write alarm or hold"]),
    ("github_app: {permissions: {contents: all}}", [":1: github_app.permissions.contents: has to be read, write, admin or none, not 'all'"]),
    ("state: mysql://x", [":1: state: has to begin with sqlite:/// or postgresql:// (write for example sqlite:///data/tagboat.db)"]),
    # secrets
    ("forges: [{kind: github, token: ghp_hunter2}]", [f":1: forges[0].token: {SECRET}"]),
    ("forges: [{kind: github, token: [hunter2]}]", [f":1: forges[0].token: {SHAPE}"]),
    ("forges: [{kind: github, token: {hunter2}}]", [f":1: forges[0].token: {SHAPE}"]),
    ("forges: [{kind: github, token: {value: hunter2}}]", [f":1: forges[0].token: {SHAPE}"]),
    ("forges: [{kind: github, token: {env: A, file: b}}]", [f":1: forges[0].token: {SHAPE}"]),
    ("forges: [{kind: github, token: {env: hunter-2}}]", [":1: forges[0].token.env: is not the name of an environment variable (write for example {env: HARBOR_PASSWORD})"]),
    ("forges: [{kind: github, token: {file: ''}}]", [":1: forges[0].token.file: is not the path of a file (write for example {file: key.pem})"]),
    ("forges: [{kind: github, app: hunter2}]", [":1: forges[0].app: has to be a mapping (write app: {id: 1, private_key: {file: key.pem}})"]),
    ("forges: [{kind: git, url: 'https://me:hunter2@git.example.com/x'}]", [":1: forges[0].url: holds a password, which must not stand in this file (use the keys `username` and `password: {env: NAME}`)"]),
    ("forges: [{kind: git, url: 'https://hunter2@git.example.com/x'}]", [":1: forges[0].url: holds a password, which must not stand in this file (use the keys `username` and `password: {env: NAME}`)"]),
    ("forges: [{kind: gitlab, token: {env: T}, url: 'https://me:hunter2@gitlab.com'}]", [":1: forges[0].url: holds a user or password, which must not stand in this file"]),
    ("registries: [{host: 'me:hunter2@h.example.com'}]", [":1: registries[0].host: is not the host of a registry: write it as in an image's name, without a scheme and without a path"]),
    ("state: postgresql://me:hunter2@db/x", [":1: state: a password must not stand in this file (write state: {env: NAME}, with the whole URL in that variable)"]),
    ("state: postgresql://db/x?password=hunter2", [":1: state: a password must not stand in this file (write state: {env: NAME}, with the whole URL in that variable)"]),
    ("notify: [{kind: slack, url: 'https://hooks.example.com/hunter2'}]", [":1: notify[0].url: the address of a slack hook is a secret: write {env: NAME} or {file: PATH}"]),
    ("server:\n  dashboard_token: !hunter2", [":2: server.dashboard_token: a value that begins with ! is a tag to YAML, and tags are not read (put it in quotes)"]),
    # all at once, also across parts that are read apart
    (
        "mode: x\ndefaults: {x: 1}\nforges:\n- {kind: github}\n- {kind: x}\nregistries: [{}]\nname: a\nname: b",
        [
            ":1: mode: 'x' is not allowed: write observe, propose or merge",
            ":2: defaults.x: unknown key (known here: base_branches, commits, dashboard_issue, files, freeze, loop, pull_requests, rules, version)",
            ":4: forges[0]: an `app` or a `token` is missing (write app: {id: 1, private_key: {file: key.pem}}, or token: {env: GITHUB_TOKEN})",
            ":5: forges[1].kind: has to be github, gitlab or git",
            ":6: registries[0].host: this key is missing",
            ":8: name: this key stands twice; the first is on line 7",
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_what_is_wrong(text: str, expected: list[str]) -> None:
    found = said(text)
    assert found == expected
    assert not any("hunter2" in line for line in found)


# secrets


def test_a_secret_that_is_missing_is_an_error_only_for_who_needs_it(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    found = read(
        """forges:
  - {kind: github, token: {env: TOKEN}}
  - {kind: github, token: {file: nowhere}}
  - {kind: gitlab, token: {file: empty}}
  - {kind: gitlab, token: {file: binary}}
  - {kind: gitlab, token: {env: ghp_hunter2}}
""",
        tmp_path,
        TOKEN="",
    )
    assert [str(finding) for finding in found.missing] == [
        "app.yaml:2: forges[0].token: the environment variable TOKEN is not set",
        f"app.yaml:3: forges[1].token: {tmp_path}/nowhere: No such file or directory",
        f"app.yaml:4: forges[2].token: {tmp_path}/empty is empty",
        f"app.yaml:5: forges[3].token: {tmp_path}/binary is not UTF-8 text",
        "app.yaml:6: forges[4].token: the environment variable that is named here is not set",
    ]
    forge = found.forges[0]
    assert isinstance(forge, GitHubSettings)
    assert forge.token is not None
    with pytest.raises(MissingSecret, match=r"app\.yaml:2: forges\[0\]\.token: the environment variable TOKEN is not set"):
        forge.token.reveal()
    assert issubclass(MissingSecret, UsageError)


@pytest.mark.parametrize(
    ("content", "secret"),
    [("s3cret\n", "s3cret"), ("s3cret", "s3cret"), ("s3cret\r\n", "s3cret"), (" a b \n", " a b "), ("a\nb\n", "a\nb")],
)
def test_a_file_with_a_secret(tmp_path: Path, content: str, secret: str) -> None:
    (tmp_path / "s").write_bytes(content.encode())
    (forge,) = read("forges: [{kind: gitlab, token: {file: s}}]", tmp_path).forges
    assert isinstance(forge, GitLabSettings)
    assert forge.token is not None
    assert forge.token.reveal() == secret


async def test_a_registry_whose_login_is_missing_is_not_asked_without_it(tmp_path: Path) -> None:
    found = read(
        """registries:
  - {host: h.example.com, username: me, password: {env: NOWHERE}, repositories: ["team/*"]}
  - {host: i.example.com, docker_config: {file: nowhere.json}}
""",
        tmp_path,
    )
    async with Registries(found.registries) as registries:
        with pytest.raises(RegistryError, match=r"h\.example\.com: no credentials: app\.yaml:2: .*NOWHERE is not set"):
            await registries.tags("h.example.com/team/web")
        with pytest.raises(RegistryError, match=r"i\.example\.com: no credentials: app\.yaml:3: .*nowhere\.json"):
            await registries.tags("i.example.com/team/web")
        assert registries.requests == {}


def test_a_login_from_dockers_own_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"auths": {"https://index.docker.io/v1/": {"username": "me", "password": "p"}}})
    )
    text = (
        "registries: [{host: docker.io, docker_config: {file: config.json}}, {host: ghcr.io, docker_config: {file: config.json}}]"
    )
    found = read(text, tmp_path)
    assert [row.credentials for row in found.registries] == [Credentials("me", "p"), None]
    assert [str(finding) for finding in found.missing] == ["app.yaml:1: registries[1].docker_config: it has no login for ghcr.io"]


EVERYWHERE = """
server: {dashboard_token: {env: S}}
state: {env: S}
notify: [{kind: slack, url: {env: S}}, {kind: webhook, url: "http://x/hunter2"}]
forges:
  - {kind: github, app: {id: 1, private_key: {file: s}}, webhook_secret: {env: S}}
  - {kind: github, token: {env: S}, webhook_secret: {file: s}}
  - {kind: gitlab, token: {env: S}, webhook_secret: {env: S}}
  - {kind: git, url: "https://h/x", username: me, password: {env: S}}
registries:
  - {host: a.example, username: me, password: {env: S}, webhook_secret: {env: S}}
  - {host: b.example, docker_config: {file: c}}
"""


def test_settings_never_show_a_secret(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("hunter2")
    (tmp_path / "c").write_text(json.dumps({"auths": {"b.example": {"username": "me", "password": "hunter2"}}}))
    found = read(EVERYWHERE, tmp_path, S="hunter2")
    assert found.missing == ()
    for shown in (
        repr(found),
        str(found),
        f"{found.state} {found.state!r} {[found.state]}",
        repr(found.forges[0]),
        f"{found.notify}",
    ):
        assert "hunter2" not in shown
    assert "hunter2" not in json.dumps(found.state, default=str)
    assert "hunter2" not in str(dataclasses.asdict(found.notify[0]))
    assert "<secret, env S>" in repr(found)
    assert copy.deepcopy(found.state) == found.state
    with pytest.raises(TypeError):
        pickle.dumps(found.state)


def _secrets(data: Any) -> list[tuple[Any, Any]]:
    """Where `{env: …}` stands: the container and the key."""
    places = []
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        places += [(data, key)] if isinstance(value, dict) and value.keys() & {"env", "file"} else _secrets(value)
    return places


TREE = {
    "server": {"dashboard_token": {"env": "S"}},
    "state": {"env": "S"},
    "notify": [{"kind": "slack", "url": {"env": "S"}}],
    "forges": [
        {"kind": "github", "app": {"id": "1", "private_key": {"file": "s"}}, "webhook_secret": {"env": "S"}},
        {"kind": "gitlab", "token": {"env": "S"}},
        {"kind": "git", "url": "ssh://h/x", "ssh_key": {"file": "s"}, "known_hosts": {"file": "s"}},
        {"kind": "git", "url": "https://h/x", "password": {"env": "S"}},
    ],
    "registries": [
        {"host": "a.example", "username": "me", "password": {"env": "S"}, "webhook_secret": {"env": "S"}},
        {"host": "b.example", "docker_config": {"file": "s"}},
    ],
}
LITERALS: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["hunter2", "https://me:hunter2@x/", "https://x/hunter2", "hunter2\n", "postgresql://x:hunter2@y"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["env", "file", "hunter2", "value"]), inner, max_size=2)
    ),
    max_leaves=3,
)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), LITERALS)
def test_no_error_repeats_what_stands_where_a_secret_belongs(place: int, literal: Any) -> None:
    tree = copy.deepcopy(TREE)
    places = _secrets(tree)
    container, key = places[place % len(places)]
    container[key] = literal
    try:
        shown = repr(read(json.dumps(tree), Path("/nowhere")))
    except BadSettings as error:
        shown = str(error)
    # The path of a file is no secret: only that much is repeated.
    assert "hunter2" not in shown.replace("file hunter2", "").replace("/nowhere/hunter2", "")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_nothing_but_bad_settings_is_ever_raised(data: bytes) -> None:
    with contextlib.suppress(BadSettings):
        read(data)


# which file


def test_the_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"app\.yaml: No such file"):
        load(tmp_path / "app.yaml", {})
    with pytest.raises(UsageError, match="Is a directory"):
        load(tmp_path, {})


def test_without_a_name_it_is_the_one_in_the_folder_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).file is None
    assert load(None, {}).state.reveal() == f"sqlite:///{tmp_path}/data/tagboat.db"
    (tmp_path / "app.yaml").write_text("name: mine")
    found = load(None, {})
    assert (found.file, found.folder, found.name) == (Path("app.yaml"), tmp_path, "mine")
    (tmp_path / "app.yaml").write_text("naem: mine")
    with pytest.raises(BadSettings, match=r"^app\.yaml:1: naem: unknown key"):
        load(None, {})


@pytest.mark.parametrize(
    "foreign", ["apiVersion: v1\nkind: Service", "kind: List\n---\nkind: x", "services: {}", "runtime: python313"]
)
def test_somebody_elses_app_yaml_is_not_ours_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.yaml").write_text(foreign)
    assert load(None, {}).file is None
    with pytest.raises(BadSettings):
        load(Path("app.yaml"), {})


# the one in the root of the project


def test_the_projects_own_file_runs_as_it_stands() -> None:
    found = load(ROOT / "app.yaml", {})
    assert found.missing == ()
    assert dataclasses.replace(found, file=None) == parse(b"", None, ROOT, {})


def test_its_examples_are_right(tmp_path: Path) -> None:
    text = (ROOT / "app.yaml").read_text()
    shown = re.sub(r"^#(?=  )|(?<=^  )# (?=[a-z_]+:)", "", text, flags=re.MULTILINE)
    found = read(shown, tmp_path)
    assert [forge.kind for forge in found.forges] == ["github", "github", "gitlab", "git", "git", "git"]
    assert len(found.registries) == 4
    assert len(found.notify) == 2
    assert found.limits.min_age == timedelta(days=1)
    assert found.public_url == "https://tagboat.example.com"
