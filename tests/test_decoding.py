"""One way from people's pictures to pixels: values, colours, fitting, formats."""

from __future__ import annotations

import ast
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from PIL import ImageOps

from ganzoo.data import decoding
from ganzoo.data.decoding import (
    FORMATS,
    SUFFIXES,
    Preprocessing,
    coloured,
    opened,
    upright,
    values,
)
from ganzoo.errors import DataError, PictureError, TaskError
from ganzoo.models.images import image_tensor
from ganzoo.spec.draws import Image

ROOT = Path(__file__).parents[1]
LANCZOS = Picture.Resampling.LANCZOS


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


# ---------------------------------------------------------------------------------- fitting


@pytest.mark.parametrize(("width", "height"), [(96, 48), (48, 97), (30, 30), (20, 20), (7, 500)])
@pytest.mark.parametrize(("columns", "rows"), [(20, 20), (32, 16)])
def test_crop_is_the_central_part(width: int, height: int, columns: int, rows: int) -> None:
    picture = Picture.fromarray(noise(height, width, 3))
    found = Preprocessing().pixels(picture, (3, rows, columns))
    wanted = np.asarray(ImageOps.fit(picture, (columns, rows), LANCZOS))
    assert np.array_equal(found.transpose(1, 2, 0), wanted)


@pytest.mark.parametrize(("channels", "ground"), [(1, 0), (3, 0), (4, 0)])
def test_pad_keeps_all_of_it_in_the_middle(channels: int, ground: int) -> None:
    picture = Picture.new("RGB", (90, 30), "red")
    found = Preprocessing("pad", background="black").pixels(picture, (channels, 30, 30))
    assert (found[:, :10] == ground).all() and (found[:, 20:] == ground).all()
    inside = found[:, 10:20].reshape(channels, -1)
    assert (inside.max(1) == inside.min(1)).all() and inside[0, 0] > 50
    if channels == 4:  # around the picture is nothing
        assert inside[3, 0] == 255


def test_stretch_takes_every_pixel_everywhere() -> None:
    picture = Picture.fromarray(noise(30, 90))
    found = Preprocessing("stretch", "bilinear").pixels(picture, (1, 24, 24))
    wanted = picture.resize((24, 24), Picture.Resampling.BILINEAR)
    assert np.array_equal(found[0], np.asarray(wanted))


@pytest.mark.parametrize("fit", decoding.OPTIONS["fit"])
def test_what_has_the_size_already_is_left_as_it_is(fit: str) -> None:
    pixels = noise(24, 40, 3)
    found = Preprocessing(fit).pixels(Picture.fromarray(pixels), (3, 24, 40))
    assert np.array_equal(found.transpose(1, 2, 0), pixels)


@pytest.mark.parametrize("fit", decoding.OPTIONS["fit"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("given", [1, 3, 4])
def test_bytes_floats_and_files_become_the_same(
    tmp_path: Path, fit: str, channels: int, given: int
) -> None:
    pixels = noise(40, 60, given)
    # alpha is smooth, as rounding what hardly covers anything says nothing of the way
    if given == 4:
        pixels[..., 3] = np.linspace(128, 255, 60).astype(np.uint8)
    picture = Picture.fromarray(pixels[..., 0] if given == 1 else pixels)
    picture.save(tmp_path / "x.png")
    preprocessing, shape = Preprocessing(fit, "bicubic", "grey"), (channels, 16, 20)
    found = preprocessing.pixels(picture, shape)
    assert np.array_equal(preprocessing.file(tmp_path / "x.png", shape), found)
    assert np.array_equal(preprocessing.arrays(pixels[None], shape)[0], found)
    floats = preprocessing.arrays((pixels[None] / 255).astype(np.float32), shape)[0]
    assert floats.dtype == np.float32
    assert np.abs(floats * 255 - found).max() <= 3  # rounded several times on the other way


def test_float_images_are_not_rounded() -> None:
    values = np.full((1, 8, 8, 1), 0.3337, np.float32)
    assert np.array_equal(Preprocessing().arrays(values, (1, 8, 8))[0, 0], values[0, ..., 0])
    smaller = Preprocessing().arrays(values, (1, 4, 4))
    assert np.abs(smaller - 0.3337).max() < 1e-6


def test_a_preprocessing_reads_what_it_wrote() -> None:
    chosen = Preprocessing("pad", "box", "black")
    assert Preprocessing(**chosen.to_dict()) == chosen
    assert Preprocessing() == Preprocessing("crop", "lanczos", "white")


@pytest.mark.parametrize("said", [{"fit": "cropp"}, {"filter": 3}, {"background": ["white"]}])
def test_a_preprocessing_that_is_none(said: Any) -> None:
    with pytest.raises(DataError, match=r"(fit|filter|background) is .* allowed: '"):
        Preprocessing(**said)
    with pytest.raises(DataError, match=r"did you mean 'crop'\?"):
        Preprocessing("cropp")


# ----------------------------------------------------------------------------------- values


def tiff(array: np.ndarray) -> Picture.Image:
    file = io.BytesIO()
    Picture.fromarray(array).save(file, "TIFF")
    return Picture.open(file)


def test_pictures_of_all_depths_keep_their_values(tmp_path: Path) -> None:
    """A float TIFF became black, an int32 TIFF white."""
    levels = noise(16, 16)
    deep = levels.astype(np.uint16) * 257
    Picture.fromarray(deep).save(tmp_path / "deep.png")
    for picture in (
        Picture.fromarray(levels),
        tiff((levels / 255).astype(np.float32)),
        tiff(deep.astype(np.int32)),
        tiff(deep),
        Picture.open(tmp_path / "deep.png"),
        Picture.fromarray(deep.astype(">u2")),
    ):
        assert np.array_equal(Preprocessing().pixels(picture, (1, 16, 16))[0], levels)
    # a sixteenth bit rounds, and does not fall
    almost = np.full((16, 16), 257 * 100 + 200, np.uint16)
    assert (Preprocessing().pixels(Picture.fromarray(almost), (1, 16, 16)) == 101).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((4, 4), 200, np.int32), r"\[200, 200\], which may be meant as 8 or as 16"),
        (np.full((4, 4), -1, np.int32), "0 to 65,535; save it with 8 or 16 bits"),
        (np.full((4, 4), 70_000, np.int32), "0 to 65,535; save it with 8 or 16 bits"),
        (np.full((4, 4), 200, np.float32), r"in \[0, 1\].* these in \[200, 200\]"),
        (np.full((4, 4), np.nan, np.float32), r"in \[0, 1\]"),
    ],
)
def test_values_that_cannot_be_told(tmp_path: Path, array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        upright(tiff(array), 1)
    Picture.fromarray(array).save(tmp_path / "x.tif")
    with pytest.raises(PictureError, match=rf"x\.tif' cannot be read .*{message}"):
        Preprocessing().file(tmp_path / "x.tif", (1, 4, 4))
    with pytest.raises(TaskError, match=message):
        image_tensor(tiff(array), Image((1, 4, 4)))


def test_black_is_black_in_any_depth() -> None:
    assert not Preprocessing().pixels(tiff(np.zeros((4, 4), np.int32)), (1, 4, 4)).any()


def test_arrays_of_all_types_keep_their_values() -> None:
    levels = noise(2, 4, 4, 1)
    assert values(levels) is levels
    assert np.array_equal(values(levels.astype(np.uint16) * 257), levels)
    assert np.array_equal(values(levels > 127), np.where(levels > 127, 255, 0))
    assert values(levels / 255).dtype == np.float32
    assert values(np.array([-0.0005, 1.0005])).tolist() == [0, 1]
    for wrong in (levels.astype(np.int64), levels.astype(np.int32), levels / 1.0, levels / -255):
        with pytest.raises(DataError, match=r"in \[0, 1\]"):
            values(wrong)


# ---------------------------------------------------------------------------------- colours


def test_an_array_with_alpha_is_what_a_picture_with_alpha_is() -> None:
    """Arrays lost their alpha where pictures kept it."""
    pixels = noise(9, 9, 4)
    for channels in (1, 3, 4):
        draw = Image((channels, 9, 9))
        wanted = image_tensor(Picture.fromarray(pixels), draw)
        assert torch.equal(image_tensor(pixels, draw), wanted)
        floats = image_tensor(pixels / 255, draw)
        torch.testing.assert_close(floats, wanted, rtol=0, atol=3 / 255)
        assert torch.equal(image_tensor(torch.from_numpy(pixels), draw), wanted)


@pytest.mark.parametrize(("background", "level"), [("white", 255), ("black", 0)])
def test_what_is_transparent_lies_on_the_background(background: str, level: int) -> None:
    clear = Picture.new("RGBA", (4, 4), (90, 60, 30, 0))
    made = Preprocessing(background=background)
    assert (made.pixels(clear, (3, 4, 4)) == level).all()
    floats = np.asarray(clear)[None].astype(np.float32) / 255
    assert (made.arrays(floats, (1, 4, 4)) * 255 == level).all()
    assert (made.pixels(clear, (4, 4, 4))[3] == 0).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "La"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_mode_has_the_asked_channels(mode: str, channels: int) -> None:
    picture = Picture.new("RGB", (6, 6), "white")
    picture = picture.convert("LA").convert("La") if mode == "La" else picture.convert(mode)
    found = Preprocessing().pixels(picture, (channels, 4, 4))
    assert found.shape == (channels, 4, 4) and found.min() >= 248


def test_grey_is_the_luma_of_colours() -> None:
    red = np.zeros((1, 1, 3), np.float32)
    red[..., 0] = 1
    assert coloured(red, 1).item() == pytest.approx(0.299)
    assert coloured(coloured(red, 4), 1).item() == pytest.approx(0.299)


def test_channels_that_no_picture_has() -> None:
    with pytest.raises(TaskError, match="takes 2 channels"):
        image_tensor(Picture.new("L", (4, 4)), Image((2, 4, 4)))
    with pytest.raises(TaskError, match="takes 3 channels, not 2"):
        image_tensor(np.zeros((1, 2, 4, 4)), Image((3, 4, 4)))
    assert image_tensor(np.zeros((1, 2, 4, 4)), Image((2, 4, 4))).shape == (1, 2, 4, 4)


# -------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("ending", sorted(SUFFIXES))
def test_every_ending_is_read(tmp_path: Path, ending: str) -> None:
    form = {".jfif": "JPEG", ".tif": "TIFF"}.get(ending)
    Picture.new("RGB", (8, 8), (40, 80, 120)).save(tmp_path / f"x{ending}", form, quality=98)
    found = Preprocessing().file(tmp_path / f"x{ending}", (3, 8, 8))
    assert np.abs(found.reshape(3, -1).mean(1) - [40, 80, 120]).max() < 4


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"


def test_formats_that_start_a_program_are_not_tried(tmp_path: Path) -> None:
    """Ghostscript ran for an EPS named x.png."""
    file = tmp_path / "x.png"
    file.write_bytes(EPS)
    with Picture.open(file) as image:
        assert image.format == "EPS", "Pillow would take it"
    with pytest.raises(PictureError, match=r"x\.png' cannot be read \(no picture\)"), opened(file):
        pass
    with pytest.raises(TaskError, match="no picture"):
        image_tensor(file, Image((1, 8, 8)))
    assert "EPS" not in FORMATS


def test_every_picture_is_opened_with_named_formats() -> None:
    """In all that ships, scripts too."""
    found = 0
    for path in [*ROOT.glob("ganzoo/**/*.py"), *ROOT.glob("plugins/*/ganzoo_*/**/*.py"),
                 *ROOT.glob("plugins/*/ganzoo_*.py"), *ROOT.glob("scripts/*.py")]:  # fmt: skip
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if ast.unparse(node.func).lower() in ("image.open", "images.open", "pil.open",
                                                  "picture.open", "pictures.open"):  # fmt: skip
                found += 1
                assert any(k.arg == "formats" for k in node.keywords), f"{path}:{node.lineno}"
    assert found >= 6


def test_a_picture_of_endless_size_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MOST_PIXELS", 99)
    Picture.new("L", (10, 10)).save(tmp_path / "x.png")
    with pytest.raises(PictureError, match=r"10 x 10 pixels; at most 0 million are read"):
        Preprocessing().file(tmp_path / "x.png", (1, 8, 8))
    monkeypatch.setattr(decoding, "MOST_BYTES", 9)
    with pytest.raises(PictureError, match=r"bytes; at most 9 are read"):
        Preprocessing().file(tmp_path / "x.png", (1, 8, 8))


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="no regular file"):
        Preprocessing().file(tmp_path / "pipe.png", (1, 8, 8))
    with pytest.raises(PictureError, match="no such file"):
        Preprocessing().file(tmp_path / "nowhere.png", (1, 8, 8))


def test_large_pictures_are_decoded_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "LARGE", 63)
    Picture.new("L", (8, 8), 9).save(tmp_path / "x.png")
    with decoding._large:  # somebody else's
        assert not decoding._large.acquire(blocking=False)
    assert (Preprocessing().file(tmp_path / "x.png", (1, 8, 8)) == 9).all()
    assert not decoding._large.locked()
