"""Company research tools for Toolcrib: embedded sample companies, or a provider over HTTP."""

from toolcrib_research._pack import toolcrib_toolkits
from toolcrib_research.models import Company, CompanySearch, NewsNote
from toolcrib_research.settings import ResearchSettings
from toolcrib_research.toolkit import Research

__all__ = [
    "PACK_API",
    "Company",
    "CompanySearch",
    "NewsNote",
    "Research",
    "ResearchSettings",
    "toolcrib_toolkits",
]

PACK_API = 1
