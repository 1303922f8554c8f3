"""Names of images in CI definitions: variables put in, the tag taken off, compared with an image.

    resolve("$CI_REGISTRY_IMAGE/web:$CI_COMMIT_SHA", {"CI_REGISTRY_IMAGE": ("*/acme/shop",)})     ("*/acme/shop/web:*",)
    without_tag("*/acme/shop/web:*")                                 "*/acme/shop/web"
    fits("*/acme/shop/web", "registry.example.com/acme/shop/web")    True

A variable that nobody sets here becomes `*`: any text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from rules.ci.tokens import compiled
from rules.images import ImageRef

Variables = Mapping[str, Sequence[str]]

_VARIABLE = re.compile(
    r"\$\{\{(?P<a>.*?)\}\}|\$\{(?P<b>[^{}]*)\}|\$\((?P<c>[^()]*)\)|\$\[\[(?P<h>.*?)\]\]|\$(?P<d>\w+)|<<(?P<e>[^<>]*)>>"
    r"|\{\{(?P<f>[^{}]*)\}\}|%(?P<g>\w+)%",
    re.DOTALL,
)
_DEFAULT = re.compile(r"\A\s*(?P<name>[\w.\-]+?)\s*(?:(?::-|:=|-|\|\|)\s*['\"]?(?P<default>[^'\"]*)['\"]?)?\s*\Z")
_PREFIXES = ("env.", "inputs.", "vars.", "params.", "parameters.", "parameters", "variables.", "pipeline.parameters.")
_BRANCHY = re.compile(
    r"ref_name|head_ref|branch|ref_slug|event\.number|pull_request\.number|merge_request|\bpr\b|change_id", re.IGNORECASE
)
_ALTERNATIVES = 40
_DEPTH = 6
_LENGTH = 1000
_STARS = re.compile(r"\*+")


def resolve(text: str, variables: Variables) -> tuple[str, ...]:
    """Every text that this can be, as far as the variables are known; `*` stands for what is not."""
    return tuple(dict.fromkeys(_STARS.sub("*", one) for one in _resolve(text.strip().strip("'\"")[:_LENGTH], variables, 0)))


def _resolve(text: str, variables: Variables, depth: int) -> list[str]:
    results, at = [""], 0
    for match in _VARIABLE.finditer(text):
        values = _value(next(filter(None, match.groups()), ""), variables, depth)
        results = [done + text[at : match.start()] + value for done in results for value in values][:_ALTERNATIVES]
        at = match.end()
    return [done + text[at:] for done in results]


def _value(said: str, variables: Variables, depth: int) -> list[str]:
    inner = _DEFAULT.match(said)
    name = inner["name"] if inner else said.strip()
    for prefix in ("", *_PREFIXES):
        known = variables.get(name.removeprefix(prefix).strip(". ") if prefix else name)
        if known:
            return ["*"] if depth > _DEPTH else [one for value in known for one in _resolve(value, variables, depth + 1)]
    return [inner["default"]] if inner and inner["default"] else ["*"]


def without_tag(reference: str) -> str:
    """The name of a reference or pattern: no tag, no digest, no scheme, lower case."""
    name = reference.strip().strip("'\"").removeprefix("docker://").removeprefix("https://").partition("@")[0]
    head, slash, last = name.rpartition("/")
    return (head + slash + last.partition(":")[0]).lower().strip("/")


def is_bound(reference: str) -> bool:
    """Whether the tag, as it is written, names the branch or request that it was built for."""
    return _BRANCHY.search(reference.rpartition("/")[2].partition(":")[2]) is not None


def is_unnamed(pattern: str) -> bool:
    """Whether nothing of the image's name is written."""
    return not re.sub(r"[*/:.\-_]", "", pattern)


def fits(pattern: str, image: str) -> bool:
    """Whether a pattern (`*/acme/web`) can be this image (canonical name). An unnamed pattern fits none."""
    if is_unnamed(pattern):
        return False
    try:
        return _compiled(pattern[:_LENGTH]).fullmatch(image.lower()) is not None
    except ValueError:  # half a character
        return False


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Any:
    wanted = pattern if "*" in pattern.partition("/")[0] else ImageRef(pattern).canonical
    # Where what stands for the registry is not known `$REGISTRY/web` fits
    # Docker Hub's `docker.io/library/web` too.
    parts = [re.escape(part) for part in wanted.split("*")]
    return compiled("(?s)" + ".*".join(parts))


def basename(name: str) -> str:
    """The last part of a name or path."""
    return name.rstrip("/").rpartition("/")[2]
