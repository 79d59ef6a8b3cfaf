"""Strings that would be something else than text, if a backend did not keep them text.

They are of public lists, each named where its strings stand; a pack's tests send all of them through its
tools, and each must come back as it went in, or be refused.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ENCODED_QUERY", "INJECTIONS", "SOQL", "UNICODE", "URL"]

SOQL = (
    # Salesforce, Secure Coding Guidelines, "SQL and SOQL injection"
    "test%') OR (Name LIKE '",
    # SecLists, Fuzzing/Databases/SQLi/quick-SQLi.txt
    "' or true--",
    "') or true--",
    "' or 'x'='x",
    "') or ('x')=('x",
    "' or ''^'",
    "admin' --",
    "admin' or '1'='1'/*",
    "admin') or ('1'='1'#",
    '" or ""*"',
    'admin") or ("1"="1"--',
    "1234 ' AND 1=0 UNION ALL SELECT 'admin', '81dc9bdb52d04dc20036dbd8313ed055",
)
"""What ends a quoted value in SOQL or SQL."""

ENCODED_QUERY = (
    # goforthom.as, "addEncodedQuery condition injection"
    "^NQactive=true^ORactive=false",
    # nowspectrum.com, "GlideRecord encoded queries"
    "active=true^stateIN1,2^assigned_toISNOTEMPTY",
    "state=1^ORstate=2^ORstate=3",
    "assignment_group.nameLIKENetwork",
    "sys_created_on>=javascript:gs.beginningOfLast7Days()",
    # sn-nerd.com, "Decoding encoded queries"
    "^NQactive=false^close_code=Not Solved (Not Reproducible)",
    "^RLQUERYtask_ci.task,>=1,m2m^ci_item.assignment_groupNSAMEASchange_control^ENDRLQUERY",
)
"""What begins another condition of a ServiceNow query, or a script in one. There is no list of payloads for
these; they are what articles on the query language show.
"""

URL = (
    # PayloadsAllTheThings, CRLF Injection/Files/crlfinjection.txt
    "/%0d%0aSet-Cookie:crlf=injection",
    "/%23%0d%0aSet-Cookie:crlf=injection",
    "/%25250aSet-Cookie:crlf=injection",
    "/%2e%2e%2f%0d%0aSet-Cookie:crlf=injection",
    "/%u000aSet-Cookie:crlf=injection",
    # PayloadsAllTheThings, Directory Traversal/README.md
    "..\\/",
    "%2e%2e%2f",
    "%252e%252e%252f",
    "%c0%ae%c0%ae%c0%af",
    "..././",
    "..;/..;/sensitive.txt",
    "url:http://127.0.0.1:8080",
    # PayloadsAllTheThings, HTTP Parameter Pollution/README.md
    "?par1=a&par1=b",
    "?search=Beth&search=' OR 1=1;##",
)
"""What leaves a path's segment, a parameter's value or a header's line."""

UNICODE = (
    # big-list-of-naughty-strings, "Emoji" and "Regional Indicator Symbols"
    "👩🏽",
    "❤️ 💔 💌 💕 💞 💓 💗 💖 💘 💝 💟 💜 💛 💚 💙",
    "0️⃣ 1️⃣ 2️⃣ 3️⃣ 4️⃣ 5️⃣ 6️⃣ 7️⃣ 8️⃣ 9️⃣ 🔟",
    "🇺🇸🇷🇺🇸🇦",
    # the same, "Right-To-Left Strings"
    "בְּרֵאשִׁית, בָּרָא אֱלֹהִים, אֵת הַשָּׁמַיִם, וְאֵת הָאָרֶץ",
    "הָיְתָהtestالصفحات التّحول",
    "﷽",
    # the same, "Script Injection", in full-width letters
    "＜script＞alert(123)＜/script＞",
    # CVE-2021-42574, "Trojan Source": overrides and isolates
    "\u202egnp.exe\u202c",
    "\u2067 } \u2066if (isAdmin)\u2069 \u2066 begin",
)
"""Emoji, right-to-left, invisible and composed characters."""

INJECTIONS: Mapping[str, tuple[str, ...]] = {
    "SOQL": SOQL,
    "encoded query": ENCODED_QUERY,
    "URL": URL,
    "Unicode": UNICODE,
}
"""All of them by kind."""
