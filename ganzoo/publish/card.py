"""Model cards: from a model and the facts of its folder to a README.md."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ganzoo.data.picture_files import counted
from ganzoo.metrics.report import NETS, Report, title_of
from ganzoo.models.config import ModelConfig, SelectionFacts, StartFacts
from ganzoo.models.example_inputs import as_keywords, as_options
from ganzoo.models.model import Model
from ganzoo.nn.build import parameter_count
from ganzoo.spec import latex
from ganzoo.spec.averages import HalfLife
from ganzoo.spec.draws import Image, Label, Text
from ganzoo.spec.latex import average_text
from ganzoo.spec.layers import BatchNorm
from ganzoo.spec.network import Network
from ganzoo.spec.optimizers import Shared
from ganzoo.spec.schedule import updates_of
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

CAPTIONS = {
    "samples.png": "64 samples of {name} from one seed, not cherry-picked",
    "reconstructions.png": "The first test images (top) and their reconstructions (bottom)",
    "anomalies.png": "Test images (top) and anomaly maps (bottom): normal images, then anomalies",
    "translations.png": "The first test images, their translations, and the translations back, in "
    "rows",
    "partners.png": "The first test images, their translations, and their true partners, in rows",
    "losses.png": "Losses during training",
    "history.png": "The Fréchet distance during training",
}
"""Captions of pictures, by name."""


def card(
    model: Model,
    *,
    summary: str = "",
    limits: str = "",
    pictures: tuple[str, ...] = (),
    report: Report | None = None,
    more: str = "",
    called: str = "",
    licence: str = "",
) -> str:
    """The card of a model as Markdown, headed by the metadata that the hub reads.

    Args:
        summary: a sentence or two. limits: what it should not be used for.
        pictures: names of pictures in the model's folder: samples.png, losses.png, ...
        report: its figures. more: Markdown that follows them.
        called: the argument of `from_pretrained`; by default its name.
        licence: of the weights, as the hub spells it: apache-2.0, cc-by-4.0, ...
    """
    config, spec, name = model.config, model.spec, called or model.title
    pictured = {word: f"![{CAPTIONS[word].format(name=name)}]({word})" for word in pictures}
    generates = bool(model.tasks("generate"))
    parts = [
        _metadata(model, name, report, licence),
        f"# {name}",
        summary,
        pictured.get("samples.png", ""),
        _sentences(spec) if generates else "",
        pictured.get("anomalies.png", ""),
        pictured.get("reconstructions.png", ""),
        pictured.get("translations.png", ""),
        pictured.get("partners.png", ""),
        "## Use it",
        "```python\nimport ganzoo\n\n"
        f'model = ganzoo.from_pretrained("{name}")\n{_example(model)}\n```',
        *(
            f"```\nganzoo sample {name}{as_options(spec, task)} -n 64 --seed 0 -o samples.png\n```"
            for task in [*model.tasks("generate").values()][:1]
        ),
        *(
            f"```\nganzoo translate {name} picture.png --to {task.to}{as_options(spec, task)} "
            f"-o {task.to}.png\n```"
            for task in [*model.tasks("translate").values()][:1]
        ),
        *(["## How good it is", _figures(report, name)] if report else []),
        more,
        "## What it learnt",
        f"{spec.title} ({sources(spec.source)}), as defined by the Spec in `config.json`:",
        f"$$\n{latex.latex(spec)}\n$$",
        _definitions(spec),
        "## Networks",
        *(_network(model, network) for network in spec.networks),
        "## Training",
        _training(config, spec),
        pictured.get("losses.png", ""),
        pictured.get("history.png", ""),
        *(["## Limits", limits] if limits else []),
        "## Licence",
        _licence(config, licence),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(model: Model, name: str, report: Report | None, licence: str) -> str:
    """The head of the card, in YAML, following the conventions of the hub."""
    from huggingface_hub import ModelCardData

    spec, data = model.spec, model.config.data.name
    pipeline = _pipeline(spec)
    anomalies = any(task.quantile for task in spec.tasks.values())
    title = re.sub(r"[^a-z0-9]+", "-", spec.title.lower()).strip("-")
    draws = any(
        task.kind in ("generate", "translate", "reconstruct", "score")
        for task in spec.tasks.values()
    )
    kind = "gan" if draws else ""  # a classifier or a matcher is none
    tags = ["ganzoo", kind, title, "anomaly-detection" if anomalies else ""]
    there = _on_the_hub(data)
    results = _results(report, pipeline or "anomaly-detection") if report else []
    about = ModelCardData(
        library_name="ganzoo",
        license=licence or None,
        pipeline_tag=pipeline or None,
        tags=list(dict.fromkeys(tag for tag in tags if tag)),
        datasets=[there] if there else None,
        model_name=name if results else None,
        eval_results=results or None,
    )
    return f"---\n{about.to_yaml().strip()}\n---"


def _results(report: Report, task: str) -> list[EvalResult]:
    """Each figure with its protocol, without which it is meaningless."""
    from huggingface_hub import EvalResult

    extractor = report.feature_extractor
    by = (
        {"feature extractor": f"{extractor['name']}, sha256 {extractor['sha256']}"}
        if extractor
        else {}
    )
    return [
        EvalResult(
            task_type=task,
            dataset_type=_on_the_hub(report.data) or report.data,
            dataset_name=report.data,
            dataset_split=report.split,
            metric_type=key,
            metric_name=f"{title_of(key)}: {_named(figure.about, report)}",
            metric_value=figure.value,
            metric_args={
                "real": figure.real,
                "generated": figure.generated,
                "seed": report.seed,
                **_net(key, by),
                **({"references": dict(figure.references)} if figure.references else {}),
            },
        )
        for key, figure in report.figures.items()
    ]


def _net(figure: str, by: dict[str, str]) -> dict[str, str]:
    """Whose features a figure is of: those of the data's extractor, `by`, unless it names a net."""
    named = [net for word, net in NETS.items() if figure.endswith(word)]
    return {"feature extractor": named[0]} if named else by


def _named(about: str, report: Report) -> str:
    """What a figure is, with the name of the feature extractor."""
    name = report.feature_extractor["name"] if report.feature_extractor else "the extractor"
    # reports of format 1 say judge
    return about.replace("the extractor", name).replace("the judge", name)


def _pipeline(spec: Spec) -> str:
    """The hub's name for the first thing that a model can do; it has none for anomalies."""
    first = next(iter(spec.tasks.values()), None)
    match first.kind if first else "":
        case "generate":
            told = any(isinstance(draw, Text) for draw in spec.draws.values())
            return "text-to-image" if told else "unconditional-image-generation"
        case "translate" | "reconstruct":
            return "image-to-image"
        case "encode":
            verdicts = any(task.kind == "classify" for task in spec.tasks.values())
            return "image-classification" if verdicts else "image-feature-extraction"
        case "classify":
            return "image-classification"
        case "match":
            return "zero-shot-image-classification"
        case _:
            return ""


def _on_the_hub(data: str) -> str:
    """The name of a data set on the hub; empty if it is not there."""
    from ganzoo.data.catalog import DATASETS
    from ganzoo.plugins.host import default

    declared = {**default().data, **DATASETS}.get(data.partition(",")[0])
    return declared.hub if declared else ""


def _example(model: Model) -> str:
    """A line of Python for each kind of task."""
    spec, lines = model.spec, list[str]()
    for name, task in spec.tasks.items():
        labels = [
            draw.classes
            for draw in map(spec.draws.__getitem__, spec.draws_of(task))
            if isinstance(draw, Label)
        ]
        given = as_keywords(spec, task)
        told = any(isinstance(spec.draws[draw], Text) for draw in spec.draws_of(task))
        first = name == next(iter(model.tasks(task.kind)))
        chosen = "" if first else f', task="{name}"'
        chosen = f"{given}{chosen}"
        match task.kind:
            case "generate" if told:
                lines.append(f"images = model.generate(4, seed=0{chosen})    # PIL images")
            case "encode" if told and not _sees(spec, task):
                asked = chosen.removeprefix(", ")
                lines.append(f"codes = model.encode({asked})    # {name}: an array (n, d)")
            case "generate" if labels:
                lines.append(
                    f"images = model.generate({labels[0]}, label=range({labels[0]}), seed=0)"
                    "    # PIL images, one of each class"
                )
            case "generate":
                lines.append(f"images = model.generate(16, seed=0{given})    # PIL images")
            case "translate":
                lines.append(f'there = model.translate(images, to="{task.to}"{given})')
            case "reconstruct":
                lines.append(f"again = model.reconstruct(images{given})    # encoded and decoded")
            case "classify":
                lines.append(
                    f"classes = model.classify(images{chosen})    # {task.field}: numbers (n,)"
                )
            case "match":
                asked = given.removeprefix(", ") or "images"
                lines.append(f"directions = model.match({asked})    # {name}: an array (n, d)")
            case "encode":
                lines.append(f"codes = model.encode(images{chosen})    # {name}: an array (n, d)")
            case "score" if spec.estimated(task):
                lines.append(
                    f"scores = model.score(images{chosen})    # {name}: the critic's score, "
                    "not an anomaly score"
                )
            case "score":
                what = ".values, .threshold, .is_anomaly" if task.quantile else ".values"
                lines.append(f"scores = model.score(images{chosen})    # {name}: {what}")
    return "\n".join(lines)


def _sees(spec: Spec, task: Task) -> bool:
    """Whether a task takes images."""
    return any(isinstance(spec.draws[name], Image) for name in spec.draws_of(task))


def _sentences(spec: Spec) -> str:
    """The sentences of the sheet of samples, which repeat in this order."""
    for draw in spec.draws.values():
        if isinstance(draw, Text) and draw.examples:
            listed = "; ".join(f"*{sentence}*" for sentence in draw.examples)
            return f"Prompts, repeated from left to right: {listed}."
    return ""


def _figures(report: Report, name: str) -> str:
    """The table of figures, and their protocol."""
    rows = ["| metric | value | reference | definition |", "| --- | ---: | --- | --- |"]
    for key, figure in report.figures.items():
        beside = ", ".join(f"{word} {value:.4g}" for word, value in figure.references.items())
        rows.append(
            f"| {title_of(key)} | **{figure.value:.4g}** | {beside} "
            f"| {_named(figure.about, report)}{f' ({figure.way})' if figure.way else ''} |"
        )
    real = max(figure.real for figure in report.figures.values())
    generated = max(figure.generated for figure in report.figures.values())
    extractor = report.feature_extractor
    by = (
        f" Features and classes come from `{extractor['name']}` "
        f"(sha256 `{extractor['sha256'][:16]}`); its distances are not comparable with "
        "Inception distances."
        if extractor
        else ""
    )
    remarks = "".join(f"\n\n{_named(remark, report)}" for remark in report.remarks)
    return (
        "\n".join(rows)
        + remarks
        + f"\n\nMeasured on the {report.split} split of {report.data}: {real:,} real images"
        + (f", up to {generated:,} generated images" if generated else "")
        + f", rounded to 8 bits, seed {report.seed}.{by} Nothing was "
        f"selected on test images. `ganzoo eval {name}` recomputes all metrics."
    )


def sources(text: str, other: Callable[[str], str] = str) -> str:
    """Sources as Markdown, in which papers on arXiv are links; `other` escapes what stands beside
    them."""
    parts = re.split(r"arXiv:([\w./-]*\w)", text.replace("; ", ", "))
    links = [f"[arXiv:{number}](https://arxiv.org/abs/{number})" for number in parts[1::2]]
    beside = [other(part) for part in parts[::2]]
    return "".join(itertools.chain(*itertools.zip_longest(beside, links, fillvalue="")))


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
    size = f"{parameter_count(here):,} parameters" if here else "used in training, not published"
    rows = [f"**{name}** ({size})", "| layer | |\n| --- | --- |"]
    for path, layer in network.walk():
        kind, _, rest = latex.layer_text(layer).partition(layer.kind.replace("_", " "))
        rows[1] += f"\n| `{path}` | {layer.kind.replace('_', ' ')}{kind}{rest} |"
    return "\n\n".join(rows)


def _training(config: ModelConfig, spec: Spec) -> str:
    data, facts, made = config.data, config.training, config.made_by
    rows = {
        "data": f"{data.name}, {data.size:,} images",
        "rounds": f"{facts.steps or spec.steps:,} of batch {facts.batch or spec.batch}",
        "seed": "" if facts.seed is None else facts.seed,
        "precision": facts.precision,
        "time": counted(max(1, round(facts.seconds / 60)), "minute"),
        "made by": f"{made.plugin} {made.plugin_version}".strip(),
        "begun from": _begun(facts.start),
        "checkpoint": _chosen(facts.selection),
    }
    table = "| | |\n| --- | --- |\n" + "\n".join(
        f"| {key} | {value} |" for key, value in rows.items() if key != "begun from" or value
    )
    optimizers = "\n".join(
        f"- {f'{stage.name}, ' if len(spec.stages) > 1 else ''}`{update.name}`: "
        f"{_optimizer(update.optimizer, spec.let)}"
        for stage in spec.stages
        for item in stage.round
        for update in updates_of(item)
    )
    average = "".join(
        f"\n\nThe published weights are the moving average of `{name}` ({_averaged(average)})"
        + (
            ", with its batch statistics estimated anew."
            if _in_batches(spec.networks[name])
            else "."
        )
        for name, average in spec.ema.items()
    )
    loss = made.loss
    exchanged = (
        f"\n\nIts loss is `{loss.name}` ({sources(loss.source)}), in place of its own:\n\n"
        + "\n".join(f"- {change}" for change in loss.changes)
        if loss
        else ""
    )
    if augment := made.augment:
        exchanged += (
            f"\n\nImages were augmented before a discriminator saw them, by `{augment.name}` "
            f"({sources(augment.source)}):\n\n"
            + "\n".join(f"- {change}" for change in augment.changes)
        )
    command = config.command
    again = f"\n\nTo reproduce it:\n\n```\n{command}\n```" if command else ""
    return f"{table}\n\n{optimizers}{average}{exchanged}{again}"


def _begun(start: StartFacts | None) -> str:
    """The model whose weights it started from, and which of them fitted."""
    if start is None:
        return ""
    fitted = ". ".join(f"{name}: {said}" for name, said in start.networks.items())
    # a path of this machine is of no use to others
    name = start.model.replace("\\", "/").rpartition("/")[2] if "/" in start.model else start.model
    return f"the weights of {name} (sha256 `{start.sha256[:16]}`). {fitted}"


def _chosen(chosen: SelectionFacts | None) -> str:
    """The round of these weights, and how it was selected."""
    if chosen is None:
        return "the last one; none was chosen by looking"
    return (
        f"the one of round {chosen.step:,} of {chosen.rounds:,}, chosen by {chosen.figure} "
        f"({chosen.value:.4g}, {chosen.feature_extractor} features, {chosen.samples:,} samples "
        f"against training images) among {chosen.measured}"
    )


def _in_batches(network: Network) -> bool:
    """Whether it has batch statistics."""
    return any(isinstance(layer, BatchNorm) for _, layer in network.walk())


def _averaged(average: float | str | HalfLife) -> str:
    how = average_text(average)
    return how if isinstance(average, HalfLife) else f"decay {how} a round"


def _optimizer(optimizer: Any, lets: Mapping[str, str]) -> str:
    if isinstance(optimizer, Shared):
        return f"with the optimizer of `{optimizer.of}`"
    values = optimizer.model_dump(exclude={"kind", "decay"}, exclude_none=True)
    text = ", ".join(f"{key} {_number(value, lets)}" for key, value in values.items())
    decay = getattr(optimizer, "decay", None)
    after = (
        f"; after {decay.start:.0%} of the rounds the rate falls to {decay.final:.0%} "
        f"({decay.shape})"
        if decay
        else ""
    )
    return f"{optimizer.kind} with {text}{after}"


def _number(value: Any, lets: Mapping[str, str]) -> str:
    """A number, or several, of an optimizer; one that follows the run as an expression."""
    if isinstance(value, tuple | list):
        parts = cast("Sequence[Any]", value)
        return f"({', '.join(_number(part, lets) for part in parts)})"
    return f"`{lets.get(value, value)}`" if isinstance(value, str) else str(value)


def _licence(config: ModelConfig, weights: str) -> str:
    data = config.data.licence
    known = {"apache-2.0": "Apache-2.0", "mit": "MIT"}
    said = f"The weights are {known.get(weights, weights)}." if weights else ""
    of_data = f"The training data: {data}." if data else ""
    return f"{said} {of_data}".strip() or "Not stated; ask the publisher."
