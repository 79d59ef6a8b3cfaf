"""Service desk tools for Toolcrib: incidents, changes, knowledge and the catalog; embedded, at ServiceNow or
in Roundup.
"""

from toolcrib_itsm._pack import toolcrib_toolkits
from toolcrib_itsm.settings import ITSMSettings
from toolcrib_itsm.toolkit import ITSM

__all__ = ["ITSM", "PACK_API", "ITSMSettings", "toolcrib_toolkits"]

PACK_API = 1
