"""Push to the hub: saved, loaded back and compared first, then sent in one commit."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo.errors import (
    HubError,
    MovedError,
    NotFoundError,
    StoreError,
    TaskError,
    UnknownNameError,
)
from ganzoo.hub import remote
from ganzoo.hub.errors import scrubbed
from ganzoo.hub.names import MAIN, Repository, repository
from ganzoo.layout import CONFIG, WEIGHTS
from ganzoo.metrics import history, report
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.models.task_inputs import sample_noise
from ganzoo.publish import card
from ganzoo.reading import opened
from ganzoo.spec.draws import Categorical, Image, Index, Label, Normal, Uniform

CARD = "README.md"
COMPARED = 4
"""Samples of each task that are compared before anything is sent."""
TOLERANCES = {"float32": 1e-5, "float16": 0.02, "bfloat16": 0.05}
"""By how much outputs may differ with weights of a dtype, relative to their size."""


@dataclass(frozen=True)
class Published:
    """What was sent, or would be (`commit` is then empty).

    url: its web page. commit: the revision to pin. pull_request: its address, if it is
        one. files: names and sizes. unchanged: whether all of it was there already.
    """

    repository: str
    url: str
    commit: str
    pull_request: str
    files: tuple[tuple[str, int], ...]
    unchanged: bool = False


def push(
    folder: str | Path,
    repo: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    parent: str | None = None,
    licence: str = "",
    message: str = "",
    token: str | bool | None = None,
    endpoint: str | None = None,
    dry_run: bool = False,
) -> Published:
    """Publish a model folder: config.json, weights, card, figures and pictures.

    It is copied and loaded, and its outputs are compared with the original's before the hub is
    contacted. A missing repository is created. Everything is sent in one commit on top of the
    current head; files that ganzoo publishes and the folder lacks are deleted, other files stay. A
    folder without a card gets one, unless the repository has one: someone may have written it, so
    it stays, with the pictures that it shows.

    Args:
        repo: `org/name`. private: of a new repository.
        revision: a branch instead of main; created if it does not exist.
        create_pr: propose it as a pull request.
        parent: the commit that the folder is based on, such as the one it was pulled at; refused if
            the repository has moved on.
        licence: of the weights, for a new card, such as apache-2.0.
        dry_run: check everything that can be checked locally, and send nothing.

    Raises:
        StoreError: the folder has no model, or its copy gives other outputs.
        MovedError: someone else has changed the repository.
        HubError: the hub refuses it.
    """
    where = _repository(repo, revision, create_pr)
    with tempfile.TemporaryDirectory(prefix="ganzoo-push-") as made:
        staged = stage(Path(folder), Path(made) / "model", called=where.id, licence=licence)
        made_card = not (Path(folder) / CARD).is_file()
        return _send(
            staged, where, private, create_pr, parent, message, token, endpoint, dry_run, made_card
        )


def push_model(
    model: Model,
    repo: str,
    *,
    dtype: store.Dtype | None = None,
    **options: Any,
) -> Published:
    """Publish a model that is in memory; takes what `push` takes.

    Args:
        dtype: of the weights there; by default that of the folder it was loaded from.
    """
    kept = model.config.weights
    kind: store.Dtype = dtype or (kept.dtype if kept else "float32")
    with tempfile.TemporaryDirectory(prefix="ganzoo-save-") as made:
        folder = store.save(model, Path(made) / "model", dtype=kind)
        check_alike(model, store.load(folder), TOLERANCES[kind])
        return push(folder, repo, **options)


def stage(folder: Path, target: Path, *, called: str, licence: str = "") -> Path:
    """A copy of a model folder for publishing, checked against the original.

    Paths of this machine are removed from its texts, and a card is made if there is none.
    """
    model = store.load(folder)
    target.mkdir(parents=True)
    for path in sorted(folder.iterdir()):
        if remote.is_fetched(path.name):
            # a link out of the folder would publish a file by accident
            with (
                opened(path, remote.MAX_SIZES[WEIGHTS]) as (source, _),
                (target / path.name).open("wb") as copy,
            ):
                shutil.copyfileobj(source, copy)
    _leave_paths_out(model, target)
    copied = store.load(target)
    figures = report.read(target)
    if figures is not None and figures.weights != model.weights_sha256:
        raise StoreError(
            f"{folder / report.FILE} is of other weights; measure again: ganzoo eval {folder}"
        )
    if not (target / CARD).is_file():
        pictures = tuple(name for name in card.CAPTIONS if (target / name).is_file())
        text = card.card(copied, called=called, pictures=pictures, report=figures, licence=licence)
        (target / CARD).write_text(text, "utf-8")
    check_alike(model, copied, TOLERANCES["float32"])
    for path in target.iterdir():
        most = remote.MAX_SIZES.get(path.name, remote.MAX_SIZE)
        if path.stat().st_size > most:
            raise StoreError(
                f"{folder / path.name} has {path.stat().st_size:,} bytes, but at most {most:,} can "
                "be downloaded; make it smaller, or remove it"
            )
    return target


def _leave_paths_out(model: Model, folder: Path) -> None:
    """`folder:/home/me/photos` becomes `folder:photos` in the texts of a copy."""
    data = model.config.data.name
    if not data.startswith("folder:"):
        return
    local = data.removeprefix("folder:").partition(",")[0]
    for path in folder.iterdir():
        if path.suffix in {".json", ".md"}:
            text = path.read_text("utf-8")
            path.write_text(text.replace(f"folder:{local}", f"folder:{Path(local).name}"), "utf-8")


def check_alike(model: Model, other: Model, tolerance: float) -> None:
    """StoreError unless two models give the same outputs for all tasks on the same inputs."""
    values = inputs(model)
    for name, task in model.spec.tasks.items():
        for _, text in task.expressions:
            needed = {draw: values[draw] for draw in model.spec.draws_in(text)}
            answers: list[Tensor] = []
            for one in (model, other):
                there = {
                    **{draw: value.to(one.device) for draw, value in needed.items()},
                    **{
                        number: torch.tensor(float(value), device=one.device)
                        for number, value in task.numbers.items()
                    },
                }
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(0)
                    answers.append(one.outputs(text, there).cpu().float())
            mine, theirs = answers
            if not torch.isfinite(mine).all():
                raise StoreError(
                    f"{model.title}: the task {name!r} gives numbers that are not finite; a model "
                    "that has come to nothing is not published"
                )
            gap = float((mine - theirs).norm() / mine.norm().clamp_min(1e-12))
            if mine.shape != theirs.shape or not gap <= tolerance:
                raise StoreError(
                    f"{model.title}: saved and loaded back, the task {name!r} answers otherwise, "
                    f"by {gap:.1%}. Nothing was sent; save it as float32, or see which layer does "
                    "not keep its state in weights and buffers"
                )


def inputs(model: Model, seed: int = 0) -> dict[str, Tensor]:
    """A few values for every draw of a model, the same every time."""
    generator = torch.Generator().manual_seed(seed)
    values: dict[str, Tensor] = {}
    for name, draw in model.spec.draws.items():
        match draw:
            case Normal() | Uniform():
                values[name] = sample_noise(draw, COMPARED, seed, name)
            case Image():
                values[name] = torch.rand(COMPARED, *draw.shape, generator=generator) * 2 - 1
            case Label() | Categorical() | Index():
                values[name] = torch.arange(COMPARED) % draw.classes
            case _:
                values[name] = torch.randn(COMPARED, draw.size, generator=generator)
    return values


# ------------------------------------------------------------------------------- sending


def _repository(repo: str, revision: str | None, create_pr: bool) -> Repository:
    where = repository(repo, revision)
    if where is None:
        raise UnknownNameError(f"{repo!r} names no repository to publish to; write org/name")
    if where.pinned:
        raise UnknownNameError(f"{where.revision} is a commit; give a branch to publish to")
    if create_pr and where.revision != MAIN:
        raise TaskError(f"a pull request is made to main, not to {where.revision!r}; leave it out")
    return where


def _send(
    folder: Path,
    where: Repository,
    private: bool | None,
    create_pr: bool,
    parent: str | None,
    message: str,
    token: str | bool | None,
    endpoint: str | None,
    dry_run: bool,
    made_card: bool,
) -> Published:
    files = tuple((path.name, path.stat().st_size) for path in sorted(folder.iterdir()))
    url = f"{scrubbed(remote.address(endpoint))}/{where.id}"
    if dry_run:
        return Published(str(where), url, "", "", files)
    remote.say(f"publishing {len(files)} files to {url}")
    head, theirs = _head(where, private, create_pr, token, endpoint)
    if parent is not None and head != parent:
        raise MovedError(
            f"{where} is at {head[:12]}, and this is based on {parent[:12]}: the repository has "
            f"changed. Get the changes with `ganzoo hub pull {where}`, then push again"
        )
    with remote.asking(str(where), endpoint, token) as api:
        done = api.create_commit(
            where.id,
            _operations(folder, theirs, keep_card=made_card and CARD in theirs),
            commit_message=message or f"{store.read_config(folder).name or where.id}",
            revision=where.revision,
            create_pr=create_pr,
            parent_commit=head,
        )
        return Published(
            str(where), url, done.oid, done.pr_url or "", files, unchanged=done.oid == head
        )


def _operations(folder: Path, theirs: list[str], keep_card: bool) -> list[Any]:
    """The operations that make the repository equal to the folder."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    ours = {path.name: path for path in sorted(folder.iterdir())}
    stale = [name for name in theirs if remote.is_fetched(name) and name not in ours]
    if keep_card:
        remote.say(f"{CARD} stays as it is there; see whether it is still true of this model")
        del ours[CARD]
        stale = [name for name in stale if name in (report.FILE, history.FILE)]
    return [
        *(CommitOperationAdd(name, path) for name, path in ours.items()),
        *(CommitOperationDelete(name) for name in stale),
    ]


def _head(
    where: Repository,
    private: bool | None,
    create_pr: bool,
    token: str | bool | None,
    endpoint: str | None,
) -> tuple[str, list[str]]:
    """The commit to build on and the files there; the repository is created if it is missing."""
    try:
        info = remote.info(Repository(where.id), endpoint=endpoint, token=token)
    except NotFoundError:
        if create_pr:
            raise
        with remote.asking(where.id, endpoint, token) as api:
            # not exist_ok: one that exists and cannot be seen is someone else's
            api.create_repo(where.id, private=private)
        info = remote.info(Repository(where.id), endpoint=endpoint, token=token)
    names = [*(file.name for file in info.files), *info.others]
    foreign = {*names} - {".gitattributes", ".gitignore", CARD, "LICENSE"}
    if foreign and CONFIG not in names:
        raise HubError(
            f"{where.id} holds something else ({', '.join(sorted(foreign)[:3])}) and no model of "
            "ganzoo; publish under another name"
        )
    if where.revision != MAIN:
        with remote.asking(str(where), endpoint, token) as api:
            api.create_branch(where.id, branch=where.revision, exist_ok=True)
        info = remote.info(where, endpoint=endpoint, token=token)
        names = [*(file.name for file in info.files), *info.others]
    return info.commit, names
