"""CRM tools for Toolcrib: accounts, contacts, leads, opportunities and activities, embedded or at
Salesforce.
"""

from toolcrib_crm._pack import toolcrib_toolkits
from toolcrib_crm.settings import CRMSettings
from toolcrib_crm.toolkit import CRM

__all__ = ["CRM", "PACK_API", "CRMSettings", "toolcrib_toolkits"]

PACK_API = 1
