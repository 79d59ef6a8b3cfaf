"""The local provider: encrypted at rest, private files, versions, and clear words when something is wrong."""

import os
import stat
import subprocess
import sys

import orjson
import pytest

from toolcrib.errors import SecretError
from toolcrib.secrets import LocalProvider, SecretProvider

VALUE = "s3cr3t-välue\nwith lines"


@pytest.fixture
def provider(tmp_path):
    return LocalProvider(tmp_path / ".toolcrib")


def store_of(tmp_path):
    return tmp_path / ".toolcrib" / "secrets.json"


def key_of(tmp_path):
    return tmp_path / ".toolcrib" / "keys" / "secrets.key"


async def test_what_was_put_is_fetched_with_its_version(provider):
    assert isinstance(provider, SecretProvider)
    assert provider.put("crm/acme/key", "first one") == 1
    assert provider.put("crm/acme/key", VALUE) == 2
    secret = await provider.fetch("crm/acme/key")
    assert (secret.reveal(), secret.path, secret.version) == (VALUE, "crm/acme/key", 2)


def test_another_process_reads_what_this_one_wrote(provider, tmp_path):
    provider.put("a/b", VALUE)
    code = (
        "import sys, pathlib; from toolcrib.secrets import LocalProvider;"
        "sys.stdout.buffer.write(LocalProvider(pathlib.Path(sys.argv[1])).get('a/b').reveal().encode())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / ".toolcrib")]
    out = subprocess.run(command, capture_output=True, check=True)
    assert out.stdout.decode() == VALUE


def test_a_change_by_another_provider_is_seen_at_once(provider, tmp_path):
    provider.put("a", "old value")
    reader = LocalProvider(tmp_path / ".toolcrib")
    assert reader.get("a").reveal() == "old value"
    provider.put("a", "new value")
    assert (reader.get("a").reveal(), reader.get("a").version) == ("new value", 2)


def test_no_value_stands_in_any_file(provider, tmp_path):
    provider.put("a/b", "findable-needle")
    for file in (tmp_path / ".toolcrib").rglob("*"):
        assert not file.is_file() or b"findable" not in file.read_bytes()


def test_the_files_are_private_and_nothing_is_left_over(provider, tmp_path):
    before = os.umask(0)
    try:
        provider.put("a", "one"), provider.put("a", "two")
    finally:
        os.umask(before)
    for file in (store_of(tmp_path), key_of(tmp_path)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_of(tmp_path).parent.stat().st_mode) == 0o700
    names = {file.name for file in (tmp_path / ".toolcrib").iterdir()}
    assert names == {"secrets.json", "secrets.lock", "keys"}


def test_a_removed_secret_is_gone_but_its_number_is_not_used_again(provider):
    provider.put("a", "one")
    assert provider.remove("a") is True
    assert provider.remove("a") is False
    assert provider.stored() == {}
    with pytest.raises(SecretError, match="no secret at 'a'"):
        provider.get("a")
    assert provider.put("a", "two") == 2


def test_paths_are_listed_in_order(provider):
    for path in ("z", "b/c", "a"):
        provider.put(path, "value")
    assert provider.stored() == {"a": 1, "b/c": 1, "z": 1}


def test_a_missing_secret_names_the_path_and_the_command(provider):
    with pytest.raises(SecretError, match="toolcrib secrets set a/b"):
        provider.get("a/b")


@pytest.mark.parametrize("path", ["../x", "/x", "a b", ""])
@pytest.mark.parametrize("act", ["get", "remove"])
def test_unsound_paths_are_refused_everywhere(provider, path, act):
    with pytest.raises(SecretError, match="not a secret path"):
        getattr(provider, act)(path)
    with pytest.raises(SecretError, match="not a secret path"):
        provider.put(path, "value")


@pytest.mark.parametrize(("value", "word"), [("", "is empty"), ("bad \udc80 bytes", "not text in UTF-8")])
def test_a_value_that_is_none_is_refused(provider, value, word):
    with pytest.raises(SecretError, match=word):
        provider.put("a", value)
    assert provider.stored() == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_refused(provider, tmp_path, mode):
    provider.put("a", VALUE)
    key_of(tmp_path).chmod(mode)
    with pytest.raises(SecretError, match=f"mode {mode:04o}.*chmod 600"):
        provider.get("a")
    with pytest.raises(SecretError, match="chmod 600"):
        provider.put("b", VALUE)


def test_another_key_does_not_decrypt(provider, tmp_path):
    provider.put("a", VALUE)
    LocalProvider(tmp_path / "other").put("x", "y-value")
    key_of(tmp_path).write_bytes((tmp_path / "other/keys/secrets.key").read_bytes())
    with pytest.raises(SecretError, match="'a' does not decrypt"):
        provider.get("a")


def test_a_value_moved_to_another_path_does_not_decrypt(provider, tmp_path):
    provider.put("crm/low", "harmless one"), provider.put("crm/high", "precious one")
    data = orjson.loads(store_of(tmp_path).read_bytes())
    data["secrets"]["crm/low"]["box"] = data["secrets"]["crm/high"]["box"]
    store_of(tmp_path).write_bytes(orjson.dumps(data))
    with pytest.raises(SecretError, match="'crm/low' does not decrypt"):
        provider.get("crm/low")
    assert provider.get("crm/high").reveal() == "precious one"


def test_a_changed_version_number_does_not_decrypt(provider, tmp_path):
    provider.put("a", VALUE)
    data = orjson.loads(store_of(tmp_path).read_bytes())
    data["secrets"]["a"]["version"] = 7
    store_of(tmp_path).write_bytes(orjson.dumps(data))
    with pytest.raises(SecretError, match="does not decrypt"):
        provider.get("a")


def test_a_lost_key_is_not_silently_replaced(provider, tmp_path):
    provider.put("a", VALUE)
    key_of(tmp_path).unlink()
    for act in (lambda: provider.get("a"), lambda: provider.put("b", VALUE)):
        with pytest.raises(SecretError, match="is missing"):
            act()
    assert not key_of(tmp_path).exists()


@pytest.mark.parametrize("text", ["", "short", "bm90IDMyIGJ5dGVz\n", "\x00" * 44, "ä" * 44])
def test_a_key_file_without_a_key_is_said_so(provider, tmp_path, text):
    provider.put("a", VALUE)
    key_of(tmp_path).write_text(text)
    with pytest.raises(SecretError, match=r"does not hold a key|cannot be read"):
        provider.get("a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"v": 2, "secrets": {}}',
        '{"v": 1, "secrets": []}',
        '{"v": 1, "secrets": {"a": 1}}',
        '{"v": 1, "secrets": {"a": {"version": "x"}}}',
    ],
)
def test_a_broken_store_is_named_and_not_overwritten(provider, tmp_path, text):
    provider.put("a", VALUE)
    store_of(tmp_path).write_text(text)
    for act in (lambda: provider.get("a"), lambda: provider.put("b", VALUE), provider.stored):
        with pytest.raises(SecretError, match=r"secrets\.json is not a secret store"):
            act()
    assert store_of(tmp_path).read_text() == text


@pytest.mark.parametrize("box", ["", "AAAA", "not base64!", 7])
def test_a_broken_box_does_not_decrypt(provider, tmp_path, box):
    provider.put("a", VALUE)
    store_of(tmp_path).write_bytes(orjson.dumps({"v": 1, "secrets": {"a": {"version": 1, "box": box}}}))
    with pytest.raises(SecretError, match="does not decrypt"):
        provider.get("a")


def test_writers_of_several_processes_lose_nothing(provider, tmp_path):
    code = (
        "import sys, pathlib; from toolcrib.secrets import LocalProvider;"
        "p = LocalProvider(pathlib.Path(sys.argv[1]));"
        "[p.put(f'{sys.argv[2]}/{n}', 'value') or p.put('shared', 'value') for n in range(10)];"
        "[p.put('shared', 'value') for n in range(10)]"
    )
    args = [sys.executable, "-c", code, str(tmp_path / ".toolcrib")]
    writers = [subprocess.Popen([*args, name]) for name in ("a", "b", "c")]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    stored = provider.stored()
    assert len(stored) == 31
    assert stored["shared"] == 30
    assert provider.get("b/9").reveal() == "value"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SecretError, match="cannot be opened"):
        LocalProvider(tmp_path / "file").put("a", VALUE)


def test_the_key_may_lie_elsewhere(tmp_path):
    provider = LocalProvider(tmp_path / "state", tmp_path / "usb" / "key")
    provider.put("a", VALUE)
    assert (tmp_path / "usb" / "key").exists()
    assert not (tmp_path / "state" / "keys").exists()


async def test_the_status_says_where_store_and_key_are(tmp_path):
    provider = LocalProvider(tmp_path)
    provider.put("crm/acme/key", "the-needle-of-crm")
    status = await provider.status()
    assert status.address == f"{tmp_path / 'secrets.json'} (1 stored)"
    assert status.auth == f"the key in the file {tmp_path / 'keys' / 'secrets.key'}"


async def test_the_status_with_a_key_that_opens_nothing_is_an_error(tmp_path):
    LocalProvider(tmp_path).put("crm/acme/key", "the-needle-of-crm")
    other = tmp_path / "other"
    LocalProvider(other).put("x", "y")
    with pytest.raises(SecretError, match="does not decrypt"):
        await LocalProvider(tmp_path, other / "keys" / "secrets.key").status()
    (tmp_path / "keys" / "secrets.key").unlink()
    with pytest.raises(SecretError, match="is missing"):
        await LocalProvider(tmp_path).status()
