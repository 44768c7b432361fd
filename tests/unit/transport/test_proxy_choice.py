"""Which proxy, from settings and environment."""

from __future__ import annotations

import pytest

from headgate.providers.transport.proxy import Proxy, proxy_for

ENV = {"HTTP_PROXY": "http://plain:3128", "https_proxy": "http://u:p%3A@secure:3129", "NO_PROXY": ""}


def chosen(url: tuple[str, str, int], environ: dict[str, str], setting: str | None = "env") -> str | None:
    proxy = proxy_for(*url, setting, environ)
    return f"{proxy.scheme}://{proxy.host}:{proxy.port}" if proxy else None


HTTP, HTTPS = ("http", "api.example", 80), ("https", "api.example", 443)


def test_each_scheme_has_its_variable() -> None:
    """ALL_PROXY is for those that have none; lower case wins; nothing set goes direct."""
    assert chosen(HTTP, ENV) == "http://plain:3128"
    assert chosen(HTTPS, ENV) == "http://secure:3129"
    assert chosen(HTTPS, {"HTTP_PROXY": "x:1"}) is None
    assert chosen(HTTPS, {"HTTP_PROXY": "x:1", "ALL_PROXY": "y:2"}) == "http://y:2"
    assert chosen(HTTP, {"HTTP_PROXY": "x:1", "http_proxy": "y:2"}) == "http://y:2"
    assert chosen(HTTP, {"HTTP_PROXY": " "}) is chosen(HTTP, {}) is None


def test_settings_win_over_the_environment() -> None:
    """`none` goes direct whatever is set; a URL is used for everything, loopback and NO_PROXY included."""
    assert chosen(HTTPS, ENV, "none") is chosen(HTTPS, ENV, None) is None
    assert chosen(("http", "127.0.0.1", 80), {"NO_PROXY": "*"}, "https://p") == "https://p:443"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "x.localhost"])
def test_loopback_is_never_asked_of_a_proxy_of_the_environment(host: str) -> None:
    """It would look on its own machine."""
    assert chosen(("http", host, 80), ENV) is None


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("*", "api.example", True),
        ("example", "api.example", True),
        (".example", "api.example", True),
        ("*.example", "api.example", True),
        ("API.Example", "api.example", True),
        ("api.example:443", "api.example", True),
        ("api.example:8443", "api.example", False),
        ("pi.example", "api.example", False),
        ("api.example.org", "api.example", False),
        ("a, b ,api.example", "api.example", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("fd00::/8", "fd00::1", True),
        ("[fd00::1]", "fd00::1", True),
        ("example", "10.1.2.3", False),
        (", ,.", "api.example", False),
    ],
)
def test_no_proxy_lists_names_addresses_and_networks(no_proxy: str, host: str, direct: bool) -> None:
    """As the programs beside us read it."""
    assert (chosen(("https", host, 443), {**ENV, "NO_PROXY": no_proxy}) is None) is direct


def test_credentials_are_decoded_for_the_header_and_hidden_from_logs() -> None:
    """`repr` ends up in tracebacks."""
    proxy = Proxy.parse("http://me:p%40ss@host:3128")
    assert proxy.authorization == b"Basic bWU6cEBzcw=="
    assert "ss" not in repr(proxy) and "host:3128" in repr(proxy)


@pytest.mark.parametrize("text", ["socks5://h:1", "ftp://h", "http://", "http://u:secret@"])
def test_what_is_no_http_proxy_is_refused_without_its_secrets(text: str) -> None:
    """The message goes to logs."""
    with pytest.raises(ValueError, match="proxy must be") as caught:
        Proxy.parse(text)
    assert "secret" not in str(caught.value)
