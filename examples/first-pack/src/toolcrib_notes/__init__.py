"""Notes for Toolcrib, one file each."""

from dataclasses import dataclass
from pathlib import Path

from toolcrib import Preview, Toolkit, tool
from toolcrib.errors import VendorRefused
from toolcrib.hookspecs import PackConfig, hookimpl

__all__ = ["PACK_API", "Note", "Notes", "NotesSettings", "toolcrib_toolkits"]

PACK_API = 1


@dataclass(frozen=True)
class NotesSettings:
    """The table `[packs.notes]`; `max_length` is in characters."""

    max_length: int = 2000


@dataclass(frozen=True)
class Note:
    """One note."""

    title: str
    text: str


class Notes(Toolkit):
    """Notes in a folder."""

    def __init__(self, settings: NotesSettings, folder: Path) -> None:
        self._settings, self._folder = settings, folder

    @tool(effect="read")
    def get_note(self, title: str) -> Note | None:
        """The note with this title, or nothing.

        Args:
            title: Letters, digits and dashes.
        """
        file = self._file(title)
        return Note(title, file.read_text()) if file.exists() else None

    @tool(effect="write", idempotent=True, preview=Preview("get_note", title="title"))
    def write_note(self, title: str, text: str) -> Note:
        """Write a note; one with the same title is replaced.

        Args:
            title: Letters, digits and dashes.
            text: The whole note.
        """
        if len(text) > self._settings.max_length:
            raise VendorRefused(
                f"{len(text)} characters are too many for a note",
                rule=f"[packs.notes] max_length = {self._settings.max_length}",
                remedy="Write a shorter note",
            )
        self._file(title).write_text(text)
        return Note(title, text)

    @tool(effect="destructive", preview=Preview("get_note", title="title"))
    def delete_note(self, title: str) -> str:
        """Delete a note.

        Args:
            title: Letters, digits and dashes.
        """
        self._file(title).unlink(missing_ok=True)
        return f"{title} is gone"

    def _file(self, title: str) -> Path:
        if not title.replace("-", "").isalnum():
            raise VendorRefused(f"{title!r} is no title", remedy="Use letters, digits and dashes")
        return self._folder / f"{title}.txt"


@hookimpl
def toolcrib_toolkits(config: PackConfig) -> list[Toolkit]:
    """One toolkit over the pack's own folder."""
    return [Notes(config.parse(NotesSettings), config.folder)]
