"""Logins as docker and its kin write them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from bot.registries.base import Credentials
from bot.registries.dockerconfig import BadDockerConfig, parse, read


def auth(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


def config(**auths: object) -> bytes:
    return json.dumps({"auths": {key.replace("__", "."): entry for key, entry in auths.items()}}).encode()


@pytest.mark.parametrize(
    ("key", "entry", "host", "expected"),
    [
        (
            "harbor.example.com",
            {"auth": auth("robot$team+web:s3cret")},
            "harbor.example.com",
            Credentials("robot$team+web", "s3cret"),
        ),
        ("harbor.example.com", {"auth": auth("ann:with:colons")}, "harbor.example.com", Credentials("ann", "with:colons")),
        ("harbor.example.com", {"auth": auth("ann:pw").rstrip("=")}, "harbor.example.com", Credentials("ann", "pw")),
        ("harbor.example.com", {"auth": auth("ann:pw\0\0")}, "harbor.example.com", Credentials("ann", "pw")),
        ("harbor.example.com:5000", {"username": "ann", "password": "pw"}, "harbor.example.com:5000", Credentials("ann", "pw")),
        ("harbor.example.com:5000", {"username": "ann", "password": "pw"}, "harbor.example.com", None),
        ("https://index.docker.io/v1/", {"auth": auth("me:pat")}, "docker.io", Credentials("me", "pat")),
        ("https://index.docker.io/v1/", {"auth": auth("me:pat")}, "registry-1.docker.io", Credentials("me", "pat")),
        ("https://old.example.com/v1/", {"auth": auth("me:pat")}, "old.example.com", Credentials("me", "pat")),
        ("HARBOR.example.com", {"auth": auth("me:pat")}, "harbor.example.com", Credentials("me", "pat")),
        (
            "acr.example",
            {"auth": auth("00000000-0000-0000-0000-000000000000:"), "identitytoken": "t"},
            "acr.example",
            Credentials(identity_token="t"),
        ),
        ("ghcr.io", {"registrytoken": "t"}, "ghcr.io", Credentials(None, "t")),
        ("empty.example", {}, "empty.example", None),
        ("empty.example", {"auth": ""}, "empty.example", None),
        ("empty.example", {"auth": 5}, "empty.example", None),
        ("empty.example", None, "empty.example", None),
    ],
)
def test_a_login_is_found_by_its_host(key: str, entry: object, host: str, expected: Credentials | None) -> None:
    found = parse(json.dumps({"auths": {key: entry}}).encode())
    assert found.credentials(host) == expected
    assert found.credentials("other.example") is None


def test_helpers_are_named_and_not_run() -> None:
    content = {
        "auths": {"a.example": {"auth": auth("u:p")}},
        "credHelpers": {"a.example": "x", "b.example": "ecr-login"},
        "credsStore": "desktop",
    }
    assert parse(json.dumps(content).encode()).notes == (
        "the login for b.example is kept by the credential helper 'ecr-login', which tagboat does not run",
        "logins kept by the credential store 'desktop' are not read: tagboat does not run it",
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "not docker's config.json"),
        (b'{"auths": []}', "must be an object"),
        (b'{"auths": {"h.example": {"auth": "s3cret!!"}}}', "the `auth` of h.example is not base64"),
        (json.dumps({"auths": {"h.example": {"auth": auth("s3cret")}}}).encode(), "is not `user:password`"),
    ],
)
def test_a_broken_file_is_named_without_its_secrets(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(BadDockerConfig, match=words) as caught:
        read(tmp_path / "config.json")
    assert "config.json" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadDockerConfig, match="No such file"):
        read(tmp_path / "config.json")


def test_a_key_that_is_no_host_is_noted() -> None:
    found = parse(b'{"auths": {"not a host": {"auth": "dTpw"}}}')
    assert found.logins == {}
    assert found.notes == ("'not a host' is not the host of a registry; its login is not used",)
