"""Models on this machine: installed ones, and those in the hub's cache. No network."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ganzoo.errors import StoreError, plain
from ganzoo.hub.names import Repository
from ganzoo.layout import CONFIG, MAX_CONFIG, WEIGHTS
from ganzoo.reading import content


@dataclass(frozen=True)
class Entry:
    """A model as a list shows it; reading it loads neither weights nor torch.

    `commit` is that of a cached repository; an installed model has none.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    data: str
    size: int
    folder: Path
    commit: str = ""
    kinds: tuple[str, ...] = ()


def installed() -> dict[str, Path]:
    """The folders of installed models, by name.

    Those of a checkout's `model_cards`, and those of every installed pack of models
    (`ganzoo-models`, or any other: the hook `ganzoo_models`).
    """
    from ganzoo.plugins.host import default

    cards = Path(__file__).parents[2] / "model_cards"
    found = {path.parent.name: path.parent for path in cards.glob(f"*/{CONFIG}")}
    return dict(sorted({**default().models, **found}.items()))


def find(name: str) -> Path | None:
    """The folder of the installed model of that name; plugins are asked only if necessary."""
    if name != Path(name).name or name in {"", ".", ".."}:
        return None
    checkout = Path(__file__).parents[2] / "model_cards" / name
    if (checkout / CONFIG).is_file():
        return checkout
    from ganzoo.plugins.host import default

    return default().models.get(name)


def entries() -> list[Entry]:
    """The installed models, sorted by name."""
    return [entry(name, folder) for name, folder in installed().items()]


def entry(name: str, folder: Path, commit: str = "") -> Entry:
    """The entry of a model folder in a list.

    Raises:
        StoreError: its config.json is not ganzoo's, or cannot be read.
    """
    config = read_json(folder / CONFIG)
    spec = config.get("spec")
    if not isinstance(spec, dict):
        raise StoreError(f"{folder / CONFIG} holds no Spec")
    data, tasks = config.get("data"), spec.get("tasks")
    return Entry(
        name=name,
        title=plain(spec.get("title", "")),
        tasks=tuple(plain(task, 40) for task in tasks) if isinstance(tasks, dict) else (),
        data=plain(data.get("name", "")) if isinstance(data, dict) else "",
        size=sum(_size(path) for path in folder.glob("*.safetensors")),
        folder=folder,
        commit=commit,
        kinds=_kinds(tasks),
    )


def _kinds(tasks: Any) -> tuple[str, ...]:
    found = tasks.values() if isinstance(tasks, dict) else ()
    kinds = (task.get("kind") for task in found if isinstance(task, dict))
    return tuple(sorted({plain(kind, 40) for kind in kinds}))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a dangling link
        return 0


def read_json(path: Path) -> dict[str, Any]:
    """A config.json for a list: a small object, else StoreError.

    Loading reads it again, strictly.
    """
    try:
        data = json.loads(content(path, MAX_CONFIG))
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read ({plain(error)})") from None
    if not isinstance(data, dict) or data.get("library") != "ganzoo":
        raise StoreError(f"{path} is not a config of ganzoo")
    return data


# ------------------------------------------------------------------------ the hub's cache


def cache_of(endpoint: str | None, cache_dir: str | os.PathLike[str] | None) -> Path:
    """The folder of the cache: the given one, or the hub's own.

    The cache distinguishes repositories by their names alone, so a hub at another address than the
    usual one gets a folder of its own; otherwise one hub's model could be taken for another's.
    """
    if cache_dir is not None:
        return Path(cache_dir).expanduser()
    from huggingface_hub import constants

    if endpoint is None or endpoint.rstrip("/") == constants.ENDPOINT:
        return Path(constants.HF_HUB_CACHE)
    address = urlsplit(endpoint)
    port = f"-{address.port}" if address.port else ""
    return Path(constants.HF_HOME) / f"hub-{address.hostname or 'unnamed'}{port}"


def cached(repository: Repository, cache: Path) -> Path | None:
    """The folder of a repository in the cache, complete and at that revision; else None."""
    home = cache / f"models--{repository.id.replace('/', '--')}"
    commit = repository.revision
    if not repository.pinned:
        try:
            commit = (home / "refs" / repository.revision).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
    folder = home / "snapshots" / commit
    whole = all((folder / name).is_file() for name in (CONFIG, WEIGHTS))
    if not commit or "/" in commit or not whole:
        return None
    return folder if _intact(folder / CONFIG) else None


def _intact(path: Path) -> bool:
    """Whether a config.json in the cache is the one that was fetched, as far as can be told.

    Blobs of the cache are named by their hashes.
    """
    try:
        found = content(path, MAX_CONFIG)
        blob = path.readlink().name if path.is_symlink() else ""
        if re.fullmatch(r"[0-9a-f]{40}", blob):
            named = hashlib.sha1(b"blob %d\0" % len(found) + found, usedforsecurity=False)
            return named.hexdigest() == blob
        if re.fullmatch(r"[0-9a-f]{64}", blob):
            return hashlib.sha256(found).hexdigest() == blob
        json.loads(found)
    except (StoreError, OSError, ValueError, RecursionError):
        return False
    return True


def cached_entries(cache: Path) -> list[Entry]:
    """ganzoo's models in the hub's cache, at main; other repositories are skipped."""
    found: list[Entry] = []
    for home in sorted(cache.glob("models--*--*")):
        repository = Repository(home.name.removeprefix("models--").replace("--", "/", 1))
        folder = cached(repository, cache)
        if folder is None:
            continue
        try:
            found.append(entry(repository.id, folder, commit=folder.name))
        except StoreError:
            continue
    return found
