"""`DockerSandbox`: core's `Sandbox` on a Docker engine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar

from toolcrib.errors import SandboxError
from toolcrib.sandbox import Durations, Limits, Protection, RunRequest, RunResult, SandboxSession
from toolcrib_sandbox._box import Box
from toolcrib_sandbox._engine import Engine, Image
from toolcrib_sandbox._pool import Pool
from toolcrib_sandbox._results import result_of
from toolcrib_sandbox._session import DockerSession
from toolcrib_sandbox._spec import Spec, spec_for
from toolcrib_sandbox._wire import encode
from toolcrib_sandbox.settings import DockerSettings

__all__ = ["DockerSandbox"]

T = TypeVar("T")


class DockerSandbox:
    """Runs code in containers that nobody used before.

    Nothing is opened until the first run. May be used from several event loops at once; blocking work is done
    in threads of its own. Use it as an asynchronous context manager, or call `close`.
    """

    def __init__(self, settings: DockerSettings | None = None) -> None:
        self.settings = settings or DockerSettings()
        self.engine = Engine(self.settings.host)
        self.pool = Pool(
            self._start,
            lambda box: self.engine.remove(box.container),
            most=self.settings.containers,
            preheated=self.settings.preheated,
            queue=self.settings.queue,
        )
        self._threads = ThreadPoolExecutor(self.settings.containers + 2, thread_name_prefix="sandbox")
        self._opening = threading.Lock()
        self._image: Image | None = None

    def _start(self, spec: Spec) -> Box:
        return Box.start(self.engine, spec, self.settings.start_seconds)

    # --- runs

    async def run(self, request: RunRequest) -> RunResult:
        """One run in a container that nobody used before, and nobody will use after.

        Raises `SandboxError` if none can be had, `InvalidArguments` for a request that cannot be run.
        """
        image = await self._open()
        spec = self._spec(image, request.limits)
        frame = encode(request, "once", spec)
        began = time.monotonic()
        box = await self._take(spec)
        try:
            queued = time.monotonic() - began
            reply = await self._in_thread(box.run, request, frame)
        finally:
            self.pool.discard(box)  # also ends a run that was cancelled: its thread sees the channel close
        return result_of(reply, image, Durations(queued, box.start_seconds, reply.seconds))

    async def session(self, tenant: str, limits: Limits, egress: tuple[str, ...] = ()) -> SandboxSession:
        """A sandbox that remembers, for one tenant, until it is closed."""
        image = await self._open()
        spec = self._spec(image, limits)
        return DockerSession(
            await self._take(spec),
            tenant,
            in_thread=self._in_thread,
            spec_of=lambda request: self._spec(image, request.limits),
            result_of=lambda reply, durations: result_of(reply, image, durations),
            discard=self.pool.discard,
        )

    async def check(self) -> Sequence[Protection]:
        """Try every protection on this engine, and say which hold."""
        raise NotImplementedError

    # --- containers

    async def _open(self) -> Image:
        if self._image is None:
            return await self._in_thread(self._resolve)
        return self._image

    def _resolve(self) -> Image:
        with self._opening:
            image = self._image
            if image is None:
                image = self._image = self.engine.image(self.settings.image)
                self.engine.sweep()
            return image

    def _spec(self, image: Image, limits: Limits) -> Spec:
        return spec_for(limits, image=image.id, runtime=self.settings.runtime, preload=self.settings.preload)

    async def _take(self, spec: Spec) -> Box:
        future = self.pool.ask(spec)
        if future.done():
            return future.result()
        try:
            async with asyncio.timeout(self.settings.queue_seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            self._give_back(future)
            raise SandboxError(
                f"no sandbox was free within {self.settings.queue_seconds:g} s",
                rule=f"[sandbox] containers = {self.settings.containers}, queue_seconds",
                remedy="Try again later, or raise these",
                retry_after=1.0,
            ) from None
        except asyncio.CancelledError:
            self._give_back(future)
            raise

    def _give_back(self, future: Future[Box]) -> None:
        """Nobody waits any more; a container that came all the same goes to nobody else."""
        future.cancel()
        future.add_done_callback(
            lambda done: None if done.cancelled() or done.exception() else self.pool.discard(done.result())
        )

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    # --- the end

    async def close(self) -> None:
        """End and remove every container; leaves nothing behind. Harmless when repeated."""
        await asyncio.to_thread(self.pool.close)
        self._threads.shutdown(wait=False)
        self.engine.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()
