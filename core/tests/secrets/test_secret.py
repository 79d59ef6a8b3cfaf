"""A Secret gives its value to whoever asks for it by name, and to nobody else."""

import copy
import dataclasses
import json
import logging
import pickle

import orjson
import pydantic
import pytest
import rich.pretty

from toolcrib.secrets import Secret

VALUE = "hunter2-hunter2"


@pytest.fixture
def secret():
    return Secret(VALUE, path="crm/acme/key", version=3)


def test_it_reveals_its_value_path_and_version(secret):
    assert (secret.reveal(), secret.path, secret.version) == (VALUE, "crm/acme/key", 3)


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        lambda s: f"{s}",
        lambda s: f"{[s]}",
        lambda s: "{} {!r}".format(*[s, s]),
        rich.pretty.pretty_repr,
        ascii,
    ],
)
def test_no_way_to_print_it_shows_the_value(secret, show):
    text = show(secret)
    assert VALUE not in text
    assert "crm/acme/key" in text


def test_a_log_record_and_a_traceback_do_not_show_it(secret, caplog):
    logging.getLogger("x").warning("got %s and %r", secret, {"s": secret})
    assert VALUE not in caplog.text
    with pytest.raises(ValueError) as caught:
        raise ValueError(secret)
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        orjson.dumps,
        lambda s: orjson.dumps({"s": s}),
        pickle.dumps,
        lambda s: pickle.dumps([s], protocol=0),
        pydantic.TypeAdapter(object).dump_json,
        bytes,
        list,
        vars,
        hash,
        lambda s: {s: 1},
        lambda s: format(s, ">20"),
        lambda s: s.__getstate__(),
        lambda s: s + "",
        len,
    ],
)
def test_it_goes_into_nothing(secret, write):
    with pytest.raises(Exception) as caught:
        write(secret)
    assert VALUE not in str(caught.value)


def test_a_fallback_of_str_writes_its_path_only(secret):
    assert VALUE not in json.dumps({"s": secret}, default=str)


def test_copies_are_the_secret_itself(secret):
    @dataclasses.dataclass
    class Holder:
        secret: Secret

    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret
    assert dataclasses.asdict(Holder(secret))["secret"] is secret


def test_equal_values_are_not_compared(secret):
    assert secret == secret
    assert secret != Secret(VALUE, path="crm/acme/key", version=3)
    assert secret != VALUE


def test_it_does_not_change(secret):
    with pytest.raises(AttributeError):
        secret.path = "other"
    with pytest.raises(AttributeError):
        secret._value = "other"
    with pytest.raises(AttributeError):
        del secret._value
    with pytest.raises(AttributeError):
        secret.more = 1
