"""Whatever stands in a definition or an expression, an answer comes out of it; no skip token survives being defused."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules import ci
from rules.ci import cel, gitlab_expressions, gjson, govaluate, tokens
from rules.ci.base import Pipeline
from rules.ci.examples import EXAMPLES, IMAGE, PATHS, REPOSITORY
from rules.ci.github_expressions import Open, condition
from rules.ci.landings import WAYS
from rules.loops import Marking, Refusal, Situation, mark
from rules.messages.escaping import code, plain, prose

SKIPS = [system.SKIP for system in ci.SYSTEMS.values() if system.SKIP is not None]
PIECES = [
    *("[", "]", "[[", "]]", "skip", "ci", "no", "actions", "travis", "tkn", "azp", " ", "-", "_", "***NO_CI***", "***", "\u2060"),
    *(
        "skip-checks: true",
        "skip-checks:true",
        "[skip ci]",
        "[ci skip]",
        "[ci-skip]",
        "[skip-ci]",
        "[CI SKIP]",
        "[skip tkn]",
        "\n",
        "x",
    ),
]
TOKENS = [
    *(
        "[skip ci]",
        "[ci skip]",
        "[no ci]",
        "[skip actions]",
        "[actions skip]",
        "[ci-skip]",
        "[skip-ci]",
        "[ci_skip]",
        "[Skip CI]",
    ),
    *("[skip travis]", "[travis ci skip]", "[travis-ci skip]", "[skip azurepipelines]", "[azp skip]", "***NO_CI***", "[CI SKIP]"),
    *("[ciskip]", "[skip tkn]", "[tkn skip]", "skip-checks: true", "skip-checks:true", "[ci  skip]", "skip-ci: x", "x skip-ci"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("ciskipci")
@settings(max_examples=400)
def test_no_token_survives_being_defused(text: str) -> None:
    clean = tokens.defuse(text)
    assert not any(tokens.may_have_token(skip, clean) for skip in SKIPS)
    assert tokens.defuse(clean) == clean
    assert clean.replace("\u2060", "") == text.replace("\u2060", "")


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("escape", [plain, prose, code])
def test_every_way_of_quoting_text_defuses(token: str, escape) -> None:
    for text in (token, f"notes: {token}!", f"\n\n{token}", f"`{token}`"):
        assert not any(tokens.may_have_token(skip, escape(text)) for skip in SKIPS)
        assert "skip-ci" not in escape(text)


@pytest.mark.parametrize(
    "text", ["skip the city", "a circle", "fix [scipio]", "no CI here", "Update web from 1 to 2", "1.2.3-skip.1"]
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert tokens.defuse(text) == text


@given(st.text(alphabet="ab.'\"()[]!&|=~<>?:,+-*/%0123 \\\n", max_size=40), st.sampled_from(["", "a == 'b' && ", "body.a || "]))
@settings(max_examples=400)
def test_expressions_answer_or_say_that_they_cannot(text: str, before: str) -> None:
    whole = before + text
    with suppress(govaluate.BadExpression, govaluate.Failed, govaluate.Undecided):
        govaluate.evaluate(whole, {"a": "b", "b": 1.0, "ab": None})
    with suppress(cel.Failed, cel.Unsupported):
        cel.evaluate(whole, {"a": "b", "b": 1.0, "body": {"a": True}})
    assert condition(whole, {"a": "b", "body": Open(a=True)}) in (True, False, None)
    assert gitlab_expressions.holds(whole, {"a": "b"}) in (True, False, None)
    with suppress(gjson.BadPath):
        gjson.get({"a": [1, {"b": "c"}], "b": None}, whole)


DEFINITIONS = [(path, text) for example in EXAMPLES for path, text in example.files.items()]


def _broken(definition: tuple[str, str], cut: int, put: str) -> Mapping[str, bytes]:
    path, text = definition
    at = cut % (len(text) + 1)
    return {path: (text[:at] + put + text[at + len(put) // 2 :]).encode("utf-8", "surrogatepass")}


@given(
    st.builds(
        _broken, st.sampled_from(DEFINITIONS), st.integers(0, 2000), st.text(alphabet="{}[]:-'\"$!#&*\n\t ab<>%@`|", max_size=8)
    ),
    st.sampled_from(["github", "gitlab", "git"]),
    st.sampled_from(WAYS),
    st.sampled_from(["auto", "none", "[skip ci]", "skip-ci:"]),
)
@settings(max_examples=300, deadline=None)
@example({".github/workflows/a.yml": b"on: [push]\njobs: {a: {steps: [{run: 5}]}}"}, "github", "squash", "auto")
@example({".gitlab-ci.yml": b"a: {extends: a, script: [!reference [a, script]]}"}, "gitlab", "squash", "auto")
@example({"Jenkinsfile": b"stage('a') { when {"}, "git", "merge", "auto")
@example({"sensor.yaml": b"kind: Sensor\nspec: [1]\n"}, "gitlab", "merge", "auto")
@example({".gitlab-ci.yml": b"a: &a {b: *a}"}, "gitlab", "merge", "auto")
def test_no_definition_brings_a_landing_down(definitions: Mapping[str, bytes], forge, way, marker: str) -> None:
    found = mark(Situation(forge, definitions, REPOSITORY, images=(IMAGE,), paths=PATHS, marker=marker), way)
    assert isinstance(found, Marking | Refusal)
    assert found.reason
    if isinstance(found, Marking) and found.token is not None and ci.is_native(found.token):
        assert not found.on_branch  # a required check would wait for ever


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.title)
def test_every_system_claims_and_reads_its_example(example) -> None:
    assert all(ci.claims(path) for path in example.files)
    found = list(ci.SYSTEMS[example.system].read(example.definitions, REPOSITORY))
    assert found
    for pipeline in found:
        assert not isinstance(pipeline, ci.Unreadable)
        assert _is_whole(pipeline)


def _is_whole(pipeline: Pipeline) -> bool:
    return (
        pipeline.name != ""
        and pipeline.file != ""
        and pipeline.line >= 1
        and pipeline.remedy(PATHS) != ""
        and bool(pipeline.jobs)
    )
