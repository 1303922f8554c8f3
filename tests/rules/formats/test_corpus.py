"""Real files, where they are at hand: what has to be found is found to the byte, nothing else is, and what is edited is proved.

They are no part of the project: see `shared` in `tests/conftest.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rules.formats import FORMATS, is_manifest, scan
from rules.formats.base import Occurrence
from rules.rewriting import Unprovable, rewrite
from rules.updates import Target

DIGEST = "sha256:" + "0123456789abcdef" * 4
KINDS = frozenset({"kubernetes", "kustomize", "helm-values", "compose"})  # those whose records are to be found by now


@dataclass(frozen=True, slots=True)
class Corpus:
    """What was found in each file, and what is said to stand there."""

    folder: Path
    records: dict[str, list[dict[str, Any]]]
    found: dict[str, list[Occurrence]]


@pytest.fixture(scope="module")
def corpus(shared: Path) -> Corpus:
    folder = shared / "corpus"
    lines = [json.loads(line) for line in (folder / "expected.jsonl").read_text().splitlines()]
    records = {line["file"]: line["images"] for line in lines}
    found = {path: scan(path, (folder / path).read_bytes())[0] for path in records if is_manifest(path)}
    return Corpus(folder, records, found)


def whole(one: Occurrence) -> str:
    return one.image + (f":{one.tag}" if one.tag else "") + (f"@{one.digest}" if one.digest else "")


def has_to_be_found(record: dict[str, Any]) -> bool:
    return bool(
        record["sure"]
        and record["tag"]
        and record["kind"] in KINDS
        and not record.get("template")
        and not record.get("in_string")
    )


def test_what_has_to_be_found_is_found_to_the_byte(corpus: Corpus) -> None:
    wanted = [(path, record) for path, images in corpus.records.items() for record in images if has_to_be_found(record)]
    missed = []
    for path, record in wanted:
        here = [
            one for one in corpus.found.get(path, ()) if (one.tag_line, whole(one)) == (record["line_of_tag"], record["image"])
        ]
        spans = [(one.tag_span and list(one.tag_span), one.digest_span and list(one.digest_span)) for one in here]
        if (record["tag_span"], record.get("digest_span")) not in spans:
            missed.append((path, record["line"], record["image"]))
    assert len(wanted) > 150
    assert len(missed) <= len(wanted) // 100, missed


def test_nothing_is_found_that_is_not_there(corpus: Corpus) -> None:
    found = [(path, one) for path, occurrences in corpus.found.items() for one in occurrences]
    wrong = [
        (path, one.line, whole(one))
        for path, one in found
        if not any(one.line == record["line"] or one.tag_line == record["line_of_tag"] for record in corpus.records[path])
    ]
    assert len(wrong) <= len(found) // 200, wrong
    assert {one.format for _, one in found} <= set(FORMATS)


def spliced(data: bytes, one: Occurrence) -> bytes:
    """The file with the new tag and digest put into the spans of an occurrence."""
    new = [(one.tag_span, "1.10"), (one.digest_span, DIGEST), (one.sha_span, DIGEST.removeprefix("sha256:"))]
    for start, end, text in sorted(((*span, text) for span, text in new if span), reverse=True):
        data = data[:start] + text.encode() + data[end:]
    return data


def test_every_image_can_be_moved_or_is_refused_for_a_reason(corpus: Corpus) -> None:
    moved, refused = 0, []
    for path, occurrences in corpus.found.items():
        data = (corpus.folder / path).read_bytes()
        for one in occurrences:
            try:
                after = rewrite(path, data, {one: Target(one.tag and "1.10", one.digest and DIGEST)})
            except Unprovable as refusal:
                refused.append((one, refusal.reason))
                continue
            moved += bool(one.tag or one.digest)
            # A number may have got quotes of either kind; beside that only the bytes of the spans differ.
            assert after.replace(b"'", b"").replace(b'"', b"") == spliced(data, one).replace(b"'", b"").replace(b'"', b"")
            again = {new: Target(new.tag, new.digest) for new in scan(path, after)[0] if not new.unresolved}
            assert rewrite(path, after, again) == after
    assert moved > 250
    # Refused is what is not known in full, stands in pieces, or is shared with another image that is not to change.
    assert [
        reason for one, reason in refused if one.tag_span and not one.unresolved and "from the same place" not in reason
    ] == []
