"""Findings: how they are told."""

from __future__ import annotations

import pytest

from rules.findings import Broken, Finding, did_you_mean, one_of


@pytest.mark.parametrize(
    ("finding", "told"),
    [
        (Finding("a.yaml", 3, "rules[0].range", "is wrong", "write this"), "a.yaml:3: rules[0].range: is wrong (write this)"),
        (Finding("a.yaml", None, "", "is too large"), "a.yaml: is too large"),
        (Finding("a.yaml", 1, "", "is not YAML"), "a.yaml:1: is not YAML"),
    ],
)
def test_a_finding_in_a_line(finding: Finding, told: str) -> None:
    assert str(finding) == told


def test_a_broken_file_tells_its_findings_by_line() -> None:
    late, early, whole = Finding("a", 9, "", "late"), Finding("a", 2, "", "early"), Finding("a", None, "", "whole")
    assert str(Broken([late, early, whole])) == "a: whole\na:2: early\na:9: late"


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("polcy", "did you mean 'policy'?"),
        ("max-step", "did you mean 'max_step'?"),
        ("Policy", "did you mean 'policy'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_did_you_mean(word: str, suggestion: str) -> None:
    assert did_you_mean(word, ["policy", "max_step", "range"]) == suggestion


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c"), (iter("ab"), "a or b")]
)
def test_one_of(words: list[str], text: str) -> None:
    assert one_of(words) == text
