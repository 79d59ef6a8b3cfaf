"""The page that pack writers read first."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest

from toolcrib import hookspecs
from toolcrib.errors import ConfigError
from toolcrib.hookspecs import PackConfig
from toolcrib.packs._open import HOOKS

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "packs.md"


class Color(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    url: str = "http://localhost"


@dataclass(frozen=True)
class Settings:
    backend: Literal["embedded", "salesforce"] = "embedded"
    rows: int = 10
    rate: float = 1.0
    strict: bool = True
    folder: Path = Path(".")
    color: Color = Color.RED
    since: date = date(2020, 1, 1)
    fields: tuple[str, ...] = ()
    inner: Inner = field(default_factory=Inner)


@dataclass(frozen=True)
class Needy:
    account: str


def config(**settings: Any) -> PackConfig:
    return PackConfig("crm", settings, Path("data"), "acme")


def test_hookspecs_fit_on_one_screen() -> None:
    assert len(inspect.getsource(hookspecs).splitlines()) <= 90


def test_there_are_six_hooks() -> None:
    assert sorted(HOOKS) == [
        "toolcrib_approval_channels",
        "toolcrib_audit_sinks",
        "toolcrib_sandboxes",
        "toolcrib_secret_providers",
        "toolcrib_toolkits",
        "toolcrib_workflows",
    ]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented(hook: str) -> None:
    assert inspect.getdoc(getattr(hookspecs, hook))
    assert f"`{hook}" in REFERENCE.read_text("utf-8")


def test_no_settings_give_the_defaults() -> None:
    assert config().parse(Settings) == Settings()


def test_settings_become_the_packs_own_types() -> None:
    parsed = config(
        backend="salesforce",
        rows=3,
        rate=2,
        strict=False,
        folder="data",
        color="red",
        since=date(2024, 5, 6),
        fields=["a", "b"],
        inner={"url": "x"},
    ).parse(Settings)
    assert parsed == Settings(
        "salesforce", 3, 2.0, False, Path("data"), Color.RED, date(2024, 5, 6), ("a", "b"), Inner("x")
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"backnd": "embedded"}, ["[packs.crm] backnd: unknown key", "'backend'"]),
        ({"zzz": 1}, ["[packs.crm] zzz: unknown key", "known keys: backend, rows"]),
        ({"inner": {"ulr": "x"}}, ["[packs.crm.inner] ulr: unknown key", "'url'"]),
        ({"rows": "3"}, ["[packs.crm] rows: ", "valid integer"]),
        ({"rows": True}, ["[packs.crm] rows: "]),
        ({"strict": 1}, ["[packs.crm] strict: "]),
        ({"folder": 3}, ["[packs.crm] folder"]),
        ({"fields": "ab"}, ["[packs.crm] fields"]),
        ({"inner": "x"}, ["[packs.crm] inner"]),
        ({"backend": "oracle"}, ["[packs.crm] backend: ", "'embedded' or 'salesforce'"]),
    ],
)
def test_wrong_settings_name_the_place_and_the_rule(settings: dict[str, Any], told: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**settings).parse(Settings)
    assert all(part in str(caught.value) for part in told), str(caught.value)
    assert caught.value.rule


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"\[packs.crm\] account: Field required"):
        config().parse(Needy)


def test_no_error_quotes_a_value_since_it_may_be_a_misplaced_secret() -> None:
    with pytest.raises(ConfigError) as caught:
        config(rows="hunter2-secret").parse(Settings)
    assert "hunter2" not in str(caught.value)


def test_several_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        config(rows="x", strict="x").parse(Settings)
    assert "rows" in caught.value.what
    assert "strict" in caught.value.what


def test_the_pack_in_the_reference_works(shelf) -> None:
    source = REFERENCE.read_text("utf-8").split("```python\n")[1].split("```")[0]
    shelf.install("pack_weather", source)
    shelf.lock("pack_weather")
    assert [tool.name for tool in shelf.pack("pack_weather").tools] == ["pack_weather.forecast"]


def test_the_lock_in_the_reference_can_be_read(tmp_path: Path) -> None:
    from toolcrib.packs import Lock

    file = tmp_path / "toolcrib.lock"
    file.write_text("".join(REFERENCE.read_text("utf-8").split("```toml\n")[2].split("```")[0]))
    assert file.read_text() == Lock.read(file).text()
