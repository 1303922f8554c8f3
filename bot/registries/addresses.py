"""Where Tagboat may connect to: public addresses, and what `app.yaml` lists.

A manifest can name any host, `169.254.169.254/x` included, and a registry can redirect to one. So an address that is not
public (private, loopback, link-local, carrier-grade NAT, unique local, multicast, reserved, or one of these wrapped in an
IPv6 address) is refused unless its host and port are listed. The check is made where it cannot be got round:

* a name is checked by the resolver: the addresses that were checked are the ones connected to, so a name whose answer
  changes between two look-ups gains nothing;
* an address written into a URL never meets a resolver, so every URL is checked first, each hop of a redirect by itself;
* behind a proxy the proxy looks names up: then the URL is judged by what it says (`localhost`, names without a dot, and the
  endings set aside for private use are refused).

Sources: the IANA registries of special-purpose addresses (RFC 6890) and special-use domain names (RFC 6761, 6762, 8375).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from bot.registries.base import NotListed

_NAT64 = IPv6Network("64:ff9b::/96")
# Python's own list differs between its versions, and Azure answers machines about themselves from its public range.
_INTERNAL_ALL_THE_SAME = tuple(
    map(ip_network, ("168.63.129.16/32", "192.0.0.0/24", "64:ff9b:1::/48", "2001::/23", "3fff::/20", "5f00::/16"))
)
_PRIVATE_ENDINGS = (".localhost", ".local", ".internal", ".intranet", ".private", ".corp", ".home", ".lan", ".home.arpa", ".svc")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address can be reached by anyone; an IPv4 address inside an IPv6 one is judged by itself."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_unspecified)
        and not any(address in network for network in _INTERNAL_ALL_THE_SAME)
    )


class AddressRule:
    """Which hosts may be reached. `listed` are the (host, port) pairs that the operator named."""

    def __init__(self, listed: Iterable[tuple[str, int]] = ()) -> None:
        self._listed = frozenset((_plain(host), port) for host, port in listed)

    def is_listed(self, host: str, port: int) -> bool:
        return (_plain(host), port) in self._listed

    def check(self, url: URL, *, by_proxy: bool = False) -> None:
        """Raises NotListed where the URL itself names what must not be reached. Names are left to the resolver,
        save `by_proxy`, where nobody here will look them up."""
        host, port = url.host or "", url.port or 0
        if self.is_listed(host, port):
            return
        address = _literal(host)
        if address is not None:
            if not is_public(address):
                raise NotListed(refusal(host, port, str(address)))
        elif by_proxy and _sounds_private(host):
            raise NotListed(refusal(host, port, None))

    def permitted(self, host: str, port: int, found: list[ResolveResult]) -> list[ResolveResult]:
        """The addresses of a name that may be connected to. Raises NotListed where none is left."""
        if self.is_listed(host, port):
            return found
        public = [result for result in found if _is_public_text(result["host"])]
        if not public and found:
            raise NotListed(refusal(host, port, found[0]["host"]))
        return public


class CheckedResolver(AbstractResolver):
    """aiohttp's resolver, held to the rule."""

    def __init__(self, rule: AddressRule, inner: AbstractResolver | None = None) -> None:
        self._rule = rule
        self._inner = inner or ThreadedResolver(loop=asyncio.get_running_loop())

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        return self._rule.permitted(host, port, await self._inner.resolve(host, port, family))

    async def close(self) -> None:
        await self._inner.close()


def host_and_port(host: str, *, default: int) -> tuple[str, int]:
    """`registry.example:5000` in its two parts; IPv6 addresses stand in brackets. Raises ValueError where it is no host."""
    try:
        url = URL(f"https://{host}")
        port = url.explicit_port
    except ValueError:
        url, port = URL(), None
    if url.host is None or "/" in host or url.user is not None or url.query_string or url.fragment:
        raise ValueError(f"{host!r} is not a host or host:port")
    return url.host, port or default


def is_this_machine(host: str) -> bool:
    """Whether a host is `localhost` or a loopback address as written."""
    address = _literal(host)
    return address.is_loopback if address is not None else _plain(host) == "localhost"


def refusal(host: str, port: int, address: str | None) -> str:
    """Why a host is not asked, and what an operator can do about it."""
    where = f"{host}:{port}"
    leads = f" is at {address}, which" if address and address != host else ""
    return f"{where}{leads} is not a public address; it is only asked if app.yaml lists it under `registries`"


def _plain(host: str) -> str:
    return host.lower().rstrip(".").strip("[]")


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(_plain(host))
    except ValueError:
        return None


def _is_public_text(text: str) -> bool:
    address = _literal(text)
    return address is not None and is_public(address)


def _sounds_private(host: str) -> bool:
    name = _plain(host)
    return "." not in name or name.endswith(_PRIVATE_ENDINGS) or name.replace(".", "").isdigit()
