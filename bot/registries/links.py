"""The `Link` header by which a registry says that a listing goes on (RFC 8288).

    Link: </v2/acme/web/tags/list?last=1.4.0&n=1000>; rel="next"

The address may be relative. It must lead to the same scheme, host and port: a registry that sends us elsewhere in the middle
of a listing is refused. Only its query is used, on the path that was asked: JFrog's Artifactory, and registries behind a proxy
that rewrites paths, leave out the front of the path. The query is taken byte for byte; `last` may be an opaque token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from bot.registries.base import RegistryError

_LINK = re.compile(r'[\s,]*<([^<>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)\s*(?:,|\Z)', re.DOTALL)
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))', re.IGNORECASE)
_LIMIT = 16384  # characters of one header


def following(headers: Iterable[str], asked: str) -> str | None:
    """The URL of the next page, or None where this was the last. Raises RegistryError where it leads elsewhere."""
    for header in headers:
        for target, parameters in _links(header[:_LIMIT]):
            relation = _REL.search(parameters)
            if relation and "next" in (relation[1] or relation[2] or "").lower().split():
                return _next(asked, target)
    return None


def _links(header: str) -> Iterable[tuple[str, str]]:
    at = 0
    while match := _LINK.match(header, at):
        yield match[1].strip(), match[2]
        at = match.end()


def _next(asked: str, target: str) -> str:
    here = urlsplit(asked)
    try:
        there = urlsplit(urljoin(asked, target))
        same = _origin(there) == _origin(here)
    except ValueError:
        raise RegistryError(f"{here.netloc} sends a link to the next page of tags that cannot be read") from None
    if not same or there.username is not None:
        raise RegistryError(f"{here.netloc} sends the rest of its tags to {there.hostname or 'nowhere'}; it was not followed")
    return urlunsplit((here.scheme, here.netloc, here.path, there.query, ""))


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)
