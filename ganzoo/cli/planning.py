"""The settings of a run, from a run file and the options of `ganzoo train`."""

from __future__ import annotations

import math
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.cli.console import declared, err, given
from ganzoo.errors import SpecError, UnknownNameError, choices

if TYPE_CHECKING:
    from ganzoo.data.source import Source
    from ganzoo.runs.run_file import RunFile
    from ganzoo.runs.settings import Settings
    from ganzoo.spec.spec import Spec


def wanted_of(target: str | None, *, settings: list[str] | None, **options: Any) -> RunFile:
    """The settings of a run file, overridden by the options."""
    from ganzoo.runs.run_file import RunFile, is_run
    from ganzoo.spec import files

    if target is None:
        raise UnknownNameError(
            "train what? Give a variant (`ganzoo variants`), a Spec file, or a run file "
            "(`ganzoo init`)"
        )
    named = RunFile(variant=target)
    if files.is_file_name(target):
        plain = files.plain(target)
        named = RunFile.parse(plain, Path(target)) if is_run(plain) else RunFile(spec=target)
    said = {
        name: value for name, value in options.items() if value is not None and value is not False
    }
    if "out" in said:
        said["out"] = str(said["out"])
    if "track" in said:
        said["track"] = tuple(said["track"])
    if settings:
        said["settings"] = {**named.settings, **given(settings)}
    # steps or epochs given as options replace both of the run file
    said |= {"epochs": None} if "steps" in said and "epochs" not in said else {}
    said |= {"steps": None} if "epochs" in said and "steps" not in said else {}
    return named.replace(**said)


def planned(wanted: RunFile) -> tuple[Settings, Source, Path]:
    """The run, its data, and its folder, which is unused.

    Raises:
        SpecError: the settings contradict each other. DataError, StoreError, ...: errors of the
            data, the folder, ...
    """
    from ganzoo import runs, trackers
    from ganzoo.data import load
    from ganzoo.engine import distribution
    from ganzoo.engine.draws import check_names, with_names
    from ganzoo.plugins.host import default
    from ganzoo.runs import selection, transfer

    if wanted.steps and wanted.epochs:
        raise SpecError("give either --steps or --epochs, not both")
    target = wanted.variant or wanted.spec or ""
    data = "mnist" if wanted.data is None else wanted.data
    own = dict(wanted.settings)
    if wanted.lr is not None:
        own[_rate(wanted)] = wanted.lr
    spec, made_by = declared(target, data, own, wanted.loss, wanted.augment)
    data = _folder_for(spec, data, wanted.strict)
    name = Path(target).stem if made_by["variant"] == "" else made_by["variant"]
    name += f"-{made_by['loss']['name']}" if wanted.loss else ""
    name += f"-{made_by['augment']['name']}" if wanted.augment else ""
    batch = wanted.batch or spec.batch
    out_ = Path(wanted.out) if wanted.out else Path("runs") / f"{name}-{_plain(data)}"
    # processes that torchrun restarts continue their run
    if not (distribution.may_be_restarted() and runs.state(out_) != "none"):
        distribution.told(lambda: runs.check_vacant(out_))
    runs.check_place(out_)
    trackers.check(wanted.track, default().trackers)
    source = distribution.first_here(lambda: load(data)) if wanted.epochs else None
    steps = wanted.steps or spec.steps
    if wanted.epochs and source is not None:
        steps = _rounds_of(spec, source, wanted.epochs, batch)
    figure = wanted.figure or ("fid" if wanted.eval_every or wanted.patience else "")
    every = (wanted.eval_every or max(1, steps // 20)) if figure else 0
    selection.check(spec, figure, every, wanted.patience or 0)
    settings = runs.Settings(
        name=f"{name}-{_plain(data)}", spec=spec, data=data, steps=steps, batch=batch,
        seed=wanted.seed or 0, precision=wanted.precision or "auto", snapshots=wanted.snapshots,
        made_by=made_by, figure=figure, eval_every=every, patience=wanted.patience or 0,
        trackers=wanted.track, start=transfer.planned(wanted.start, spec) if wanted.start else {},
        command=shlex.join(["ganzoo", *sys.argv[1:]]),
    ).settled(wanted.device)  # fmt: skip
    source = source or distribution.first_here(lambda: load(settings.data))
    check_names(spec, source.fields)
    return replace(settings, spec=with_names(spec, source.fields)), source, out_


def _rate(wanted: RunFile) -> str:
    """The setting of a variant that `--lr` sets.

    Raises:
        SpecError: it has none, or more than one; the message says how to set them.
    """
    from ganzoo.plugins.host import default

    if wanted.spec:
        raise SpecError(
            f"--lr is for variants; set the rates in {wanted.spec} itself, as in "
            "`optimizer: {kind: adam, lr: 2e-4}` of each update"
        )
    fields = default().variant(wanted.variant or "").model_fields
    rates = [field for field in fields if field.split("_")[0] in ("lr", "rate")]
    if len(rates) == 1:
        return rates[0]
    how = " ".join(f"--set {rate}={wanted.lr}" for rate in rates)
    raise SpecError(
        f"--lr: {wanted.variant} has {len(rates)} learning rates; set them one by one: {how}"
        if rates
        else f"--lr: {wanted.variant} has no setting for its learning rate; its settings: "
        f"{choices(fields)}"
    )


def _rounds_of(spec: Spec, source: Source, epochs: float, batch: int) -> int:
    """The number of rounds of so many epochs.

    A round that updates a network five times draws five batches.
    """
    from ganzoo.engine.plan import Plan
    from ganzoo.runs import hold_out

    used, _ = hold_out(spec, source)
    plan = Plan(spec)
    batches = max(plan.versions(index) for index in range(len(spec.stages)))
    rounds = max(1, math.ceil(epochs * len(used) / (batch * batches)))
    each = f", {batches} batches each" if batches > 1 else ""
    err.print(
        f"{epochs:g} epochs of {len(used):,} pictures: {rounds:,} rounds of batch {batch}{each}",
        style="dim", markup=False,
    )  # fmt: skip
    return rounds


def _folder_for(spec: Spec, data: str, strict: bool) -> str:
    """`folder:photos` with the size and channels of the Spec's draw, if they are not given."""
    from ganzoo.data.names import PREFIX, completed, split_name
    from ganzoo.spec.draws import Image

    if data.startswith("hf:"):
        images = [draw for draw in spec.draws.values() if isinstance(draw, Image)]
        data = completed(data, images[0].shape) if images else data
        return f"{data},strict" if strict and "strict" not in data.split(",") else data
    if not data.startswith(PREFIX):
        return data
    images = [draw for draw in spec.draws.values() if isinstance(draw, Image)]
    data = completed(data, images[0].shape) if images else data
    return f"{data},strict" if strict and "strict" not in split_name(data)[1] else data


def _plain(data: str) -> str:
    """The name of a data set as part of a run's name."""
    if data.startswith("folder:"):
        return Path(data.removeprefix("folder:").split(",")[0]).name or "data"
    if data.startswith("hf:"):
        return Path(data.removeprefix("hf:").split(",")[0]).name or "data"
    return re.sub(r"[,=+]", "-", data)
