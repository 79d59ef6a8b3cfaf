"""What deceives a reviewer's eyes is an escape; what people write is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib._visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("L\u043e\u043ek", "L\\u043e\\u043ek"),  # Cyrillic o in a Latin word
        ("delete \u0430", "delete \\u0430"),  # a Cyrillic word in a Latin text
        ("Отправить в СRM", "Отправить в \\u0421RM"),  # one Cyrillic letter in a Latin word of a Russian text
        ("\u03bfmega", "\\u03bfmega"),  # Greek o
        ("\u0251lpha", "\\u0251lpha"),  # phonetic alpha
        (
            "\uff41\uff42 \U0001d41a \ufb01le",
            "\\uff41\\uff42 \\U0001d41a \\ufb01le",
        ),  # full width, bold, ligature
        ("\u202egnp.exe", "\\u202egnp.exe"),  # bidirectional override
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\x1b[2J\x9b8m\r\t", "\\x1b[2J\\x9b8m\\r\\t"),
        ("a\u2028b\x85c", "a\\u2028b\\x85c"),  # line ends that are none to a terminal
        ("tag\U000e0041", "tag\\U000e0041"),
        ("filler\u3164\uffa0\u2800", "filler\\u3164\\uffa0\\u2800"),  # printable, and not seen
        ("ok\ufe0f\U000e0101", "ok\\ufe0f\\U000e0101"),  # variation selectors, which can carry hidden text
        ("x\u0338y", "x\\u0338y"),  # a mark on a plain letter
        ("a\u034fb", "a\\u034fb"),
    ],
)
def test_what_deceives_is_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Look at a thing.\nLoudly.", "Größe, Übermut, naïve, garçon", "Tiếng Việt", "Привет, CRM",
        "Αποστολή μηνύματος", "日本語の説明", "한국어 설명", "שלום", "مرحبا", "हिन्दी", "— … ½ ™ € µm 🪚",
        "C:\\temp\\n",
    ],
)  # fmt: skip
def test_what_people_write_is_left_alone(text: str) -> None:
    assert visible(text) == text


@given(st.text())
def test_what_is_shown_is_printable_and_keeps_its_lines(text: str) -> None:
    shown = visible(text)
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert shown.count("\n") == text.count("\n")
