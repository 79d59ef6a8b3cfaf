"""Rows about secrets: `secret:PACK.NAME`, act `use`."""

from __future__ import annotations

from toolcrib._nearest import nearest
from toolcrib.bench._sheet import Sheet
from toolcrib.decisions import Row
from toolcrib.effects import USE
from toolcrib.policy._facts import SECRET

__all__ = ["check_secrets"]


def check_secrets(sheet: Sheet) -> None:
    """Note rows for secrets that no config names, acts that never meet, and reviews that cannot be held."""
    for row in sheet.of("p", "p2", "p3"):
        is_secret = row.values[2].startswith(SECRET)
        if row.kind != "p3":
            _check_act(sheet, row, is_secret=is_secret)
        if row.kind != "p" and (is_secret or (row.kind == "p2" and row.values[3] == USE)):
            word = "review" if row.kind == "p2" else "quota"
            what = f"a {word} of {row.values[2]} alone denies its use: no running tool can wait for it"
            remedy = "Write the row for the tools that use the secret"
            sheet.add("TC608", row, what, remedy, column="obj")
        if is_secret and sheet.secrets is not None:
            _check_name(sheet, row)


def _check_act(sheet: Sheet, row: Row, *, is_secret: bool) -> None:
    name, act = row.values[2:4]
    if is_secret and act not in (USE, "*"):
        what = f"secrets are used, never {act}, so this row never applies"
        sheet.add("TC602", row, what, f"Write {USE}", column="act")
    elif act == USE and not is_secret and name != "*":
        what = f"{name} is a tool, and only secrets are used, so this row never applies"
        sheet.add("TC602", row, what, f"Write an effect, or {SECRET}{name}", column="act")


def _check_name(sheet: Sheet, row: Row) -> None:
    name = row.values[2].removeprefix(SECRET)
    known = {*(sheet.secrets or ()), *(f"{one.partition('.')[0]}.*" for one in sheet.secrets or ())}
    if name not in known:
        pack, _, key = name.partition(".")
        remedy = f'Name it in [packs.{pack}.secrets]: {key if key != "*" else "NAME"} = "its/path"'
        near = nearest(name, known)
        sheet.add(
            "TC607",
            row,
            f"no pack's config names a secret {name}",
            f"Did you mean {near!r}?" if near else remedy,
            column="obj",
        )
