"""An image with no registry: the Python that runs this, its standard library, a shell and core tools.

For tests, and for machines that may fetch nothing. Copies files of this machine with the shared libraries
that they need, needs no root, takes a few seconds. `python -m toolcrib_sandbox.local_image TAG`.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from toolcrib.errors import SandboxError

if TYPE_CHECKING:
    from docker.api.client import APIClient

    from toolcrib_sandbox._engine import Engine

__all__ = ["build", "ensure", "name_by_content"]

REPOSITORY = "toolcrib-sandbox"
_SHELLS = ("dash", "bash")
_TOOLS = (
    "awk basename cat chmod cp cut date dd df dirname du env expr false find grep gzip head id kill "
    "ln ls mkdir mkfifo mktemp mv nl nproc od printf pwd readlink realpath rm rmdir sed seq sha256sum "
    "sleep sort stat tail tar tee test timeout touch tr true uname uniq wc whoami xargs yes "
)
_LEFT_OUT = re.compile(
    r"(^|/)(test|tests|idlelib|tkinter|turtledemo|lib2to3|ensurepip|pydoc_data|site-packages|dist-packages)(/|$)|(^|/)config-"
)
_TEXTS = {
    "etc/passwd": "root:x:0:0::/:/bin/false\nsandbox:x:10001:10001::/box:/bin/sh\n",
    "etc/group": "root:x:0:\nsandbox:x:10001:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_FOLDERS = ("box", "tmp", "run", "proc", "sys", "dev", "root")
_OF_WHEELS = (
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libm.so.6",
)
"""What compiled wheels, such as numpy's, expect of every Linux (PEP 600)."""
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def name_by_content() -> str:
    """A tag that says what is in it: this module and this Python."""
    content = f"{Path(__file__).read_text('utf-8')}{sys.version}{_python()}"
    return f"{REPOSITORY}:local-{sha256(content.encode()).hexdigest()[:12]}"


def ensure(engine: Engine) -> str:
    """The id of this machine's image, made now unless the engine has it; raises `SandboxError`."""
    name = name_by_content()
    if engine.has_image(name):
        return engine.image(name).id
    with engine.told("given an image"):
        return build(engine.api, name)


def build(api: APIClient, name: str) -> str:
    """Make the image and give its id."""
    if not sys.platform.startswith("linux") or shutil.which("ldd") is None:
        raise SandboxError(
            "an image can be made of a Linux machine with `ldd` only",
            rule="it is a copy of this machine's Python",
            remedy="Build sandbox/images/minimal instead",
        )
    repository, _, tag = name.partition(":")
    changes = [
        "ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8",
        "USER 10001:10001",
        "WORKDIR /box",
        'CMD ["python3"]',
    ]
    api.import_image_from_data(archive(), repository=repository, tag=tag or "latest", changes=changes)
    return str(api.inspect_image(name)["Id"])  # type: ignore[no-untyped-call]


def archive() -> bytes:
    """The image's files as tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder in _FOLDERS:
            tar.addfile(_entry(folder, tarfile.DIRTYPE))
        for name, text in _TEXTS.items():
            _add_bytes(tar, name, text.encode())
        programs = [_python(), *_found((*_SHELLS, *_TOOLS.split()))]
        library = list(_standard_library())
        for path in {*programs, *library, *_libraries([*programs, *library])}:
            _add_file(tar, path)
        for link, target in _links():
            entry = _entry(link, tarfile.SYMTYPE)
            entry.linkname = str(target)
            tar.addfile(entry)
    return buffer.getvalue()


def _python() -> Path:
    return Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))


def _found(names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        path = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
        if path is not None:
            yield Path(path)


def _links() -> Iterator[tuple[str, Path]]:
    if str(_python()) != "/usr/bin/python3":
        yield "usr/bin/python3", _python()
    shells = list(_found(_SHELLS))
    for name, shell in (("bin/sh", shells[0]), ("bin/bash", shells[-1])):
        if f"/{name}" != str(shell):
            yield name, shell


def _standard_library() -> Iterator[Path]:
    folder = Path(os.path.dirname(os.__file__))  # noqa: PTH120 - the folder as Python will look for it
    for path in sorted(folder.rglob("*")):
        inside = str(path.relative_to(folder))
        if path.is_file() and not _LEFT_OUT.search(inside) and path.suffix in (".py", ".pyc", ".so"):
            yield path


def _libraries(paths: Iterable[Path]) -> Iterator[Path]:
    binaries = [str(path) for path in paths if path.suffix in ("", ".so") or path.name.startswith("python")]
    done = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False)  # noqa: S603, S607
    found = {Path(path) for path in _LIBRARY.findall(done.stdout)}
    yield from found
    beside = (folder / name for folder in {path.parent for path in found} for name in _OF_WHEELS)
    yield from (path for path in beside if path not in found and path.exists())
    yield from (path for path in map(Path, ("/etc/ssl/certs/ca-certificates.crt",)) if path.exists())


def _entry(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.type, entry.mode = kind, 0o755
    return entry


def _add_file(tar: tarfile.TarFile, path: Path) -> None:
    """Contents and time only: no owner, no setuid bit, no link goes along."""
    entry = _entry(str(path))
    entry.mtime = int(path.stat().st_mtime)  # compiled modules are known by the time of their source
    entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
    data = path.read_bytes()
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = _entry(name)
    entry.mode, entry.size = 0o644, len(data)
    tar.addfile(entry, io.BytesIO(data))


def main() -> None:
    """Make the image that the arguments name."""
    from toolcrib_sandbox._engine import Engine

    name = sys.argv[1] if len(sys.argv) > 1 else f"{REPOSITORY}:minimal"
    sys.stdout.write(f"{name} {build(Engine().api, name)}\n")


if __name__ == "__main__":
    main()
