"""What a registry says when it wants a login: `WWW-Authenticate`, by the grammar of RFC 9110, section 11.6.1.

    Bearer realm="https://auth.example/token",service="registry",Basic realm="x"      two challenges in one header

Quirks: several challenges may share a header or come in several; a parameter's value may be bare or quoted (with commas and
equal signs in it); a `realm` need not be a URL; names are not case-sensitive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'[ \t]*({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))[ \t]*(?=,|\Z)', re.DOTALL)
_SCHEME = re.compile(rf"[ \t]*({_WORD})(?:[ \t]+|(?=,)|\Z)")
# A scheme may carry one bare value (Negotiate, NTLM) instead of parameters.
_TOKEN68 = re.compile(r"[ \t]*[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|\Z)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_LIMIT = 8192  # characters of one header


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in: the scheme in lower case, its parameters by lower-case name."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of all `WWW-Authenticate` headers of one answer. What cannot be read is left out."""
    return tuple(challenge for header in headers for challenge in _challenges(header[:_LIMIT]))


def _challenges(header: str) -> Iterator[Challenge]:
    scheme: str | None = None
    parameters: dict[str, str] = {}
    at = 0
    while at < len(header):
        if header[at] in ", \t":
            at += 1
        elif scheme is not None and (match := _PARAMETER.match(header, at)):
            value = match[3] if match[2] is None else _ESCAPED.sub(r"\1", match[2])
            parameters.setdefault(match[1].lower(), value)
            at = match.end()
        elif match := _SCHEME.match(header, at):
            if scheme is not None:
                yield Challenge(scheme, parameters)
            scheme, parameters = match[1].lower(), {}
            at = match.end()
            if not _PARAMETER.match(header, at) and (bare := _TOKEN68.match(header, at)):
                at = bare.end()
        else:
            # Not by the grammar: on with what follows the next comma.
            comma = header.find(",", at)
            at = len(header) if comma < 0 else comma + 1
    if scheme is not None:
        yield Challenge(scheme, parameters)
