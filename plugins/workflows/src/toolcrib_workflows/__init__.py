"""Ready-made jobs for Toolcrib: lead outreach, ticket triage, data analysis, and the demo for newcomers."""

from toolcrib_workflows._pack import toolcrib_workflows

__all__ = ["PACK_API", "toolcrib_workflows"]

PACK_API = 1
