"""Counterparts for tests: a real Roundup tracker on loopback."""

from toolcrib_itsm.testing._roundup import RoundupTracker

__all__ = ["RoundupTracker"]
