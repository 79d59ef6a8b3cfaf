"""The command line, `toolcrib`. Commands are imported when they are called, so that `--help` stays quick."""

from toolcrib.cli._main import main

__all__ = ["main"]
