"""Mail tools for Toolcrib: drafts, and an outbox folder of .eml files."""

from toolcrib_mail._pack import toolcrib_toolkits
from toolcrib_mail.models import Draft, Sent
from toolcrib_mail.settings import MailSettings
from toolcrib_mail.toolkit import Mail

__all__ = ["PACK_API", "Draft", "Mail", "MailSettings", "Sent", "toolcrib_toolkits"]

PACK_API = 1
