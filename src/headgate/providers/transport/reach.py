"""Which addresses may be connected to on behalf of somebody who is not the operator: those of the public internet.

URLs in the configuration file are the operator's own word and go anywhere. URLs that are given while Headgate runs come
from whoever may give them, and Headgate stands where that person may not: beside databases, and beside the clouds' metadata
services that hand out credentials. So the address that is really connected to is looked at, after the name was resolved and
before anything is sent; names are not judged by how they look, because a name may point anywhere, and elsewhere the next time.

What is special is listed here and not taken from `ipaddress.is_global`, which says different things in different versions
of Python. Source: the IANA registries of special-purpose IPv4 and IPv6 addresses.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

__all__ = ["Reach", "wrong_reach"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SPECIAL_4: Final = tuple(
    (ipaddress.IPv4Network(network), what)
    for network, what in {
        "0.0.0.0/8": "an unspecified address",
        "10.0.0.0/8": "a private address",
        "100.64.0.0/10": "an address shared inside a provider's network",
        "127.0.0.0/8": "a loopback address",
        # The Azure host that answers its guests; to the rest of the world it looks like any public address.
        "168.63.129.16/32": "a cloud's metadata address",
        "169.254.0.0/16": "a link-local address, such as those of clouds' metadata services",
        "172.16.0.0/12": "a private address",
        "192.0.0.0/24": "an address for protocols",
        "192.0.2.0/24": "an address for documentation",
        "192.88.99.0/24": "an address of a 6to4 relay",
        "192.168.0.0/16": "a private address",
        "198.18.0.0/15": "an address for benchmarks",
        "198.51.100.0/24": "an address for documentation",
        "203.0.113.0/24": "an address for documentation",
        "224.0.0.0/4": "a multicast address",
        "240.0.0.0/4": "a reserved address",
    }.items()
)
_PUBLIC_6: Final = ipaddress.IPv6Network("2000::/3")
_SPECIAL_6: Final = tuple(
    (ipaddress.IPv6Network(network), what)
    for network, what in {
        "::/128": "an unspecified address",
        "::1/128": "a loopback address",
        "64:ff9b:1::/48": "an address of a local NAT64",
        "2001::/23": "an address for protocols or a tunnel (Teredo)",
        "2001:db8::/32": "an address for documentation",
        "2002::/16": "a 6to4 address",
        "3fff::/20": "an address for documentation",
        "fc00::/7": "a private address",
        "fe80::/10": "a link-local address",
        "ff00::/8": "a multicast address",
    }.items()
)
_PLAIN: Final = "plain http goes only where `server.reach` allows; use https"
_LOOKUPS: Final = 4
"""Names resolved at the same time; others wait, as long as their connect deadline."""
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_NAME = re.compile(
    r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
)


class Reach:
    """The public internet over TLS, and what the operator allows besides. Never changes; asking costs microseconds."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """allowed: addresses, networks (`10.0.0.0/8`), names (`hooks.internal`) and all names under one (`*.internal`), as
        in `server.reach`. Raises ValueError for anything else."""
        networks: list[Network] = []
        names: set[str] = set()
        for entry in allowed:
            if wrong := wrong_reach(entry):
                raise ValueError(wrong)
            network = _network(entry)
            if network is not None:
                networks.append(network)
            else:
                names.add(entry.lower())
        self.resolver = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="headgate-reach")
        """Where names are resolved on whose behalf it is asked. Its threads are made when they are needed."""
        self._networks = tuple(networks)
        self._names = frozenset(names)

    def refusal(self, host: str, address: str, *, tls: bool) -> str:
        """Why nothing may be sent to `address`, which is what `host` was resolved to; "" if it may."""
        if self._allows_name(host):
            return ""
        try:
            found = _bare(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return f"{address[:64]} is no IP address"
        if any(found.version == network.version and found in network for network in self._networks):
            return ""
        if what := _special(found):
            return f"{found} is {what}; `server.reach` may allow it"
        return "" if tls else _PLAIN

    def early_refusal(self, host: str, *, tls: bool) -> str:
        """What can be said before anything is resolved, to whoever gives the URL: all of an address; of a name only that plain
        http can go nowhere it leads to."""
        try:
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return "" if tls or self._networks or self._allows_name(host) else _PLAIN
        return self.refusal(host, host, tls=tls)

    def _allows_name(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        if not self._names or not name:
            return False
        if name in self._names:
            return True
        labels = name.split(".")
        return any(f"*.{'.'.join(labels[at:])}" in self._names for at in range(1, len(labels)))


def wrong_reach(entry: str) -> str:
    """Why an entry of `server.reach` can be none, with what would be right; "" if it is one."""
    if _network(entry) is not None:
        return ""
    looks_like_address = "/" in entry or ":" in entry or entry.replace(".", "").isdigit()
    if looks_like_address or not _NAME.fullmatch(entry) or len(entry) > 253:
        return (
            f'"{entry[:100]}" is neither a network such as "10.0.0.0/8" nor a name such as "hooks.internal" or '
            '"*.internal", without scheme and port'
        )
    return ""


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None


def _bare(address: Address) -> Address:
    """What lies behind an IPv6 address that only wraps an IPv4 one and is carried to it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            # In networks without IPv4 every public IPv4 server has such an address, and every private one too.
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _special(address: Address) -> str:
    """What kind of address it is, if it is not one of the public internet; "" if it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((what for network, what in _SPECIAL_4 if address in network), "")
    what = next((what for network, what in _SPECIAL_6 if address in network), "")
    # What is not given out yet is nobody's: only 2000::/3 is the public internet.
    return what or ("" if address in _PUBLIC_6 else "a reserved address")
