"""Model cards: from a model and the facts of its folder to a README.md that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganzoo.build import parameter_count
from ganzoo.model import Model
from ganzoo.spec import mathematics
from ganzoo.spec.schedule import updates_of
from ganzoo.spec.spec import Spec

PIPELINES = {"generate": "unconditional-image-generation", "translate": "image-to-image"}


def card(
    model: Model, *, summary: str = "", limits: str = "", pictures: tuple[str, ...] = ()
) -> str:
    """The card of a model as Markdown, with the metadata that the Hub reads at its head.

    Args:
        summary: a sentence or two for people. limits: what it should not be used for.
        pictures: names of pictures in the model's folder: samples.png, losses.png, ...
    """
    config, spec, name = model.config, model.spec, model.title
    parts = [_metadata(model), f"# {name}", summary]
    if "samples.png" in pictures:
        parts.append(f"![Samples of {name}: 64 of one seed, none picked](samples.png)")
    parts += [
        "## Use it",
        "```python\nimport ganzoo\n\n"
        f'model = ganzoo.from_pretrained("{name}")\n{_example(spec)}\n```',
        f"```\nganzoo sample {name} -n 64 --seed 0 -o samples.png\n```",
        "## What it learnt",
        f"{spec.title} ({_source(spec.source)}), as the Spec in `config.json` says it:",
        f"$$\n{mathematics.latex(spec)}\n$$",
        _definitions(spec),
        "## Networks",
        *(_network(model, network) for network in spec.networks),
        "## Training",
        _training(config, spec),
    ]
    if "losses.png" in pictures:
        parts.append("![Losses during training](losses.png)")
    if limits:
        parts += ["## Limits", limits]
    parts += ["## Licence", _licence(config)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(model: Model) -> str:
    kinds = [task.kind for task in model.spec.tasks.values()]
    pipeline = next((PIPELINES[kind] for kind in kinds if kind in PIPELINES), "")
    data = model.config.get("data", {}).get("name", "")
    lines = [
        "library_name: ganzoo",
        "license: apache-2.0",
        f"pipeline_tag: {pipeline}" if pipeline else "",
        "tags:\n- ganzoo\n- gan\n- " + model.spec.title.lower().replace(" ", "-"),
        f"datasets:\n- {data}" if data else "",
    ]
    return "---\n" + "\n".join(line for line in lines if line) + "\n---"


def _example(spec: Spec) -> str:
    if any(task.kind == "generate" for task in spec.tasks.values()):
        return "images = model.generate(16, seed=0)    # PIL images"
    return f"# it can: {', '.join(spec.tasks)}"


def _source(source: str) -> str:
    word, _, number = source.partition(":")
    return f"[{source}](https://arxiv.org/abs/{number})" if word == "arXiv" else source


def _definitions(spec: Spec) -> str:
    """What the functions in the losses mean."""
    from ganzoo.spec import vocabulary

    used = {name for _, text in spec.expressions() for name in spec.names_in(text)}
    rows = [
        f"- `{function.signature}`: {function.summary} ${function.formula}$"
        for name in sorted(used - set(spec.networks))
        if (function := vocabulary.function(name)) and function.formula
    ]
    return "\n".join(rows)


def _network(model: Model, name: str) -> str:
    network = model.spec.networks[name]
    here = model.networks.get(name)
    size = f"{parameter_count(here):,} parameters" if here else "trained with it, not published"
    rows = [f"**{name}** ({size})", "| layer | |\n| --- | --- |"]
    for path, layer in network.walk():
        kind, _, rest = mathematics.layer_text(layer).partition(layer.kind.replace("_", " "))
        rows[1] += f"\n| `{path}` | {layer.kind.replace('_', ' ')}{kind}{rest} |"
    return "\n\n".join(rows)


def _training(config: Mapping[str, Any], spec: Spec) -> str:
    data, facts = config.get("data", {}), config.get("training", {})
    made = config.get("made_by", {})
    rows = {
        "data": f"{data.get('name', '')}, {data.get('size', 0):,} images",
        "rounds": f"{facts.get('steps', spec.steps):,} of batch {facts.get('batch', spec.batch)}",
        "seed": facts.get("seed", ""),
        "precision": facts.get("precision", ""),
        "time": f"{facts.get('seconds', 0) / 60:.0f} minutes",
        "made by": f"{made.get('plugin', '')} {made.get('plugin_version', '')}".strip(),
        "checkpoint": "the last one; none was chosen by looking",
    }
    table = "| | |\n| --- | --- |\n" + "\n".join(
        f"| {key} | {value} |" for key, value in rows.items()
    )
    optimizers = "\n".join(
        f"- `{update.name}`: {_optimizer(update.optimizer)}"
        for stage in spec.stages
        for item in stage.round
        for update in updates_of(item)
    )
    average = "".join(
        f"\n\nPublished is the moving average of `{name}` (decay {decay:g} a round), with its "
        "batch statistics estimated anew."
        for name, decay in spec.ema.items()
    )
    command = config.get("command", "")
    again = f"\n\nTo make it again:\n\n```\n{command}\n```" if command else ""
    return f"{table}\n\n{optimizers}{average}{again}"


def _optimizer(optimizer: Any) -> str:
    values = optimizer.model_dump(exclude={"kind", "decay"}, exclude_none=True)
    text = ", ".join(f"{key} {value}" for key, value in values.items())
    decay = optimizer.decay
    after = (
        f"; from {decay.start:.0%} of the rounds on the rate falls to {decay.final:g} of it "
        f"({decay.shape})"
        if decay
        else ""
    )
    return f"{optimizer.kind} with {text}{after}"


def _licence(config: Mapping[str, Any]) -> str:
    licence = config.get("data", {}).get("licence", "")
    return "The weights are Apache-2.0." + (f" The training data: {licence}." if licence else "")
