"""No span that leaves the process shows a value, whoever opened it and wherever in it it stands."""

from __future__ import annotations

import asyncio
import gc
import warnings
from base64 import b64encode
from typing import Any
from weakref import ref

import pytest

from toolcrib.config import RedactionSettings
from toolcrib.errors import ToolcribWarning
from toolcrib.secrets import Redactor, Secret, clean_traces, guarded, leave_logs, leave_traces
from toolcrib.secrets.traces import WITHHELD
from toolcrib.testing.counterparts import missing

try:
    from opentelemetry import trace
    from opentelemetry.sdk import trace as sdk
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
except ImportError:
    missing_sdk = True
else:
    missing_sdk = False

VALUE = "correct-horse-battery-9"
LABEL = "[secret:p/0]"
FORMS = (VALUE, VALUE[12:], b64encode(f"me:{VALUE}".encode()).decode()[4:-4])


@pytest.fixture(autouse=True)
def counterpart():
    if missing_sdk:
        missing("OpenTelemetry's SDK is not installed: pip install opentelemetry-sdk")


@pytest.fixture
def redactor():
    redactor = Redactor()
    clean_traces(redactor)
    redactor.learn(Secret(VALUE, path="p/0", version=1))
    yield redactor
    leave_traces(redactor)


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter):
    provider = sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def tracer(provider):
    return provider.get_tracer("vendor.client")


def told(exporter: Any) -> str:
    """Everything that an exporter could write of its spans."""
    return repr([_told(span) for span in exporter.get_finished_spans()])


def _told(span: Any) -> list[Any]:
    events = [(event.name, dict(event.attributes)) for event in span.events]
    links = [(link.context, dict(link.attributes)) for link in span.links]
    scope, resource = span.instrumentation_scope, dict(span.resource.attributes)
    about = [span.name, span.context, span.parent, dict(span.attributes), span.status.description]
    return [*about, events, links, resource, scope, dict(scope.attributes or {}) if scope else None]


def chained():
    try:
        try:
            raise KeyError(VALUE)
        except KeyError as first:
            raise ConnectionError(f"401 for {VALUE}") from first
    except ConnectionError as error:
        return error


def _link(attributes: Any) -> Any:
    context = trace.SpanContext(7, 8, True, trace_state=trace.TraceState([("vendor", "plain")]))
    return trace.Link(context, attributes)


SPANS = {
    "its name": lambda tracer: tracer.start_span(f"GET /{VALUE}").end(),
    "a new name": lambda tracer: _with(tracer, lambda span: span.update_name(VALUE)),
    "an attribute": lambda tracer: _with(tracer, lambda span: span.set_attribute("url", f"x?key={VALUE}")),
    "an attribute of the start": lambda tracer: tracer.start_span("x", attributes={"a": VALUE}).end(),
    "the name of an attribute": lambda tracer: _with(tracer, lambda span: span.set_attribute(VALUE, 1)),
    "a list": lambda tracer: _with(tracer, lambda span: span.set_attribute("a", [VALUE[:12], VALUE[12:]])),
    "bytes": lambda tracer: _with(tracer, lambda span: span.set_attribute("a", VALUE.encode())),
    "base64": lambda tracer: _with(
        tracer, lambda span: span.set_attribute("a", b64encode(f"me:{VALUE}".encode()).decode())
    ),
    "an event's name": lambda tracer: _with(tracer, lambda span: span.add_event(VALUE)),
    "an event": lambda tracer: _with(tracer, lambda span: span.add_event("sent", {"body": VALUE})),
    "an exception": lambda tracer: _with(tracer, lambda span: span.record_exception(chained())),
    "a link": lambda tracer: tracer.start_span("x", links=[_link({"from": VALUE})]).end(),
    "the status": lambda tracer: _with(
        tracer, lambda span: span.set_status(trace.StatusCode.ERROR, f"no: {VALUE}")
    ),
}


def _with(tracer: Any, act: Any) -> None:
    with tracer.start_as_current_span("x") as span:
        act(span)


@pytest.mark.parametrize("where", SPANS)
def test_a_value_in_it_is_replaced(redactor, exporter, tracer, where):
    SPANS[where](tracer)
    written = told(exporter)
    assert LABEL in written and not any(form in written for form in FORMS)


@pytest.mark.parametrize("where", SPANS)
def test_without_cleaning_it_would_be_there(exporter, tracer, where):
    SPANS[where](tracer)
    written = told(exporter)
    assert LABEL not in written and any(form in written for form in FORMS)


def test_an_error_that_leaves_the_span_is_cleaned_with_its_causes(redactor, exporter, tracer):
    with pytest.raises(ConnectionError), tracer.start_as_current_span("call"):
        raise chained()
    (span,) = exporter.get_finished_spans()
    (event,) = span.events
    assert event.name == "exception" and "KeyError" in event.attributes["exception.stacktrace"]
    assert event.attributes["exception.message"] == f"401 for {LABEL}"
    assert span.status.description == f"ConnectionError: 401 for {LABEL}"
    assert VALUE not in told(exporter)


def test_trace_state_resource_and_scope_leave_without_it(redactor, exporter):
    provider = sdk.TracerProvider(
        resource=Resource({"process.args": VALUE, "host": "a"}), shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    state = trace.TraceState([("vendor", VALUE)])
    parent = trace.NonRecordingSpan(trace.SpanContext(7, 8, True, trace.TraceFlags(1), state))
    tracer = provider.get_tracer(f"vendor-{VALUE}", attributes={"key": VALUE})
    tracer.start_span(
        "x", trace.set_span_in_context(parent), links=[trace.Link(parent.get_span_context())]
    ).end()
    assert VALUE not in told(exporter)
    (span,) = exporter.get_finished_spans()
    assert span.resource.attributes["host"] == "a" and span.parent.span_id == 8
    assert span.links[0].context.trace_id == 7


def test_a_span_that_holds_nothing_is_not_touched(redactor, exporter, tracer):
    with tracer.start_as_current_span("plain", attributes={"n": 1, "list": ("a", "b")}) as span:
        span.add_event("sent", {"size": 3})
    (seen,) = exporter.get_finished_spans()
    assert seen.attributes == {"n": 1, "list": ("a", "b")} and seen._attributes is span._attributes


def test_all_else_of_a_cleaned_span_stays(redactor, exporter, tracer):
    parent = tracer.start_span("parent")
    context = trace.set_span_in_context(parent)
    span = tracer.start_span("x", context, trace.SpanKind.CLIENT, links=[_link({"why": "retry"})])
    span.set_attributes({"key": VALUE, "n": 2, "ok": True, "f": 0.5})
    span.add_event("sent", {"size": 3}, timestamp=17)
    span.set_status(trace.StatusCode.OK)
    span.end()
    (seen,) = exporter.get_finished_spans()
    assert seen.attributes == {"key": LABEL, "n": 2, "ok": True, "f": 0.5}
    assert (seen.kind, seen.status.status_code) == (trace.SpanKind.CLIENT, trace.StatusCode.OK)
    assert (seen.context, seen.parent) == (span.get_span_context(), parent.get_span_context())
    assert (seen.start_time, seen.end_time) == (span.start_time, span.end_time)
    assert [(event.name, event.timestamp, dict(event.attributes)) for event in seen.events] == [
        ("sent", 17, {"size": 3})
    ]
    assert seen.links[0].context.trace_state["vendor"] == "plain" and seen.links[0].attributes == {
        "why": "retry"
    }
    assert seen.instrumentation_scope.name == "vendor.client"


def test_every_provider_is_cleaned_also_one_whose_exporter_was_there_before(exporter, provider):
    batch = BatchSpanProcessor(late := InMemorySpanExporter())
    provider.add_span_processor(batch)
    early = provider.get_tracer("early").start_span("x")
    redactor = Redactor()
    clean_traces(redactor)
    redactor.learn(Secret(VALUE, path="p/0", version=1))
    early.set_attribute("a", VALUE)
    early.end()
    provider.force_flush()
    other = sdk.TracerProvider(shutdown_on_exit=False)
    other.add_span_processor(SimpleSpanProcessor(another := InMemorySpanExporter()))
    other.get_tracer("other").start_span(VALUE).end()
    batch.shutdown()
    leave_traces(redactor)
    assert [VALUE in told(each) for each in (exporter, late, another)] == [False] * 3
    assert [LABEL in told(each) for each in (exporter, late, another)] == [True] * 3


def test_values_are_known_from_the_moment_they_are_learned_and_tokens_always(redactor, exporter, tracer):
    redactor.learn(Secret("another-value-77", path="p/1", version=1))
    tracer.start_span("another-value-77 ghp_16C7e42F292c6912E7710c838347Ae178B4a").end()
    (span,) = exporter.get_finished_spans()
    assert span.name == "[secret:p/1] [token:github]"


def test_the_beginning_of_a_value_that_a_limit_cut_off_is_cut_too(redactor, exporter):
    limits = sdk.SpanLimits(max_attribute_length=20)
    provider = sdk.TracerProvider(span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("x").start_as_current_span(
        "x", attributes={"a": f"the key {VALUE}", "b": "ordinary words that are long"}
    ) as span:
        span.add_event("sent", {"c": [f"the key {VALUE}"]})
    (seen,) = exporter.get_finished_spans()
    assert seen.attributes == {"a": f"the key {LABEL}", "b": "ordinary words that "}
    assert list(seen.events[0].attributes["c"]) == [f"the key {LABEL}"]


def test_a_span_that_cannot_be_looked_through_is_withheld(redactor, exporter, tracer, monkeypatch):
    monkeypatch.setattr(Redactor, "clean_value", lambda self, value: 1 / 0)
    tracer.start_span(f"x {VALUE}", attributes={"a": VALUE}).end()
    (span,) = exporter.get_finished_spans()
    assert span.name == WITHHELD and not span.attributes and VALUE not in told(exporter)
    assert span.context.trace_id and span.end_time >= span.start_time


def test_many_threads_and_tasks_at_once(redactor, exporter, tracer):
    async def one(number: int) -> None:
        with tracer.start_as_current_span(f"{number}", attributes={"a": VALUE}) as span:
            await asyncio.to_thread(span.add_event, "sent", {"b": VALUE})

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, range(40)))

    asyncio.run(all_of_them())
    assert VALUE not in told(exporter) and len(exporter.get_finished_spans()) == 40


@pytest.mark.parametrize("traces", [True, False])
def test_config_decides(exporter, tracer, traces):
    redactor = guarded(RedactionSettings(traces=traces, logs=False))
    redactor.learn(Secret(VALUE, path="p/0", version=1))
    tracer.start_span(VALUE).end()
    leave_traces(redactor)
    leave_logs(redactor)
    assert (VALUE in told(exporter)) is not traces


def test_what_a_redactor_knew_that_is_gone_is_cut_still(exporter, tracer):
    redactor = Redactor(shapes=False)
    clean_traces(redactor)
    redactor.learn(Secret(VALUE, path="p/0", version=1))
    gone = ref(redactor)
    del redactor
    gc.collect()
    tracer.start_span(f"call with {VALUE}").end()
    assert gone() is None
    assert VALUE not in told(exporter) and f"call with {LABEL}" in told(exporter)


def test_an_sdk_that_cannot_be_cleaned_is_told(monkeypatch):
    monkeypatch.delattr(sdk.Span, "_readable_span")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clean_traces(redactor := Redactor())
    leave_traces(redactor)
    (warning,) = caught
    assert warning.category is ToolcribWarning and "[redaction] traces = false" in str(warning.message)


def test_the_hook_is_put_in_once():
    for _ in range(3):
        clean_traces(redactor := Redactor())
        leave_traces(redactor)
    assert not hasattr(sdk.Span._readable_span.__wrapped__, "cleans_secrets")
