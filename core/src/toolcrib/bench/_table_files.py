"""Tables as they lie on the disk: found, read with a bound, and parsed with the line of each case.

YAML can do more than a table needs: it says the same key twice, reads `no` and `2026-01-01` as something
else than text, and nests until the parser crashes. So depth is bounded before anything is built, keys are
unique, and dates stay the text that a tool would get.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from toolcrib.policy._problems import Unfit

__all__ = ["MAX_BYTES", "Broken", "check_keys", "find_files", "plain", "read_table"]

MAX_BYTES = 8 * 2**20
"""Ten thousand cases are about 2 MB."""
MAX_DEPTH = 64
_ENDINGS = (".yaml", ".yml")
_STR = "tag:yaml.org,2002:str"
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Broken(Unfit):
    """A table that cannot be read, with the line where that was seen (0: the whole file), and the name of the
    case, if it has one.
    """

    def __init__(self, what: str, rule: str, remedy: str, line: int = 0) -> None:
        super().__init__(what, rule, remedy)
        self.line, self.case = line, ""


def find_files(source: Path | Iterable[Path]) -> list[Path]:
    """The tables of a folder, or of files and folders, each once; a folder that is not there has none."""
    sources = [source] if isinstance(source, Path) else list(source)
    found: dict[Path, None] = {}
    for one in sources:
        if one.suffix in _ENDINGS or one.is_file():
            found[one] = None
        else:
            found |= dict.fromkeys(_in_folder(one))
    return list(found)


def _in_folder(folder: Path) -> Iterator[Path]:
    try:
        files = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    except OSError:
        yield folder  # reading it will say why
        return
    yield from (file for file in files if file.suffix in _ENDINGS and not file.name.startswith("."))


def read_table(file: Path) -> yaml.Node | None:
    """The parsed text of a table, None if it is empty; raises `Broken`."""
    text = _text(file)
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
            return node
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise _unparsable(error) from None


def _text(file: Path) -> str:
    try:
        # Without O_NONBLOCK, opening a pipe would wait for ever.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Broken("this is not a file", "a table is a regular file", "Name a file or a folder")
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        loop = getattr(error, "errno", None) == errno.ELOOP
        remedy = "Remove the symbolic link" if loop else "Name a table that is there and readable"
        reason = getattr(error, "strerror", None) or str(error)
        raise Broken(f"it cannot be read: {reason}", "a table is a readable file", remedy) from None
    if len(data) > MAX_BYTES:
        what = f"it is larger than {MAX_BYTES >> 20} MiB"
        raise Broken(what, "a table is bounded", "Split it into several files")
    return _decoded(data)


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Broken("it is not UTF-8", "a table is UTF-8 text", "Save it as UTF-8", line) from None
    bad = next((one for one in "\0\a\b\x1b\x7f" if one in text), None)
    if bad is not None:
        line = text.count("\n", 0, text.index(bad)) + 1
        what = f"it contains the control character U+{ord(bad):04X}"
        raise Broken(what, "a table is text", "Restore it from a good copy", line)
    return text


def _check_depth(text: str) -> None:
    """Refuse what would crash the parser: libyaml builds nested nodes by recursion, without a bound."""
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                what, rule = f"it nests more than {MAX_DEPTH} levels deep", "a table is a list of cases"
                raise Broken(what, rule, "Write it flatter", line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            what, rule = f"it uses the alias *{event.anchor}", "each case stands for itself"
            raise Broken(what, rule, "Write the value out", line)


def _unparsable(error: yaml.YAMLError) -> Broken:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or str(error).partition("\n")[0]
    remedy = "Finish the line, mind the indentation, and put text with : or # into quotes"
    return Broken(f"it does not parse: {what}", "a table is YAML", remedy, mark.line + 1 if mark else 0)


class _Loader(_Base):  # type: ignore[misc]
    """Safe YAML with unique keys, and without dates: JSON arguments have none."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        check_keys(node)
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return found


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":merge"))]
    for first, resolvers in _Base.yaml_implicit_resolvers.items()
}


def check_keys(node: yaml.MappingNode) -> None:
    """Refuse a key that is not text or stands there twice; YAML would keep the last one silently."""
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise Broken("a key that is not text", "keys are text", "Write NAME: value", line)
        if key.value in seen:
            what = f"the key {key.value!r} stands there twice (first in line {seen[key.value]})"
            raise Broken(what, "a key stands there once", "Remove one of the two", line)
        seen[key.value] = line


def plain(node: yaml.Node) -> Any:
    """A node as plain JSON-like values; raises `Broken`."""
    if isinstance(node, yaml.ScalarNode) and node.tag == _STR:
        return node.value
    loader = _Loader("")
    try:
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise _unparsable(error) from None
    finally:
        loader.dispose()
