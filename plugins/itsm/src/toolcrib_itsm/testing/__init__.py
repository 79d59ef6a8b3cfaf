"""Counterparts for tests: a real Roundup tracker, and a strict fake of ServiceNow, both on loopback."""

from toolcrib_itsm.testing._instance import sys_id
from toolcrib_itsm.testing._relay import RoundupRelay
from toolcrib_itsm.testing._roundup import RoundupTracker
from toolcrib_itsm.testing._servicenow import FakeServiceNow, LoopbackTransport
from toolcrib_itsm.testing._tracker_user import TrackerUser

__all__ = ["FakeServiceNow", "LoopbackTransport", "RoundupRelay", "RoundupTracker", "TrackerUser", "sys_id"]
