"""Which addresses URLs that are not the operator's own word may reach."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ConnectFailed
from headgate.providers.port import Timeouts, UpstreamRequest, Url
from headgate.providers.transport.client import Transport
from headgate.providers.transport.reach import Reach, wrong_reach
from tests.support.aio import aio
from tests.support.alerted import web_server

__all__: list[str] = []

PUBLIC_ONLY = Reach()
INNER = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",  # Alibaba's metadata
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # Azure's
    "169.254.169.254",  # everybody's
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # Oracle's
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
]
INNER_6 = [
    "::",
    "::1",
    "::7f00:1",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "fc00::1",
    "fd00:ec2::254",  # Amazon's metadata
    "fd20:ce::254",  # Google's
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "4000::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "172.32.0.1",
    "2606:4700::1111",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
]


def wrapped(address: ipaddress.IPv4Address) -> list[str]:
    """The forms in which IPv6 carries an IPv4 address."""
    number = int(address)
    return [
        f"::ffff:{address}",
        str(ipaddress.IPv6Address((0x64FF9B << 96) | number)),
        str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80))),
    ]


@pytest.mark.parametrize("address", [*INNER, *INNER_6])
def test_inner_addresses_are_out_of_reach(address: str) -> None:
    """Loopback, private, link-local, metadata, shared, multicast, reserved; also behind TLS."""
    assert PUBLIC_ONLY.refusal("hooks.example.com", address, tls=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_within_reach_over_tls(address: str) -> None:
    """Plain http is not: who is on the way could read what is said, and answer."""
    assert PUBLIC_ONLY.refusal("hooks.example.com", address, tls=True) == ""
    assert "use https" in PUBLIC_ONLY.refusal("hooks.example.com", address, tls=False)


@given(st.sampled_from(INNER))
def test_an_inner_address_stays_one_however_it_is_wrapped(text: str) -> None:
    """As IPv4-mapped, as 6to4, by NAT64."""
    for each in wrapped(ipaddress.IPv4Address(text)):
        assert PUBLIC_ONLY.refusal("x.example.com", each, tls=True), each


@given(st.ip_addresses())
def test_what_python_calls_not_global_is_out_of_reach(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """Our own list is at least as strict as the standard library's, of this version."""
    if PUBLIC_ONLY.refusal("x.example.com", str(address), tls=True) == "":
        assert address.is_global and not address.is_multicast
        assert not address.is_private and not address.is_loopback and not address.is_link_local


@given(st.ip_addresses(v=4))
def test_mapped_and_bare_are_judged_alike(address: ipaddress.IPv4Address) -> None:
    """Where IPv6 only carries IPv4, what is carried counts."""
    bare = PUBLIC_ONLY.refusal("x", str(address), tls=True) == ""
    mapped, nat64, _ = wrapped(address)
    assert (PUBLIC_ONLY.refusal("x", mapped, tls=True) == "") == bare
    assert (PUBLIC_ONLY.refusal("x", nat64, tls=True) == "") == bare


@given(st.text())
def test_no_text_is_within_reach_but_an_address(text: str) -> None:
    """What a resolver hands out is judged, whatever it is."""
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        assert PUBLIC_ONLY.refusal("x", text, tls=True)


@given(st.lists(st.text()))
def test_an_entry_is_taken_or_refused_in_words(entries: list[str]) -> None:
    """And what is refused by one is refused by the other."""
    wrong = [wrong_reach(each) for each in entries]
    if any(wrong):
        with pytest.raises(ValueError, match="neither a network"):
            Reach(entries)
    else:
        Reach(entries)


def test_the_operator_may_allow_networks_and_names() -> None:
    """Networks count for what a name leads to, names for whatever they lead to; both allow plain http."""
    reach = Reach(["10.0.0.0/8", "fd00::/8", "hooks.internal", "*.corp.example"])
    for host, address in (
        ("anything.example", "10.9.9.9"),
        ("anything.example", "::ffff:10.9.9.9"),
        ("x", "fd12::1"),
        ("hooks.internal", "127.0.0.1"),
        ("HOOKS.Internal.", "192.168.0.1"),
        ("a.b.corp.example", "192.168.0.1"),
    ):
        assert reach.refusal(host, address, tls=False) == "", (host, address)
    for host, address in (
        ("anything.example", "11.0.0.1"),
        ("anything.example", "192.168.0.1"),
        ("evil-hooks.internal", "127.0.0.1"),
        ("hooks.internal.evil.example", "127.0.0.1"),
        ("corp.example", "127.0.0.1"),
        ("", "127.0.0.1"),
    ):
        assert reach.refusal(host, address, tls=False), (host, address)


@pytest.mark.parametrize(
    "entry", ["http://x", "x:80", "10.0.0.1/8", "", "*", "a b", "*.*", "300.1.1.1", "1.2.3", "x/8", "-a"]
)
def test_what_is_no_entry_is_told_with_what_would_be_right(entry: str) -> None:
    """A typing error must not open a door, or silently open none."""
    assert "10.0.0.0/8" in wrong_reach(entry)


@pytest.mark.parametrize(
    ("host", "tls", "told"),
    [
        ("10.0.0.1", True, "private"),
        ("::1", True, "loopback"),
        ("hooks.example.com", True, ""),
        ("hooks.example.com", False, "use https"),
        ("1.1.1.1", False, "use https"),
    ],
)
def test_some_is_told_to_whoever_gives_the_url(host: str, told: str, *, tls: bool) -> None:
    """Before a name is resolved."""
    found = PUBLIC_ONLY.early_refusal(host, tls=tls)
    assert (told in found) if told else not found
    assert Reach(["10.0.0.0/8"]).early_refusal("hooks.example.com", tls=False) == ""


# What is really connected to

SHORT = Timeouts(connect=3, headers=3, total=5)


def post(url: str) -> UpstreamRequest:
    return UpstreamRequest("POST", Url.parse(url), [], b"{}")


class Names:
    """A resolver that says something else each time, in place of the system's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)
        monkeypatch.setattr("headgate.providers.transport.dialing.socket.getaddrinfo", self._answer)

    def _answer(self, host: str, port: int, **_: object) -> list[object]:
        self.asked.append(host)
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            (
                socket.AF_INET6 if ":" in each else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (each, port, 0, 0) if ":" in each else (each, port),
            )
            for each in found
        ]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "127.1"]
)
def test_nothing_is_sent_to_an_address_out_of_reach(host: str) -> None:
    """However loopback is spelt."""
    with web_server() as inbox:

        @aio
        async def run() -> None:
            guarded = Transport(reach=Reach())
            with pytest.raises(ConnectFailed):
                await guarded.send(post(f"http://{host}:{inbox.port}/"), SHORT)
            await guarded.aclose()

        run()
        assert inbox.posts == []


def test_an_operator_may_open_the_door_and_without_a_reach_there_is_none() -> None:
    """By network or by name; providers' connections are as they were."""
    with web_server() as inbox:

        @aio
        async def run() -> None:
            for reach in (Reach(["127.0.0.0/8"]), Reach(["localhost", "127.0.0.1"]), None):
                transport = Transport(reach=reach, environ={})
                reply = await transport.send(post(f"http://127.0.0.1:{inbox.port}/"), SHORT)
                assert (reply.status, await reply.read(100)) == (200, b"ok")
                await transport.aclose()

        run()
        assert len(inbox.posts) == 3


@aio
async def test_a_name_is_resolved_once_and_that_very_address_is_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A resolver that says `public` first and `loopback` then gets nothing: there is no second question."""
    with web_server() as inbox:
        names = Names(monkeypatch, ["127.0.0.1"], ["1.1.1.1"])
        guarded = Transport(reach=Reach())
        with pytest.raises(ConnectFailed, match="loopback"):
            await guarded.send(post(f"http://rebind.example:{inbox.port}/"), SHORT)
        assert names.asked == ["rebind.example"]
        await guarded.aclose()
        assert inbox.posts == []


@aio
async def test_the_address_that_was_judged_is_the_one_that_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of several those within reach, in one resolution, with the name in the host header; each new connection is judged anew."""
    with web_server() as inbox:
        inbox.answers = [(200, {"connection": "close"}, b"ok")]
        names = Names(monkeypatch, ["10.0.0.1", "127.0.0.1", "fd00::1"], ["10.0.0.1", "169.254.169.254"])
        guarded = Transport(reach=Reach(["127.0.0.0/8"]))
        reply = await guarded.send(post(f"http://rebind.example:{inbox.port}/x"), SHORT)
        assert await reply.read(10) == b"ok"
        assert names.asked == ["rebind.example"]
        assert inbox.posts[0].headers["host"] == f"rebind.example:{inbox.port}"
        with pytest.raises(ConnectFailed, match="is a private address"):
            await guarded.send(post(f"http://rebind.example:{inbox.port}/x"), SHORT)
        assert names.asked == ["rebind.example"] * 2
        await guarded.aclose()
        assert len(inbox.posts) == 1


def test_no_proxy_of_the_environment_looks_the_name_up_for_us() -> None:
    """It would resolve it for itself, where nobody judges the address."""
    with web_server() as proxy:

        @aio
        async def run() -> None:
            environ = {"http_proxy": proxy.url, "https_proxy": proxy.url, "all_proxy": proxy.url}
            guarded = Transport(reach=Reach(["unknown.invalid"]), environ=environ)
            with pytest.raises(ConnectFailed):
                await guarded.send(post("http://unknown.invalid/"), SHORT)
            await guarded.aclose()

        run()
        assert proxy.posts == []


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    """Wherever it points."""
    with web_server() as inbox, web_server() as inner:
        inbox.answers = [(307, {"location": f"{inner.url}/secret"}, b"")]

        @aio
        async def run() -> None:
            transport = Transport(reach=Reach(["127.0.0.0/8"]))
            reply = await transport.send(post(inbox.url), SHORT)
            assert reply.status == 307
            reply.close()
            await transport.aclose()

        run()
        assert len(inbox.posts) == 1 and inner.posts == []
