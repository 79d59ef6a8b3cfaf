"""Makes a classic Roundup tracker fit for all of the tools: `python -m toolcrib_itsm.tracker FOLDER`.

To be run once, between `roundup-admin install` (of the template `classic`) and `roundup-admin initialise`. It
adds private messages, which the desk alone reads and which no mail carries, the role `Agent` for the desk's
people and for the account of this pack, and places for knowledge, configuration items and child issues. An
extension that is half done would let requesters read internal notes, so it is done as a whole or not at all.
"""

from __future__ import annotations

import sys
from pathlib import Path

from toolcrib.errors import ConfigError, ToolcribError

__all__ = ["extend", "main"]

_EDITS = (
    (
        "schema.py",
        "                inreplyto=String())",
        "                inreplyto=String(),\n                private=Boolean())",
    ),
    (
        "schema.py",
        'issue = IssueClass(db, "issue",\n',
        'article = Class(db, "article",\n'
        "                title=String(),\n"
        "                text=String(),\n"
        "                published=Boolean())\n"
        'ci = Class(db, "ci",\n'
        "                name=String(),\n"
        "                kind=String(),\n"
        "                status=String(),\n"
        "                location=String(),\n"
        "                owner=Link('user'))\n"
        'ci.setkey("name")\n\n'
        'issue = IssueClass(db, "issue",\n'
        '                ci=Link("ci"),\n'
        '                parent=Link("issue"),\n'
        "                resolution=String(),\n"
        "                correlation=String(),\n",
    ),
    # Requesters and guests lose their right to all messages; the lines below give most of it back.
    (
        "schema.py",
        "for cl in 'issue', 'file', 'msg', 'keyword':\n    db.security.addPermissionToRole('User'",
        "for cl in 'issue', 'file', 'keyword':\n    db.security.addPermissionToRole('User'",
    ),
    (
        "schema.py",
        "for cl in 'issue', 'file', 'msg', 'keyword', 'priority', 'status':",
        "for cl in 'issue', 'file', 'keyword', 'priority', 'status':",
    ),
    (
        "detectors/nosyreaction.py",
        "    for msgid in determineNewMessages(cl, nodeid, oldvalues):\n",
        "    for msgid in determineNewMessages(cl, nodeid, oldvalues):\n"
        "        if db.msg.get(msgid, 'private'):\n"
        "            continue  # internal notes are in no mail\n",
    ),
)
_RIGHTS = '''

# --- toolcrib-itsm: who reads what -------------------------------------------------------------------

db.security.addRole(name='Agent', description='The service desk')
for right in 'Web Access', 'Email Access', 'Rest Access':
    db.security.addPermissionToRole('Agent', right)
for cl in 'issue', 'file', 'msg', 'keyword', 'article', 'ci':
    for right in 'View', 'Edit', 'Create':
        db.security.addPermissionToRole('Agent', right, cl)
for cl in 'priority', 'status':
    db.security.addPermissionToRole('Agent', 'View', cl)
p = db.security.addPermission(name='View', klass='user', properties=('id', 'username', 'realname', 'address',
    'organisation', 'phone', 'timezone'))
db.security.addPermissionToRole('Agent', p)
p = db.security.addPermission(name='Search', klass='user')
db.security.addPermissionToRole('Agent', p)


def is_public(db, userid, itemid):
    """Internal notes are for the desk alone."""
    return not db.msg.get(itemid, 'private')


for role in 'User', 'Anonymous':
    p = db.security.addPermission(name='View', klass='msg', check=is_public)
    db.security.addPermissionToRole(role, p)
# Without 'private' among them: what somebody writes as a requester is public, and stays what it was.
p = db.security.addPermission(name='Create', klass='msg', properties=('author', 'content', 'date', 'files',
    'inreplyto', 'messageid', 'recipients', 'summary', 'type'))
db.security.addPermissionToRole('User', p)
db.security.addPermissionToRole('User', 'View', 'article')
'''


def extend(folder: Path) -> None:
    """Extend the tracker in `folder`; `ConfigError` where it is not a fresh one of the template `classic`."""
    texts: dict[str, str] = {}
    for name, old, new in _EDITS:
        try:
            text = texts.get(name) or (folder / name).read_text("utf-8")
        except OSError as error:
            raise ConfigError(f"{folder / name} cannot be read: {error.strerror}") from None
        if text.count(old) != 1:
            raise ConfigError(
                f"{folder / name} is not as the template has it: {old.strip().splitlines()[0]!r}",
                rule="a fresh tracker of the template classic is extended, once",
                remedy="Make the changes by hand; toolcrib_itsm/tracker.py has them",
            )
        texts[name] = text.replace(old, new)
    texts["schema.py"] += _RIGHTS
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")


def main() -> None:
    """The command."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m toolcrib_itsm.tracker FOLDER")
    try:
        extend(Path(sys.argv[1]))
    except ToolcribError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
