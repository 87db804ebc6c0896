"""The official list: published models by their bare names, each pinned.

`official.json` is written by `scripts/publish.py`: for each model the sha256 of its weights, and
the commit of its repository on the hub once it has been published there. Packs of models installed
by pip (`ganzoo-models`) are used before the hub is asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from ganzoo.hub.names import Repository
from ganzoo.version import MODELS


@dataclass(frozen=True)
class Official:
    """A model of the official list.

    `sha256` is that of its weights. `commit` is empty before it is on the hub.
    """

    name: str
    organisation: str
    sha256: str
    commit: str = ""

    @property
    def repository(self) -> Repository | None:
        """Its repository, at its pinned commit."""
        return Repository(f"{self.organisation}/{self.name}", self.commit) if self.commit else None

    @property
    def hint(self) -> str:
        """How to get it without the hub."""
        return f"`pip install {MODELS}` brings it"


@lru_cache(maxsize=1)
def models() -> dict[str, Official]:
    """All official models, by name."""
    data = json.loads(files("ganzoo.hub").joinpath("official.json").read_text("utf-8"))
    return {
        name: Official(name, data["organisation"], said["sha256"], said.get("commit", ""))
        for name, said in data["models"].items()
    }
