"""Holds the pack to what every pack is held to."""

from toolcrib_notes.conformance import Conformance


class TestEmbedded(Conformance):
    """Every check of the kit, over the embedded backend."""
