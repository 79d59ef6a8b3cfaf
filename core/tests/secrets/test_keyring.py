"""The local key in the keyring of the system: kept, found, moved, and refused where there is none."""

import keyring
import pytest
from click.testing import CliRunner
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringLocked, PasswordDeleteError

from toolcrib.cli._main import cli
from toolcrib.errors import ConfigError, SecretError
from toolcrib.secrets import LocalProvider, ProviderConfig
from toolcrib.testing.cribs import write_crib
from toolcrib.testing.secrets import SecretProviderConformance, SecretStand

VALUE = "a value under a key in the keyring"


class MemoryKeyring(KeyringBackend):
    """A backend as `keyring` wants them; the desktop's own needs a desktop."""

    priority = 1

    def __init__(self):
        self.kept, self.locked = {}, False

    def get_password(self, service, username):
        if self.locked:
            raise KeyringLocked("locked, with the key needle inside")
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("no such password")


@pytest.fixture
def ring():
    yield from using(MemoryKeyring())


@pytest.fixture
def no_ring():
    yield from using(fail.Keyring())


def using(backend):
    before = keyring.get_keyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / ".toolcrib"


def held_in_keyring(folder):
    config = ProviderConfig({"key": "keyring"}, folder, folder.parent, "acme")
    return LocalProvider.from_config(config)


def test_the_key_is_in_the_keyring_and_in_no_file(ring, folder):
    held_in_keyring(folder).put("a/b", VALUE)
    assert held_in_keyring(folder).get("a/b").reveal() == VALUE
    assert list(ring.kept) == [("toolcrib", str(folder))]
    assert not (folder / "keys").exists()
    assert VALUE.encode() not in (folder / "secrets.json").read_bytes()


def test_two_stores_have_two_keys(ring, tmp_path):
    for name in ("one", "two"):
        held_in_keyring(tmp_path / name).put("a", VALUE)
    assert len(set(ring.kept.values())) == 2


def test_without_a_keyring_nothing_is_stored_and_the_way_out_is_named(no_ring, folder):
    with pytest.raises(SecretError, match="there is no keyring here") as caught:
        held_in_keyring(folder).put("a", VALUE)
    assert 'key = "file"' in caught.value.remedy
    assert not (folder / "secrets.json").exists()


def test_a_keyring_that_forgets_is_not_trusted_with_the_key(folder):
    for _ in using(null.Keyring()):
        with pytest.raises(SecretError, match="does not keep what it is given"):
            held_in_keyring(folder).put("a", VALUE)
    assert not (folder / "secrets.json").exists()


def test_a_locked_keyring_is_named_without_its_own_words(ring, folder):
    provider = held_in_keyring(folder)
    provider.put("a", VALUE)
    ring.locked = True
    with pytest.raises(SecretError, match=r"cannot be used \(KeyringLocked\)") as caught:
        provider.get("a")
    assert "needle" not in str(caught.value) and "Unlock" in caught.value.remedy
    ring.locked = False
    assert provider.get("a").reveal() == VALUE


def test_an_entry_that_is_no_key_is_refused(ring, folder):
    held_in_keyring(folder).put("a", VALUE)
    ring.kept["toolcrib", str(folder)] = "somebody else's password"
    with pytest.raises(SecretError, match="does not hold a key") as caught:
        held_in_keyring(folder).get("a")
    assert "somebody" not in str(caught.value)


def test_a_lost_key_is_not_replaced_by_a_new_one(ring, folder):
    held_in_keyring(folder).put("a", VALUE)
    ring.kept.clear()
    with pytest.raises(SecretError, match="the keyring has no key"):
        held_in_keyring(folder).put("b", VALUE)
    assert not ring.kept


@pytest.mark.parametrize("to_keyring", [True, False])
def test_the_key_moves_both_ways_and_is_left_in_one_place(ring, folder, to_keyring):
    first, second = LocalProvider(folder, keyring=not to_keyring), LocalProvider(folder, keyring=to_keyring)
    first.put("a", VALUE)
    with pytest.raises(SecretError, match="toolcrib secrets move-key"):
        second.get("a")
    assert second.move_key()
    assert second.get("a").reveal() == VALUE
    assert (bool(ring.kept), (folder / "keys" / "secrets.key").exists()) == (to_keyring, not to_keyring)
    assert second.move_key() is None
    with pytest.raises(SecretError):
        first.get("a")


def test_a_key_that_does_not_fit_is_not_moved(ring, folder, tmp_path):
    held_in_keyring(tmp_path / "other").put("a", VALUE)
    LocalProvider(folder).put("a", VALUE)
    (folder / "keys" / "secrets.key").unlink()
    ring.kept["toolcrib", str(folder)] = ring.kept.pop(("toolcrib", str(tmp_path / "other")))
    with pytest.raises(SecretError, match="does not decrypt"):
        LocalProvider(folder).move_key()
    assert ring.kept and not (folder / "keys" / "secrets.key").exists()


def test_where_there_is_no_key_at_all_moving_says_so(ring, folder):
    LocalProvider(folder).put("a", VALUE)
    (folder / "keys" / "secrets.key").unlink()
    with pytest.raises(SecretError, match="the keyring has no key"):
        held_in_keyring(folder).move_key()


def test_the_command_moves_it(ring, tmp_path):
    file = write_crib(tmp_path, "p, *, *, *, read, True, allow", config="")
    LocalProvider(tmp_path / ".toolcrib").put("a/b", VALUE)
    file.write_text(file.read_text() + '[secrets]\nkey = "keyring"\n')
    moved = CliRunner().invoke(cli, ["-c", str(file), "secrets", "move-key"])
    assert moved.exit_code == 0 and "moved from the file" in moved.output
    again = CliRunner().invoke(cli, ["-c", str(file), "secrets", "move-key"])
    assert again.output == "The key is where it should be.\n"
    assert "a/b  version 1" in CliRunner().invoke(cli, ["-c", str(file), "secrets", "list"]).output


def test_the_command_without_a_keyring_says_what_to_do(no_ring, tmp_path):
    file = write_crib(tmp_path, "p, *, *, *, read, True, allow", config='[secrets]\nkey = "keyring"\n')
    done = CliRunner().invoke(cli, ["-c", str(file), "secrets", "set", "a/b"], input="value")
    assert done.exit_code == 1
    assert "there is no keyring here" in str(done.exception) and 'key = "file"' in str(done.exception)


@pytest.mark.parametrize("key", ["ring", "File", 5])
def test_there_are_two_places_for_the_key(folder, key):
    with pytest.raises(ConfigError, match=r"\[secrets\] key"):
        LocalProvider.from_config(ProviderConfig({"key": key}, folder, folder, "acme"))


class KeyringStand(SecretStand):
    def __init__(self, folder):
        self.folder = folder

    def open(self):
        return held_in_keyring(self.folder)

    def put(self, path, value):
        return self.open().put(path, value)

    def remove(self, path):
        return self.open().remove(path)

    def unreachable(self):
        self.put("conform/acme/key", VALUE)
        keyring.get_keyring().locked = True
        return self.open()


class TestKeyring(SecretProviderConformance):
    @pytest.fixture
    def stand(self, ring, folder):
        return KeyringStand(folder)
