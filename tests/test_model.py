"""A trained model's tasks: what goes in, what comes out, what is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as pil

from ganzoo.errors import TaskError
from ganzoo.models.images import image_tensor
from ganzoo.models.model import Model
from ganzoo.models.task_inputs import sample_noise
from ganzoo.nn.build import build, initialize
from ganzoo.spec import Image, Label, Normal, Spec, Uniform
from tests.builders import model_of, pixels
from tests.table import TABLE


@pytest.fixture(scope="module")
def gan() -> Model:
    return model_of("dcgan")


@pytest.fixture(scope="module")
def conditional() -> Model:
    return model_of("cdcgan")


@pytest.fixture(scope="module")
def anomaly() -> Model:
    return model_of("ganomaly")


# ------------------------------------------------------------------------------ outputs


def test_kinds_ranges_and_shapes_of_samples(gan: Model) -> None:
    tensor = gan.generate(5, output="pt")
    assert tensor.shape == (5, 1, 8, 8) and tensor.dtype == torch.float32
    assert 0 <= tensor.min() < 0.3 and 0.7 < tensor.max() <= 1
    array = gan.generate(5, output="np")
    assert array.shape == (5, 8, 8, 1) and array.dtype == np.float32
    np.testing.assert_array_equal(array, tensor.permute(0, 2, 3, 1).numpy())
    images = gan.generate(5)
    assert [(image.mode, image.size) for image in images] == [("L", (8, 8))] * 5
    np.testing.assert_array_equal(np.array(images[3]), (array[3, :, :, 0] * 255).round())


def test_colour_images() -> None:
    model = model_of("stackgan")
    text = np.zeros((2, 7), np.float32)
    images = model.generate(text=text)
    assert [(image.mode, image.size) for image in images] == [("RGB", (16, 16))] * 2
    array = model.generate(text=text, output="np")
    np.testing.assert_array_equal(np.array(images[1]), (array[1] * 255).round())


def test_a_sample_is_what_the_generator_says(gan: Model) -> None:
    z = torch.rand(3, 6) * 2 - 1
    found = gan.generate(3, noise={"z": z.numpy()}, output="pt")
    with torch.no_grad():
        wanted = gan.networks["G"](z)
    torch.testing.assert_close(found * 2 - 1, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("draw", [Normal(7), Uniform(20, -3, 1)])
def test_the_first_samples_of_a_seed_do_not_depend_on_how_many(draw: Any) -> None:
    many, few = (sample_noise(draw, n, 3, "z") for n in (16, 4))
    assert torch.equal(many[:4], few)
    assert not torch.equal(many, sample_noise(draw, 16, 4, "z"))
    assert not torch.equal(many, sample_noise(draw, 16, 3, "e"))
    assert len({tuple(row.tolist()) for row in many}) == 16
    big = sample_noise(draw, 500, 0, "z")
    low, high, mean = (-3, 1, -1) if isinstance(draw, Uniform) else (-9, 9, 0)
    assert low <= big.min() and big.max() < high
    assert big.mean().item() == pytest.approx(mean, abs=0.1)
    assert big.std().item() == pytest.approx(
        4 / 12**0.5 if isinstance(draw, Uniform) else 1, rel=0.1
    )


def test_the_first_images_of_a_seed_do_not_depend_on_how_many(gan: Model) -> None:
    sixteen, four = gan.generate(16, seed=0), gan.generate(4, seed=0)
    assert [image.tobytes() for image in sixteen[:4]] == [image.tobytes() for image in four]
    assert gan.generate(4, seed=1)[0].tobytes() != four[0].tobytes()


def test_more_samples_than_are_computed_at_once(gan: Model) -> None:
    many = gan.generate(300, output="pt")
    assert many.shape[0] == 300
    torch.testing.assert_close(many[:4], gan.generate(4, output="pt"), rtol=0, atol=1e-6)


def test_models_do_not_learn_or_change(gan: Model) -> None:
    before = {key: value.clone() for key, value in gan.networks["G"].state_dict().items()}
    gan.generate(8)
    after = gan.networks["G"].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(p.requires_grad for p in gan.networks["G"].parameters())
    assert not gan.networks["G"].training


def test_a_score_of_one_image_is_its_score_in_a_batch(anomaly: Model) -> None:
    """Known bug 11: no statistics of the batch, so neither order nor size matters."""
    images = pixels(7)
    together = anomaly.score(images).values
    assert together.shape == (7,) and together.dtype == np.float32
    alone = np.concatenate([anomaly.score(image).values for image in images])
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(anomaly.score(images[::-1]).values, together[::-1])
    assert len(set(together.tolist())) == 7


def test_verdicts_come_from_the_stored_threshold(anomaly: Model) -> None:
    anomaly.config = anomaly.config.replace(thresholds={})
    images = pixels(40)
    assert anomaly.score(images).threshold is None and anomaly.score(images).is_anomaly is None
    task = anomaly.spec.tasks["score"].model_copy(update={"quantile": 0.9})
    spec = anomaly.spec.model_copy(update={"tasks": {"score": task}})
    fitted = Model(spec, anomaly.networks)
    fitted.fit_thresholds(images)
    scores = fitted.score(images)
    assert scores.is_anomaly is not None and scores.is_anomaly.sum() in (3, 4)
    alone = [fitted.score(image).is_anomaly[0] for image in images]  # type: ignore[index]
    assert alone == scores.is_anomaly.tolist()


def test_a_map_says_where(anomaly: Model) -> None:
    images = pixels(3)
    scores = anomaly.score(images, maps=True)
    again = anomaly.reconstruct(images, output="np")
    assert scores.maps is not None and scores.maps.shape == again.shape[:3]
    apart = np.abs(again - images / 255 if images.dtype == np.uint8 else again - images)
    np.testing.assert_allclose(scores.maps, 2 * apart.mean(-1), atol=1e-5)


def test_codes_and_reconstructions(anomaly: Model) -> None:
    codes = anomaly.encode(pixels(3))
    assert codes.shape == (3, 5) and codes.dtype == np.float32
    assert anomaly.reconstruct(pixels(3), output="np").shape == (3, 8, 8, 1)


def test_a_code_of_maps_is_flattened() -> None:
    data = TABLE["ganomaly"]().to_dict()
    data["tasks"]["encode"]["output"] = "D.features(x)"
    spec = Spec.from_dict(data)
    nets = build(spec, published=True)
    for name, net in nets.items():
        initialize(net, spec.networks[name], 0)
    assert Model(spec, nets).encode(pixels(3)).shape == (3, 6 * 2 * 2)


def test_translation_by_domain() -> None:
    model = model_of("discogan")
    image = pixels(1)
    to_a, to_b = (model.translate(image, to=word, output="np") for word in "ab")
    assert to_a.shape == to_b.shape == (1, 8, 8, 1)
    assert not np.array_equal(to_a, to_b)
    with pytest.raises(TaskError, match=r"no domain 'c'.*'a', 'b'"):
        model.translate(image, to="c")


def test_the_first_task_of_a_kind_is_meant() -> None:
    """stackgan generates the large image, and has its sketch as another task."""
    model = model_of("stackgan")
    assert model.generate(text=np.zeros((1, 7)), output="pt").shape == (1, 3, 16, 16)


# ------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    "label, n",
    [(2, 1), ([0, 1, 2], 3), ((1,), 1), (range(3), 3), (np.array([2, 2]), 2), (torch.tensor(1), 1)],
)
def test_labels_of_every_kind(conditional: Model, label: Any, n: int) -> None:
    found = conditional.generate(label=label, output="pt")
    assert len(found) == n
    each = np.atleast_1d(np.asarray(label)).tolist()
    for index, one in enumerate(each):
        noise = {"z": sample_noise(conditional.spec.draws["z"], n, 0, "z")[index : index + 1]}
        alone = conditional.generate(label=one, noise=noise, output="pt")
        torch.testing.assert_close(found[index : index + 1], alone, rtol=0, atol=1e-5)


def test_one_label_for_many(conditional: Model) -> None:
    assert len(conditional.generate(4, label=1)) == 4
    a, b = (conditional.generate(4, label=y, output="pt") for y in (0, 1))
    assert not torch.allclose(a, b)


@pytest.mark.parametrize(
    "label",
    [3, -1, [0, 3], 1.5, [0.0], "1", ["a"], None, [], True, [[0, 1], [2]], object()],
    ids=lambda label: type(label).__name__,
)
def test_labels_that_are_none(conditional: Model, label: Any) -> None:
    with pytest.raises(TaskError, match="label: whole numbers from 0 to 2, not"):
        conditional.generate(label=label)


def test_as_many_labels_as_samples(conditional: Model) -> None:
    with pytest.raises(TaskError, match="label has 3 entries, and n is 2"):
        conditional.generate(2, label=[0, 1, 2])


# ----------------------------------------------------------------------------- refusals


def test_what_a_model_cannot_do(gan: Model) -> None:
    with pytest.raises(TaskError, match="DCGAN cannot encode; it can: 'generate'"):
        gan.encode(pixels(1))
    for task in ("reconstruct", "score"):
        with pytest.raises(TaskError, match=f"cannot {task}"):
            getattr(gan, task)(pixels(1))


def test_words_that_a_task_does_not_take(gan: Model, conditional: Model) -> None:
    with pytest.raises(TaskError, match=r"takes no 'label'.*takes: 'n', 'noise', 'output', 'seed'"):
        gan.generate(4, label=3)
    with pytest.raises(TaskError, match=r"takes no 'lable'; did you mean 'label'\?"):
        conditional.generate(4, lable=1)
    with pytest.raises(TaskError, match=r"needs label=\.\.\."):
        conditional.generate(4)


@pytest.mark.parametrize("n", [0, -1, 2.5, np.float64(2), "4", True, [2]])
def test_numbers_of_samples_that_are_none(gan: Model, n: Any) -> None:
    with pytest.raises(TaskError, match="n is the number of samples"):
        gan.generate(n)


def test_outputs_that_are_none(gan: Model) -> None:
    with pytest.raises(TaskError, match="'pil', 'np' or 'pt', not 'jpg'"):
        gan.generate(1, output="jpg")


@pytest.mark.parametrize(
    "noise, message",
    [
        ({"y": 1}, "no noise 'y'.*allowed: 'z'"),
        ({"z": np.zeros((2, 5))}, r"noise 'z' is float \(2, 6\), not \(2, 5\)"),
        ({"z": np.zeros(6)}, r"noise 'z' is float \(2, 6\), not \(6,\)"),
        ({"z": "abc"}, r"noise 'z' is float \(2, 6\), not 'abc'"),
        ({"z": None}, r"noise 'z' is float \(2, 6\)"),
        ({"z": np.full((2, 6), np.nan)}, "finite"),
    ],
)
def test_noise_that_is_none(gan: Model, noise: Any, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        gan.generate(2, noise=noise)


@pytest.mark.parametrize("text", [np.zeros((1, 6)), [[1, 2]], np.full((1, 7), np.inf), []])
def test_texts_that_are_none(text: Any) -> None:
    with pytest.raises(TaskError, match=r"text: float \(n, 7\)"):
        model_of("stackgan").generate(text=text)


# ------------------------------------------------------------------------ images as input

GREY, COLOUR = Image((1, 4, 4)), Image((3, 4, 4))
RAMP = np.arange(16, dtype=np.uint8).reshape(4, 4) * 17


def test_grey_images_of_every_kind(tmp_path: Path) -> None:
    wanted = torch.from_numpy(RAMP / 127.5 - 1).float()[None, None]
    path = tmp_path / "ramp.png"
    pil.fromarray(RAMP).save(path)
    floats = (RAMP / 255).astype(np.float32)
    for value in (
        pil.fromarray(RAMP),
        path,
        str(path),
        RAMP,
        RAMP[:, :, None],
        RAMP[None, :, :, None],
        floats,
        floats.astype(np.float64),
        torch.from_numpy(floats)[None],
        torch.from_numpy(RAMP)[None, None],
        pil.fromarray(np.stack([RAMP] * 3, 2)),
        np.stack([RAMP] * 3, 2),
    ):
        found = image_tensor(value, GREY)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-2)


def test_colour_images_of_every_kind() -> None:
    values = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    wanted = torch.from_numpy(values / 127.5 - 1).float().permute(2, 0, 1)[None]
    for value in (
        pil.fromarray(values),
        values,
        values / 255,
        torch.from_numpy(values).permute(2, 0, 1),
    ):
        torch.testing.assert_close(image_tensor(value, COLOUR), wanted, rtol=0, atol=1e-6)
    grey = image_tensor(RAMP, COLOUR)
    assert torch.equal(grey[:, 0], grey[:, 1]) and torch.equal(grey[:, 1], grey[:, 2])
    # a transparent array lies on white
    clear = np.dstack([values, np.zeros((4, 4), np.uint8)])
    assert torch.equal(image_tensor(clear, COLOUR), torch.ones(1, 3, 4, 4))
    opaque = np.dstack([values, np.full((4, 4), 255, np.uint8)])
    torch.testing.assert_close(image_tensor(opaque, COLOUR), wanted, rtol=0, atol=1e-6)
    assert image_tensor(pil.fromarray(opaque), COLOUR).shape == (1, 3, 4, 4)


def test_many_images_of_several_kinds_and_sizes(tmp_path: Path) -> None:
    big = np.full((9, 5), 255, np.uint8)
    path = tmp_path / "big.png"
    pil.fromarray(big).save(path)
    found = image_tensor([RAMP, pil.fromarray(big), path, torch.zeros(1, 4, 4)], GREY)
    assert found.shape == (4, 1, 4, 4)
    torch.testing.assert_close(found[1:3], torch.ones(2, 1, 4, 4), rtol=0, atol=1e-5)
    assert torch.equal(found[3], -torch.ones(1, 4, 4))


def test_nothing_leaves_the_range_of_tanh() -> None:
    """Known bug 11: what enters is in [-1, 1], after resizing too."""
    sharp = np.zeros((33, 33), np.uint8)
    sharp[::2] = 255
    found = image_tensor(sharp, GREY)
    assert found.min() >= -1 and found.max() <= 1
    assert image_tensor(RAMP, GREY).min() == -1 and image_tensor(RAMP, GREY).max() == 1


@pytest.mark.parametrize(
    "value, message",
    [
        (RAMP / 1.0, "in .0, 1."),
        (RAMP.astype(np.int64), "in .0, 1."),
        (-np.ones((4, 4)), "in .0, 1."),
        (np.full((4, 4), np.nan), "in .0, 1."),
        (np.zeros((2, 4, 4, 1, 1)), "images are"),
        (np.zeros((0, 4, 4, 1)), "images are"),
        (np.zeros((4, 4, 2)), "takes 1 channels, not 2"),
        (np.array([["a"]]), "has no numbers"),
        ([], "no images in list"),
        (None, "no images in NoneType"),
        (7, "no images in int"),
        ([None], "no images in NoneType"),
        ("nowhere.png", "cannot read the image 'nowhere.png'"),
    ],
)
def test_images_that_are_none(value: Any, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        image_tensor(value, GREY)


def test_a_file_that_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "text.png"
    path.write_text("no picture")
    with pytest.raises(TaskError, match=r"cannot read the image .*text\.png"):
        image_tensor(path, GREY)


def test_how_a_model_shows_itself(gan: Model) -> None:
    count = sum(p.numel() for p in gan.networks["G"].parameters())
    assert repr(gan) == f"<Model DCGAN: generate; parameters: G {count}>"


def test_pictures_are_seen_as_they_were_meant() -> None:
    """Turned by their EXIF data, transparency on white, sixteen bits not cut off."""
    draw = Image((1, 8, 8))
    values = np.zeros((8, 8), np.uint8)
    values[:, :2] = 255
    exif = pil.Exif()
    exif[0x0112] = 3  # upside down
    file = io.BytesIO()
    pil.fromarray(values).save(file, "png", exif=exif)
    with pil.open(file) as turned:
        assert image_tensor(turned, draw)[0, 0, 0].tolist() == [-1] * 6 + [1] * 2
    clear = pil.new("LA", (8, 8), (0, 0))
    assert image_tensor(clear, draw).eq(1).all()
    deep = pil.fromarray(np.full((8, 8), 32896, np.uint16))
    assert image_tensor(deep, draw).abs().max() < 0.01


# ----------------------------------------------------------------- people's numbers and names


@pytest.mark.parametrize("n", [np.int64(2), np.uint8(2), torch.tensor(2)])
def test_whole_numbers_of_every_kind_are_a_number_of_samples(gan: Model, n: Any) -> None:
    assert len(gan.generate(n)) == 2


@pytest.fixture
def garments() -> Model:
    """A conditional model whose classes have names."""
    model = model_of("cgan")
    draws = {
        name: draw.model_copy(update={"names": ("bag", "Ankle boot", "0")})
        if isinstance(draw, Label)
        else draw
        for name, draw in model.spec.draws.items()
    }
    return Model(model.spec.model_copy(update={"draws": draws}), model.networks)


def test_classes_by_name(garments: Model) -> None:
    def drawn(label: Any) -> Any:
        return garments.generate(label=label, output="np")

    by_number = drawn([0, 1, 2])
    for names in (
        ["bag", "Ankle boot", "0"],
        ("BAG", 1, "0"),
        np.array(["bag", "ankle boot", "0"]),
    ):
        assert np.array_equal(drawn(names), by_number)
    assert np.array_equal(drawn("bag"), by_number[:1])
    with pytest.raises(TaskError, match=r"no class 'bga'; did you mean 'bag'\?.*'Ankle boot'"):
        drawn(["bga"])
