"""A value that comes in pieces, one after another, is recognised where it can be."""

import pytest

from toolcrib.secrets import Redactor, Secret, Stream

VALUE = "correct-horse-battery-staple-9"


@pytest.fixture
def stream():
    redactor = Redactor(shapes=False)
    redactor.learn(Secret(VALUE, path="p/0", version=1))
    return Stream(redactor)


@pytest.mark.parametrize("cut", range(6, len(VALUE)))
def test_a_value_cut_in_two_shows_in_neither_half(stream, cut):
    first, second = stream.clean(f"got {VALUE[:cut]}"), stream.clean(f"{VALUE[cut:]} and on")
    assert (first, second) == ("got [secret:p/0]", "[secret:p/0] and on")


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_few_characters_pass_because_they_are_no_sign_of_a_value_but_the_rest_does_not(stream, cut):
    assert stream.clean(f"got {VALUE[:cut]}") == f"got {VALUE[:cut]}"
    assert stream.clean(f"{VALUE[cut:]} and on") == "[secret:p/0] and on"


def test_a_value_in_many_pieces_is_cut_from_where_it_was_recognised(stream):
    pieces = [stream.clean(VALUE[at : at + 8]) for at in range(0, len(VALUE), 8)]
    assert pieces[0] == "[secret:p/0]" and pieces[-1] == "[secret:p/0]"


def test_chunks_without_values_stay_as_they_are(stream):
    chunks = ["10 of 50 done", "", "corre", "ct horse ", "ä€😀"]
    assert [stream.clean(chunk) for chunk in chunks] == chunks


def test_a_value_of_a_character_at_a_time_shows_no_more_than_its_first_few(stream):
    told = "".join(map(stream.clean, f"got {VALUE} and on"))
    assert told.startswith("got corre[secret:p/0]") and told.endswith(" and on")
    assert not [piece for piece in told.split("[secret:p/0]")[1:-1] if piece]


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_short_value_cut_in_two_is_known_when_its_end_comes(cut):
    redactor = Redactor(shapes=False)
    redactor.learn(Secret("hunter2", path="p/0", version=1))
    stream = Stream(redactor)
    first, second = stream.clean(f"key {'hunter2'[:cut]}"), stream.clean(f"{'hunter2'[cut:]} sent")
    assert second == "[secret:p/0] sent"
    assert first == ("key [secret:p/0]" if cut == 6 else f"key {'hunter2'[:cut]}")


def test_nothing_to_look_for_nothing_kept():
    chunk = "x" * 10
    assert Stream(Redactor(shapes=False)).clean(chunk) is chunk
