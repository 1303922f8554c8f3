"""`.tagboat.yaml`: from the bytes of the file to a `Config`, or to everything that is wrong with it.

    config = load(b"rules: [{match: {paths: ['dev/**']}, automerge: true}]")
    config.choosing("ghcr.io/acme/web", "dev/web.yaml").policy      "auto"
    load(b"rulez: []")      ConfigError: .tagboat.yaml:1: rulez: unknown key (did you mean 'rules'?)

`defaults` is a layer under the repository's own file, `limits` is what the file cannot loosen; both are the operator's.
"""

from __future__ import annotations

from rules.config.loading import FILE, ConfigError, Layer, combine, layer, limits_of, load, misnamed
from rules.config.schema import schema
from rules.config.values import Author, Commits, Config, Landing, Limits, Match, Proposing, PullRequests, Rule

__all__ = [
    "FILE",
    "Author",
    "Commits",
    "Config",
    "ConfigError",
    "Landing",
    "Layer",
    "Limits",
    "Match",
    "Proposing",
    "PullRequests",
    "Rule",
    "combine",
    "layer",
    "limits_of",
    "load",
    "misnamed",
    "schema",
]
