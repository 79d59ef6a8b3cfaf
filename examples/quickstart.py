"""One call allowed, one refused, one limited: the smallest crib there is, in a temporary folder.

Prints:
    done: bought 10 ACME
    denied: policy.csv:3
    done: bought 20 ACME
    limited: LIMIT REACHED: local.buy has no room left in its quota
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from toolcrib import Crib, tool
from toolcrib.cli.init import write_crib

ROWS = """\
p,  user:alice,  acme, local.buy, write, True,                   allow
p,  agent:buyer, acme, local.buy, write, True,                   allow
p,  *,           acme, local.buy, write, r.ctx.args.shares > 100, deny
p3, *,           acme, local.buy, 2/day per user
"""


@tool(effect="write")
def buy(symbol: str, shares: int) -> str:
    """Buy shares at the market price."""
    return f"bought {shares} {symbol}"


def main(folder: Path) -> None:
    """Make the crib in `folder`, and call the tool four times."""
    with Crib.from_config(write_crib(folder, tenant="acme", rows=ROWS)) as crib:
        crib.add(buy)
        alice = crib.principal(agent="buyer", user="alice")
        for shares in (10, 500, 20, 30):
            result = crib.call_sync("local.buy", {"symbol": "ACME", "shares": shares}, alice)
            rows = result.decision.rows if result.decision and result.status == "denied" else ()
            print(f"{result.status}: {', '.join(row.place for row in rows) or result.text.split('. ')[0]}")


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        main(Path(temporary))
