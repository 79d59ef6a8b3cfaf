"""The programs that the scripted coder writes: first with a library, and by hand where there is none.

They run in the sandbox, never here. `column` and `length` say by what the rows are grouped: a field's name,
and so many characters of its values; `in_order` whether the groups have an order of their own.
"""

from __future__ import annotations

__all__ = ["BY_HAND", "WITH_LIBRARY"]

_FIGURES = """\
import csv
from collections import defaultdict

worth, deals = defaultdict(float), defaultdict(int)
with open("deals.csv", newline="") as file:
    for row in csv.DictReader(file):
        group = row["{column}"][:{length}]
        worth[group] += float(row["amount"] or 0)
        deals[group] += 1
groups = sorted(worth) if {in_order} else sorted(worth, key=worth.get, reverse=True)
for group in groups:
    print(f"{{group}}: {{worth[group]:,.0f}} in {{deals[group]}} deals")
print(f"Total: {{sum(worth.values()):,.0f}} in {{sum(deals.values())}} deals")
"""

WITH_LIBRARY = (
    """\
import matplotlib
matplotlib.use("agg")
from matplotlib import pyplot

"""
    + _FIGURES
    + """
figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
bars = axes.barh(groups[::-1], [worth[group] / 1e6 for group in groups[::-1]], color="#2f6f9f")
axes.bar_label(bars, fmt="%.2f", padding=3)
axes.set(title="{title}", xlabel="amount, millions")
axes.spines[["top", "right"]].set_visible(False)
figure.savefig("open-deals.png", dpi=120)
"""
)

BY_HAND = (
    _FIGURES
    + """
from xml.sax.saxutils import escape

LEFT, TOP, BAR, GAP, WIDTH = 190, 64, 26, 12, 840
most = max(worth.values(), default=0) or 1
step = next(s for s in (1e5, 2.5e5, 5e5, 1e6, 2.5e6, 5e6, 1e7, 1e9) if most / s <= 6)
scale = (WIDTH - LEFT - 130) / most
bottom = TOP + len(groups) * (BAR + GAP)
svg = [
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{WIDTH}} {{bottom + 56}}" '
    f'width="{{WIDTH}}" height="{{bottom + 56}}" font-family="sans-serif" font-size="14">',
    '<rect width="100%" height="100%" fill="#ffffff"/>',
    f'<text x="24" y="34" font-size="19" font-weight="bold" fill="#1d2733">{{escape("{title}")}}</text>',
]
for mark in range(int(most // step) + 1):
    x = LEFT + mark * step * scale
    svg.append(f'<path d="M{{x:.1f}} {{TOP - 8}}V{{bottom}}" stroke="#d5dce3"/>')
    label, place = f"{{mark * step / 1e6:g}}", f'x="{{x:.1f}}" y="{{bottom + 18}}"'
    svg.append(f'<text {{place}} text-anchor="middle" fill="#5b6b7a">{{label}}</text>')
for number, group in enumerate(groups):
    y, width = TOP + number * (BAR + GAP), worth[group] * scale
    middle = y + BAR / 2 + 5
    value = f"{{worth[group] / 1e6:.2f}} ({{deals[group]}})"
    svg += [
        f'<text x="{{LEFT - 12}}" y="{{middle}}" text-anchor="end" fill="#1d2733">{{escape(group)}}</text>',
        f'<rect x="{{LEFT}}" y="{{y}}" width="{{width:.1f}}" height="{{BAR}}" rx="3" fill="#2f6f9f"/>',
        f'<text x="{{LEFT + width + 8:.1f}}" y="{{middle}}" fill="#1d2733">{{value}}</text>',
    ]
caption = "amount in millions (number of deals)"
svg.append(f'<text x="{{LEFT}}" y="{{bottom + 42}}" fill="#5b6b7a">{{caption}}</text></svg>')
with open("open-deals.svg", "w", encoding="utf-8") as file:
    file.write("\\n".join(svg))
"""
)
