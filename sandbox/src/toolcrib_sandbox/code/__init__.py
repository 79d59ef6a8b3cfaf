"""The pack `code`: tools that run what a model wrote, in the crib's sandbox."""

from toolcrib_sandbox.code._report import CodeReport, FileReport
from toolcrib_sandbox.code._settings import CodeSettings
from toolcrib_sandbox.code._toolkit import CodeTools

__all__ = ["CodeReport", "CodeSettings", "CodeTools", "FileReport"]
