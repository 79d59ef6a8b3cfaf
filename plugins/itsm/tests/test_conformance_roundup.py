"""Holds the pack to what every pack is held to, over a real Roundup."""

from toolcrib_itsm.conformance import Roundup


class TestRoundup(Roundup):
    """Every check of the kit."""
