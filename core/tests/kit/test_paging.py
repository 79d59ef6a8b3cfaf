"""Pages are followed as far as was asked for, and no further."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolcrib.errors import ToolError, VendorRefused
from toolcrib.kit import Page, Rows, collect


class Book:
    """Pages of a vendor; the cursor is the number of the next page."""

    def __init__(self, pages):
        self.pages, self.turned = pages, 0

    async def turn(self, cursor):
        self.turned += 1
        number = cursor or 0
        last = number == len(self.pages) - 1
        return Page(self.pages[number], None if last else number + 1)


QUICKLY = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICKLY
@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=8), limit=st.integers(1, 50))
async def test_the_rows_are_the_first_ones_and_the_cap_is_told(sizes, limit):
    rows = iter(range(1000))
    book = Book([[next(rows) for _ in range(size)] for size in sizes])
    total = sum(sizes)
    found = await collect(book.turn, limit=limit)
    assert found.rows == tuple(range(min(limit, total)))
    assert found.has_more or len(found.rows) == total, "nothing is left out in silence"


async def test_no_page_is_turned_beyond_the_cap():
    book = Book([[*range(10)]] * 100)
    assert await collect(book.turn, limit=20) == Rows((*range(10), *range(10)), has_more=True)
    assert book.turned == 2


async def test_ten_thousand_rows_come_in_order():
    book = Book([[*range(start, start + 100)] for start in range(0, 10_000, 100)])
    assert (await collect(book.turn, limit=10_000)).rows == tuple(range(10_000))
    assert book.turned == 100


async def test_rows_that_came_before_are_dropped():
    book = Book([[1, 2, 3], [3, 4], [1, 5]])
    assert (await collect(book.turn, limit=10, key=lambda row: row)).rows == (1, 2, 3, 4, 5)


async def test_pages_in_a_circle_end():
    async def turn(cursor):
        return Page([1], "again")

    with pytest.raises(ToolError, match="circle"):
        await collect(turn, limit=1000)


async def test_empty_pages_without_end_end():
    turned = []

    async def turn(cursor):
        turned.append(cursor)
        return Page([], len(turned))

    with pytest.raises(ToolError, match="more than 7 pages"):
        await collect(turn, limit=10, most_pages=7)
    assert len(turned) == 7


async def test_a_page_that_fails_fails_the_whole():
    async def turn(cursor):
        if cursor:
            raise VendorRefused("gone")
        return Page([1], "next")

    with pytest.raises(VendorRefused):
        await collect(turn, limit=10)
