"""URLs from outside: every spelling of an address that is not public is refused, after resolution, on
redirects.
"""

import asyncio
import socket
from ipaddress import ip_address

import pytest

from toolcrib.errors import NotSent, Temporary, ToolError, VendorRefused
from toolcrib.kit.web import Fetcher, URLGuard
from toolcrib.testing import FakeService, Reply, make_context

REFUSED = [
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.1.1",  # private
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3",  # this machine
    "169.254.169.254", "169.254.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192",  # metadata
    "100.64.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "240.0.0.1",
    "255.255.255.255",
    "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "fec0::1",
    "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:10.0.0.1", "192.88.99.1", "64:ff9b:1::7f00:1", "100::1",
    "::127.0.0.1", "::a9fe:a9fe",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::", "2002:0a00:0001::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo of 127.0.0.1
]  # fmt: skip
PUBLIC = [
    "93.184.216.34",
    "8.8.8.8",
    "2606:2800:220:1:248:1893:25c8:1946",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused_in_every_form(address):
    with pytest.raises(VendorRefused, match="not public"):
        URLGuard().check_address(ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(VendorRefused, match="not public"):
        URLGuard().check(f"https://{host}/")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_permitted(address):
    URLGuard().check_address(ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_the_setting_for_tests_opens_loopback_only(address):
    guard = URLGuard(allow_loopback=True)
    guard.check_address(ip_address(address))
    for other in ("10.0.0.1", "169.254.169.254", "0.0.0.0", "fe80::1"):
        with pytest.raises(VendorRefused):
            guard.check_address(ip_address(other))


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "127.0.0.01",
        "0x7f.0.0.1.",
        "1.2.3.4.5",
        "foo.127",
        "127.0.0.1.",
        "１２７.0.0.1",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "0xa9fea9fe",
        "256.1.1.1",
    ],
)
def test_odd_forms_of_numbers_are_refused_before_any_look_up(host):
    with pytest.raises(VendorRefused):
        URLGuard().check(f"http://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://x.example/",
        "ftp://x.example/",
        "javascript:alert(1)",
        "dict://x.example:11/",
        "//x.example/",
        "x.example",
        "",
        "http:///path",
        "http://",
        "https://user@x.example/",
        "https://a:b@x.example",
        "https://good.example\\@127.0.0.1/",
        "https://good.example\t.evil.example/",
        "https://x.example/\r\nHost: y",
        "https://x.example:99999/",
        "https://x.example:22/",
        "https://[::1",
        "https://exa mple.org/",
        "https://[fe80::1%25eth0]/",
        "https://x..example/",
        "https://.example/",
        "https://x.example:6379/",
        "https://%31%32%37.0.0.1/",
        "http://[::ffff:7f00:1]/",
    ],
)
def test_urls_of_another_form_are_refused(url):
    with pytest.raises(VendorRefused, match="was not opened"):
        URLGuard().check(url)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://Example.org/a?b=c#d", "example.org", 443),
        ("http://example.org:80/", "example.org", 80),
        ("https://bücher.example/", "xn--bcher-kva.example", 443),
        ("https://93.184.216.34/", "93.184.216.34", 443),
    ],
)
def test_usual_urls_are_permitted(url, host, port):
    found = URLGuard().check(url)
    assert (found.host, found.port) == (host, port)


# --- fetching -------------------------------------------------------------------------------------


@pytest.fixture
async def site():
    with FakeService() as service:
        service.route("GET", "/page", lambda request: Reply(200, b"<p>hello", {"content-type": "text/html"}))
        yield service


@pytest.fixture
async def fetcher():
    fetcher = Fetcher(URLGuard(allow_loopback=True), max_bytes=1000)
    yield fetcher
    await fetcher.close()


@pytest.fixture
def ctx():
    return make_context()


def redirect(where, status=302):
    return Reply(status, headers={"location": where})


async def test_a_page_is_fetched(fetcher, site, ctx):
    page = await fetcher.get(f"{site.url}/page", ctx)
    assert (page.body, page.content_type, page.url) == (b"<p>hello", "text/html", f"{site.url}/page")
    sent = site.requests[0].headers
    assert not {"authorization", "cookie", "referer"} & sent.keys()


async def test_without_the_setting_loopback_is_refused_and_nothing_is_sent(site, ctx):
    port = site.url.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "[::1]"):
        with pytest.raises(VendorRefused):
            await Fetcher(URLGuard(ports=(int(port),))).get(f"http://{host}:{port}/page", ctx)
    assert site.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_where_they_are_permitted(fetcher, site, ctx, status):
    site.answer(redirect("/page", status))
    assert (await fetcher.get(f"{site.url}/start", ctx)).url == f"{site.url}/page"


@pytest.mark.parametrize(
    "where",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "http://[fe80::1]/",
        "http://2852039166/",
        "//192.168.0.1/x",
        "http://user:pw@example.org/",
    ],
)
async def test_redirects_are_judged_like_the_url_itself(fetcher, site, ctx, where):
    site.answer(redirect(where))
    with pytest.raises(VendorRefused, match="was not opened"):
        await fetcher.get(f"{site.url}/start", ctx)


async def test_redirects_end(fetcher, site, ctx):
    for turn in range(8):
        site.answer(redirect(f"/turn{turn}"))
    with pytest.raises(VendorRefused, match="too often"):
        await fetcher.get(f"{site.url}/start", ctx)
    assert len(site.requests) == 6
    site.answer(redirect(""), times=3)


async def test_a_redirect_to_itself_or_to_nowhere_ends_at_once(fetcher, site, ctx):
    site.answer(Reply(302))
    with pytest.raises(ToolError, match="to itself"):
        await fetcher.get(f"{site.url}/start", ctx)
    assert len(site.requests) == 1


class Names:
    """What the resolver answers, look-up after look-up."""

    def __init__(self, monkeypatch, *answers):
        self.answers, self.asked = list(answers), []
        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", self.look_up)

    async def look_up(self, host, port, **rest):
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


async def test_a_name_that_leads_inside_is_refused(fetcher, monkeypatch, ctx):
    Names(monkeypatch, ["10.1.2.3"])
    with pytest.raises(VendorRefused, match="not public"):
        await fetcher.get("http://innocent.example/", ctx)


async def test_one_inside_address_among_public_ones_is_enough(fetcher, monkeypatch, ctx):
    Names(monkeypatch, ["93.184.216.34", "169.254.169.254"])
    with pytest.raises(VendorRefused, match="not public"):
        await fetcher.get("http://innocent.example/", ctx)


async def test_the_address_that_was_judged_is_the_one_connected_to(site, monkeypatch, ctx):
    """Rebinding: the name means something else at each look-up. There is one look-up, and no other."""
    port = int(site.url.rpartition(":")[2])
    names = Names(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    fetcher = Fetcher(URLGuard(allow_loopback=True, ports=(port,)))
    page = await fetcher.get(f"http://rebinding.example:{port}/page", ctx)
    await fetcher.close()
    assert page.body == b"<p>hello"
    assert names.asked == ["rebinding.example"]
    assert site.requests[0].headers["host"] == f"rebinding.example:{port}"


async def test_a_name_that_cannot_be_resolved_was_not_sent(fetcher, ctx):
    with pytest.raises(NotSent):
        await fetcher.get("https://no-such-host.invalid/", ctx)


async def test_proxies_of_the_environment_are_not_used(site, monkeypatch, ctx):
    monkeypatch.setenv("HTTP_PROXY", site.url)
    monkeypatch.setenv("ALL_PROXY", site.url)
    with pytest.raises(NotSent):
        await Fetcher().get("http://no-such-host.invalid/page", ctx)
    assert site.requests == []


async def test_sizes_statuses_and_time_are_bounded_as_for_any_client(fetcher, site, ctx):
    site.answer(Reply(200, b"x" * 1001))
    with pytest.raises(ToolError, match="too large"):
        await fetcher.get(f"{site.url}/page", ctx)
    site.fail(404)
    with pytest.raises(VendorRefused, match="answered 404"):
        await fetcher.get(f"{site.url}/page", ctx)
    with site.holding(), pytest.raises(Temporary):
        await fetcher.get(f"{site.url}/page", make_context(seconds=1.0))
