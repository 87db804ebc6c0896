"""Pictures of a run: what stands in them, not only that they are written."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from ganzoo import pictures

BACKGROUND = pictures.BACKGROUND


def record(step: int, **losses: float) -> dict:
    named = {name.replace("_", "."): value for name, value in losses.items()}
    return {"step": step, "time": step / 10, "losses": named}


def test_pictures_need_neither_torch_nor_matplotlib():
    code = "import sys, ganzoo.pictures; assert not {'torch', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_floats_become_bytes():
    values = [0, 1, 0.5, 0.2, -3, 7, np.nan]
    assert pictures.to_uint8(np.reshape(values, (7, 1, 1, 1))).ravel().tolist() == [
        *(0, 255, 128, 51),
        *(0, 255, 0),
    ]
    images = torch.rand(2, 3, 4, 5)
    assert pictures.to_uint8(images).shape == (2, 4, 5, 3)
    assert pictures.to_uint8(images)[1, 2, 3, 0] == round(images[1, 0, 2, 3].item() * 255)
    with pytest.raises(ValueError, match=r"not of shape \(28, 28\)"):
        pictures.to_uint8(np.zeros((28, 28)))


def test_a_sheet_goes_row_by_row():
    shades = np.arange(6).reshape(6, 1, 1, 1) / 10 * np.ones((6, 1, 4, 4))
    made = pictures.sheet(shades, columns=3, scale=2, gap=5)
    assert made.mode == "L" and made.size == (3 * 8 + 4 * 5, 2 * 8 + 3 * 5)
    pixels = np.asarray(made)
    tops, lefts = np.repeat([5, 18], 3), np.tile([5, 18, 31], 2)
    assert pixels[tops, lefts].tolist() == pixels[tops + 7, lefts + 7].tolist()
    assert pixels[tops, lefts].tolist() == [0, 26, 51, 76, 102, 128]
    assert (pixels[:5] == BACKGROUND).all() and (pixels[13:18] == BACKGROUND).all()


def test_missing_places_are_background():
    pixels = np.asarray(pictures.sheet(np.zeros((3, 3, 4, 4)), columns=2, scale=1, gap=1))
    assert pixels.shape == (11, 11, 3)
    assert (pixels[6:, 6:] == BACKGROUND).all() and (pixels[6:10, 1:5] == 0).all()


@pytest.mark.parametrize(("number", "side"), [(64, 28), (100, 28), (16, 64), (36, 32), (10, 28)])
def test_a_sheet_is_as_wide_as_a_page(number, side):
    assert 600 <= pictures.sheet(np.zeros((number, 1, side, side))).width <= 900


def test_a_sheet_prefers_full_rows():
    for number, columns in [(64, 8), (10, 5), (12, 4), (2, 2), (1, 1), (7, 7 // 2)]:
        width = pictures.sheet(np.zeros((number, 1, 4, 4)), scale=1, gap=0).width
        assert width == 4 * columns


def test_transparency_lies_on_white():
    half = np.zeros((1, 4, 2, 2))
    half[:, 3, 0] = 1
    pixels = np.asarray(pictures.sheet(half, scale=1, gap=0))
    assert pixels.shape == (2, 2, 3)
    assert (pixels[0] == 0).all() and (pixels[1] == 255).all()


def test_a_sheet_is_saved_as_it_is(tmp_path):
    images = np.random.default_rng(0).random((4, 3, 8, 8))
    path = pictures.save_sheet(images, tmp_path / "samples.png", scale=3)
    with Picture.open(path) as read:
        assert read.tobytes() == pictures.sheet(images, scale=3).tobytes()


def test_pairs_stand_above_each_other_on_white():
    originals = np.array([0.2, 0.4]).reshape(2, 1, 1, 1) * np.ones((2, 1, 28, 28))
    made = pictures.pairs(originals, 1 - originals)
    scale = int(pictures.WIDTH / (2 * 29 + 1))
    side, gap = scale * 28, scale
    assert made.size == (2 * side + 3 * gap, 2 * side + 3 * gap)
    pixels = np.asarray(made)
    above, below, left, right = gap, 2 * gap + side, gap, 2 * gap + side
    assert pixels[[above, above, below, below], [left, right, left, right]].tolist() == [
        *(51, 102),
        *(204, 153),
    ]
    assert pixels[above + side - 1, left + side - 1] == 51
    assert (pixels[:gap] == 255).all() and (pixels[:, gap + side : 2 * gap + side] == 255).all()
    assert (pixels[gap + side : 2 * gap + side] == 255).all()


def test_what_comes_back_stands_below_the_copies():
    originals = np.array([0.2, 0.4]).reshape(2, 1, 1, 1) * np.ones((2, 1, 28, 28))
    made = pictures.pairs(originals, 1 - originals, originals / 2)
    scale = int(pictures.WIDTH / (2 * 29 + 1))
    assert made.size == (scale * (2 * 28 + 3), scale * (3 * 28 + 4))
    middles = np.asarray(made)[scale * 15 :: scale * 29, scale * 15 :: scale * 29]
    assert middles.tolist() == [[51, 102], [204, 153], [26, 51]]


def test_pixels_of_small_pairs_grow_by_a_whole_factor():
    image = np.random.default_rng(0).random((1, 3, 8, 8))
    pixels = np.asarray(pictures.pairs(image, image))
    scale = pictures.LARGEST_SCALE
    one = pixels[scale : scale + 8 * scale : scale, scale : scale + 8 * scale : scale]
    np.testing.assert_array_equal(one, pictures.to_uint8(image)[0])
    block = pixels[scale : 2 * scale, scale : 2 * scale]
    assert (block == block[0, 0]).all()


def test_many_pairs_go_on_in_blocks():
    shades = np.arange(23).reshape(23, 1, 1, 1) / 23 * np.ones((23, 1, 28, 28))
    made = pictures.pairs(shades, 1 - shades)
    assert made.width <= pictures.WIDTH
    pixels = np.asarray(made)
    # three blocks, of 8, 8 and 7
    scale = int(pictures.WIDTH / (8 * 29 + 1))
    side, gap = 28 * scale, scale
    block = 2 * side + 3 * gap + 2 * gap
    assert pixels.shape == (3 * block - 2 * gap, 8 * (side + gap) + gap)
    tops = gap + block * np.arange(3)
    lefts = gap + (side + gap) * np.arange(8)
    seen = pixels[tops[:, None], lefts].ravel()
    assert seen[:23].tolist() == pictures.to_uint8(shades)[:, 0, 0, 0].tolist()
    assert seen[23] == 255
    below = pixels[tops[:, None] + side + gap, lefts].ravel()
    assert below[:23].tolist() == pictures.to_uint8(1 - shades)[:, 0, 0, 0].tolist()
    assert (pixels[block - 2 * gap : block + gap] == 255).all()


def test_large_pairs_keep_their_size():
    images = np.zeros((4, 3, 300, 300))
    # two beside each other are what fits
    assert pictures.pairs(images, images).size == (2 * 300 + 3 * 2, 2 * (2 * 300 + 3 * 2) + 2 * 2)
    wide = np.zeros((1, 1, 20, 1000))
    assert pictures.pairs(wide, wide).width == 1000 + 2 * 2


def test_pairs_of_several_shapes_are_enlarged_and_coloured():
    """A small grey picture above what it became in colour, each pixel a square."""
    small = np.array([[[[0.0, 1.0], [0.2, 0.6]]]])
    large = np.random.default_rng(0).random((1, 3, 4, 4))
    wanted = small.repeat(2, 2).repeat(2, 3).repeat(3, 1)
    one, other = (pictures.pairs(first, large) for first in (small, wanted))
    assert one.mode == "RGB" and one.tobytes() == other.tobytes()


def test_pairs_are_saved_and_must_be_pairs(tmp_path):
    images = np.random.default_rng(0).random((4, 3, 8, 8))
    path = pictures.save_pairs(images, images, tmp_path / "pairs.png")
    with Picture.open(path) as read:
        assert read.tobytes() == pictures.pairs(images, images).tobytes()
    with pytest.raises(ValueError, match="equally many"):
        pictures.pairs(images, images[:2])
    with pytest.raises(ValueError, match="at least one image"):
        pictures.pairs(images[:0], images[:0])


def test_an_animation_plays_in_time_and_rests_on_the_last(tmp_path):
    frames = [Picture.new("RGB", (20, 10), (12 * k, 0, 255 - 12 * k)) for k in range(20)]
    path = pictures.animation(frames, tmp_path / "a.gif", seconds=4, hold=1.5)
    with Picture.open(path) as read:
        assert (read.n_frames, read.size, read.info["loop"]) == (20, (20, 10), 0)
        durations, colours = [], []
        for number in range(20):
            read.seek(number)
            durations.append(read.info["duration"])
            colours.append(read.convert("RGB").getpixel((3, 3)))
    assert durations == [200] * 19 + [1700]
    drawn = np.array([frame.getpixel((3, 3)) for frame in frames])
    assert abs(np.array(colours) - drawn).max() <= 2


def test_a_long_animation_keeps_its_ends(tmp_path):
    frames = [Picture.new("L", (8, 8), shade) for shade in range(256)]
    path = pictures.animation(frames, tmp_path / "a.gif", seconds=2)
    with Picture.open(path) as read:
        assert read.n_frames <= 2 * pictures.FRAMES_A_SECOND
        first = read.convert("L").getpixel((0, 0))
        read.seek(read.n_frames - 1)
        last = read.convert("L").getpixel((0, 0))
    assert first <= 8 and last >= 247
    with pytest.raises(ValueError, match="at least one frame"):
        pictures.animation([], path)


def ink(path, colour: str) -> int:
    """How many pixels of a picture have very nearly this colour."""
    with Picture.open(path) as read:
        pixels = np.asarray(read.convert("RGB")).astype(int)
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return int((abs(pixels - wanted).max(-1) < 3).sum())


def test_a_loss_plot_has_a_panel_an_update_and_a_line_a_term(tmp_path):
    one = [record(k, D_real=1 / k) for k in range(1, 60)]
    two = [{**r, "losses": {**r["losses"], "D.fake": 0.5}} for r in one]
    blue, orange = pictures._COLOURS[:2]
    first = pictures.loss_plot(one, tmp_path / "one.png", "gan on digits")
    second = pictures.loss_plot(two, tmp_path / "two.png")
    assert ink(first, blue) > 1000 and ink(first, orange) == 0
    assert ink(second, blue) > 1000 and ink(second, orange) > 1000
    with Picture.open(first) as read:
        assert read.width == 1800
    svg = pictures.loss_plot(
        [*two, record(60, G_fool=1.0), record(70, stage1_E_code=2.0)], tmp_path / "p.svg"
    )
    text = svg.read_text()
    for word in ("update D", "real", "fake", "update G", "fool", "update stage1.E", "code"):
        assert f"<!-- {word} -->" in text


def test_a_figure_has_a_panel_beside_the_losses(tmp_path):
    some = [record(k, D_real=1 / k) for k in range(1, 60)]
    for one in some[9::10]:
        one["figures"] = {"fid": 100.0 / one["step"]}
    text = pictures.loss_plot(some, tmp_path / "p.svg").read_text()
    for word in ("update D", "measured on the way", "fid"):
        assert f"<!-- {word} -->" in text
    assert "update measured" not in text
    assert [*pictures._lines(some)[pictures.MEASURED]["fid"][0]] == [10, 20, 30, 40, 50]


def test_spikes_do_not_set_the_limits(tmp_path):
    rng = np.random.default_rng(0)
    values = 1 + 0.1 * rng.random(500)
    values[[50, 300]] = 1e6
    values[20] = np.nan  # left out, as nothing can be drawn of it
    records = [record(k, D_real=value) for k, value in enumerate(values)]
    lines = pictures._lines(records)["D"]
    low, high = pictures._limits(lines)
    assert 0.9 < low < 1 and 1.1 < high < 1.2
    assert len(lines["real"][0]) == 499 and 20 not in lines["real"][0]
    pictures.loss_plot(records, tmp_path / "spikes.png")


def test_limits_show_all_that_is_no_spike():
    line = (np.arange(200), np.linspace(-5, 3, 200))
    low, high = pictures._limits({"critic": line})
    assert -6 < low < -5 and 3 < high < 4
    low, high = pictures._limits({"flat": (np.arange(3), np.full(3, 2.0))})
    assert low < 2 < high


def test_the_running_mean_follows_a_slope_and_smooths_noise():
    slope = np.linspace(0, 1, 500)
    noise = np.random.default_rng(0).normal(0, 0.1, 500)
    assert pictures._running_mean(slope)[10:-10] == pytest.approx(slope[10:-10])
    assert pictures._running_mean(noise).std() < noise.std() / 3
    assert pictures._running_mean(np.array([3.0])).tolist() == [3.0]


def test_names_of_lines_keep_apart():
    placed = pictures._apart({"a": 0.5, "b": 0.5, "c": 0.51, "d": 1.0, "e": 1.0, "f": 0.0})
    heights = sorted(placed.values())
    assert min(np.diff(heights)) > 0.08 and heights[0] >= 0 and heights[-1] <= 1
    assert placed["f"] == 0


def test_a_plot_of_nothing_is_refused(tmp_path):
    for records in ([], [record(1)], [record(1, D_real=float("nan"))]):
        with pytest.raises(ValueError, match="at least one logged loss"):
            pictures.loss_plot(records, tmp_path / "nothing.png")
