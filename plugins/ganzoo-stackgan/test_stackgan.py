"""StackGAN: the authors' losses, the known bugs, the captions, and that it learns what is said."""

import os
import sys
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.data import load
from ganzoo.engine.training import Training
from ganzoo.nn.build import build, initialize, parameter_count
from ganzoo.nn.functions import samples
from ganzoo.nn.functions.distributions import kl, reparameterize
from ganzoo.plugins.host import default
from ganzoo.spec import (
    Adam,
    BatchNorm,
    Categorical,
    Decay,
    GaussianNoise,
    Image,
    Label,
    LeakyReLU,
    Linear,
    Text,
)
from ganzoo_stackgan import StackGAN
from ganzoo_stackgan.emoji import EMOJI_FIELDS, emoji_captions
from ganzoo_stackgan.fashion import COLOURS, GARMENTS, PHRASINGS, caption, mistakes, pairs

TINY: dict[str, Any] = {"width": 4, "latent": 4, "condition": 3, "reading": 8, "residuals": 1}


def spec(size: int = 16, channels: int = 3, told: int = 5, **settings):
    fields = {"image": Image((channels, size, size)), "text": Text(told, "none")}
    return StackGAN(**{**TINY, **settings}).spec(ganzoo.Fields(fields))


# --------------------------------------------------------------------------- the authors' code


@pytest.mark.parametrize("size, channels", [(16, 1), (28, 1), (32, 3), (48, 3), (64, 3), (128, 4)])
def test_both_stages_have_their_sizes(size: int, channels: int) -> None:
    nets = build(spec(size, channels))
    assert nets["G"].leaves[""] == nets["D"].shapes[0] == (channels, size // 2, size // 2)
    assert nets["G2"].leaves[""] == nets["D2"].shapes[0] == (channels, size, size)


@pytest.mark.parametrize("size", [15, 50, 66])
def test_sizes_that_cannot_be_halved_are_refused(size: int) -> None:
    with pytest.raises(ganzoo.GanzooError, match="stackgan draws square images"):
        spec(size)


def test_losses_are_the_authors() -> None:
    """bce(real) + .5 (bce(wrong) + bce(fake)); the wrong image is a real one, told this text."""
    small, large = spec().stages
    d, g = small.updates
    assert dict(d.minimize) == {
        "real": "bce(D(small, t), 1)",
        "wrong": "0.5 * bce(D(roll(small), t), 0)",
        "fake": "0.5 * bce(D(sketch, t), 0)",
    }
    assert dict(g.minimize) == {"fool": "bce(D(sketch, t), 1)", "kl": "2 * kl(h)"}
    assert [update.train for update in small.updates] == [("D",), ("G", "CA")]
    assert [update.train for update in large.updates] == [("D2",), ("G2", "CA2")]
    assert small.freeze == () and set(large.freeze) == {"G", "CA"}
    for update in (*small.updates, *large.updates):
        assert update.optimizer == Adam(2e-4, (0.5, 0.999), decay=Decay())


def test_without_augmentation_there_is_no_chance_in_the_condition() -> None:
    plain = spec(augment=False)
    assert set(plain.draws) == {"x", "t", "z"}
    assert not any("kl" in name for stage in plain.stages for u in stage.updates
                   for name in u.minimize)  # fmt: skip
    nets, augmented = build(plain), build(spec())
    assert nets["CA"].leaves[""] == (3,) and augmented["CA"].leaves[""] == (6,)
    assert "reparameterize" not in plain.to_json()


def labelled(**settings) -> ganzoo.Spec:
    fields = {
        "image": Image((3, 16, 16)),
        "text": Text(5, "none"),
        "label": Label(4),
        "colour": Label(7, field="colour"),
    }
    return StackGAN(**{**TINY, **settings}).spec(ganzoo.Fields(fields))


def test_labels_are_named_where_that_is_asked_for() -> None:
    """Real images teach the names; fakes are asked for them, by maps that know no sentence."""
    assert set(labelled().draws) == set(spec().draws)
    made = labelled(classify=0.5)
    nets = build(made)
    for stage, d, real, fake in zip(
        made.stages, ("D", "D2"), ("small", "x"), ("sketch", "fake"), strict=True
    ):
        discriminators, makers = stage.updates
        assert discriminators.train == (d, f"{d}_label", f"{d}_colour") and discriminators.name == d
        for field, classes in (("label", 4), ("colour", 7)):
            for update, image in ((discriminators, real), (makers, fake)):
                term = f"0.5 * cross_entropy({d}_{field}({d}.maps({image}, t)), {field})"
                assert update.minimize[field] == term
            assert nets[f"{d}_{field}"].leaves[""] == (classes,)
    assert not set(made.published) & {"D_label", "D2_label", "D_colour", "D2_colour"}
    initialize(nets["D"], made.networks["D"], 0)
    images, sentences = torch.rand(2, 3, 8, 8), torch.randn(2, 2, 5)
    maps = [nets["D"].eval()(images, told, outputs=("maps",)) for told in sentences]
    assert torch.equal(*maps)


HAIR = Label(4, names=("spiky", "bun", "undercut", "not said"))
OPEN = {"image": Image((3, 16, 16)), "text": Text(5, "none"), "label": HAIR}


def words_of_losses(**given: torch.Tensor) -> dict[str, object]:
    """The functions in the losses of labels, and values."""
    words = {name: getattr(samples, name) for name in ("select", "class_label", "logsumexp")}
    return {"mean": torch.mean, "one_hot": torch.nn.functional.one_hot, **words, **given}


def test_what_a_caption_leaves_open_teaches_nothing() -> None:
    """Its loss is the cross-entropy of the others, and no gradient reaches an open one's logits."""
    made = StackGAN(**TINY, classify=1).spec(ganzoo.Fields(OPEN, unsaid="not said"))
    discriminators, makers = made.stages[0].updates
    logits, truth = torch.randn(3, 4, requires_grad=True), torch.tensor([2, 3, 0])
    given = words_of_losses(label=truth, z=torch.zeros(3, 4))
    for update, seen in ((discriminators, "small"), (makers, "sketch")):
        term = update.minimize["label"].replace(f"D_label(D.maps({seen}, t))", "logits")
        loss = eval(term, {**given, "logits": logits})
        said = torch.nn.functional.cross_entropy(logits[[0, 2]], truth[[0, 2]], reduction="sum")
        assert loss.item() == pytest.approx(said.item() / 3, rel=1e-5)
        (slope,) = torch.autograd.grad(loss, logits)
        assert slope[[0, 2]].abs().min() > 0 and slope[1].abs().max() == 0
    assert "class_label" not in StackGAN(**TINY, classify=1).spec(ganzoo.Fields(OPEN)).to_json()


def test_what_a_caption_leaves_open_is_drawn_from_a_code() -> None:
    """The generator is asked for the label where it is said, and for its code where it is not."""
    made = StackGAN(**TINY, classify=1, vary=True).spec(ganzoo.Fields(OPEN, unsaid="not said"))
    assert made.draws["label_code"] == Categorical(3), "a code is never 'not said'"
    logits, truth, code = torch.randn(3, 4), torch.tensor([2, 3, 0]), torch.tensor([1, 1, 2])
    given = words_of_losses(label=truth, label_code=code, z=torch.zeros(3, 4), logits=logits)
    for stage, seen, d in zip(made.stages, ("sketch", "fake"), ("D", "D2"), strict=True):
        discriminators, makers = stage.updates
        term = makers.minimize["label"].replace(f"{d}_label({d}.maps({seen}, t))", "logits")
        asked = torch.tensor([2, 1, 0])
        wanted = torch.nn.functional.cross_entropy(logits, asked).item()
        assert eval(term, given).item() == pytest.approx(wanted, rel=1e-5)
        assert "code" not in discriminators.minimize["label"], "real images have none"
    assert made.let["sketch"] == "G(z, c, label_code)"
    for labels, settings in ((OPEN, {"classify": 0}), ({**OPEN, "label": Label(4)}, {})):
        with pytest.raises(ganzoo.GanzooError, match="vary draws what captions leave open"):
            StackGAN(**{**TINY, "classify": 1, "vary": True, **settings}).spec(
                ganzoo.Fields(labels, unsaid="not said")
            )


def test_without_labels_there_is_nothing_to_name() -> None:
    with pytest.raises(ganzoo.GanzooError, match="classify predicts labels of the data"):
        spec(classify=1)


def test_a_linear_condition_is_linear() -> None:
    """Of sentences whose vectors add up, the conditions add up; with a hidden layer not."""
    for linear in (True, False):
        run = training(spec(linear=linear))
        read = run.networks["CA"].eval()
        a, b, c = torch.randn(3, 50, 5)
        whole, parts = read(a + b - c), read(a) + read(b) - read(c)
        assert torch.allclose(whole, parts, atol=1e-4) == linear


def test_diversity_asks_for_other_images_of_other_noise() -> None:
    """Large where two latents give one image, and small where they give two."""
    small, large = spec(diversity=0.1).stages
    term = small.updates[1].minimize["alike"]
    assert not any("alike" in update.minimize for update in large.updates)
    made = spec(diversity=0.1)
    nets = build(made)
    for name, net in nets.items():
        initialize(net, made.networks[name], 0)
    model = ganzoo.Model(made, nets)
    values = {"z": torch.randn(6, 4), "t": torch.randn(6, 5), "e": torch.randn(6, 3)}
    with torch.no_grad():
        sketch = model.evaluate("sketch", values)
        rolled = {**values, "z": values["z"].roll(1, 0)}
        apart = (sketch - model.evaluate("sketch", rolled)).abs().mean()
        moved = (values["z"] - rolled["z"]).abs().mean()
        found = model.evaluate(term, values)
        torch.testing.assert_close(found, 0.1 * moved / (apart + 1e-5), rtol=1e-3, atol=0)
        for weight in nets["G"].parameters():
            if weight.ndim == 2:
                weight[:, :4] = 0  # the latent is not looked at
        assert model.evaluate(term, values) > 10 * found


def test_pixels_are_those_of_the_captions_own_image() -> None:
    small, large = spec(pixels=30).stages
    assert small.updates[1].minimize["pixels"] == "30 * l1(sketch, small)"
    assert large.updates[1].minimize["pixels"] == "30 * l1(fake, x)"
    assert not any("pixels" in update.minimize for s in spec().stages for update in s.updates)


def test_a_published_model_fits_into_8_megabytes() -> None:
    for size in (32, 64):
        fields = {"image": Image((3, size, size)), "text": Text()}
        made = StackGAN().spec(ganzoo.Fields(fields))
        nets = build(made, published=True)
        assert "D" not in nets and {"D2", "G2"} <= set(nets)
        assert 2 * sum(map(parameter_count, nets.values())) < 8e6


# ------------------------------------------------------------------------ bugs of public code


def test_divergence_of_the_standard_normal_is_zero() -> None:
    """Known bug 10: log deviation taken for the mean, and the other way round."""
    h = torch.zeros(4, 6, requires_grad=True)
    assert kl(h).item() == 0
    off = torch.full((4, 6), 0.3, requires_grad=True)
    [gradient] = torch.autograd.grad(kl(off), off)
    mean, log_std = gradient.chunk(2, 1)
    assert (mean != 0).all() and (log_std != 0).all() and not torch.allclose(mean, log_std)


def test_a_deviation_below_one_can_be_reached() -> None:
    """Known bug 10: with ReLU after the layer the log deviation is never negative."""
    made = spec()
    for name in ("CA", "CA2"):
        *_, last, after = made.networks[name].layers
        assert isinstance(last, Linear) and after == LeakyReLU(0.2)
    run = training(made)
    h = run.networks["CA"].eval()(torch.randn(500, 5))
    assert (h[:, 3:] < 0).any() and (h[:, :3] < 0).any()
    noise = torch.zeros(500, 3)
    assert torch.equal(reparameterize(h, noise), h[:, :3])


def data(n: int = 24, size: int = 16) -> ganzoo.Source:
    generator = torch.Generator().manual_seed(0)
    fields = ganzoo.Fields({"image": Image((3, size, size)), "text": Text(5, "none")})
    images = torch.randint(0, 256, (n, 3, size, size), generator=generator, dtype=torch.uint8)
    text = torch.randn(n, 5, generator=generator)
    return ganzoo.Source("noise", fields, {"image": images, "text": text})


def training(made) -> Training:
    return Training(
        made, data(), batch=8, seed=0, device=torch.device("cpu"), precision="fp32"
    )  # fmt: skip


def state(run: Training, names: tuple[str, ...]) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name in names
        for key, value in run.networks[name].state_dict().items()
    }


def test_stage_2_leaves_stage_1_as_it_is() -> None:
    """Known bug 10: weights may be frozen, and batch statistics move all the same."""
    run = training(spec(steps_small=2, steps_large=3))
    before = state(run, ("CA", "G"))
    assert [run.round() for _ in range(2)] == ["small"] * 2
    after = state(run, ("CA", "G"))
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert any(key.endswith("running_mean") for key in moved) and len(moved) == len(before)
    large = state(run, ("CA2", "G2", "D2"))
    assert [run.round() for _ in range(3)] == ["large"] * 3
    assert not run.networks["G"].training and not run.networks["CA"].training
    for key, value in state(run, ("CA", "G")).items():
        assert torch.equal(value, after[key]), key
    learnt = state(run, ("CA2", "G2", "D2"))
    assert all(not torch.equal(learnt[key], large[key]) for key in large)


def test_noise_on_images_is_for_training_alone() -> None:
    made = spec(noise=0.2)
    assert made.networks["D2"].layers[0] == GaussianNoise(0.2)
    assert not any(isinstance(layer, GaussianNoise) for _, layer in made.networks["G2"].walk())
    clear = spec(noise=0)
    assert not any(isinstance(layer, GaussianNoise) for _, layer in clear.networks["D"].walk())
    norms = [layer for _, layer in made.networks["D"].walk() if isinstance(layer, BatchNorm)]
    assert {norm.eps for norm in norms} == {1e-5}


# -------------------------------------------------------------------------------- it learns


def test_it_learns_what_a_sentence_says() -> None:
    """Four sentences of one colour each; and the discriminator knows which belong together."""
    images = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)
    images[0, 0] = images[1, 1] = images[2, 2] = 255
    images[3] = 255
    text = torch.eye(4, 5)
    row = torch.arange(64) % 4
    fields = ganzoo.Fields({"image": Image((3, 16, 16)), "text": Text(5, "none")})
    source = ganzoo.Source("colours", fields, {"image": images[row], "text": text[row]})
    made = spec(width=8, lr=2e-3, kl=0.1, batch=32, steps_small=200, steps_large=150)
    *_, last = ganzoo.train(made, source)
    model = last.model()
    for task, size in ((None, 16), ("stage1", 8)):
        samples = model.generate(text=text[row].numpy(), task=task, output="pt")
        assert samples.shape[2:] == (size, size)
        means = samples.mean((2, 3))
        seen = torch.cdist(means, (images / 255).mean((2, 3))).argmin(1)
        assert (seen == row).float().mean() > 0.6, task
    own, other = (
        model.score(images.float() / 255, text=text.roll(shift, 0).numpy(), task="mismatch").values
        for shift in (0, 1)
    )
    assert (other > own).all()


# ------------------------------------------------------------------------ clothes in colour


def test_a_fifth_of_the_combinations_is_held_out() -> None:
    for garment in range(len(GARMENTS)):
        train, test = (set(pairs(garment, split)) for split in ("train", "test"))
        assert not train & test and len(train | test) == 12 * 11
        assert 0.19 <= len(test) / 132 <= 0.2
        assert all(colour != background for colour, background in train | test)
        for place in (0, 1):  # every colour is seen on every garment, and behind it
            assert {pair[place] for pair in train} == set(range(12))


@pytest.mark.parametrize("split", ["train", "test"])
def test_captions_that_do_not_fit_are_wrong_in_one_thing(split: str) -> None:
    """Of the garment in one list, of a colour in the other, and of the split's combinations."""
    whole = split == "train"
    for garment in range(len(GARMENTS)):
        for pair in pairs(garment, split):
            found = mistakes(garment, *pair, split)
            assert len(found) == 2 if whole else found
            for kind in found:
                different = [
                    [one != true for one, true in zip(wrong, (garment, *pair), strict=True)]
                    for wrong in kind
                ]
                assert all(sum(marks) == 1 for marks in different)
                assert len({marks[0] for marks in different}) == 1
                assert all(wrong[1:] in pairs(wrong[0], split) for wrong in kind)


def test_a_caption_that_does_not_fit_is_what_the_discriminator_refuses() -> None:
    """Where the data has one; and the sentence of the tasks is still the one that fits."""
    fields = {"image": Image((3, 16, 16)), "text": Text(5, "none")}
    told = {**fields, "mismatched": Text(5, "none", field="mismatched")}
    made = StackGAN.parse(dict(TINY)).spec(ganzoo.Fields(told))
    for stage, d, real in zip(made.stages, ("D", "D2"), ("small", "x"), strict=True):
        assert stage.updates[0].minimize["wrong"] == f"0.5 * bce({d}({real}, wrong), 0)"
    assert made.draws["wrong"] == told["mismatched"] and made.draws["t"] == told["text"]
    assert not any("wrong" in made.draws_of(task) for task in made.tasks.values())


def test_the_split_is_everybodys() -> None:
    """Of this machine and of all others: a figure on held-out captions would mean nothing else."""
    assert pairs(9, "test")[:3] == PAIRS
    assert caption(9, 0, 4) == "a red ankle boot on a teal background"
    assert caption(1, 1, 6, 2) == "an orange pair of trousers in front of a purple wall"
    assert len({caption(0, 0, 1, phrasing) for phrasing in range(len(PHRASINGS))}) == 6


PAIRS = ((4, 7), (9, 4), (11, 8))


def test_colours_are_far_apart() -> None:
    table = np.array([*COLOURS.values()], float)
    assert min(np.linalg.norm(a - b) for a, b in combinations(table, 2)) > 60


@pytest.fixture(scope="module")
def test_images() -> ganzoo.Source:
    if not os.environ.get("GANZOO_DATA"):
        pytest.skip("Fashion-MNIST is not at hand: GANZOO_DATA")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ganzoo, "embed", counted)
        return load("fashion-captions", "test")


def counted(sentences: list[str], encoder: str, *, keep: bool) -> np.ndarray:
    """In place of the encoder: numbers that tell sentences apart."""
    assert keep
    numbers = np.array([[hash(sentence) % 2**31] for sentence in sentences], np.float32)
    return numbers.repeat(384, 1)


def test_pictures_show_what_their_captions_say(test_images: ganzoo.Source) -> None:
    rows = torch.arange(500)
    images = test_images.batch("image", rows).add(1).mul(127.5)
    colours, grounds, labels = (
        test_images.batch(field, rows) for field in ("colour", "background", "label")
    )
    table = torch.tensor([*COLOURS.values()]).float()
    corner = images[:, :, :2].flatten(2).median(2).values
    assert (torch.cdist(corner, table).argmin(1) == grounds).float().mean() > 0.99
    off = (images - corner[:, :, None, None]).norm(dim=1).flatten(1)
    most = off.topk(100, 1).indices[:, None].expand(-1, 3, -1)
    garment = torch.gather(images.flatten(2), 2, most).median(2).values
    assert (torch.cdist(garment, table).argmin(1) == colours).float().mean() > 0.95
    held_out = [pairs(label, "test") for label in range(10)]
    for label, *pair in torch.stack([labels, colours, grounds], 1).tolist():
        assert tuple(pair) in held_out[label]
    texts, wrong = (test_images.batch(f, rows)[:, 0].tolist() for f in ("text", "mismatched"))
    shown = torch.stack([labels, colours, grounds], 1).tolist()
    for row, one in enumerate(shown):
        assert texts[row] in said(*one)
        others = mistakes(*one, "test")
        assert any(wrong[row] in said(*other) for kind in others for other in kind)
    garments = sum(
        any(wrong[row] in said(g, *one[1:]) for g in range(10)) for row, one in enumerate(shown)
    )
    assert 180 < garments < 300  # every other one, where there is another garment


def said(garment: int, colour: int, background: int) -> set[float]:
    """What `counted` makes of all ways to say it."""
    sentences = [caption(garment, colour, background, p) for p in range(len(PHRASINGS))]
    return {float(np.float32(hash(sentence) % 2**31)) for sentence in sentences}


def test_the_discriminator_learns_from_all_combinations(test_images: ganzoo.Source) -> None:
    """What lacks some could tell a garment by the colours that it never had."""
    shown = load("fashion-colours", "test")
    rows = torch.arange(len(shown))
    assert "text" not in shown.fields.fields
    label, colour, ground = (shown.batch(f, rows) for f in ("label", "colour", "background"))
    combinations = set(zip(label.tolist(), colour.tolist(), ground.tolist(), strict=True))
    assert len(combinations) > 0.99 * 10 * 132
    assert torch.equal(label, test_images.batch("label", rows))


def test_a_data_set_is_the_same_each_time(test_images: ganzoo.Source) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ganzoo, "embed", counted)
        again = load("fashion-captions", "test")
    for field in ("image", "text", "colour"):
        rows = torch.arange(200)
        assert torch.equal(test_images.batch(field, rows), again.batch(field, rows))
    assert test_images.nbytes < 10_000 * (3 * 32 * 32 + 2 * 4 * 384 + 3 * 8 + 1)


# ------------------------------------------------------------------------------------ emoji


def test_captions_of_an_emoji_name_it_and_its_style() -> None:
    said = emoji_captions("grinning face", ("cheerful", "face", "happy", "smile"), "noto")
    assert said[0] == "grinning face, noto style"
    assert said[1].startswith("grinning face, ") and said[1].endswith(", noto style")
    assert not any(tag in said[1].split(", ")[1].split(" and ") for tag in ("face",))
    assert said[2] == "a picture of grinning face"
    assert emoji_captions("keycap: 1", (), "noto")[1] == "keycap: 1, emoji, noto style"


def test_emoji_come_from_a_plugin_of_their_own(monkeypatch) -> None:
    default()  # all plugins are found before one is taken away, for the tests that come after
    monkeypatch.setitem(sys.modules, "ganzoo_emoji", None)
    with pytest.raises(ganzoo.GanzooError, match="pip install ganzoo-emoji"):
        load("emoji-captions")


def test_every_emoji_has_its_captions(monkeypatch) -> None:
    emoji = pytest.importorskip("ganzoo_emoji")
    asked: list[list[str]] = []

    def embed(sentences: list[str], encoder: str, *, keep: bool) -> np.ndarray:
        asked.append(sentences)
        return np.arange(len(sentences), dtype=np.float32)[:, None].repeat(384, 1)

    monkeypatch.setattr(ganzoo, "embed", embed)
    train, test = (load("emoji-captions", split) for split in ("train", "test"))
    records = emoji.records()
    held_out = [number for number, one in enumerate(records) if one.split == "test"]
    assert (len(train), len(test)) == (3 * (len(records) - len(held_out)), len(held_out))
    assert default().data["emoji-captions"].size == len(train)
    pixels = torch.from_numpy(emoji.pixels())
    rows = torch.arange(len(test))
    wanted = pixels[held_out].float() / 127.5 - 1
    torch.testing.assert_close(test.batch("image", rows), wanted)
    for row in (0, 7, len(test) - 1):
        one = records[held_out[row]]
        assert asked[1][row] == f"{one.name}, {one.style} style"
    seen = {one.name for one in records}
    for sentence in EMOJI_FIELDS.text.examples:
        name = sentence.split(", ")[0].removeprefix("a picture of ")
        assert name in seen, sentence


def test_the_plugin_brings_both() -> None:
    host = default()
    for name in ("fashion-captions", "emoji-captions"):
        assert host.providers["data", name] == "ganzoo-stackgan"
        assert host.data[name].fields.text.examples
