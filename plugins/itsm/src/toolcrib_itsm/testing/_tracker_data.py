"""Fills a fresh tracker with part of the sample desk: `python -m ... FOLDER`, before it is served."""

from __future__ import annotations

import sys
from typing import Any

from toolcrib_itsm import sample

__all__ = ["PARTNER", "PASSWORD", "main"]

PASSWORD = "sample-password"  # noqa: S105 (of a tracker that lives as long as a test)
PARTNER = """
db.security.addRole(name='Partner', description='The desk of another organisation, for its own issues')
for right in 'Web Access', 'Rest Access':
    db.security.addPermissionToRole('Partner', right)
for cl in 'priority', 'status', 'keyword', 'user':
    db.security.addPermissionToRole('Partner', 'View', cl)


def is_of_own(cl):
    def check(db, userid, itemid):
        creator = db.getclass(cl).get(itemid, 'creator')
        return db.user.get(creator, 'organisation') == db.user.get(userid, 'organisation')
    return check


for cl in 'issue', 'msg':
    db.security.addPermissionToRole('Partner', 'Create', cl)
    db.security.addPermissionToRole('Partner', db.security.addPermission(name='Search', klass=cl))
    for right in 'View', 'Edit':
        p = db.security.addPermission(name=right, klass=cl, check=is_of_own(cl))
        db.security.addPermissionToRole('Partner', p)
"""
"""What an administrator writes into a tracker's schema so that two tenants may share it: `gita` is of the
other one.
"""


def main() -> None:
    """Users with one password, keywords, configuration items and articles; no issues."""
    from roundup import instance, password  # type: ignore[import-untyped]

    with_extension = len(sys.argv) < 3
    db: Any = instance.open(sys.argv[1]).open("admin")
    made = sample.records()
    role = "Agent" if with_extension else "User"
    for row in made["person"]:
        desk = row["department"] == "IT"
        db.user.create(
            username=row["username"],
            realname=row["name"],
            address=row["email"],
            organisation=row["department"],
            password=password.Password(PASSWORD, config=db.config),
            roles=role if desk else "User",
        )
    for name in ("hardware", "software", "network"):
        db.keyword.create(name=name)
    if with_extension:
        for row in made["item"]:
            named = {key: row[key] for key in ("name", "kind", "status", "location")}
            db.ci.create(**named, owner=db.user.lookup("dana"))
        for row in made["article"]:
            db.article.create(title=row["title"], text=row["text"], published=True)
        db.article.create(title="VPN certificate, a draft", text="Nobody has read this yet.", published=False)
        db.user.create(
            username="gita",
            realname="Gita Harrow",
            organisation="Globex",
            password=password.Password(PASSWORD, config=db.config),
            roles="Partner",
        )
    db.commit()
    db.close()


if __name__ == "__main__":
    main()
