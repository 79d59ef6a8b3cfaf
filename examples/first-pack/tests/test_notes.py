import pytest
from toolcrib_notes import Notes, NotesSettings

from toolcrib.errors import VendorRefused
from toolcrib.testing.cribs import make_crib

FINAL = """has(r.ctx, "before.text") and "FINAL" in r.ctx.before.text"""
ROWS = f"""
p, user:alice,   acme, local.*,          *,     True,    allow
p, agent:scribe, acme, local.*,          *,     True,    allow
p, *,            acme, local.write_note, write, {FINAL}, deny
"""


def test_a_note_is_written_and_read(tmp_path):
    notes = Notes(NotesSettings(), tmp_path)
    notes.write_note("plan", "buy milk")
    assert notes.get_note("plan").text == "buy milk"


def test_a_long_note_is_refused_and_nothing_is_written(tmp_path):
    notes = Notes(NotesSettings(max_length=3), tmp_path)
    with pytest.raises(VendorRefused, match="max_length = 3"):
        notes.write_note("plan", "buy milk")
    assert notes.get_note("plan") is None


def test_policy_can_protect_a_final_note(tmp_path):
    notes = Notes(NotesSettings(), tmp_path)
    with make_crib(tmp_path, ROWS) as crib:
        crib.add(notes)
        alice = crib.principal(agent="scribe", user="alice")
        write = [
            crib.call_sync("local.write_note", {"title": "plan", "text": text}, alice)
            for text in ("draft", "FINAL: buy milk", "buy tea")
        ]
    assert [result.status for result in write] == ["done", "done", "denied"]
    assert notes.get_note("plan").text == "FINAL: buy milk"
