"""How the command line tells warnings: ours in their own words, others as Python does."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

from toolcrib.cli import _main
from toolcrib.errors import ToolcribWarning
from toolcrib.policy import MODEL
from toolcrib.testing.cribs import write_crib


def test_ours_has_no_file_and_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_crib(tmp_path, "p, *, acme, *, *, True, allow")
    custom = MODEL.replace("r.act == p.act", "p.act == r.act")
    assert custom != MODEL
    (tmp_path / "policies" / "model.conf").write_text(custom)
    words = ["policy", "explain", "a.b", "--agent", "x", "--effect", "read"]
    monkeypatch.setattr(sys, "argv", ["toolcrib", "-c", str(file), *words])
    with pytest.raises(SystemExit), warnings.catch_warnings():
        warnings.simplefilter("always")
        _main.main()
    err = capsys.readouterr().err
    assert "Warning: model.conf is not the shipped model" in err
    assert ".py" not in err and "warn(" not in err


def test_others_go_on_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(**_: str) -> None:
        warnings.warn("theirs", UserWarning, stacklevel=1)
        warnings.warn("ours\x1b[2J", ToolcribWarning, stacklevel=1)

    monkeypatch.setattr(_main, "cli", warn)
    told: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: told.append(str(message))
        before = warnings.showwarning
        _main.main()
        assert warnings.showwarning is before, "and afterwards all is as it was"
    assert told == ["theirs"]
