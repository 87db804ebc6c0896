"""The published models: each is tested by existing."""

import hashlib
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo import hub, metrics
from ganzoo.data.catalog import find
from ganzoo.errors import DataError
from ganzoo.metrics import history, report
from ganzoo.metrics.feature_extractors import extractor_of, rounded
from ganzoo.models import store
from ganzoo.plugins.host import default
from ganzoo.runs import samples
from ganzoo.spec import Image, Text
from ganzoo.spec.averages import HalfLife

ROOT = Path(__file__).parent.parent
MODELS = hub.installed()
CONFIGS = {name: json.loads((path / "config.json").read_text()) for name, path in MODELS.items()}


def can(name: str, kind: str) -> bool:
    return any(task["kind"] == kind for task in CONFIGS[name]["spec"]["tasks"].values())


every = pytest.mark.parametrize("name", MODELS)
generators = pytest.mark.parametrize("name", [name for name in MODELS if can(name, "generate")])


def sampled(name: str, n: int, seed: int) -> np.ndarray:
    model = ganzoo.from_pretrained(name)
    return samples(model, n, seed).permute(0, 2, 3, 1).numpy()


def real(name: str, split: str, n: int) -> torch.Tensor:
    """Images in [0, 1] of the data that a model learnt from."""
    data = CONFIGS[name]["data"]["name"]
    try:
        source = ganzoo.load_data(data, split)
    except DataError:
        pytest.skip(f"{data} is not at hand: GANZOO_DATA")
    return source.batch("image", torch.arange(n)).add(1).div(2)


def test_the_promised_models_are_there() -> None:
    """Those of README's table, and the feature extractors that data sets declare."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert set(MODELS) == set(re.findall(r"\]\(model_cards/([\w-]+)/README\.md\)", readme))
    declared = {one.name for data in default().data.values() for one in data.feature_extractors}
    assert declared <= set(MODELS)


@every
def test_folder_is_whole_and_small(name: str) -> None:
    folder = MODELS[name]
    expected = {"config.json", "model.safetensors", "README.md", "metrics.json", "losses.png"}
    expected |= {"samples.png"} if can(name, "generate") else set()
    expected |= {"reconstructions.png"} if can(name, "reconstruct") else set()
    spec = store.read_config(folder).spec
    ways = {task.to for task in spec.tasks.values() if task.kind == "translate"}
    expected |= {"translations.png"} if ways == {"a", "b"} else set()
    expected |= {"partners.png"} if ways == {"b"} else set()
    maps = any(task.map for task in spec.tasks.values())
    expected |= {"anomalies.png"} if maps else set()
    if history.read(folder):
        expected |= {"history.json", "history.png"}
    tables = {"left_out.json", "ablations.json"}
    assert {path.name for path in folder.iterdir()} - tables == expected
    kinds = spec.draws.values()
    colour = any(isinstance(d, Image) and d.shape[0] == 3 for d in kinds)
    large = colour or can(name, "translate") or any(isinstance(d, Text) for d in kinds)
    most = 8_000_000 if large else 4_000_000
    assert (folder / "model.safetensors").stat().st_size <= most
    content = (folder / "model.safetensors").read_bytes()
    assert CONFIGS[name]["weights"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert CONFIGS[name]["name"] == name
    held_out = 2_000 if maps else 0
    data, _, without = CONFIGS[name]["data"]["name"].partition(",without=")
    least = find(data, default().data).size * (0.85 if without else 1)
    assert CONFIGS[name]["data"]["size"] >= least - held_out, "trained on the full data"


@generators
def test_samples_are_images_and_no_two_alike(name: str) -> None:
    images = sampled(name, 64, seed=3)
    draws = store.read_config(MODELS[name]).spec.draws.values()
    channels, *size = next(draw.shape for draw in draws if isinstance(draw, Image))
    assert images.shape == (64, *size, channels)
    assert 0 <= images.min() < 0.05 and 0.95 < images.max() <= 1
    flat = images.reshape(64, -1)
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=2)[~np.eye(64, dtype=bool)]
    assert distance.min() > 0.5, "two of 64 samples are nearly the same"


@generators
def test_samples_spread_like_the_data(name: str) -> None:
    """No collapse: samples differ from one another about as much as real images do."""
    images = real(name, "train", 2000).flatten(1).numpy()
    model = ganzoo.from_pretrained(name)
    if any(isinstance(draw, Text) for draw in model.spec.draws.values()):
        # of the captions of these images: the examples of the Spec are a few of many
        source = ganzoo.load_data(CONFIGS[name]["data"]["name"], "train")
        captions = source.batch("text", torch.arange(500)).numpy()
        fake = model.generate(text=captions, seed=1, output="np").reshape(500, -1)
    else:
        fake = sampled(name, 500, seed=1).reshape(500, -1)
    ratio = fake.std(0).mean() / images.std(0).mean()
    assert 0.8 < ratio < 1.15, f"{ratio:.2f} of the spread of real images"
    assert abs(fake.mean() - images.mean()) < 0.04


@pytest.mark.parametrize("name", [name for name in MODELS if can(name, "reconstruct")])
def test_reconstructions_are_of_their_images(name: str) -> None:
    """Nearer to their own image than to another's for nearly all."""
    images = real(name, "test", 200)
    again = ganzoo.from_pretrained(name).reconstruct(images, output="pt").flatten(1)
    distances = torch.cdist(again, images.flatten(1))
    own = distances.diagonal()
    assert (own < distances.roll(1, 1).diagonal()).float().mean() > 0.9


# ------------------------------------------------------------------------------ figures


@every
def test_figures_are_of_these_weights_and_this_feature_extractor(name: str) -> None:
    said = metrics.read(MODELS[name])
    assert said and said.model == name
    assert said.weights == CONFIGS[name]["weights"]["sha256"]
    data = CONFIGS[name]["data"]["name"]
    assert (said.data, said.split, said.seed) == (data, "test", 0)
    if said.feature_extractor:
        first = find(data, default().data).feature_extractors[0]
        assert said.feature_extractor == {"name": first.name, "sha256": first.sha256}
    for figure in said.figures.values():
        assert figure.about and (figure.real or figure.generated)


@pytest.mark.parametrize("name", ["gan-mnist", "cdcgan-mnist"])
def test_a_published_distance_comes_out_again(name: str) -> None:
    """From the folder and the test images alone, by the protocol that the card gives."""
    said = metrics.read(MODELS[name])
    assert said
    images = real(name, "test", 10_000)
    labels = ganzoo.load_data(said.data, "test").batch("label", torch.arange(10_000)).numpy()
    model, extractor = ganzoo.from_pretrained(name), extractor_of(said.data)
    told = "y" in model.spec.draws
    given = {"label": labels} if told else {}
    samples = model.generate(10_000, seed=0, output="pt", **given)
    from ganzoo.metrics.classes import accuracy
    from ganzoo.metrics.distributions import frechet_distance

    found = frechet_distance(extractor.features(images), extractor.features(rounded(samples)))
    assert found == pytest.approx(said.figures["fid"].value, rel=0.02)
    if told:
        seen = accuracy(extractor.classes(samples), labels)
        assert seen == pytest.approx(said.figures["class_accuracy"].value, abs=0.002)


GOOD = [
    ("classifier-mnist", "accuracy", ">=", 0.992),
    ("classifier-fashion-mnist", "accuracy", ">=", 0.92),
    ("gan-mnist", "log_likelihood", ">=", 215),
    ("dcgan-mnist", "fid", "<=", ("gan-mnist", 0.5)),
    ("dcgan-fashion-mnist", "fid", "<=", ("gan-fashion-mnist", 0.5)),
    ("cgan-mnist", "class_accuracy", ">=", 0.95),
    ("cgan-mnist", "log_likelihood", ">=", 132),
    ("cdcgan-mnist", "class_accuracy", ">=", 0.98),
    ("cdcgan-mnist", "nearest_neighbour_error", "<=", 0.041),
    ("cdcgan-fashion-mnist", "class_accuracy", ">=", 0.88),
    ("biggan-avatars", "class_accuracy", ">=", 0.95),
    ("cdcgan-avatars", "class_accuracy", ">=", 0.95),
    ("r3gan-avatars", "fd_efficientnet_lite0", "<=", ("dcgan-avatars", 0.4)),
    ("r3gan-avatars", "recall_efficientnet_lite0", ">=", 0.3),
    ("r3gan-avatars", "attributes_within", ">=", 0.7),
    ("r3gan-avatars-32", "fd_efficientnet_lite0", "<=", ("cdcgan-avatars", 0.6)),
    ("r3gan-avatars-32", "recall_efficientnet_lite0", ">=", 0.15),
    ("stylegan2-avatars-32", "fd_efficientnet_lite0", "<=", ("cdcgan-avatars", 0.75)),
    ("wgan-mnist", "fid", "<=", 15),
    ("wgan-mnist", "largest_weight", "<=", 0.01 + 1e-6),
    ("wgan-gp-mnist", "fid", "<=", 2.5),
    ("wgan-gp-mnist", "gradient_norm", ">=", 0.8),
    ("wgan-gp-mnist", "gradient_norm", "<=", 1.2),
    ("bigan-mnist", "fid", "<=", 2),
    ("bigan-mnist", "encode_nearest_neighbour", ">=", 0.96),
    ("bigan-mnist", "features_nearest_neighbour", ">=", 0.96),
    ("bigan-mnist", "class_kept", ">=", 0.85),
    ("bigan-mnist", "reconstruction_ratio", "<=", 0.65),
    ("ali-mnist", "encode_nearest_neighbour", ">=", 0.95),
    ("ali-mnist", "features_nearest_neighbour", ">=", 0.96),
    ("ali-mnist", "sampled_variance", ">=", 0.8),
    ("ali-mnist", "sampled_variance", "<=", 1.2),
    ("ali-mnist", "class_kept", ">=", 0.87),
    ("ali-mnist", "reconstruction_ratio", "<=", 0.65),
    ("wbigan-mnist", "fid", "<=", 2),
    ("wbigan-mnist", "class_kept", ">=", 0.73),
    ("wbigan-mnist", "reconstruction_ratio", "<=", 0.66),
    ("ganomaly-mnist", "score_auroc", ">=", 0.92),
    *(
        ("discogan-mnist-outlines", f"{way}_{figure}", ">=", bound)
        for way in ("to_a", "to_b")
        for figure, bound in (("retrieval_1", 0.8), ("class_kept", 0.9), ("taken", 0.9))
    ),
    *(
        ("cyclegan-avatars", f"{way}_{figure}", sign, bound)
        for way in ("to_a", "to_b")
        for figure, sign, bound in (
            ("taken", ">=", 0.95),
            ("l1", "<=", 0.25 * 0.0856),
            ("others_kept", ">=", 0.87),
        )
    ),
    ("stackgan-fashion", "colour_accuracy", ">=", 0.95),
    ("stackgan-fashion", "background_accuracy", ">=", 0.95),
    ("stackgan-fashion", "class_accuracy", ">=", 0.85),
    ("stackgan-fashion", "mismatch_prefers", ">=", 0.95),
    ("stackgan-avatars", "hair_accuracy", ">=", 0.99),
    ("stackgan-avatars", "eyes_accuracy", ">=", 0.9),
    ("stackgan-avatars", "clothes_accuracy", ">=", 0.95),
    ("stackgan-avatars", "mouth_accuracy", ">=", 0.95),
    ("stackgan-avatars", "attributes_within", ">=", 0.9),
    ("stackgan-avatars", "sentences_right", ">=", 0.84),
    ("stackgan-avatars", "diversity", ">=", 0.7),
    ("stackgan-avatars", "mismatch_prefers", ">=", 0.95),
]
"""What published models reach: a figure, and a bound or a multiple of another model's figure."""


@pytest.mark.parametrize(
    "model, figure, way, bound", [row for row in GOOD if row[0] in MODELS], ids=str
)
def test_as_good_as_it_should_be(model: str, figure: str, way: str, bound: Any) -> None:
    def value(name: str) -> float:
        said = metrics.read(MODELS[name])
        assert said
        return said.figures[figure].value

    if isinstance(bound, tuple):
        bound = bound[1] * value(bound[0])
    assert value(model) >= bound if way == ">=" else value(model) <= bound


def test_a_later_stage_is_no_worse_than_the_one_before() -> None:
    """What draws in two sizes draws better in the larger one, by classes and by features."""
    seen = 0
    for folder in MODELS.values():
        said = metrics.read(folder)
        assert said
        if "stage1_fid" in said.figures:
            assert said.figures["fid"].value < said.figures["stage1_fid"].value
            seen += 1
        if before := said.figures.get("class_accuracy"):
            # by classes as good, but for chance: 5,000 samples of each
            assert before.value >= before.references.get("stage1", 0) - 0.01, folder.name
    assert seen == 2


def test_translations_find_their_partners_better_than_what_is_left_as_it_was() -> None:
    """By the features of their data; features that read texture see the grain, too."""
    for name, folder in MODELS.items():
        said = metrics.read(folder)
        assert said
        for figure, found in said.figures.items():
            if re.search(r"_retrieval_\d+$", figure):
                assert found.value > found.references["doing nothing"], (name, figure)


@generators
def test_no_class_is_lost(name: str) -> None:
    """The classes that the extractor sees are spread about as evenly as those of real images."""
    said = metrics.read(MODELS[name])
    assert said
    if "class_entropy" not in said.figures:
        assert "label" not in CONFIGS[name]["spec"]["draws"]
        pytest.skip("its images have no classes")
    entropy = said.figures["class_entropy"]
    assert entropy.value >= 0.95 * entropy.references["test images"]
    assert said.figures["rarest_class"].value >= 0.03


def test_history_is_where_the_figure_comes_from() -> None:
    for name, folder in MODELS.items():
        if course := history.read(folder):
            for figure, found in history.figures_of(course).items():
                said = report.read(folder)
                assert said and said.figures[figure].value == found.value, name


# -------------------------------------------------------------------------------- cards


@every
def test_card_says_how_to_load_how_good_and_how_to_make_it(name: str) -> None:
    card = (MODELS[name] / "README.md").read_text("utf-8")
    assert card.startswith("---\n") and "\nlibrary_name: ganzoo\n" in card
    assert f'ganzoo.from_pretrained("{name}")' in card
    assert f"`ganzoo eval {name}`" in card
    assert re.search(r"^ganzoo train \S+ --data ", card, re.MULTILINE)
    assert r"\min_{" in card
    said = metrics.read(MODELS[name])
    assert said
    for figure in said.figures.values():
        assert f"**{figure.value:.4g}**" in card
    for picture in re.findall(r"\]\((\w+\.png)\)", card):
        assert (MODELS[name] / picture).is_file()


@every
def test_card_says_which_averages_have_batch_statistics(name: str) -> None:
    card = (MODELS[name] / "README.md").read_text("utf-8")
    spec = store.read_config(MODELS[name]).spec
    for average, decay in spec.ema.items():
        kinds = {layer.kind for _, layer in spec.networks[average].walk()}
        if isinstance(decay, HalfLife):
            how = f"half-life {decay.half_life} images"
        else:
            how = f"decay {decay if isinstance(decay, str) else f'{decay:g}'} a round"
        said = f"moving average of `{average}` ({how})"
        ending = ", with its batch statistics estimated anew.\n" if "batch_norm" in kinds else ".\n"
        assert said + ending in card


@every
def test_card_tells_the_optimizers_of_stages_apart(name: str) -> None:
    """Two lines of the same name, with another rate each, would leave open which is whose."""
    card = (MODELS[name] / "README.md").read_text("utf-8")
    lines = re.findall(r"^- (.*): (?:adam|rmsprop|sgd) with", card, re.MULTILINE)
    assert lines and len(lines) == len(set(lines))


# cards that were written before ask classifiers for codes
@pytest.mark.filterwarnings("ignore:.*is a task of kind:DeprecationWarning")
def test_every_line_of_the_examples_runs() -> None:
    for name in MODELS:
        card = (MODELS[name] / "README.md").read_text("utf-8")
        code = re.search(r"```python\n(.*?)```", card, re.DOTALL)
        assert code
        exec(code[1], {"images": np.zeros((2, 28, 28, 1), np.float32)})


def test_published_spec_is_what_the_variant_says_today() -> None:
    """The command of the card makes this model again: variant and settings give the same Spec."""
    from ganzoo.data.catalog import fields_of
    from ganzoo.engine.draws import with_names
    from ganzoo.spec import files

    for folder in MODELS.values():
        config = store.read_config(folder)
        made = config.made_by
        if made.variant:
            variant = default().variant(made.variant).parse(dict(made.settings))
            spec = variant.spec(fields_of(config.data.name, default().data))
        else:
            spec = files.read(ROOT / "scripts" / made.file)
        assert config.training.steps
        spec = spec.with_steps(config.training.steps)
        # the first models of Spec files have no names of their classes
        held = fields_of(config.data.name, default().data)
        assert config.spec in (spec, with_names(spec, held)), folder.name


def test_commands_of_the_cards_are_those_of_the_script() -> None:
    """`make zoo` trains each with the settings that its card names."""
    for name, config in CONFIGS.items():
        words = config["command"].split()
        assert words[:2] == ["ganzoo", "train"] and words[-1] == f"runs/zoo/{name}"
        settings = dict(word.split("=") for before, word in pairwise(words) if before == "--set")
        made = config["made_by"].get("settings", {})
        if settings:
            read = default().variant(config["made_by"]["variant"]).parse(settings)
            given = read.model_dump(mode="json", include=set(settings))
            assert given == {key: made[key] for key in settings}, name
