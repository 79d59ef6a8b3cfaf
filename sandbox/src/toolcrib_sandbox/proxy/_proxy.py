"""The proxy of one run: allow-list by host and port, names resolved here, every connection told.

The sandbox has no network. A relay inside listens on 127.0.0.1:3128 and passes bytes to this proxy's unix
socket, which is mounted read-only. So nothing that the code does, neither its own resolver nor a raw socket,
reaches further than the rules below:

1. the target, letter by letter, is one of those that policy granted;
2. none of its addresses is private, loopback, link-local or a metadata service, and the address that was
   checked is the one connected to: a name that changes its mind in between gains nothing;
3. a tunnel begins with TLS to that very name; what is not TLS goes through as one plain HTTP request;
4. connections, bytes and time are bounded.

What it cannot see is inside TLS: an allowed host that serves several sites (a CDN) serves them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolcrib.errors import InvalidArguments, SandboxError
from toolcrib.sandbox import Connection
from toolcrib_sandbox.proxy._addresses import forbidden
from toolcrib_sandbox.proxy._hello import MAX_HELLO, Incomplete, NoHello, server_name
from toolcrib_sandbox.proxy._requests import MAX_HEAD, Ask, Refused, parse, target_of

__all__ = ["EgressProxy", "EgressRules"]

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
SOCKET = "egress.sock"
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class EgressRules:
    """Bounds of one run's network: `connections` in all, `bytes` in both directions together, `seconds` to
    begin one. `allow_loopback` is for tests, whose servers are on this machine.
    """

    connections: int = 100
    bytes: int = 256 * 1024 * 1024
    seconds: float = 10.0
    allow_loopback: bool = False


@dataclass(slots=True)
class _Talk:
    """One connection as it goes on."""

    target: str
    allowed: bool = False
    reason: str = ""
    sent: int = 0
    received: int = 0

    def told(self) -> Connection:
        return Connection(self.target, self.allowed, self.reason, self.sent, self.received)


class ProxyGateway:
    """Opens a proxy for each run, or session, whose network was granted."""

    def __init__(self, rules: EgressRules | None = None, *, resolve: Resolve | None = None) -> None:
        self._rules, self._resolve = rules, resolve

    async def open(self, allowed: tuple[str, ...], tenant: str) -> EgressProxy:
        """A way to these `host:port` only. Raises `InvalidArguments` for what is none, `SandboxError`."""
        proxy = EgressProxy(allowed, self._rules, resolve=self._resolve)
        await asyncio.to_thread(proxy.start)
        return proxy


class EgressProxy:
    """The way out of one run, or of one session.

    Works in a thread of its own, so it may be used from any thread or event loop. Raises `InvalidArguments`
    for a target that is no HOST:PORT.
    """

    def __init__(
        self, targets: Sequence[str], rules: EgressRules | None = None, *, resolve: Resolve | None = None
    ) -> None:
        self._allowed = frozenset(map(_checked, targets))
        self._rules = rules or EgressRules()
        self._resolve = resolve or _resolve
        self._talks: list[_Talk] = []
        self._told = self._surplus = self._seen = 0
        self._left = self._rules.bytes
        self._folder = Path()
        self._ready = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-proxy", daemon=True)

    @property
    def socket(self) -> str:
        """The unix socket on this host, which speaks HTTP proxy."""
        return str(self._folder / SOCKET)

    def connections(self) -> tuple[Connection, ...]:
        """What was reached, or was to be, since this was asked last; what came after the last that is allowed
        is one entry together.
        """
        talks = self._talks[self._told :]
        self._told += len(talks)
        surplus, self._surplus = self._surplus, 0
        told = tuple(talk.told() for talk in talks)
        if not surplus:
            return told
        return (*told, Connection(f"{surplus} more", False, "more connections than may be made"))

    def start(self) -> None:
        """Listen; raises `SandboxError` where no socket can be made."""
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="toolcrib-egress-"))  # nobody else passes through it
            self._listener.bind(self.socket)
            # For the sandbox's user, who meets it as a mount: the engine, which made that, passes anywhere.
            Path(self.socket).chmod(0o666)
        except OSError as error:
            self._listener.close()
            self._loop.close()
            raise _closed(error) from error
        self._thread.start()
        self._ready.wait()

    async def close(self) -> None:
        """End every connection and remove the socket. Harmless when repeated."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it has ended in the meantime
                self._loop.call_soon_threadsafe(self._end.set)
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        self._thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- in the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_unix_server(self._accept, sock=self._listener, limit=MAX_HEAD)
        self._ready.set()
        await self._end.wait()
        server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._seen += 1
        if self._seen > self._rules.connections:
            self._surplus += 1
            writer.close()
            return
        talk = _Talk("?")
        self._talks.append(talk)
        try:
            await self._talk(talk, reader, writer)
        except Refused as refused:
            talk.target, talk.reason = refused.target or talk.target, refused.why
            await _answer(writer, refused.why)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            talk.reason = talk.reason or f"the connection ended early ({type(error).__name__})"
        finally:
            writer.close()

    async def _talk(self, talk: _Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._rules.seconds):
                ask = parse(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.LimitOverrunError:
            raise Refused("a request's head that is too long") from None
        talk.target = ask.target
        if ask.target not in self._allowed:
            raise Refused("it was not granted")
        address = await self._address(ask)
        first = await self._begin_tunnel(ask, reader, writer) if ask.is_tunnel else ask.head
        async with asyncio.timeout(self._rules.seconds):
            far_reader, far_writer = await asyncio.open_connection(address, ask.port)
        talk.allowed = True
        try:
            self._count(talk, len(first), 0)
            far_writer.write(first)
            await self._pass_on(talk, ask, (reader, far_writer), (far_reader, writer))
        finally:
            far_writer.close()

    async def _address(self, ask: Ask) -> str:
        """The address to connect to, checked; it is used as it is, so that it cannot change any more."""
        try:
            async with asyncio.timeout(self._rules.seconds):
                addresses = await self._resolve(ask.host, ask.port)
        except (OSError, UnicodeError):
            raise Refused("its name cannot be resolved") from None
        if why := forbidden(addresses, allow_loopback=self._rules.allow_loopback):
            raise Refused(why)
        return addresses[0]

    async def _begin_tunnel(
        self, ask: Ask, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        """The first bytes of the tunnel, which must be TLS to the very host that was asked for."""
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        data = b""
        async with asyncio.timeout(self._rules.seconds):
            while True:
                try:
                    name = server_name(data)
                    break
                except Incomplete:
                    more = await reader.read(CHUNK)
                    if not more or len(data) > MAX_HELLO:
                        raise Refused("the tunnel does not begin with TLS") from None
                    data += more
                except NoHello as error:
                    raise Refused(f"the tunnel does not begin with TLS to it: {error}") from None
        if name != ask.host:
            raise Refused(f"the tunnel begins with TLS to another server, {name[:200]!r}")
        return data

    async def _pass_on(
        self,
        talk: _Talk,
        ask: Ask,
        out: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        back: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        async def send() -> None:
            await self._pump(
                *out, lambda size: self._count(talk, size, 0), None if ask.is_tunnel else ask.length
            )

        async def receive() -> None:
            await self._pump(*back, lambda size: self._count(talk, 0, size), None)

        sending = asyncio.create_task(send())
        try:
            await receive()  # when the server has ended, nobody waits for what else is sent
            if sending.done() and not sending.cancelled() and (error := sending.exception()):
                raise error
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    @staticmethod
    async def _pump(
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        count: Callable[[int], None],
        most: int | None,
    ) -> None:
        while most is None or most > 0:
            data = await source.read(CHUNK if most is None else min(CHUNK, most))
            if not data:
                break
            most = None if most is None else most - len(data)
            count(len(data))
            sink.write(data)
            await sink.drain()
        if most is None and sink.can_write_eof():
            with contextlib.suppress(OSError):
                sink.write_eof()

    def _count(self, talk: _Talk, sent: int, received: int) -> None:
        self._left -= sent + received
        if self._left < 0:
            talk.reason = "the run has sent and received all that it may"
            raise ConnectionAbortedError(talk.reason)
        talk.sent += sent
        talk.received += received


def _closed(error: OSError) -> SandboxError:
    return SandboxError(
        f"the sandbox's way out could not be opened: {error}",
        rule="a run whose network was granted runs with it or not at all",
        remedy="See that the folder for temporary files can be written",
    )


def _checked(target: str) -> str:
    try:
        return target_of(target)
    except Refused as refused:
        raise InvalidArguments(
            f"egress to {target[:200]!r}", rule=refused.why, remedy="Write for example api.example:443"
        ) from None


async def _answer(writer: asyncio.StreamWriter, why: str) -> None:
    """Tell the code in words, where it still listens for them."""
    body = f"toolcrib: this connection is refused: {why}\n".encode()
    head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    with contextlib.suppress(OSError):
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))
