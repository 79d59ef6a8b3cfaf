"""Fills a fresh tracker with part of the sample desk: `python -m ... FOLDER`, before it is served."""

from __future__ import annotations

import sys
from typing import Any

from toolcrib_itsm import sample

__all__ = ["PASSWORD", "main"]

PASSWORD = "sample-password"  # noqa: S105 (of a tracker that lives as long as a test)


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
    db.commit()
    db.close()


if __name__ == "__main__":
    main()
