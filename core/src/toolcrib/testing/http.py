"""A small real HTTP server on loopback, the base of every fake service in the test kit.

A fake proves something only if it is as strict as what it stands for, and if it can fail on command. So a
`FakeService` refuses what has no route, keeps every request it was sent, and can be told to hold, cut or fail
the next ones.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeAlias
from urllib.parse import unquote

from toolcrib.testing._http_messages import Reply, Request, ServiceRefused
from toolcrib.testing._http_server import Answer, LoopbackServer

__all__ = ["FakeService", "Handler", "Hold", "Reply", "Request", "ServiceRefused"]

Handler: TypeAlias = Callable[[Request], Reply]
Which: TypeAlias = Callable[[Request], bool]


def _any(request: Request) -> bool:
    return True


@dataclass(slots=True)
class Hold:
    """A gate before the service: `arrived` is set once a request waits at it, `release()` opens it."""

    only: Which = _any
    arrived: threading.Event = field(default_factory=threading.Event)
    _open: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Called by the service for each request."""
        self.arrived.set()
        self._open.wait()

    def release(self) -> None:
        """Open the gate."""
        self._open.set()


@dataclass(frozen=True, slots=True)
class _Fault:
    """What befalls one request: `reply` instead of its route, or else a cut after `cut_after` bytes."""

    reply: Reply | None = None
    cut_after: int = 0
    only: Which = _any


class FakeService:
    """Routes, a request log and switches, served by threads on a free loopback port inside a `with` block.

    Subclasses register routes in `__init__` with `self.route("GET", "/things/{id}", handler)`. Handlers run
    in several threads at once; guard what they share with `self.lock`. An exception in a handler answers 500
    and is kept in `failures`. Set `tls` to a server's context before `start` to serve HTTPS.
    """

    tls: ssl.SSLContext | None = None

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self.lock = threading.RLock()
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        self._faults: deque[_Fault] = deque()
        self._holds: list[Hold] = []
        self._vanishing = 0
        self._last_words = False
        self._is_gone = False
        self._server: LoopbackServer | None = None
        self._thread: threading.Thread | None = None

    # --- life -------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Bind a free port on 127.0.0.1 and serve."""
        if self._server is not None:
            raise RuntimeError("the service already runs")
        self._server = LoopbackServer(self._serve, self.tls)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=type(self).__name__
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Open all gates, close every connection and join every thread; harmless when not running."""
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        for hold in self._holds:
            hold.release()
        server.shutdown()
        server.disconnect()
        server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT` (or `https`, with `tls`), without a trailing slash."""
        if self._server is None:
            raise RuntimeError("the service does not run: use it as a context manager, or call start()")
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def connections(self) -> int:
        """How many connections to it are open."""
        return self._server.open_connections if self._server else 0

    def quiet(self, most: int = 0, seconds: float = 10.0) -> bool:
        """Wait until at most so many connections are open; False if they are not within `seconds`."""
        return self._server is None or self._server.quiet(most, seconds)

    # --- routes and switches ----------------------------------------------------------------------

    def route(self, method: str, path: str, handler: Handler) -> None:
        """Serve `method` on `path`; `{name}` matches one path segment and comes in `request.parameters`."""
        parts = re.split(r"\{(\w+)\}", path)
        pattern = "".join(f"(?P<{p}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(parts))
        self._routes.append((method.upper(), re.compile(pattern), handler))

    def fail(
        self,
        status: int,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        times: int = 1,
        only: Which = _any,
    ) -> None:
        """Answer the next `times` requests with `status` and a JSON `body` instead of their route; `only`
        those of which it is true, here and in `answer`, `cut` and `holding`.
        """
        body = self.error(status, f"told to answer {status}") if body is None else body
        self.answer(Reply.json(body, status, headers), times=times, only=only)

    def answer(self, reply: Reply, *, times: int = 1, only: Which = _any) -> None:
        """Answer the next `times` requests with `reply`, whatever they ask."""
        self._faults.extend([_Fault(reply, only=only)] * times)

    def cut(self, *, after: int = 0, times: int = 1, only: Which = _any) -> None:
        """Cut the next `times` connections `after` so many bytes of the true body (0: no answer at all)."""
        self._faults.extend([_Fault(cut_after=after, only=only)] * times)

    def vanish(self, times: int = 1, *, for_good: bool = False) -> None:
        """Do the next `times` writes, and hang up instead of answering; `for_good`: and then answer nothing
        any more, until `relent`.
        """
        self._vanishing, self._last_words = times, for_good

    def wrote(self, request: Request, reply: Reply) -> bool:
        """Whether a request changed something, for `vanish`: by its method, unless a subclass knows."""
        return request.method not in ("GET", "HEAD", "OPTIONS") and reply.status < 300

    def relent(self) -> int:
        """Forget the faults that no request has met yet; how many those were."""
        with self.lock:
            left = len(self._faults) + self._vanishing
            self._faults.clear()
            self._vanishing, self._last_words, self._is_gone = 0, False, False
            return left

    @contextmanager
    def holding(self, only: Which = _any) -> Iterator[Hold]:
        """While inside, every request waits at the gate until `hold.release()` or the end of the block."""
        hold = Hold(only)
        self._holds.append(hold)
        try:
            yield hold
        finally:
            self._holds.remove(hold)
            hold.release()

    # --- serving ----------------------------------------------------------------------------------

    def handle(self, request: Request) -> Reply:
        """Route one request; subclasses may wrap it to check what holds for every route."""
        allowed = []
        for method, pattern, handler in self._routes:
            if match := pattern.fullmatch(request.path):
                if method == request.method:
                    found = {name: unquote(value) for name, value in match.groupdict().items()}
                    return handler(replace(request, parameters=found))
                allowed.append(method)
        if allowed:
            error = self.error(405, f"{request.method} is not allowed here")
            return Reply.json(error, 405, {"allow": ", ".join(sorted(allowed))})
        return Reply.json(self.error(404, f"no such route: {request.method} {request.path}"), 404)

    def error(self, status: int, message: str) -> Any:
        """The JSON body of an error, in the shape of what the fake stands for; subclasses override it."""
        return {"error": message}

    def _serve(self, request: Request) -> Answer:
        with self.lock:
            self.requests.append(request)
        for hold in tuple(self._holds):
            if hold.only(request):
                hold.wait()
        if self._is_gone:
            return Reply(), 0
        fault = self._next_fault(request)
        if fault and fault.reply is not None:
            return fault.reply, None
        if fault and not fault.cut_after:
            return Reply(), 0
        reply = self._answer(request)
        with self.lock:
            if self._vanishing and self.wrote(request, reply):
                self._vanishing -= 1
                self._is_gone = self._last_words and not self._vanishing
                return reply, 0
        return reply, fault.cut_after if fault else None

    def _next_fault(self, request: Request) -> _Fault | None:
        with self.lock:
            return self._faults.popleft() if self._faults and self._faults[0].only(request) else None

    def _answer(self, request: Request) -> Reply:
        try:
            return self.handle(request)
        except ServiceRefused as refused:
            return refused.reply
        except Exception as error:
            self.failures.append(error)
            return Reply.json(self.error(500, f"the fake failed: {error!r}"), 500)
