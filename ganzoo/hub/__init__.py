"""Models by name: folders, installed ones, and those of the Hugging Face Hub.

names.py     what a name means    errors.py     the hub's errors as ganzoo's
local.py     installed models     remote.py     what the hub says of a model
fetch.py     into the cache, verified             download.py   one file, with limits
official.py  the official list    parts.py      networks of models, for Specs
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ganzoo.errors import (
    IntegrityError,
    StoreError,
    UnknownNameError,
    UnreachableError,
    choices,
    nearest,
)
from ganzoo.hub import official
from ganzoo.hub.local import (
    Entry,
    cache_of,
    cached,
    cached_entries,
    entries,
    find,
    installed,
    read_json,
)
from ganzoo.hub.names import FORMS, Repository, repository
from ganzoo.layout import CONFIG, RUN

if TYPE_CHECKING:
    from ganzoo.models.model import Model

__all__ = ["CONFIG", "Entry", "entries", "from_pretrained", "installed", "list_models", "resolve"]


def resolve(
    name: str | os.PathLike[str],
    *,
    revision: str | None = None,
    endpoint: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
) -> Path:
    """The folder of a model. It is looked for, in this order, as

    1. a folder of that name: of a model, or of the run that made it;
    2. an installed model (`ganzoo models`): of a checkout, or of a pack installed by pip;
    3. where the name is that of a repository (`org/name`, `org/name@revision`,
       `hf://org/name`) or on the official list, the hub's cache;
    4. the hub itself. One line on standard error says so first. A name of the official list is
       fetched at its pinned commit, and its weights must have the hash that the list says.

    Models on this machine are found without the network, and without asking whether there is a
    newer version; `ganzoo hub pull` does.

    Args:
        revision: a branch, a tag or a commit of a repository; by default main.
        endpoint: the address of another hub. token: for private repositories.
        cache_dir: instead of the hub's own cache. local_files_only: never use the network.

    Raises:
        UnknownNameError: no such name; with the nearest match.
        StoreError: a folder without a model.
        HubError: the hub does not deliver it. IntegrityError: it delivers something else.
    """
    folder, _ = _found(name, revision, endpoint, cache_dir)
    if folder is not None:
        return folder
    wanted = _wanted(name, revision)
    listed = official.models().get(str(name))
    if local_files_only:
        raise UnreachableError(
            f"{wanted} is neither installed nor cached, and the network must not be used; "
            + (f"{listed.hint}" if listed else f"`ganzoo hub pull {wanted}` fetches it")
        )
    from ganzoo.hub import fetch

    if listed is None:
        return fetch.pull(wanted, endpoint=endpoint, token=token, cache_dir=cache_dir)
    try:
        folder = fetch.pull(wanted, endpoint=endpoint, token=token, cache_dir=cache_dir)
    except UnreachableError as error:
        raise UnreachableError(f"{error}; {listed.hint}") from None
    if wanted == listed.repository:
        _check_pin(folder, listed)
    return folder


def _check_pin(folder: Path, listed: official.Official) -> None:
    """Check the weights of a bare name against the hash in the official list."""
    weights: Any = read_json(folder / CONFIG).get("weights")
    known = cast("dict[str, Any]", weights) if isinstance(weights, dict) else {}
    found = known.get("sha256")
    if found != listed.sha256:
        raise IntegrityError(
            f"{listed.repository} holds weights {found!r}, and the official list pins "
            f"{listed.sha256}; {listed.hint}"
        )


def _pinned(name: str, revision: str | None) -> Repository | None:
    """The repository of an official model, at its pinned commit."""
    listed = official.models().get(name)
    if listed is None or listed.repository is None:
        return None
    return Repository(listed.repository.id, revision) if revision else listed.repository


def __getattr__(name: str) -> Any:
    if name == "bundled":
        warnings.warn("ganzoo.hub.bundled is now installed", DeprecationWarning, stacklevel=2)
        return installed
    raise AttributeError(f"module 'ganzoo.hub' has no attribute {name!r}")


def from_pretrained(
    name: str | os.PathLike[str],
    *,
    revision: str | None = None,
    endpoint: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    device: str = "cpu",
    limit: float | None = None,
) -> Model:
    """The model of that name, ready to use.

    Nothing of a repository is executed: JSON becomes a Spec, safetensors its weights.

    Args:
        name: a model folder, the folder of a run, the name of a bundled model, or a repository
            on the hub; see `ganzoo.hub.resolve`, which takes the other arguments, too. Of a run
            that is not done the model of the checkpoint is loaded; a line on standard error says
            so.
        device: where its networks are put.
        limit: how many times the usual work and memory a task of it may take. The cost of a task
            is estimated before it runs: without a limit of yours (or GANZOO_LIMIT), a sample may
            take half a teraflop and two gigabytes, which is more than any common model needs.

    Example: `ganzoo.from_pretrained("dcgan-mnist").generate(16, seed=0)`
    """
    from ganzoo.models import store

    found, is_cached = _found(name, revision, endpoint, cache_dir)
    run = Path(name).expanduser()
    if found is None and revision is None and (run / RUN).is_file():
        from ganzoo.hub import remote
        from ganzoo.runs import trained

        model, which = trained(run, device=device)
        remote.say(f"the run in {run} is not done; this is {which}")
        return model
    folder = found or resolve(
        name,
        revision=revision,
        endpoint=endpoint,
        token=token,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
    )
    try:
        return store.load(folder, device=device, limit=limit)
    except IntegrityError:
        if not is_cached or local_files_only:
            raise
    # the cached files have been damaged since
    from ganzoo.hub import fetch

    wanted = _wanted(name, revision)
    return store.load(
        fetch.pull(wanted, endpoint=endpoint, token=token, cache_dir=cache_dir),
        device=device,
        limit=limit,
    )


def list_models(*, task: str | None = None, data: str | None = None) -> list[str]:
    """The names of the models on this machine and on the official list, sorted.

    Args:
        task: only models with this task, by name or by kind: `generate`, `encode`,
            `reconstruct`, `translate`, `score`.
        data: only models trained on this data set, with or without its options:
            `mnist` finds those of `mnist,without=2`, too.

    A model that is only on the official list has no known tasks and data yet, and is listed only if
    neither is requested.
    """
    found: set[str] = set()
    if task is None and data is None:
        found |= set(official.models())
    for entry in (*entries(), *cached_entries(cache_of(None, None))):
        if (task is None or task in {*entry.tasks, *entry.kinds}) and (
            data is None or data in {entry.data, entry.data.partition(",")[0]}
        ):
            found.add(entry.name)
    return sorted(found)


def _found(
    name: str | os.PathLike[str],
    revision: str | None,
    endpoint: str | None,
    cache_dir: str | os.PathLike[str] | None,
) -> tuple[Path | None, bool]:
    """The folder of a local model, if there is one, and whether it is in the hub's cache."""
    text, path = str(name), Path(name).expanduser()
    local = next(
        (folder for folder in (path, path / "model") if os.path.lexists(folder / CONFIG)),
        None,
    ) or find(text)
    if local is not None:
        if revision is not None:
            raise UnknownNameError(
                f"{text!r} is here, and has no revision {revision!r}; leave it out, or say "
                "hf://org/name for a repository"
            )
        return local, False
    wanted = None if path.is_dir() else repository(text, revision) or _pinned(text, revision)
    if wanted is None:
        return None, False
    found = cached(wanted, cache_of(endpoint, cache_dir))
    listed = official.models().get(text)
    if found and listed and wanted == listed.repository:
        _check_pin(found, listed)
    return found, found is not None


def _wanted(name: str | os.PathLike[str], revision: str | None) -> Repository:
    """The repository that a name means if it is not cached; an error if it means none."""
    text, path = str(name), Path(name).expanduser()
    if path.is_dir():
        raise StoreError(
            f"no model in {path}: there is no {CONFIG}. A run has one when it is finished; "
            f"`ganzoo train --resume {path}` continues it, and `ganzoo save {path} MODEL` makes a "
            "model of its checkpoint"
        )
    wanted = repository(text, revision) or _pinned(text, revision)
    is_repository = text.startswith("hf://") or revision is not None or "@" in text
    if not is_repository and path.parent != Path() and path.parent.is_dir():
        beside = [str(path.parent / other.name) for other in _models_in(path.parent)]
        elsewhere = f". A repository of that name is written hf://{text}" if wanted else ""
        raise UnknownNameError(
            f"no folder {text!r}{nearest(text, beside)} models and runs in {path.parent}: "
            f"{choices(beside)}{elsewhere}"
        )
    if wanted is not None:
        return wanted
    if text in official.models():
        raise UnknownNameError(f"model {text!r} is not installed; {official.models()[text].hint}")
    models = [*installed(), *(entry.name for entry in cached_entries(cache_of(None, None)))]
    same = [known for known in models if known.rpartition("/")[2] == text]
    near = f"; did you mean {same[0]!r}?" if same else nearest(text, models)
    raise UnknownNameError(
        f"no model {text!r}{near} here: {choices(models)}; the folder of a model or of a run will "
        f"do, too, and a repository of the hub is written {FORMS}. See `ganzoo hub list`"
    )


def _models_in(folder: Path) -> list[Path]:
    """The folders of models and of runs in a folder, as far as it can be read."""
    try:
        inner = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []
    return [path for path in inner if any((path / name).is_file() for name in (CONFIG, "run.json"))]
