"""`ganzoo diff` and `ganzoo doctor`: comparing two Specs, runs or models; diagnosing a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.cli import completion
from ganzoo.cli.console import DATA_HELP, app, columns, declared, err, escape, out
from ganzoo.cli.targets import find
from ganzoo.cli.terminal import emit_json
from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from ganzoo.models.model import Model


@app.command()
def diff(
    first: Annotated[
        str,
        typer.Argument(
            help="A variant, Spec file, run, or model.", autocompletion=completion.specs
        ),
    ],
    second: Annotated[str, typer.Argument(help="Another.", autocompletion=completion.specs)],
    data: Annotated[
        str | None,
        typer.Option(
            help=f"For variants: {DATA_HELP} By default, that of the other side.",
            autocompletion=completion.data,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The differences as JSON.")] = False,
) -> None:
    """Show the differences between two Specs, runs or models: losses, settings, weights."""
    from ganzoo.spec.difference import differences
    from ganzoo.spec.json_text import pretty_json

    # a variant without --data is made for what the other side was trained on
    one, other = _facts(first, data), _facts(second, data)
    if one is None or other is None:
        known = (one or other or {}).get("data") if data is None else data
        one = one or _of_variant(first, _data_name(known))
        other = other or _of_variant(second, _data_name(known))
    both = one.pop("model", None), other.pop("model", None)
    found = list(differences(one, other))
    weights = _weights(*both) if all(both) else {}
    if json:
        rows = [{"path": d.path, "first": d.first, "second": d.second} for d in found]
        emit_json(pretty_json({"differences": rows, "weights": weights}) + "\n")
        return
    if found:
        table = columns("what", first, second)
        for one_ in found:
            table.add_row(
                escape(one_.path), *(escape(_shown(v)) for v in (one_.first, one_.second))
            )
        out.print(table)
    for name, said in weights.items():
        out.print(f"weights of {name}: {said}", markup=False)
    if not found and all(said == SAME for said in weights.values()):
        out.print(f"{first} and {second} do not differ", style="green", markup=False)


SAME = "the same to the last bit"
BRIEF = 60


def _shown(value: Any) -> str:
    import json

    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= BRIEF else text[: BRIEF - 3] + "..."


def _facts(name: str, data: str | None) -> dict[str, Any] | None:
    """The parts of a run, a model or a Spec file to compare; None for a variant."""
    found = find(name)
    match found.kind:
        case "variant":
            return None
        case "file":
            spec, _ = declared(name, data, None)
            return {"spec": _compact(spec)}
        case "run":
            return _of_run(found.place)
        case "model":
            from ganzoo.models import store

            return _of_model(store.load(found.place))


def _data_name(known: Any) -> str | None:
    return known.get("name") if isinstance(known, dict) else known


def _of_variant(name: str, data: str | None) -> dict[str, Any]:
    spec, made_by = declared(name, data, None)
    return {"made_by": made_by, "spec": _compact(spec)}


def _of_run(folder: Path) -> dict[str, Any]:
    from ganzoo import runs

    settings = runs.Settings.read(folder)
    found: dict[str, Any] = {
        "data": {"name": settings.data},
        "steps": settings.steps, "batch": settings.batch, "seed": settings.seed,
        "precision": settings.precision, "made_by": dict(settings.made_by),
        "figure": settings.figure, "eval_every": settings.eval_every,
        "patience": settings.patience, "start": dict(settings.start),
        "spec": _compact(settings.spec),
    }  # fmt: skip
    if log := runs.log(folder):
        found["last"] = {
            "step": log[-1]["step"], "losses": log[-1]["losses"], **log[-1].get("figures", {}),
        }  # fmt: skip
    try:
        found["model"], _ = runs.trained(folder)
    except GanzooError as error:
        err.print(f"{folder}: only its settings ({error})", style="dim", markup=False)
    return found


def _of_model(model: Model) -> dict[str, Any]:
    facts = model.config.to_dict()
    kept = {k: facts[k] for k in ("data", "made_by", "training", "thresholds") if k in facts}
    return {**kept, "spec": _compact(model.spec), "model": model}


def _compact(spec: Any) -> dict[str, Any]:
    """A Spec as plain data, with readable paths for the terms and numbers of updates."""
    return spec.to_dict()


def _weights(one: Model, other: Model) -> dict[str, str]:
    """The differences between the weights of two models, network by network."""
    import torch

    said: dict[str, str] = {}
    for name in dict.fromkeys((*one.networks, *other.networks)):
        if name not in one.networks or name not in other.networks:
            said[name] = "only the first has them" if name in one.networks else "only the second"
            continue
        a, b = (dict(m.networks[name].state_dict()) for m in (one, other))
        shared = [k for k in a if k in b and a[k].shape == b[k].shape]
        if len(shared) < max(len(a), len(b)):
            said[name] = f"{len(shared)} tensors of one shape, of {len(a)} and {len(b)}"
            continue
        if all(torch.equal(a[k], b[k]) for k in shared):
            said[name] = SAME
            continue
        gap = sum(float((a[k].double() - b[k].double()).square().sum()) for k in shared) ** 0.5
        size = sum(float(a[k].double().square().sum()) for k in shared) ** 0.5
        said[name] = f"they are {gap / max(size, 1e-12):.1%} of their length apart"
    return said


@app.command()
def doctor(
    run: Annotated[Path, typer.Argument(help="The folder of a run, finished or not.")],
    json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
) -> None:
    """Diagnose a run from its log: imbalance, vanishing gradients, collapse, oscillation."""
    from dataclasses import asdict

    from ganzoo import runs
    from ganzoo.spec.json_text import pretty_json

    lines = runs.log(run)
    found = runs.examine(run)
    if json:
        rows = [{**asdict(finding), "at_end": at_end} for finding, at_end in found]
        emit_json(pretty_json({"lines": len(lines), "findings": rows}) + "\n")
        return
    if not lines:
        out.print(f"{run} has logged nothing yet", markup=False)
        return
    for finding, at_end in found:
        when = "at the end" if at_end else "earlier, but not at the end"
        out.print(f"[bold]{escape(finding.says)}[/] (round {finding.step:,}, {when})")
        out.print(f"  seen:  {finding.evidence}", markup=False)
        out.print(f"  try:   {finding.suggestion}", markup=False)
    seen = {word: sum(word in line for line in lines) for word in runs.EVIDENCE}
    beside = ", ".join(f"{count} with {word}" for word, count in seen.items() if count)
    lacking = [word for word, count in seen.items() if not count]
    if not found:
        out.print("its log shows no problems", style="green")
    out.print(
        f"{len(lines):,} lines to round {lines[-1]['step']:,}"
        + (f", {beside}" if beside else "")
        + (f"; not logged: {', '.join(lacking)}" if lacking else ""),
        style="dim", markup=False,
    )  # fmt: skip
