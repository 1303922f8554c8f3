"""Webhooks of registries, as each sender posts them."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.state.hints import Hint
from bot.web.senders.base import BadWebhook, Forged, Incoming
from bot.web.senders.registry import read

HOST = "harbor.example.com"
SECRET = "a long secret"
DIGEST = "sha256:" + "ab" * 32


def posted(payload: Any, **headers: str) -> Incoming:
    named = {name.replace("_", "-"): value for name, value in headers.items()} or {"authorization": SECRET}
    return Incoming(named, payload if isinstance(payload, bytes) else json.dumps(payload).encode())


def harbor(kind: str = "PUSH_ARTIFACT", tag: str = "1.4.2", repository: str = "team/web") -> dict[str, Any]:
    data = {"resources": [{"digest": DIGEST, "tag": tag}], "repository": {"repo_full_name": repository}}
    return {"type": kind, "occur_at": 1700000000, "event_data": data}


def distribution(
    action: str = "push", media: str = "application/vnd.oci.image.manifest.v1+json", tag: str = "1.4.2"
) -> dict[str, Any]:
    return {"events": [{"id": "7", "action": action, "target": {"mediaType": media, "repository": "team/web", "tag": tag}}]}


def ghcr(tag: str = "1.4.2", kind: str = "CONTAINER", event: str = "package") -> dict[str, Any]:
    version = {"container_metadata": {"tag": {"name": tag, "digest": DIGEST}}}
    return {"action": "published", event: {"package_type": kind, "namespace": "Team", "name": "web", "package_version": version}}


@pytest.mark.parametrize(
    ("payload", "tags"),
    [
        (harbor(), ["1.4.2"]),
        (harbor(tag=DIGEST), [None]),  # a platform of an image: its digest stands where the tag belongs
        (harbor("PULL_ARTIFACT"), []),
        (harbor("QUOTA_EXCEED"), []),
        (harbor("SCANNING_COMPLETED"), ["1.4.2"]),
        ({"type": "harbor.artifact.pushed", "id": "1", "data": harbor()["event_data"]}, ["1.4.2"]),
        ({"type": "harbor.artifact.pulled", "id": "1", "data": harbor()["event_data"]}, []),
        ({"push_data": {"tag": "1.4.2", "pushed_at": 17.5}, "repository": {"repo_name": "team/web"}}, ["1.4.2"]),
        ({"docker_url": "quay.io/team/web", "repository": "team/web", "updated_tags": ["1.4.2", "latest"]}, ["1.4.2", "latest"]),
        ({"docker_url": "quay.io/team/web", "repository": "team/web"}, [None]),
        (distribution(), ["1.4.2"]),
        (distribution(media="application/vnd.docker.distribution.manifest.list.v2+json"), ["1.4.2"]),
        (distribution(media="application/octet-stream"), []),  # blobs are pushes too
        (distribution("pull"), []),
        (distribution(tag=""), [None]),
        ({"action": "push", "id": "5", "target": {"repository": "team/web", "tag": "1.4.2", "digest": DIGEST}}, ["1.4.2"]),
        ({"action": "ping", "id": "5"}, []),
        ({"action": "chart_push", "target": {"repository": "team/web", "tag": "1.4.2"}}, []),
        ({"image": "team/web", "tag": "1.4.2"}, ["1.4.2"]),
        ({"image": f"{HOST}/team/web:1.4.2"}, ["1.4.2"]),
        ({"image": "team/web"}, [None]),
        (harbor(tag="sha256-" + "ab" * 32 + ".sig"), [None]),  # a signature
    ],
)  # fmt: skip
def test_the_image_and_tag_of_a_webhook(payload: dict[str, Any], tags: list[str | None]) -> None:
    hints = read(posted(payload), HOST, SECRET)
    assert [hint.tag for hint in hints] == tags
    assert {hint.image for hint in hints} <= {f"{HOST}/team/web"}


def test_the_host_is_the_one_that_the_address_names_never_one_from_the_body() -> None:
    payload = harbor() | {"host": "evil.example.net", "request": {"host": "evil.example.net"}}
    (hint,) = read(posted(payload), HOST, SECRET)
    assert hint.image == f"{HOST}/team/web"


def test_official_images_of_docker_hub_have_their_full_name() -> None:
    (hint,) = read(posted({"push_data": {"tag": "1"}, "repository": {"repo_name": "nginx"}}), "docker.io", SECRET)
    assert hint.image == "docker.io/library/nginx"


def test_jfrog_names_the_local_repository_so_both_names_are_looked_at() -> None:
    data = {"repo_key": "docker-local", "image_name": "team/web", "tag": "1.4.2", "sha256": "ab" * 32}
    payload = {"domain": "docker", "event_type": "pushed", "data": data}
    body = json.dumps(payload).encode()
    signed = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    for header in (SECRET, signed):
        hints = read(posted(body, **{"x-jfrog-event-auth": header}), HOST, SECRET)
        assert [hint.image for hint in hints] == [f"{HOST}/team/web", f"{HOST}/docker-local/team/web"]
        assert hints[0].digest == DIGEST
    with pytest.raises(Forged):
        read(posted(body + b" ", **{"x-jfrog-event-auth": signed}), HOST, SECRET)


def test_nexus_signs_with_sha1() -> None:
    body = json.dumps(
        {"repositoryName": "docker", "component": {"format": "docker", "name": "team/web", "version": "1"}}
    ).encode()
    signed = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    (hint,) = read(posted(body, **{"x-nexus-webhook-signature": signed}), HOST, SECRET)
    assert (hint.image, hint.tag) == (f"{HOST}/team/web", "1")
    with pytest.raises(Forged):
        read(posted(body, **{"x-nexus-webhook-signature": signed[:-1]}), HOST, SECRET)


@pytest.mark.parametrize(
    ("payload", "tags"),
    [(ghcr(), ["1.4.2"]), (ghcr(""), [None]), (ghcr(kind="npm"), []), (ghcr(kind="docker", event="registry_package"), ["1.4.2"])],
)
def test_packages_of_github_are_signed_by_their_body(payload: dict[str, Any], tags: list[str | None]) -> None:
    body = json.dumps(payload).encode()
    signed = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    hints = read(posted(body, **{"x-hub-signature-256": signed}), "ghcr.io", SECRET)
    assert [hint.tag for hint in hints] == tags
    assert {hint.image for hint in hints} <= {"ghcr.io/team/web"}
    with pytest.raises(Forged):
        read(posted(body + b" ", **{"x-hub-signature-256": signed}), "ghcr.io", SECRET)


@pytest.mark.parametrize(
    ("header", "in_path", "secret", "trusted"),
    [
        (SECRET, None, SECRET, True),
        (f"Bearer {SECRET}", None, SECRET, True),
        ("", SECRET, SECRET, True),  # a sender that cannot authenticate
        ("", None, SECRET, False),
        ("wrong", None, SECRET, False),
        (SECRET, "wrong", SECRET, False),
        ("", "", SECRET, False),
        ("", None, None, False),
        ("", "", "", False),
        ("Bearer ", None, "", False),
    ],
)
def test_only_who_knows_the_secret_is_heard(header: str, in_path: str | None, secret: str | None, trusted: bool) -> None:
    incoming = Incoming({"authorization": header} if header else {}, json.dumps(harbor()).encode())
    if trusted:
        assert read(incoming, HOST, secret, in_path)
        return
    with pytest.raises(Forged):
        read(incoming, HOST, secret, in_path)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, {"image": 7}, harbor(repository="../etc"), harbor(repository=""), [], "text", None],
)
def test_bodies_without_sense_are_refused_in_words(payload: Any) -> None:
    with pytest.raises(BadWebhook):
        read(posted(payload if isinstance(payload, bytes) else json.dumps(payload).encode()), HOST, SECRET, SECRET)


def test_a_mapping_leads_to_where_a_sender_keeps_image_and_tag() -> None:
    payload = {"artifact": [{"path": "team/web", "version": "1.4.2"}]}
    mapping = {"image": "$.artifact[0].path", "tag": "$.artifact[0].version"}
    assert read(posted(payload), HOST, SECRET, mapping=mapping) == (
        Hint("image", "generic says that it was pushed", image=f"{HOST}/team/web", tag="1.4.2"),
    )


def test_two_deliveries_of_one_event_have_one_name_and_two_events_two() -> None:
    first, again, other = (read(posted(one), HOST, SECRET)[0].delivery for one in (harbor(), harbor(), harbor(tag="1.4.3")))
    assert first == again != other


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "event_data", "events", "target", "repository", "push_data", "package", "action", "data", "image"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_junk)
def test_no_body_breaks_the_reading(payload: Any) -> None:
    try:
        hints = read(posted(payload), HOST, SECRET, SECRET)
    except BadWebhook:
        return
    assert all(hint.image is None or hint.image.startswith(f"{HOST}/") for hint in hints)


def test_the_vendors_own_samples_are_understood(shared: Path) -> None:
    folder = shared / "facts" / "webhooks"
    wanted = {
        "acr-push.json": ["v1"], "distribution-push.json": [None], "distribution-pull-with-tag.json": [],
        "dockerhub-push.json": ["latest"],
        "harbor-artifact-pushed-default.json": [None], "harbor-artifact-pushed-cloudevents.json": [None],
        "harbor-artifact-pulled-default.json": [], "harbor-quota-exceeded-default.json": [], "quay-repo_push.json": ["latest"],
        "jfrog-docker-pushed.json": ["latest", "latest"], "nexus-component.json": [],
    }  # fmt: skip
    for name, tags in wanted.items():
        hints = read(posted((folder / name).read_bytes()), HOST, SECRET, SECRET)
        assert [hint.tag for hint in hints] == tags, name
