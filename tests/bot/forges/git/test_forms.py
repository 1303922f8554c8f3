"""Git's forms and our records, read and written without a repository."""

from __future__ import annotations

import json
import shutil
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.forges.base import Change, Denied, ForgeError, Limited, Moved, Unreachable
from bot.forges.git.errors import BrokenClone, Refused, network_trouble, push_trouble, telling
from bot.forges.git.forge import GitForge
from bot.forges.git.objects import (
    Person,
    Signature,
    blob_id,
    commit_stream,
    is_ours,
    read_batch,
    read_changes,
    read_commit,
    read_tree,
)
from bot.forges.git.records import RequestRecord, dump, first_record, load, number_of
from bot.forges.git.refs import newest, superfluous
from rules.formats.base import Occurrence
from rules.policies.base import Choice
from rules.proposals import FileChange
from rules.updates import Target, Update
from tests.bot.forges.git.wishes import BRANCH, LANDING, NOW, STREAM, wish
from tests.servers.git_repo import GitRepo, run_git

RECORD = RequestRecord(
    7, BRANCH, "main", "Ünï\ud800", "Body\n", "1" * 40, "2" * 40, STREAM.key, "fp", ("a",),
    (("app.yaml", "100644", "3" * 40),), (("app.yaml", "web", "1", "2"),), created_at=NOW,
)  # fmt: skip


def plain(text: str) -> str:
    return text


def test_a_record_survives_writing() -> None:
    ended = replace(
        RECORD, state="merged", ended_at=datetime(2026, 4, 1, tzinfo=UTC), landed="4" * 40, comment="x", left="5" * 40
    )
    for record in (RECORD, ended):
        assert load(dump(record), record.ref) == record


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "newer Tagboat"),
        ({"number": 8}, "not a record"),
        ({"state": "lost"}, "not a record"),
        ({"branch": "production"}, "not a record"),
        ({"stream": "main|web||"}, "not a record"),
        ({"head": "--all"}, "not a record"),
        ({"landed": "main"}, "not a record"),
        ({"base": "-x"}, "not a record"),
        ({"files": [["../x", "100644", "3" * 40]]}, "not a record"),
        ({"title": 1}, "not a record"),
        ({"labels": 1}, "not a record"),
        ({"files": [["a"]]}, "not a record"),
        ({"created_at": "yesterday"}, "not a record"),
        ({"surprise": 1}, "not a record"),
    ],
)
def test_a_record_that_was_tampered_with_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(ForgeError, match=rf"refs/tagboat/requests/7 .*{words}"):
        load(json.dumps(json.loads(dump(RECORD)) | change).encode(), RECORD.ref)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"{}", b"[" * 100_000])
def test_no_record_at_all(data: bytes) -> None:
    with pytest.raises(ForgeError, match="not a record"):
        load(data, RECORD.ref)


@pytest.mark.parametrize(
    ("ref", "number"),
    [("refs/tagboat/requests/7", 7), ("refs/tagboat/requests/", None), ("refs/tagboat/requests/x", None),
     ("refs/tagboat/requests/٧", None), ("refs/tagboat/kept/7", None), ("refs/heads/7", None)],
)  # fmt: skip
def test_the_number_of_a_ref(ref: str, number: int | None) -> None:
    assert number_of(ref) == number


def test_a_proposal_becomes_a_record() -> None:
    place = Occurrence("app.yaml", 1, "kubernetes", "web", "1.0.0")
    update = Update(place, Target("1.1.0", "sha256:" + "0" * 64), "minor", "auto", Choice("1.1.0", "minor", "chosen"))
    record = first_record(3, replace(wish(), updates=(update,)), "2" * 40)
    assert record.targets == (("app.yaml", "web", "1.0.0", "1.1.0@sha256:" + "0" * 64),)
    request = record.request()
    assert request.record is not None
    assert (request.record.stream, request.record.fingerprint) == ("main|docker.io/library/web|rule|", "fp-1.1.0")


def test_old_records_of_a_branch_are_superfluous_the_newest_never() -> None:
    records = {n: replace(RECORD, number=n, branch=f"b{n % 2}", state="closed") for n in range(1, 8)}
    records[8] = replace(RECORD, number=8, branch="b3")
    assert {record.number for record in newest(records).values()} == {6, 7, 8}
    assert [record.number for record in superfluous(records, 2)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("stderr", "kind", "words"),
    [
        ("fatal: unable to access 'https://x/': Could not resolve host: x", Unreachable, "host name is not known"),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 429", Limited, "fewer requests"),
        (
            "ssh: connect to host x port 22: Connection timed out\nfatal: Could not read from remote repository.",
            Unreachable,
            "in time",
        ),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", Denied, "known_hosts"),
        ("remote: \x1b[31mRepository not found.\nfatal: repository 'https://x/' not found", Denied, "no repository"),
        ("fatal: early EOF", Unreachable, "early EOF"),
        ("fatal: bad object 1234\nfatal: the remote end hung up unexpectedly", BrokenClone, "bad object"),
        ("fatal: something nobody has seen yet, with s3cret", BrokenClone, r"nobody has seen yet, with \*\*\*"),
        ("", BrokenClone, "said nothing"),
    ],
)
def test_what_git_says_becomes_plain_words(stderr: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        raise network_trouble("x", "looking", stderr, lambda text: text.replace("s3cret", "***"))


@pytest.mark.parametrize(
    ("report", "stderr", "kind", "words"),
    [
        ("!\ta:refs/heads/a\t[rejected] (stale info)\n!\tb:refs/heads/b\t[rejected] (atomic push failed)\n", "",
         Moved, "meanwhile"),
        ("!\ta:refs/heads/a\t[remote rejected] (atomic transaction failed)\n",
         "remote: error: cannot lock ref 'refs/heads/a': reference already exists\n", Moved, "meanwhile"),
        ("!\ta:refs/heads/a\t[remote rejected] (pre-receive hook declined)\n", "remote: no s3cret here\n", Refused,
         r"pre-receive hook declined: no \*\*\* here"),
        ("!\ta:refs/heads/main\t[remote rejected] (hook declined)\n",
         "remote: main is protected\nremote: error: hook declined to update refs/heads/main\n", Refused,
         r"hook declined: main is protected\Z"),
        ("!\ta:refs/heads/main\t[remote rejected] (protected branch hook declined)\n", "", Refused, "protected branch hook"),
        ("", "fatal: the receiving end does not support --atomic push", Denied, "atomic"),
        ("", "fatal: unable to access 'http://x/': The requested URL returned error: 403", Denied, "403"),
        ("", "error: RPC failed; HTTP 502\nfatal: the remote end hung up unexpectedly", Unreachable, "hung up"),
    ],
)  # fmt: skip
def test_what_a_failed_push_says(report: str, stderr: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        raise push_trouble("x", "pushing", report, stderr, lambda text: text.replace("s3cret", "***"))


def test_words_of_a_remote_are_one_harmless_line() -> None:
    said = telling("remote: \x1b[2Jone\nremote: two\r\nfatal: three\n" + "remote: x\n" * 1000, plain)
    assert said.startswith("[2Jone two x x")
    assert len(said) == 300
    assert said.isprintable()


def test_raw_changes() -> None:
    raw = b":100644 000000 %s %s D\0gone\nnow\0:000000 120000 %s %s A\0l\xe9\0" % (b"1" * 40, b"0" * 40, b"0" * 40, b"2" * 40)
    assert read_changes(raw) == [
        Change("gone\nnow", "1" * 40, None, "100644", None),
        Change("l\udce9", None, "2" * 40, None, "120000"),
    ]
    assert read_changes(b"") == []
    assert read_tree(b"") == {}


def test_a_batch_with_something_missing() -> None:
    batch = b"aa blob 3\nx\ny\nbb missing\ncc tree 0\n\n"
    assert list(read_batch(batch)) == [("aa", "blob", b"x\ny"), ("bb", "missing", None), ("cc", "tree", b"")]


def test_an_object_that_is_no_commit() -> None:
    with pytest.raises(BrokenClone):
        read_commit(b"nonsense")


@pytest.mark.parametrize(
    ("committer", "message", "ours"),
    [
        ("tagboat <t@x>", "a\n\nTagboat-Image: web\n", True),
        ("tagboat <t@x>", "a\n", False),
        ("Ada <t@x>", "a\n\nTagboat-Image: web\n", False),
        ("tagboat <t@x>", "about Tagboat-Image: web\n", False),
    ],
)
def test_a_commit_is_ours_by_name_and_trailer(committer: str, message: str, ours: bool) -> None:
    assert is_ours(committer, message, Person("tagboat", "t@x")) is ours


@pytest.mark.parametrize(
    ("name", "email", "ident"),
    [("A <b>\nc", "x@y\n>", "A bc <x@y>"), ("", "x@y", "tagboat <x@y>"), ("Ünï", "u@x", "Ünï <u@x>"), (" a. ", "b ", "a <b>")],
)
def test_a_person_cannot_break_a_commit(name: str, email: str, ident: str) -> None:
    assert Person(name, email).ident == ident


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    return GitRepo(tmp_path_factory.mktemp("workshop"))


NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=40)


@settings(max_examples=25, deadline=None)
@given(name=NAMES, data=st.binary(max_size=200))
def test_every_path_and_content_arrives(workshop: GitRepo, name: str, data: bytes) -> None:
    assume(name.lower() not in (".", "..", ".git"))
    parent = workshop.head("main") or ""
    stream = commit_stream(
        str(LANDING),
        (parent,),
        Signature(Person("a", "b"), Person("c", "d"), NOW),
        files=(FileChange(f"d/{name}", "100644", "", data),),
    )
    commit = run_git("fast-import", "--quiet", "--force", "--done", cwd=workshop.path, stdin=stream)
    listing = workshop.git("ls-tree", "-r", "-z", commit).encode("utf-8", "surrogateescape")
    assert read_tree(listing)[f"d/{name}"].oid == blob_id(data, "sha1")


OLD_GIT = """#!/bin/sh
case "$1" in
    version) echo "git version 2.30.2" ;;
    init) exit 129 ;;
    *) exec %s "$@" ;;
esac
"""


async def test_an_old_git_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = GitRepo(tmp_path / "remote")
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(OLD_GIT % shutil.which("git"))
    fake.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    with pytest.raises(Denied, match=r"git 2\.39 or newer is needed; here is git version 2\.30\.2"):
        await GitForge(repo.url, cache=tmp_path / "cache", now=lambda: NOW).look()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Denied, match="not installed"):
        await GitForge(repo.url, cache=tmp_path / "cache", now=lambda: NOW).look()
