"""What is right loads, whatever else stands beside it; what is wrong is a ConfigError with a place, and nothing else ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.config import Config, ConfigError, Limits, load, schema
from tests.rules.config.writing import AUTOMERGE, FILES, RULE, yaml

VALIDATOR = jsonschema_rs.Draft202012Validator(schema())
KEYS = st.sampled_from(["rules", "match", "automerge", "commits", "x"]) | st.text(max_size=8)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([*RULE, *AUTOMERGE]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
# fmt: off
PIECES = [
    "rules:", "\n", "  ", "- ", "{", "}", "[", "]", "&a ", "*a", "<<: *a", "!x ", "|\n", ">-\n", "'", '"', "? ", ": ", "# ",
    "---\n", "...\n", "policy: ", "semver", "\t", "\r", "\u2028", "\ufeff", "%YAML 1.1\n", "automerge: ", "~", "1_0", "é", "\x85",
]
# fmt: on
SNIPPETS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


def read(data: bytes) -> Config | None:
    try:
        return load(data)
    except ConfigError as error:
        found = error.findings
    assert found
    for finding in found:
        assert finding.message
        assert finding.line is None or 1 <= finding.line <= data.count(b"\n") + 1
        assert "\n" not in str(finding)
    return None


@settings(max_examples=300)
@given(FILES)
def test_what_is_right_loads_and_fits_the_schema(data: dict[str, Any]) -> None:
    assert load(yaml(data)).wants("a.yaml") in (True, False)
    VALIDATOR.validate(data)


@settings(max_examples=300)
@given(FILES, st.data())
def test_one_wrong_value_is_found_where_it_is(data: dict[str, Any], draw: st.DataObject) -> None:
    rules = [rule for rule in data.get("rules", []) if rule]
    if not rules:
        return
    place = draw.draw(st.integers(0, len(rules) - 1))
    key = draw.draw(st.sampled_from(sorted(rules[place])))
    rules[place][key] = {"no": ["such", "thing"]}
    with pytest.raises(ConfigError) as caught:
        load(yaml({**data, "rules": rules}))
    assert any(finding.path.startswith(f"rules[{place}].{key}") for finding in caught.value.findings)
    assert not VALIDATOR.is_valid({**data, "rules": rules})


@settings(max_examples=500)
@given(JUNK)
def test_data_without_sense(data: Any) -> None:
    read(yaml(data))


@settings(max_examples=500)
@given(SNIPPETS)
def test_text_without_sense(text: str) -> None:
    read(text.encode())


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_bytes_without_sense(data: bytes) -> None:
    read(data)


@settings(max_examples=200)
@given(FILES, st.integers(0, 10**6), st.binary(max_size=3))
def test_a_file_that_was_damaged(data: dict[str, Any], place: int, damage: bytes) -> None:
    written = yaml(data)
    at = place % (len(written) + 1)
    read(written[:at] + damage + written[at + 1 :])


@settings(max_examples=200)
@given(FILES, st.sampled_from(["patch", "minor", "major"]), st.integers(0, 9), st.booleans())
def test_no_file_loosens_a_limit(data: dict[str, Any], step: Any, days: int, push: bool) -> None:
    limits = Limits(min_age=timedelta(days=days), max_step=step, push=push, paths_never=("prod/**",), updates_never=("major",))
    config = load(yaml(data), limits=limits)
    choosing = config.choosing("nginx", "envs/dev/a.yaml")
    assert choosing.min_age >= limits.min_age
    assert ["patch", "minor", "major"].index(choosing.max_step) <= ["patch", "minor", "major"].index(step)
    assert config.landing("nginx", "prod/a.yaml", "patch") is None
    landing = config.landing("nginx", "envs/dev/a.yaml", "major", "git")
    assert landing is None or not landing.covers("major")
    assert config.proposing("nginx", "prod/a.yaml", "patch").delivery == "request"
    assert push or config.proposing("nginx", "envs/dev/a.yaml", "patch").delivery == "request"
