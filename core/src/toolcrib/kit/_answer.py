"""An answer that came in whole, and how to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from toolcrib.errors import ToolError
from toolcrib.kit._words import plain_words, words_of

__all__ = ["Answer", "fit"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer of a vendor; header names are lower-case.

    What it holds is a stranger's: `parse` gives it as a model of the pack's own, or raises `ToolError`, which
    leaves a write ambiguous, since the vendor did answer that it was done.
    """

    vendor: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_empty(self) -> bool:
        """True for 204, 205 and any answer without a body."""
        return not self.body

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; `ToolError` where it is something else, a page, empty or cut short."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.is_empty:
            raise self._unlike("nothing")
        if kind and not (kind.endswith(("/json", "+json")) or kind == "text/javascript"):
            raise self._unlike(
                f"{plain_words(kind, limit=60)}, {plain_words(words_of(self.text), limit=160)}"
            )
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise self._unlike(f"something else ({plain_words(str(error), limit=80)})") from None

    def parse(self, kind: type[T]) -> T:
        """The JSON body as `kind`, a pydantic model or any annotated type; `ToolError` names what does not
        fit.
        """
        return fit(kind, self.json(), vendor=self.vendor)

    def _unlike(self, found: str) -> ToolError:
        return ToolError(
            f"{self.vendor} answered {self.status} with {found}",
            rule="the answer is JSON",
            remedy="Tell the operator: the vendor has changed, or the address in the settings is wrong",
        )


def fit(kind: type[T], value: Any, *, vendor: str) -> T:
    """`value`, as read from JSON, as `kind`; `ToolError` names the first place that does not fit, and quotes
    nothing.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        # Through JSON, as the value came: a strict model takes a date from text only there.
        return TypeAdapter(kind).validate_json(orjson.dumps(value))
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the body"
        raise ToolError(
            f"{vendor}'s answer has another shape: {plain_words(place, limit=80)}: {problem['msg']}",
            rule=f"the answer fits {getattr(kind, '__name__', kind)}",
            remedy="Tell the operator: the vendor has changed, or the address in the settings is wrong",
        ) from None
