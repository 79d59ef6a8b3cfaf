"""No log record of the process shows a value, whichever logger wrote it and wherever in it it stands."""

import io
import json
import logging

import pytest

from toolcrib.config import RedactionSettings
from toolcrib.secrets import Redactor, Secret, clean_logs, guarded, leave_logs
from toolcrib.secrets.logs import _FILTER

VALUE = "correct-horse-battery-9"
LABEL = "[secret:p/0]"


@pytest.fixture
def redactor():
    before, redactor = logging.getLogRecordFactory(), Redactor()
    clean_logs(redactor)
    redactor.learn(Secret(VALUE, path="p/0", version=1))
    yield redactor
    leave_logs(redactor)
    logging.setLogRecordFactory(before)


class Everything(logging.Handler):
    """Writes all that a handler can know of a record, as structured handlers do."""

    def __init__(self):
        super().__init__()
        self.out, self.records = io.StringIO(), []

    def emit(self, record):
        self.records.append(record)
        self.out.write(self.format(record) + "\n" + json.dumps(vars(record), default=repr) + "\n")


@pytest.fixture
def handler(request):
    handler, root = Everything(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


class Holder:
    def __repr__(self):
        return f"<Holder {VALUE}>"


LOGGED = {
    "the message": lambda log: log.info(f"key {VALUE}"),
    "an argument": lambda log: log.info("key %s", VALUE),
    "named arguments": lambda log: log.info("key %(a)s", {"a": 1, "b": VALUE}),
    "an argument that is cut": lambda log: log.info("key %.3s", VALUE),
    "an object": lambda log: log.info("key %s", Holder()),
    "an object as the message": lambda log: log.info(Holder()),
    "bytes": lambda log: log.info("sent %r", VALUE.encode()),
    "extra": lambda log: log.info("x", extra={"header": VALUE}),
    "nested extra": lambda log: log.info("x", extra={"request": {"headers": [("auth", VALUE)]}}),
    "an object in extra": lambda log: log.info("x", extra={"holder": Holder()}),
}


@pytest.mark.parametrize("where", LOGGED)
@pytest.mark.parametrize(
    "name", ["toolcrib", "httpx", "httpcore.http11", "botocore.auth", "any.logger.made.later", "root"]
)
def test_a_value_in_it_is_replaced(redactor, handler, where, name):
    LOGGED[where](logging.getLogger(name))
    written = handler.out.getvalue()
    assert VALUE not in written and VALUE[4:] not in written
    assert LABEL in written or "key" in written  # an argument that no text shows is dropped


def raise_with_causes():
    try:
        try:
            raise ValueError(f"refused {VALUE}")
        except ValueError as error:
            raise RuntimeError("no luck") from error
    except RuntimeError as error:
        raise ExceptionGroup("several", [error, KeyError(VALUE)]) from None


def test_an_exception_is_cleaned_with_its_causes_and_its_group(redactor, handler):
    try:
        raise_with_causes()
    except ExceptionGroup:
        logging.getLogger("some.client").exception("failed")
    written = handler.out.getvalue()
    assert VALUE not in written and written.count(LABEL) >= 2
    assert "RuntimeError: no luck" in written


def test_a_record_that_holds_nothing_is_not_touched(redactor, handler):
    extra = {"n": 1}
    try:
        raise ValueError("plain")
    except ValueError:
        logging.getLogger("a").exception("hello %s %d", "world", 3, extra={"facts": extra})
    (record,) = handler.records
    assert (record.msg, record.args, record.facts) == ("hello %s %d", ("world", 3), extra)
    assert record.facts is extra and record.exc_info[0] is ValueError


def test_a_record_that_cannot_be_read_is_withheld(redactor, handler, capsys):
    logging.getLogger("a").info("%d", VALUE, extra={"more": VALUE})
    assert "[withheld" in handler.out.getvalue()
    assert VALUE not in handler.out.getvalue() + "".join(capsys.readouterr())


def test_a_token_nobody_handed_out_is_cut_too(redactor, handler):
    logging.getLogger("httpcore.http11").debug(
        "send_request_headers %r", [(b"Authorization", b"Bearer q7Rw2TzXk9PbV4mNc8")]
    )
    assert "q7Rw2TzXk9PbV4mNc8" not in handler.out.getvalue()


def test_the_factory_of_others_goes_on_and_the_filter_stands_once(redactor, handler):
    inner = logging.getLogRecordFactory()

    def others(*args, **more):
        record = inner(*args, **more)
        record.request_id = VALUE
        return record

    logging.setLogRecordFactory(others)
    clean_logs(redactor)
    for _ in range(3):
        logging.getLogger("b").info("x")
    assert VALUE not in handler.out.getvalue() and LABEL in handler.out.getvalue()
    assert logging.getLogger("b").filters.count(_FILTER) == 1


def test_logs_are_left_alone_where_the_config_says_so(handler):
    before = logging.getLogRecordFactory()
    redactor = guarded(RedactionSettings(logs=False))
    redactor.learn(Secret(VALUE, path="p/0", version=1))
    logging.getLogger("c").info(VALUE)
    assert VALUE in handler.out.getvalue()
    assert logging.getLogRecordFactory() is before


def test_after_leaving_the_logs_are_as_before(redactor, handler):
    leave_logs(redactor)
    logging.getLogger("d").info(VALUE)
    assert VALUE in handler.out.getvalue()
