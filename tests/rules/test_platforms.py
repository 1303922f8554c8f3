"""Platforms in one spelling."""

from __future__ import annotations

import pytest

from rules.platforms import normal


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/i386", "linux/386"),
        ("Linux/ARM64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        (" windows/amd64 ", "windows/amd64"),
        ("linux", "linux"),
        ("a/b/c/d", "a/b/c/d"),
    ],
)
def test_a_platform_has_one_spelling(written: str, expected: str) -> None:
    assert normal(written) == expected
    assert normal(normal(written)) == normal(written)
