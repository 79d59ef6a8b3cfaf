"""The test kit: real little servers on loopback, strict as what they stand for."""

from toolcrib.testing.contexts import make_context
from toolcrib.testing.http import FakeService, Hold, Reply, Request, ServiceRefused
from toolcrib.testing.model_server import Call, ModelRequest, Say, ScriptedModel, by_turn

__all__ = [
    "Call",
    "FakeService",
    "Hold",
    "ModelRequest",
    "Reply",
    "Request",
    "Say",
    "ScriptedModel",
    "ServiceRefused",
    "by_turn",
    "make_context",
]
