"""Holds the pack to what every pack is held to, over both backends."""

from toolcrib_crm.conformance import Conformance, Salesforce


class TestEmbedded(Conformance):
    """Every check of the kit; `errors` and `secrets` have nothing to try where there is no vendor."""


class TestSalesforce(Salesforce):
    """Every check of the kit."""
