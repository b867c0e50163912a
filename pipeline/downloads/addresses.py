"""Which addresses a download may connect to: public ones, of IPv4 and of IPv6.

A list, URL or redirect of a stranger must never reach what only this machine or its network can reach. The check is
on the address that is connected to, whatever name, number or redirect led there. Ranges are written out from IANA's
special-purpose registries, because ``ipaddress.is_global`` knows other ones in every version of Python.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_IPV4 = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by a carrier",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local, where clouds serve metadata",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved for protocols",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relays",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved or broadcast",
    "168.63.129.16/32": "metadata of Azure",
}
_IPV6 = {
    "2001::/23": "reserved for protocols, Teredo",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
}
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
"""The only global unicast space that IANA gives out: loopback, private, link-local, site-local, multicast and
discard-only lie outside."""
_CARRIERS = {"::ffff:0:0/96": "IPv4-mapped", "64:ff9b::/96": "NAT64"}
"""IPv6 that carries an IPv4 address in its last 32 bits and leads there; NAT64 is how IPv6-only machines reach all
of IPv4, so what is inside decides."""

_NETWORKS4 = [(ipaddress.IPv4Network(n), name) for n, name in _IPV4.items()]
_NETWORKS6 = [(ipaddress.IPv6Network(n), name) for n, name in _IPV6.items()]
_CARRYING = [(ipaddress.IPv6Network(n), name) for n, name in _CARRIERS.items()]
_ISATAP = 0x5EFE
"""The 16 bits before the IPv4 address in an interface identifier of ISATAP (RFC 5214)."""


def refusal(text: str) -> str | None:
    """Why nothing may be fetched from the address ``text``; None for a public one. What is no address is refused."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "no address"
    return next(_refusals(address), None)


def _refusals(address: _Address) -> Iterator[str]:
    if isinstance(address, ipaddress.IPv4Address):
        yield from (name for network, name in _NETWORKS4 if address in network)
        return
    if address.scope_id:
        yield "link-local"
    inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    for network, name in _CARRYING:
        if address in network:
            yield from (f"{name}: {why}" for why in _refusals(inside))
            return
    if address not in _PUBLIC_IPV6:
        yield "not public: loopback, private, link-local or multicast"
    yield from (name for network, name in _NETWORKS6 if address in network)
    if (int(address) >> 32) & 0xFFFF == _ISATAP:
        yield from (f"ISATAP: {why}" for why in _refusals(inside))
