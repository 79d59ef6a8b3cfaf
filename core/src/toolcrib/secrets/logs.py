"""Keeps secrets out of the process's logs, whoever writes them.

A tool's client logs requests, a driver logs its connection string, a traceback quotes an argument: these
records never come near the crib. So every record, of every logger, is looked through before any handler sees
it: message, arguments, exception with all its causes, stack, and what was added with `extra`. A record that
holds nothing is not touched.

May a library do that? It changes no level, no handler and no record of others, except that a value which
must not be there is not there. It uses what `logging` offers to libraries for this: a record factory that
calls the one before it. The factory itself only sees to it that the logger in question has our filter,
because `extra` is added after it. `[redaction] logs = false` leaves the logs alone. What an application
writes to its output by `print`, or formats itself from an exception, passes by.
"""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from toolcrib.secrets._lasting import Lasting
from toolcrib.secrets.redaction import Redactor
from toolcrib.secrets.traces import clean_traces

if TYPE_CHECKING:
    from toolcrib.config import RedactionSettings

__all__ = ["clean_logs", "guarded", "leave_logs"]

_OWN = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime"))
"""What every record has; the rest came with `extra`."""

_REDACTORS = Lasting()


class _Clean(logging.Filter):
    """Cleans each record; lets all of them pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True. A record that cannot be looked through is withheld, save for its place."""
        for redactor in _REDACTORS.active():
            try:
                _clean(record, redactor)
            except Exception:
                _withhold(record)
        return True


_FILTER = _Clean()


def clean_logs(redactor: Redactor) -> None:
    """From now on, keep what `redactor` knows out of all log records, also when it is gone."""
    _REDACTORS.add(redactor)
    before = logging.getLogRecordFactory()
    if not isinstance(before, _Factory):
        logging.setLogRecordFactory(_Factory(before))


def leave_logs(redactor: Redactor) -> None:
    """Undo `clean_logs`."""
    _REDACTORS.discard(redactor)


def guarded(settings: RedactionSettings) -> Redactor:
    """A redactor as `[redaction]` wants it."""
    redactor = Redactor(shapes=settings.shapes)
    if settings.logs:
        clean_logs(redactor)
    if settings.traces:
        clean_traces(redactor)
    return redactor


class _Factory:
    """Makes records as before, and puts the filter on their logger."""

    def __init__(self, before: Any) -> None:
        self._before = before

    def __call__(self, name: str, *args: Any, **more: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._before(name, *args, **more)
        logger = logging.root if name == logging.root.name else logging.root.manager.loggerDict.get(name)
        if isinstance(logger, logging.Logger):
            logger.addFilter(_FILTER)  # once: it is not added twice
        return record


def _clean(record: logging.LogRecord, redactor: Redactor) -> None:
    text = record.getMessage()
    cleaned = redactor.clean(text)
    if cleaned != text or _seen(record.args, redactor) is not record.args:
        record.msg, record.args = cleaned, None
    if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
        raised = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if (cleaned := redactor.clean(raised)) != raised:
            record.exc_text, record.exc_info = cleaned, None
    elif record.exc_text and (cleaned := redactor.clean(record.exc_text)) != record.exc_text:
        record.exc_text, record.exc_info = cleaned, None
    if record.stack_info:
        record.stack_info = redactor.clean(record.stack_info)
    for name in record.__dict__.keys() - _OWN:
        record.__dict__[name] = _seen(record.__dict__[name], redactor)


def _seen(value: Any, redactor: Redactor) -> Any:
    """`value` itself where it shows nothing, else the cleaned data, or the cleaned text of an object."""
    if value is None or isinstance(value, bool):
        return value
    cleaned = redactor.clean_value(value)
    text = f"{cleaned!r} {cleaned!s}"
    return cleaned if redactor.clean(text) == text else redactor.clean(str(cleaned))


def _withhold(record: logging.LogRecord) -> None:
    record.msg, record.args = "[withheld: this record could not be looked through for secrets]", None
    record.exc_info = record.exc_text = record.stack_info = None
    for name in record.__dict__.keys() - _OWN:
        record.__dict__[name] = "[withheld]"
