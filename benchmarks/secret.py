"""A tool's secret: kept in memory, with policy asked each time, and fetched from Vault beside bare hvac.

    python benchmarks/secret.py [--uses 20000] [--reads 200] [--json]

`cached` is what a running tool waits for `await ctx.secret(...)`: policy for user and agent, path, cache, and
the note for the audit record. `cold` is one `VaultProvider.fetch` without a cache, `hvac` is hvac's own
`read_secret_version` of the same secret, from the same real OpenBao server. All in turns in one process,
medians in microseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from _reference import beside_aim, told, unit

from toolcrib import CallContext, tool
from toolcrib.secrets.vault import VaultProvider, VaultSettings
from toolcrib.testing.cribs import make_crib
from toolcrib.testing.openbao import OpenBao

AIM = 5.0
ROUNDS = 5
ROWS = """
p, *, acme, local.*, *, True, allow
p, user:alice, acme, secret:local.key, use, True, allow
p, agent:writer, acme, secret:local.key, use, True, allow
"""
CONFIG = """
[secrets]
provider = "vault"
address = "{url}"
token_file = "{token}"
cache = "1h"
[packs.local.secrets]
key = "crm/{{tenant}}/{{user}}/key"
"""


async def median(work: Callable[[], Awaitable[object]], times: int) -> float:
    found = []
    for _ in range(times):
        start = time.perf_counter_ns()
        await work()
        found.append(time.perf_counter_ns() - start)
    return statistics.median(found) / 1000


async def cached(folder: Path, bao: OpenBao, uses: int) -> float:
    """Inside a running tool of a real crib."""
    measured: list[float] = []

    @tool(effect="read", timeout=600)
    async def use(ctx: CallContext) -> int:
        """Use the secret often."""
        measured.append(await median(lambda: ctx.secret("key"), uses))
        return uses

    with make_crib(folder, ROWS, config=CONFIG.format(url=bao.url, token=bao.token_file)) as crib:
        crib.add(use)
        result = await crib.call("use", {}, crib.principal("writer", "alice"))
        assert result.status == "done", result.text
    return measured[0]


async def measure(uses: int, reads: int) -> dict[str, Any]:
    with OpenBao() as bao, tempfile.TemporaryDirectory() as folder:
        bao.put("crm/acme/alice/key", value="a-value-for-the-benchmark")
        provider = VaultProvider(VaultSettings(address=bao.url, token_file=bao.token_file))
        path, kv = "crm/acme/alice/key", bao.client.secrets.kv.v2

        async def bare() -> None:
            kv.read_secret_version(path, raise_on_deleted_version=True)

        rounds: dict[str, list[float]] = {"hvac": [], "cold": []}
        for _ in range(ROUNDS):
            rounds["hvac"].append(await median(bare, reads // ROUNDS))
            rounds["cold"].append(await median(lambda: provider.fetch(path), reads // ROUNDS))
        await provider.close()
        kept = await cached(Path(folder), bao, uses)
    hvac, cold = (statistics.median(rounds[name]) for name in ("hvac", "cold"))
    return {
        "cached_us": round(kept, 2),
        "cached_aim_us": AIM,
        "beside_aim": beside_aim(kept, AIM, await asyncio.to_thread(unit)),
        "hvac_us": round(hvac),
        "cold_us": round(cold),
        "cold_over_hvac": round(cold / hvac, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--uses", type=int, default=20_000)
    parser.add_argument("--reads", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options.uses, options.reads))
    if options.json:
        print(json.dumps(found))
        return
    print(f"cached secret     {found['cached_us']:>8.2f} µs")
    print(told("cached secret", found["beside_aim"]))
    print(f"bare hvac read    {found['hvac_us']:>8} µs")
    print(f"cold fetch        {found['cold_us']:>8} µs   {found['cold_over_hvac']} times the bare read")


if __name__ == "__main__":
    main()
