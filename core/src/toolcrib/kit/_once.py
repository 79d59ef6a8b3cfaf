"""Writing once: keys for vendors that know them, a look before and after for those that do not."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from toolcrib.context import CallContext
from toolcrib.errors import NotSent, ToolError, VendorRefused

__all__ = ["after_write", "in_batches", "look_up_first", "vendor_key"]

T = TypeVar("T")
R = TypeVar("R")


def vendor_key(ctx: CallContext, part: str = "") -> str:
    """A key for a vendor, shaped as a UUID: the same for each attempt of this call, another for any other.

    A call's own key is scoped by tenant, user, agent and tool, which the vendor does not know; so they are
    part of it, and it tells nothing of them. A call that writes twice says which write by `part`.
    """
    who = ctx.principal
    scope = (who.tenant, who.user or "", who.agent or "", ctx.tool, ctx.idempotency_key, part)
    text = "\0".join(f"{len(item)}:{item}" for item in scope)
    return str(UUID(bytes=hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16], version=5))


async def look_up_first(find: Callable[[], Awaitable[T | None]], make: Callable[[], Awaitable[T]]) -> T:
    """What `make` makes, unless `find` finds that an attempt before has made it.

    For vendors without idempotency keys: write `vendor_key(ctx)` into a field of the record and find by it;
    the tool may then be `idempotent=True`. If `make` ends with nobody knowing whether it happened, `find` is
    asked once more; if it finds nothing, the error stands (the vendor may still be at it), and a write is
    ambiguous.
    """
    found = await find()
    if found is not None:
        return found
    try:
        return await make()
    except (VendorRefused, NotSent):
        raise
    except ToolError as error:
        try:
            found = await find()
        except ToolError:
            raise error from None
        if found is None:
            raise
        return found


@contextmanager
def after_write(done: str) -> Iterator[None]:
    """Guard what follows a write of the same call: an error in it no longer means that nothing happened.

    `done` says what did ("the ticket INC1 was made"). `VendorRefused` and `NotSent` become a `ToolError` that
    leaves the outcome open, so that the call ends `ambiguous` and a human looks.
    """
    try:
        yield
    except ToolError as error:
        if error.happened is None and not error.temporary:
            raise
        raise ToolError(f"{done}, and then: {error.what}", rule=error.rule, remedy=error.remedy) from error


async def in_batches(
    items: Sequence[T],
    send: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
    *,
    size: int,
    done: str = "sent",
) -> list[R]:
    """`send` for at most `size` items at a time; the results, one for each item, in their order.

    A batch that fails after another went through raises a `ToolError` which says how many items were `done`;
    so does an answer with fewer or more results than items.
    """
    results: list[R] = []
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        if not results:
            answers = await send(batch)
        else:
            with after_write(f"{len(results)} of {len(items)} were {done}"):
                answers = await send(batch)
        if len(answers) != len(batch):
            raise ToolError(
                f"a batch of {len(batch)} was answered with {len(answers)} results",
                rule="a batch has one result for each item",
                remedy="Look at the vendor's side which of them it took",
            )
        results += answers
    return results
