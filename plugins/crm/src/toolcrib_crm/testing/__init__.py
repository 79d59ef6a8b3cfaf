"""A strict fake of Salesforce for tests: a real loopback HTTP server that the public client must pass as
well.
"""

from toolcrib_crm.testing._logins import ConnectedApp
from toolcrib_crm.testing._service import EXTERNAL_ID, FakeSalesforce

__all__ = ["EXTERNAL_ID", "ConnectedApp", "FakeSalesforce"]
