"""Keeps secrets out of the process's traces (OpenTelemetry), whoever opens the spans.

AutoGen opens spans around agents, tools and messages, a vendor's client around its requests, and each puts
into them what it has at hand: a URL, an argument, an exception with its message and stack. So every span of
every tracer provider is looked through when it has ended, before any processor or exporter sees it: name,
attributes, events, links, status, resource, scope and trace state. A span that holds nothing is not touched.

Why is this no span processor? A processor belongs to one provider; AutoGen's runtime takes a provider of its
own, and one that is made tomorrow would export what today's does not. And an exporter that was added earlier
is served earlier. Of each ended span the SDK makes one read-only copy and hands out nothing else, so what
makes that copy is wrapped, once in a process. An SDK that has no such place is not let pass in silence.

`[redaction] traces = false` leaves traces alone. What a processor sends of a span that only begins, metrics,
and log events that are not `logging`'s pass by.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from toolcrib.errors import ToolcribWarning
from toolcrib.secrets._lasting import Lasting
from toolcrib.secrets.redaction import Redactor

__all__ = ["clean_traces", "leave_traces"]

WITHHELD = "[withheld: this span could not be looked through for secrets]"

_REDACTORS = Lasting()


def clean_traces(redactor: Redactor) -> None:
    """From now on, keep what `redactor` knows out of all spans, also when it is gone.

    Where OpenTelemetry's SDK is not installed no span leaves the process, and nothing is done.
    """
    _REDACTORS.add(redactor)
    try:
        span: Any = import_module("opentelemetry.sdk.trace").Span
    except ImportError:
        return
    make = getattr(span, "_readable_span", None)
    if make is None:
        warnings.warn(
            ToolcribWarning(
                "the spans of this OpenTelemetry SDK cannot be cleaned: secrets may leave by traces."
                " Install opentelemetry-sdk 1.x, or say [redaction] traces = false if that is meant"
            ),
            stacklevel=2,
        )
    elif not hasattr(make, "cleans_secrets"):
        span._readable_span = _cleaning(make)


def leave_traces(redactor: Redactor) -> None:
    """Undo `clean_traces`."""
    _REDACTORS.discard(redactor)


def _cleaning(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`make`, which gives the read-only copy of a span, and cleans it."""

    @functools.wraps(make)
    def readable(span: Any) -> Any:
        seen = make(span)
        try:
            for redactor in _REDACTORS.active():
                seen = _cleaned(seen, redactor, _limit(span))
        except Exception:
            return _withheld(seen)
        return seen

    vars(readable)["cleans_secrets"] = True
    return readable


def _limit(span: Any) -> int | None:
    """Characters after which this span's attributes are cut off, which may leave the beginning of a value."""
    limits = getattr(span, "_limits", None)
    found = [getattr(limits, name, None) for name in ("max_span_attribute_length", "max_attribute_length")]
    return min((one for one in found if one is not None), default=None)


def _cleaned(span: Any, redactor: Redactor, limit: int | None) -> Any:
    """`span` itself where it shows nothing, else a copy without the values."""
    told = _document(span)
    cleaned = redactor.clean_value(told)
    if limit is not None:
        cleaned = _without_beginnings(cleaned, limit, redactor)
    return span if cleaned == told else _rebuilt(span, cleaned)


def _document(span: Any) -> dict[str, Any]:
    """All that an exporter can know of a span, as data."""
    scope = span.instrumentation_scope
    return {
        "name": span.name,
        "attributes": _plain(span.attributes),
        "events": [[event.name, _plain(event.attributes)] for event in span.events],
        "links": [[_plain(link.attributes), _state(link.context)] for link in span.links],
        "status": span.status.description,
        "states": [_state(span.context), _state(span.parent)],
        "resource": _plain(span.resource.attributes),
        "scope": [scope.name, scope.version, _plain(scope.attributes)] if scope is not None else None,
    }


def _plain(value: Any) -> Any:
    """Mappings and sequences of any kind as dicts and lists."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(entry) for entry in value]
    return {} if value is None else value


def _state(context: Any) -> str:
    return context.trace_state.to_header() if context is not None and context.trace_state else ""


def _without_beginnings(value: Any, limit: int, redactor: Redactor) -> Any:
    """Texts that were cut off at `limit`, less the beginning of a value at their end."""
    if isinstance(value, dict):
        return {key: _without_beginnings(entry, limit, redactor) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_beginnings(entry, limit, redactor) for entry in value]
    if isinstance(value, str) and len(value) >= limit:
        return redactor.clean_chunk(value)
    return value


def _rebuilt(span: Any, told: Mapping[str, Any]) -> Any:
    """The span with what is told instead of what it has."""
    sdk, api = import_module("opentelemetry.sdk.trace"), import_module("opentelemetry.trace")
    resource = type(span.resource)(told["resource"], span.resource.schema_url)
    own, parent = told["states"]
    return sdk.ReadableSpan(
        name=told["name"],
        context=_context(span.context, own),
        parent=_context(span.parent, parent),
        resource=resource,
        attributes=told["attributes"],
        events=[
            sdk.Event(name, attributes, event.timestamp)
            for event, (name, attributes) in zip(span.events, told["events"], strict=True)
        ],
        links=[
            api.Link(_context(link.context, state), attributes)
            for link, (attributes, state) in zip(span.links, told["links"], strict=True)
        ],
        kind=span.kind,
        status=api.Status(span.status.status_code, told["status"]),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=_scope(span.instrumentation_scope, told["scope"]),
    )


def _context(context: Any, state: str) -> Any:
    """The same context; without its state, which is another's to read and not ours to mend, if that
    changed.
    """
    if state == _state(context):
        return context
    return type(context)(context.trace_id, context.span_id, context.is_remote, context.trace_flags)


def _scope(scope: Any, told: Sequence[Any] | None) -> Any:
    if scope is None or told is None:
        return None
    name, version, attributes = told
    return type(scope)(name, version, scope.schema_url, attributes)


def _withheld(span: Any) -> Any:
    """When it was and what it belongs to, and nothing else."""
    sdk = import_module("opentelemetry.sdk.trace")
    return sdk.ReadableSpan(
        name=WITHHELD,
        context=_context(span.context, ""),
        parent=_context(span.parent, ""),
        resource=type(span.resource)({}),
        kind=span.kind,
        start_time=span.start_time,
        end_time=span.end_time,
    )
