"""Text that somebody outside wrote to do harm: in tags, file names, groups, labels, and what a registry says."""

from __future__ import annotations

from hypothesis import strategies as st

CALLS = ["@octocat", "@acme/team", "a@b", "#1", "!7", "&3", "~bug", '~"a b"', "%v1", "$5", "^1", "acme/web#1", "GH-12", "gh-1"]
LINKS = ["https://evil.example/x", "HTTP://x", "ftp://x", "www.evil.example", "[x](y)", "![x](y)", "<https://x>", "[x]: y"]
TOKENS = [
    "[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]", "***NO_CI***", "skip-checks: true",
    "skip-checks:true", "[skip  ci]", "[SKIP CI]", "[ skip ci ]", "[skip-ci]", "[azurepipelines skip]", "[skip azp]",
    "[tkn skip]", "skip-ci: x",
]  # fmt: skip
MARKUP = [
    "`", "``", "```\n", "**b**", "*i*", "_i_", "~~s~~", "# title", "- item", "1. item", "> quote", "| a | b |", "***", "---",
    "<b>b</b>", "<!--", "-->", "<script>alert(1)</script>", "<img src=x onerror=y>", "&lt;", "\\", "$x$", "$`x`$",
]  # fmt: skip
COMMANDS = ["/close", "/merge", "/approve", "\n/close\n", "tagboat merge", "@tagboat merge", "Tagboat-Image: x", "Closes #1"]
ODD = [
    "\u202egnp.exe",
    "\u2066x",
    "\u200b",
    "\u2060",
    "\ufeff",
    "\x00",
    "\x1b[31m",
    "\ud800",
    "\u2028",
    "\r\n",
    "\t",
    "\u3164",
    "a" * 3000,
]
HOSTILE = [*CALLS, *LINKS, *TOKENS, *MARKUP, *COMMANDS, *ODD]

TEXT = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=12), min_size=1, max_size=5).map("".join)
"""Pieces of it, put together with other text."""
