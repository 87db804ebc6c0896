"""Repositories of the hub by name: names that are neither folders nor installed models."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ganzoo.errors import UnknownNameError

MAIN = "main"
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_ID = re.compile(rf"{_PART}/{_PART}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
FORMS = "org/name, org/name@revision, or hf://org/name"


@dataclass(frozen=True)
class Repository:
    """A repository on the hub, at a revision: a branch, a tag or a commit."""

    id: str
    revision: str = MAIN

    def __str__(self) -> str:
        return self.id if self.revision == MAIN else f"{self.id}@{self.revision}"

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, which never changes."""
        return bool(_COMMIT.fullmatch(self.revision))


def repository(name: str, revision: str | None = None) -> Repository | None:
    """The repository that a name means; None if it means none, such as a bare word.

    Raises:
        UnknownNameError: a name or a revision that no repository can have, or two revisions.
    """
    marked = name.startswith("hf://")
    rest = name.removeprefix("hf://").removeprefix("models/") if marked else name
    id, at, said = rest.partition("@")
    if not _ID.fullmatch(id) or ".." in id or "--" in id:
        if marked:
            raise UnknownNameError(f"{name!r} names no repository; write {FORMS}")
        return None
    if at and revision is not None and said != revision:
        raise UnknownNameError(f"{name!r} and revision={revision!r}: give one revision, not two")
    wanted = said if at else revision if revision is not None else MAIN
    if not _REVISION.fullmatch(wanted) or ".." in wanted or "//" in wanted:
        raise UnknownNameError(
            f"{wanted!r} is not a revision of {id}; a branch, a tag or a commit, such as main"
        )
    return Repository(id, wanted)
