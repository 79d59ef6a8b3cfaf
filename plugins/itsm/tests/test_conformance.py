"""Holds the pack to what every pack is held to, over the embedded desk and the fake ServiceNow."""

from toolcrib_itsm.conformance import Conformance, ServiceNow


class TestEmbedded(Conformance):
    """Every check of the kit; `errors` and `secrets` have nothing to try where there is no vendor."""


class TestServiceNow(ServiceNow):
    """Every check of the kit."""
