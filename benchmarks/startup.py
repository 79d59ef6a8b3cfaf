"""How long `import toolcrib` and `toolcrib --help` take as whole processes, beside a bare interpreter.

    python benchmarks/startup.py [--runs 15] [--json]

Medians in milliseconds, taken in turns. `--help` is also run with 100 packs installed (metadata only).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PACKS = 100
AIM_HELP = 150.0


def milliseconds(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return (time.perf_counter() - start) * 1000


def install_packs(folder: Path) -> None:
    for number in range(PACKS):
        name = f"bench_pack_{number}"
        (folder / f"{name}.py").write_text("PACK_API = 1\n")
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[toolcrib.packs]\n{name} = {name}\n")
        (info / "RECORD").write_text(f"{name}.py,,\n")


def measure(runs: int) -> dict[str, Any]:
    python = [sys.executable]
    command = [str(Path(sys.executable).with_name("toolcrib")), "--help"]
    with tempfile.TemporaryDirectory() as folder:
        install_packs(Path(folder))
        plain = dict(os.environ)
        crowded = {**plain, "PYTHONPATH": folder}
        cases = {
            "python": ([*python, "-c", "pass"], plain),
            "import_toolcrib": ([*python, "-c", "import toolcrib"], plain),
            "help": (command, plain),
            "help_100_packs": (command, crowded),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for turn in range(runs + 1):
            for name, (line, environment) in cases.items():
                taken = milliseconds(line, environment)
                if turn:  # the first turn only warms the disk's cache
                    times[name].append(taken)
    figures = {name: round(statistics.median(values), 1) for name, values in times.items()}
    return {
        "benchmark": "startup",
        "unit": "milliseconds, median",
        **figures,
        "aim_help_100_packs": AIM_HELP,
        "ratio": round(figures["help_100_packs"] / figures["python"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.runs)
    if options.json:
        print(json.dumps(found))
        return
    crowded = found["help_100_packs"]
    print(f"bare python {found['python']} ms, import toolcrib {found['import_toolcrib']} ms")
    print(f"toolcrib --help {found['help']} ms; with {PACKS} packs {crowded} ms (aim {AIM_HELP:g})")


if __name__ == "__main__":
    main()
