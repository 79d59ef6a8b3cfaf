"""A condition that can never hold is refused: as a deny row it would look like protection and be none."""

from __future__ import annotations

import pytest

from toolcrib.policy._conditions import parse_condition
from toolcrib.policy._problems import Unfit


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ('r.ctx.labels == "untrusted"', '"untrusted" in r.ctx.labels'),
        ('"untrusted" == r.ctx.labels', '"untrusted" in r.ctx.labels'),
        ('r.ctx.labels != ["untrusted"]', "in r.ctx.labels"),
        ('r.ctx.labels in ["untrusted", "confidential"]', "in r.ctx.labels"),
        ('r.ctx.tool.labels == ("a", "b")', "in r.ctx.tool.labels"),
        ('r.ctx.args.n > 1 and not (r.ctx.labels == "x")', "in r.ctx.labels"),
        ('r.ctx.user == "user:alice"', "the id alone"),
        ('"agent:writer" != r.ctx.agent', "the id alone"),
        ('r.ctx.user in ["alice", "user:bob"]', "the id alone"),
        ("r.ctx.user is None", '"none"'),
        ("r.ctx.user == None", '"none"'),
        ('r.ctx.user == ""', '"none"'),
        ("r.ctx.session == 7", "the id alone"),
        ('r.ctx.tenant == "*"', "the id alone"),
        ('r.ctx.tool.effect == "Write"', "one of them"),
        ('r.ctx.tool.effect in ["write", "delete"]', "one of them"),
        ("r.ctx.args.n > 1e999", "Shrink it"),
    ],
)
def test_a_comparison_that_is_never_true_is_refused(text: str, remedy: str) -> None:
    with pytest.raises(Unfit) as refused:
        parse_condition(text)
    assert remedy in refused.value.remedy
    assert refused.value.rule


@pytest.mark.parametrize(
    "text",
    [
        '"untrusted" in r.ctx.labels',
        '"untrusted" not in r.ctx.tool.labels',
        "r.ctx.labels == r.ctx.tool.labels",
        "not r.ctx.labels",
        'r.ctx.user == "alice" or r.ctx.user == "none"',
        'r.ctx.user in ["alice", "bob@acme.com"]',
        "r.ctx.user == r.ctx.args.owner",
        "r.ctx.user == r.ctx.before.owner",
        'r.ctx.tool.effect in ["write", "destructive"]',
        "r.ctx.args.user == 'user:alice'",
        "r.ctx.args.labels == 'x'",
        "r.ctx.args.n > 1e99",
    ],
)
def test_a_comparison_that_may_be_true_is_accepted(text: str) -> None:
    assert parse_condition(text)
