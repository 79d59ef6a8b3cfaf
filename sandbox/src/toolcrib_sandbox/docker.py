"""`DockerSandbox`: core's `Sandbox` on a Docker engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Self, TypeVar

from toolcrib.errors import SandboxError
from toolcrib.sandbox import Durations, Limits, Protection, RunRequest, RunResult, SandboxSession
from toolcrib_sandbox import local_image
from toolcrib_sandbox._box import Box
from toolcrib_sandbox._check import Checker, refuse_missing
from toolcrib_sandbox._engine import Engine, Image
from toolcrib_sandbox._pool import Pool
from toolcrib_sandbox._results import result_of
from toolcrib_sandbox._session import DockerSession
from toolcrib_sandbox._spec import Spec, spec_for
from toolcrib_sandbox._warm import Warm
from toolcrib_sandbox._wire import encode
from toolcrib_sandbox.egress import Gateway, Passage
from toolcrib_sandbox.settings import LOCAL_IMAGE, DockerSettings

__all__ = ["DockerSandbox"]

T = TypeVar("T")
_REFILL_SECONDS = 0.02
"""A run that lasts longer is not waited for: the next container is started beside it."""


class DockerSandbox:
    """Runs code in containers that nobody used before; with `tier = "burst"` in namespaces that nobody used.

    Nothing is opened until the first run, which first tries the protections and refuses to go on where a
    required one does not hold. May be used from several event loops at once; blocking work is done in threads
    of its own. `gateway` lets granted runs out. Use it as an asynchronous context manager, or call `close`.
    """

    def __init__(self, settings: DockerSettings | None = None, *, gateway: Gateway | None = None) -> None:
        self.settings = settings = settings or DockerSettings()
        self.engine = Engine(settings.host)
        self._gateway = gateway
        self._pool = Pool(
            self._start,
            lambda box: self.engine.remove(box.container),
            most=settings.containers,
            preheated=settings.preheated,
            queue=settings.queue,
        )
        self._warm = Warm(self._pool, most=settings.containers, most_runs=settings.burst_runs)
        self._threads = ThreadPoolExecutor(settings.containers + 4, thread_name_prefix="sandbox")
        self._image: Image | None = None
        self._opening: Future[Image] | None = None
        self._cannot_burst = ""
        self._closed = False

    # --- runs

    async def run(self, request: RunRequest) -> RunResult:
        """One run in an environment that nobody used before, and nobody will use after.

        Raises `SandboxError` if none can be had, `InvalidArguments` for a request that cannot be run.
        """
        image = await self._open()
        if self.settings.tier == "burst" and not request.egress:
            if not self._cannot_burst:
                result = await self._burst(image, request)
                if result is not None:
                    return result
            result = await self._once(image, request)
            return replace(result, notes=(*result.notes, self._cannot_burst))
        return await self._once(image, request)

    async def _once(self, image: Image, request: RunRequest) -> RunResult:
        async with self._way_out(request.egress, request.tenant) as passage:
            spec = self._spec(image, request.limits, passage)
            frame = encode(request, "once", spec)
            began = time.monotonic()
            box = await self._take(lambda: self._ask(spec), self._pool.discard)
            refill = asyncio.get_running_loop().call_later(_REFILL_SECONDS, self._pool.refill)
            try:
                queued = time.monotonic() - began
                reply = await self._in_thread(box.run, request, frame)
                result = result_of(reply, image, Durations(queued, box.start_seconds, reply.seconds))
            finally:
                refill.cancel()
                # Also ends a run that was cancelled: its thread sees the channel close.
                self._pool.discard(box)
            return replace(result, connections=passage.connections()) if passage else result

    async def _burst(self, image: Image, request: RunRequest) -> RunResult | None:
        """None if this host forbids it, which is remembered."""
        spec = replace(self._spec(image, request.limits), nested=True)
        frame, key = encode(request, "burst", spec), (spec, request.tenant)
        began, sound = time.monotonic(), False
        box = await self._take(
            lambda: self._warm.ask(key), lambda box: self._warm.give_back(key, box, sound=True)
        )
        try:
            queued, started = time.monotonic() - began, box.first_start
            reply = await self._in_thread(box.run, request, frame)
            sound = not (reply.timed_out or reply.out_of_memory or reply.refused)
        finally:
            self._warm.give_back(key, box, sound=sound)
        if reply.refused.startswith("nesting: "):
            self._cannot_burst = f"Single use instead of burst, which this host forbids: {reply.refused[9:]}"
            return None
        return result_of(reply, image, Durations(queued, started, reply.seconds))

    async def session(self, tenant: str, limits: Limits, egress: tuple[str, ...] = ()) -> SandboxSession:
        """A sandbox that remembers, for one tenant, until it is closed."""
        image = await self._open()
        passage = await self._passage(egress, tenant)
        try:
            spec = self._spec(image, limits, passage)
            box = await self._take(lambda: self._ask(spec), self._pool.discard)
        except BaseException:
            if passage:
                await passage.close()
            raise
        self._pool.refill()
        return DockerSession(
            box,
            tenant,
            passage,
            in_thread=self._in_thread,
            spec_of=lambda request: self._spec(image, request.limits, passage),
            result_of=lambda reply, durations: result_of(reply, image, durations),
            discard=self._pool.discard,
        )

    async def check(self) -> Sequence[Protection]:
        """Try every protection on this engine, and say which hold."""
        image = await self._in_thread(self._find_image)
        return [*await self._checker(image, whole=True).everything(), await self._dies_with_owner(image)]

    # --- opening

    async def _open(self) -> Image:
        """The image, once this engine has been tried; all who come at once wait for one trial."""
        if self._image is not None:
            return self._image
        opening = self._opening
        if opening is not None:
            return await asyncio.shield(asyncio.wrap_future(opening))
        opening = self._opening = Future()
        try:
            image = await self._in_thread(self._find_image)
            await self._in_thread(self.engine.sweep)
            refuse_missing(await self._checker(image).quick())
            self._image = image
            opening.set_result(image)
        except BaseException as error:
            told = isinstance(error, Exception)
            opening.set_exception(error if told else SandboxError("the sandbox was given up as it opened"))
            raise
        finally:
            self._opening = None
        return image

    def _find_image(self) -> Image:
        name = self.settings.image
        return self.engine.image(local_image.ensure(self.engine) if name == LOCAL_IMAGE else name)

    def _checker(self, image: Image, *, whole: bool = False) -> Checker:
        async def burst(request: RunRequest) -> RunResult:
            # Where it is forbidden, runs are single-use, and that is what holds.
            return await self._burst(image, request) or await self._once(image, request)

        nested = burst if whole and self.settings.tier == "burst" else None
        return Checker(
            self.engine, image, lambda request: self._once(image, request), self.settings.waive, nested
        )

    async def _dies_with_owner(self, image: Image) -> Protection:
        def die() -> bool:
            box = self._start(self._spec(image, Limits()))
            box.close()
            return self.engine.is_gone(box.container, 10)

        gone = await self._in_thread(die)
        required = "dies-with-owner" not in self.settings.waive
        return Protection("dies-with-owner", gone, required, "removed by the engine when its channel closed")

    # --- containers

    def _start(self, spec: Spec) -> Box:
        return Box.start(self.engine, spec, self.settings.start_seconds)

    def _spec(self, image: Image, limits: Limits, passage: Passage | None = None) -> Spec:
        settings = self.settings
        spec = spec_for(limits, image=image.id, runtime=settings.runtime, preload=settings.preload)
        return replace(spec, socket=passage.socket) if passage else spec

    async def _passage(self, egress: tuple[str, ...], tenant: str) -> Passage | None:
        if not egress:
            return None
        if self._gateway is None or not self.engine.is_local:
            raise SandboxError(
                f"a run that may reach {', '.join(egress):.200} cannot have it here",
                rule="the way out is a socket of this host, so the engine must run here too",
                remedy="Use a local engine, or run it without egress",
            )
        return await self._gateway.open(egress, tenant)

    @asynccontextmanager
    async def _way_out(self, egress: tuple[str, ...], tenant: str) -> AsyncIterator[Passage | None]:
        passage = await self._passage(egress, tenant)
        try:
            yield passage
        finally:
            if passage:
                await passage.close()

    def _ask(self, spec: Spec) -> Future[Box]:
        future = self._pool.ask(spec)
        if not future.done():
            self._warm.make_room()
        return future

    async def _take(self, ask: Callable[[], Future[Box]], give_back: Callable[[Box], None]) -> Box:
        future = ask()
        if future.done():
            return future.result()
        try:
            async with asyncio.timeout(self.settings.queue_seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            _leave(future, give_back)
            raise SandboxError(
                f"no sandbox was free within {self.settings.queue_seconds:g} s",
                rule=f"[sandbox] containers = {self.settings.containers}, queue_seconds",
                remedy="Try again later, or raise these",
                retry_after=1.0,
            ) from None
        except asyncio.CancelledError:
            _leave(future, give_back)
            raise

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        if self._closed:
            raise SandboxError("the sandbox was closed", remedy="Open it anew")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    # --- the end

    async def close(self) -> None:
        """End and remove every container; leaves nothing behind. Harmless when repeated."""
        self._closed = True
        await asyncio.to_thread(self._pool.close)
        self._threads.shutdown(wait=False)
        self.engine.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()


def _leave(future: Future[Box], give_back: Callable[[Box], None]) -> None:
    """Nobody waits any more; a container that came all the same is given back."""
    future.cancel()
    future.add_done_callback(
        lambda done: None if done.cancelled() or done.exception() else give_back(done.result())
    )
