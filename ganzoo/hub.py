"""Models by name: bundled ones and local folders."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import StoreError, UnknownNameError, choices, nearest

if TYPE_CHECKING:
    from ganzoo.model import Model

CONFIG = "config.json"


@dataclass(frozen=True)
class Entry:
    """A bundled model as a list shows it; reading it loads no weights and no torch."""

    name: str
    title: str
    tasks: tuple[str, ...]
    data: str
    size: int
    folder: Path


def bundled() -> dict[str, Path]:
    """The folders of the models that travel with ganzoo, by name."""
    here = Path(__file__).parent
    # in the wheel inside the package, in a checkout beside it
    for root in (here / "model_cards", here.parent / "model_cards"):
        if root.is_dir():
            return {path.parent.name: path.parent for path in sorted(root.glob(f"*/{CONFIG}"))}
    return {}


def entries() -> list[Entry]:
    """The bundled models, sorted by name."""
    found: list[Entry] = []
    for name, folder in bundled().items():
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
        spec = config["spec"]
        found.append(
            Entry(
                name=name,
                title=spec.get("title", ""),
                tasks=tuple(spec.get("tasks", ())),
                data=config.get("data", {}).get("name", ""),
                size=sum(path.stat().st_size for path in folder.glob("*.safetensors")),
                folder=folder,
            )
        )
    return found


def resolve(name: str | os.PathLike[str]) -> Path:
    """The folder of a model: a local folder, the folder of a run, or a bundled model's name.

    Raises:
        UnknownNameError: nothing of that name, with the nearest match.
        StoreError: a folder without a model.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        for folder in (path, path / "model"):  # a model, or the run that made it
            if (folder / CONFIG).is_file():
                return folder
    models = bundled()
    if str(name) in models:
        return models[str(name)]
    if path.is_dir():
        raise StoreError(
            f"no model in {path}: there is no {CONFIG}. A run has one once it is done; "
            f"`ganzoo train --resume {path}` goes on with it"
        )
    raise UnknownNameError(
        f"no model {str(name)!r}{nearest(str(name), models)} bundled: {choices(models)}; "
        "the folder of a model or of a run will do, too. See `ganzoo models`"
    )


def from_pretrained(name: str | os.PathLike[str], *, device: str = "cpu") -> Model:
    """The model of that name, ready to use.

    Args:
        name: a model folder, the folder of a run, or the name of a bundled model.
        device: where its networks shall live.

    Example: `ganzoo.from_pretrained("dcgan-mnist").generate(16, seed=0)`
    """
    from ganzoo import store

    return store.load(resolve(name), device=device)
