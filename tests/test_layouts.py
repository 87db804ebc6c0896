"""Which axis is which: the same pictures in every layout are the same pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ganzoo.data.layouts import channels_last, layout, several
from ganzoo.data.source import Source
from ganzoo.errors import DataError, TaskError
from ganzoo.models.images import image_tensor
from ganzoo.models.model import Model
from ganzoo.spec.draws import Image
from tests.builders import model_of

GREY, COLOUR = (1, 28, 28), (3, 32, 32)


@pytest.mark.parametrize(
    ("shape", "wanted", "name"),
    [
        ((28, 28), GREY, "hw"),
        ((10, 28, 28), GREY, "nhw"),
        ((10, 40, 30), GREY, "nhw"),
        ((28, 28, 1), GREY, "hwc"),
        ((28, 28, 3), GREY, "hwc"),
        ((40, 30, 4), GREY, "hwc"),
        ((10, 1, 28, 28), GREY, "nchw"),
        ((10, 28, 28, 1), GREY, "nhwc"),
        ((10, 28, 28, 3), GREY, "nhwc"),
        ((10, 3, 40, 40), GREY, "nchw"),
        ((3, 32, 32), COLOUR, "chw"),
        ((3, 50, 40), COLOUR, "chw"),
        ((32, 32, 3), COLOUR, "hwc"),
        ((32, 32, 4), COLOUR, "hwc"),
        ((10, 32, 32), COLOUR, "nhw"),
        ((2, 3, 32, 32), COLOUR, "nchw"),
        ((2, 32, 32, 3), COLOUR, "nhwc"),
        ((2, 5, 9, 9), (5, 9, 9), "nchw"),  # no colours, and yet what the model takes
        ((4, 4, 4), (1, 4, 4), "nhw"),
        ((2, 3, 3, 4), (4, 3, 3), "nhwc"),
    ],
)
def test_a_shape_says_its_layout(
    shape: tuple[int, ...], wanted: tuple[int, int, int], name: str
) -> None:
    assert layout(shape, wanted) == layout(shape, wanted, channels_first=True) == name


def test_a_cube_is_what_is_usual_for_its_kind() -> None:
    assert layout((3, 3, 3), (3, 3, 3)) == "hwc"
    assert layout((3, 3, 3), (3, 3, 3), channels_first=True) == "chw"


@pytest.mark.parametrize("shape", [(3, 28, 28), (4, 28, 28), (3, 64, 64)])
def test_three_grey_pictures_or_one_in_colour_is_asked_and_not_guessed(
    shape: tuple[int, ...],
) -> None:
    with pytest.raises(DataError, match=r"grey pictures \(n, h, w\) or one in colour \(c, h, w\)"):
        layout(shape, GREY)


@pytest.mark.parametrize("shape", [(), (28,), (0, 28, 28), (2, 3, 1, 28, 28), (2, 9, 28, 28)])
def test_shapes_that_no_layout_has(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"images are \(.*h.*w.*\), .*not"):
        layout(shape, GREY)


@pytest.mark.parametrize("shape", [(28, 28, 3), (28, 28, 1), (28, 28), (2, 7, 9, 9)])
def test_one_picture_is_not_a_data_set(shape: tuple[int, ...]) -> None:
    """(28, 28, 3) once trained on 28 grey pictures three pixels wide."""
    with pytest.raises(DataError, match=r"mine: images are \(samples, .*not of shape"):
        Source.from_arrays("mine", np.zeros(shape, np.uint8))


@pytest.mark.parametrize("name", ["nhw", "nchw", "nhwc"])
def test_channels_come_last(name: str) -> None:
    whole = np.arange(2 * 5 * 4).reshape(2, 5, 4, 1)
    array = {"nhw": whole[..., 0], "nchw": whole.transpose(0, 3, 1, 2), "nhwc": whole}[name]
    assert np.array_equal(channels_last(array, name), whole)
    assert several(array.shape) == name


Change = Callable[[torch.Tensor], object]
LAYOUTS: dict[str, Change] = {
    "tensor n,c,h,w": lambda x: x,
    "tensor n,h,w": lambda x: x[:, 0],
    "tensor n,h,w,c": lambda x: x.permute(0, 2, 3, 1),
    "numpy n,c,h,w": lambda x: x.numpy(),
    "numpy n,h,w": lambda x: x[:, 0].numpy(),
    "numpy n,h,w,c": lambda x: x.permute(0, 2, 3, 1).numpy(),
    "list of h,w": lambda x: [*x[:, 0]],
    "list of c,h,w": lambda x: [*x],
    "list of h,w,c": lambda x: [*x.permute(0, 2, 3, 1).numpy()],
}
TYPES: dict[str, Change] = {
    "float32": lambda x: x,
    "float64": lambda x: x.double(),
    "uint8": lambda x: (x * 255).round().byte(),
    "uint16": lambda x: torch.from_numpy((x * 65535).round().numpy().astype(np.uint16)),
}


@pytest.fixture(scope="module")
def tens() -> torch.Tensor:
    """Ten grey images, (n, c, h, w) in [0, 1], of whole grey levels."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (10, 1, 8, 8), generator=generator).float() / 255


@pytest.mark.parametrize("change", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES)
def test_every_layout_has_the_same_scores(tens: torch.Tensor, change: Change, kind: Change) -> None:
    model = model_of("ganomaly")
    given = change(kind(tens))  # type: ignore[arg-type]
    found = model.score(given).values
    assert found.shape == (10,)
    np.testing.assert_allclose(found, model.score(tens).values, rtol=1e-4)


@pytest.mark.parametrize("kind", ["encode", "reconstruct", "translate"])
def test_and_so_it_is_with_every_task(tens: torch.Tensor, kind: str) -> None:
    model = model_of({"translate": "discogan"}.get(kind, "bigan"))

    def asked(images: object, model: Model = model) -> np.ndarray:
        if kind == "encode":
            return model.encode(images)
        if kind == "translate":
            return model.translate(images, to="b", output="np")
        return model.reconstruct(images, output="np")

    wanted = asked(tens)
    assert len(wanted) == 10
    for change in LAYOUTS.values():
        np.testing.assert_allclose(asked(change(tens)), wanted, atol=1e-5)


@pytest.mark.parametrize("kind", [TYPES["float32"], TYPES["uint8"], TYPES["uint16"]])
@pytest.mark.parametrize("name", [name for name in LAYOUTS if "list" not in name])
def test_training_sees_what_the_tasks_see(tens: torch.Tensor, name: str, kind: Change) -> None:
    given = LAYOUTS[name](kind(tens))  # type: ignore[arg-type]
    source = Source.from_arrays("mine", given)
    trained_on = source.batch("image", torch.arange(10))
    torch.testing.assert_close(trained_on, image_tensor(given, Image((1, 8, 8))), rtol=0, atol=1e-6)


def test_halves_of_floats_are_read(tens: torch.Tensor) -> None:
    wanted = image_tensor(tens, Image((1, 8, 8)))
    for kind in (torch.float16, torch.bfloat16):
        found = image_tensor(tens.to(kind), Image((1, 8, 8)))
        torch.testing.assert_close(found, wanted, rtol=0, atol=0.01)


def test_an_error_of_a_task_names_the_layouts() -> None:
    with pytest.raises(TaskError, match=r"\(h, w\), \(n, h, w\), .* or \(n, c, h, w\), not"):
        model_of("ganomaly").score(np.zeros((2, 2, 8, 8, 1)))
