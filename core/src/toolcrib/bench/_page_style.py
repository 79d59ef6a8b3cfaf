"""How the matrix page looks: light and dark, at the screen and on paper.

Colours are from the palette of Okabe and Ito, which colour-blind readers can tell apart; text on each has
a contrast of at least 4.5 to 1.
"""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """\
:root{color-scheme:light dark;--bg:#fbfaf7;--panel:#fff;--ink:#1d2126;--soft:#5b636d;--line:#e3e0d8;
--head:#f3f1ea;
--allow:#00694c;--allow-bg:#d9f0e6;--review:#0a5a9c;--review-bg:#dcebf8;--depends:#7a4f00;
--depends-bg:#fbecc9;
--deny:#a33b00;--deny-bg:#fbe1d3;--none:#8d8f92;--focus:#0072b2;--shadow:0 6px 24px rgb(20 20 30/.16)}
@media (prefers-color-scheme:dark){:root{--bg:#14171b;--panel:#1b1f25;--ink:#e8e6e1;--soft:#a3abb5;
--line:#2d333b;
--head:#20252c;--allow:#7fe0bd;--allow-bg:#12382d;--review:#8fc8f7;--review-bg:#132f49;--depends:#f3cd73;
--depends-bg:#3a2d0d;--deny:#ffae85;--deny-bg:#43200f;--none:#777e87;--focus:#56b4e9;
--shadow:0 6px 24px #000}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0 auto;max-width:96rem;padding:2rem clamp(1rem,3vw,3rem) 6rem;background:var(--bg);
color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
code,.name{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.92em}
h1{font-size:clamp(1.5rem,3.4vw,2.3rem);line-height:1.15;margin:.1em 0 .3em;letter-spacing:-.02em}
h1 em{font-style:normal;color:var(--review)}
h2{font-size:1.15rem;margin:2.4rem 0 .7rem}
.kicker{margin:0;color:var(--soft);text-transform:uppercase;letter-spacing:.09em;font-size:.76rem;
font-weight:600}
.facts,.note{color:var(--soft);margin:.2rem 0 1rem}
.legend{list-style:none;display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:.6rem;
padding:0;
margin:1rem 0}
.legend li{display:flex;gap:.7rem;align-items:center;background:var(--panel);border:1px solid var(--line);
border-radius:10px;padding:.55rem .8rem;font-size:.86rem;line-height:1.3}
.legend b{display:grid;place-items:center;flex:none;width:2rem;height:2rem;border-radius:7px;font-size:1rem}
.legend strong{display:block;font-size:.95rem}
.legend i{margin-left:auto;font-style:normal;font-weight:650;font-size:1.15rem;
font-variant-numeric:tabular-nums}
.allow>b,.legend .allow b{background:var(--allow-bg);color:var(--allow)}
.review>b,.legend .review b{background:var(--review-bg);color:var(--review)}
.depends>b,.legend .depends b{background:var(--depends-bg);color:var(--depends)}
.deny>b,.legend .deny b{background:var(--deny-bg);color:var(--deny)}
.legend .none b{background:var(--head);color:var(--none)}
.alarm,.calm{border-radius:10px;padding:.8rem 1.1rem;margin:1rem 0;background:var(--deny-bg);
border-left:5px solid var(--deny)}
.alarm h2{margin:0 0 .3rem;font-size:1rem;color:var(--deny)}
.alarm ul{margin:0;padding-left:1.1rem}
.calm{background:var(--allow-bg);border-color:var(--allow);color:var(--allow)}
a{color:inherit;text-decoration-color:var(--soft);text-underline-offset:.2em}
:focus-visible{outline:2px solid var(--focus);outline-offset:2px}
.switches{display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;margin:1.4rem 0 .6rem;font-size:.9rem;
color:var(--soft)}
.switches label{display:flex;gap:.45rem;align-items:center;cursor:pointer}
.switches input{accent-color:var(--review)}
body:has(#risky:checked) .matrix tr:not(.risky):not(.pack):not(thead tr){display:none}
body:has(#granted:checked) .matrix tr.closed{display:none}
.frame{overflow:auto;max-height:88vh;border:1px solid var(--line);border-radius:12px;
background:var(--panel)}
.matrix{border-collapse:separate;border-spacing:0;width:100%}
.matrix th,.matrix td{border-bottom:1px solid var(--line);padding:0;text-align:center}
thead th{position:sticky;top:0;z-index:3;background:var(--head);height:4.2rem;vertical-align:bottom}
thead th a{display:block;padding:.5rem .6rem;text-decoration:none;font-size:.86rem;line-height:1.25}
thead th a:hover span{text-decoration:underline}
thead small{display:block;color:var(--soft);font-weight:400;font-size:.74rem}
.matrix .corner{left:0;z-index:4;text-align:left;padding:.5rem 1rem}
tbody th[scope=row]{position:sticky;left:0;z-index:2;background:var(--panel);text-align:left;
font-weight:400;
padding:.4rem 1rem;white-space:nowrap;border-right:1px solid var(--line)}
tbody tr:hover th[scope=row],tbody tr:hover td.none{background:var(--head)}
.pack th{position:sticky;top:4.2rem;z-index:2;background:var(--head);text-align:left;padding:.35rem 0}
.pack span{position:sticky;left:0;padding:0 1rem;font-weight:650;font-size:.82rem;letter-spacing:.03em}
.matrix td{height:2.5rem;min-width:6.2rem;width:8rem;position:relative}
.matrix td.none{color:var(--none)}
.matrix td a{position:relative;display:flex;gap:.4rem;align-items:center;justify-content:center;margin:3px;
height:calc(100% - 6px);min-height:2rem;border-radius:7px;text-decoration:none;font-size:.8rem}
.matrix td a span{font-weight:550}
.matrix td sup{font-size:.7rem;line-height:0;opacity:.8}
td.allow a{background:var(--allow-bg);color:var(--allow)}
td.review a{background:var(--review-bg);color:var(--review)}
td.depends a{background:var(--depends-bg);color:var(--depends)}
td.deny a{background:var(--deny-bg);color:var(--deny)}
.matrix td a:hover,.matrix td a:focus-visible{z-index:9;box-shadow:inset 0 0 0 2px currentcolor;outline:0}
.matrix td a:hover::after,.matrix td a:focus-visible::after{content:attr(data-why);position:fixed;z-index:99;
bottom:1rem;left:50%;translate:-50% 0;width:max-content;max-width:min(60rem,94vw);max-height:60vh;
overflow:hidden;padding:.8rem 1.1rem;border-radius:10px;background:var(--ink);color:var(--bg);
font-size:.84rem;line-height:1.5;text-align:left;white-space:pre-wrap;overflow-wrap:anywhere;box-shadow:var(--shadow);pointer-events:none}
.effect{display:inline-block;margin-left:.4rem;padding:.05rem .45rem;border-radius:99px;
border:1px solid var(--line);
color:var(--soft);font:600 .7rem/1.5 system-ui,sans-serif;vertical-align:.08em}
.effect.send{background:var(--depends-bg);color:var(--depends);border-color:transparent}
.effect.destructive{background:var(--deny-bg);color:var(--deny);border-color:transparent}
.people{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.6rem;margin:0}
.people div,article{background:var(--panel);border:1px solid var(--line);border-radius:10px;
padding:.7rem 1rem}
.people dt{font-weight:650}.people small{color:var(--soft);font-weight:400;margin-left:.3rem}
.people dd{margin:.1rem 0 0;color:var(--soft);font-size:.88rem;overflow-wrap:anywhere}
:target{outline:3px solid var(--focus);outline-offset:3px}
article{margin:.7rem 0;break-inside:avoid}
h3{margin:0 0 .4rem;font:600 .95rem ui-monospace,Menlo,"DejaVu Sans Mono",monospace}
.said,.rows{list-style:none;margin:0;padding:0;font-size:.88rem}
.said li{padding:.15rem 0;overflow-wrap:anywhere}
.said b{display:inline-grid;place-items:center;width:1.4rem;height:1.4rem;border-radius:5px;font-size:.8rem}
.said em{color:var(--soft);font-style:normal}
.rows{margin-top:.5rem;padding-top:.5rem;border-top:1px dashed var(--line)}
.rows li{display:flex;gap:1rem;padding:.1rem 0}
.rows small{flex:none;width:9rem;color:var(--soft)}
.rows code{overflow-wrap:anywhere}
@media print{body{max-width:none;padding:0;font-size:10px;background:#fff}.frame{max-height:none;
overflow:visible;
border:0}.switches{display:none}thead{display:table-header-group}tr{break-inside:avoid}
thead th,tbody th[scope=row],.pack th{position:static}.matrix td{min-width:0;height:auto}
.matrix td a::after{display:none!important}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
