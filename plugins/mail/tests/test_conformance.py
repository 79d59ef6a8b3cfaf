"""Holds the pack to what every pack is held to."""

from toolcrib_mail.conformance import Conformance


class TestMail(Conformance):
    """Every check of the kit."""
