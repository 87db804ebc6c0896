"""pix2pix, CycleGAN, CUT: sizes and fields of view, noise at use, pairs, what moves."""

from typing import Any

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.engine.training import Training
from ganzoo.errors import DataError
from ganzoo.nn.build import build
from ganzoo.spec import Conv, Dropout, Image
from ganzoo.spec.draws import tensor_shape
from ganzoo.testing import noise
from ganzoo_translation import CUT, CycleGAN, FastCUT, Pix2Pix, patches

TINY: dict[str, Any] = {"width": 4, "batch": 4}
TINY_CUT: dict[str, Any] = {**TINY, "blocks": 2, "layers": 1, "places": 8, "code": 4}


def fields(size: int = 16, channels: int = 3, paired: bool = False):
    shape = (channels, size, size)
    images = {name: Image(shape, name, independent=not paired) for name in "ab"}
    return ganzoo.Fields({"image": Image(shape), **images}, name="two")


def run_of(variant, data=None):
    data = data or noise(16, 3)
    spec = variant.spec(data.fields)
    return Training(
        spec, data, batch=spec.batch, seed=0, device=torch.device("cpu"), precision="fp32"
    )


@pytest.mark.parametrize("size", [16, 28, 32, 64])
def test_every_size_fits(size: int) -> None:
    for variant in (Pix2Pix(width=4), CycleGAN(width=4, blocks=1), CUT(width=4, blocks=2)):
        nets = build(variant.spec(fields(size)))
        assert nets["AB" if "AB" in nets else "G"].leaves[""] == (3, size, size)


def test_an_odd_size_is_refused_in_words() -> None:
    with pytest.raises(ganzoo.GanzooError, match="multiples of 4"):
        CycleGAN().spec(fields(50))
    assert build(Pix2Pix(width=4).spec(fields(50)))["G"].leaves[""] == (3, 50, 50)


@pytest.mark.parametrize(("layers", "pixels"), [(1, 16), (2, 34), (3, 70)])
def test_a_patch_is_as_large_as_the_paper_says(layers: int, pixels: int) -> None:
    """70 pixels for the authors' three halvings."""
    field, stride = 1, 1
    for layer in patches(Image((3, 256, 256)), 8, layers, ganzoo.spec.InstanceNorm()):
        if isinstance(layer, Conv):
            field, stride = field + (layer.kernel - 1) * stride, stride * layer.stride
    assert field == pixels


def test_dropout_is_noise_at_use() -> None:
    """Two draws differ, one seed is one answer, and no image's answer hangs on its company."""
    run = run_of(Pix2Pix(**TINY))
    run.round()
    model = run.model()
    images = torch.rand(3, 3, 16, 16)
    first, again, other = (
        model.translate(images, to="colours", seed=seed, output="pt") for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.allclose(first, other, atol=1e-3)
    alone = model.translate(images[:1], to="colours", seed=0, output="pt")
    assert torch.allclose(alone, first[:1], atol=1e-5)


def test_dropout_of_the_inner_blocks_has_no_number_in_common() -> None:
    """The three blocks of the authors' eight levels read other channels of one noise."""
    spec = Pix2Pix(width=2).spec(fields(256))
    dropouts = [layer for _, layer in spec.networks["G"].walk() if isinstance(layer, Dropout)]
    assert sorted(layer.row for layer in dropouts) == [0, 1, 2]
    assert tensor_shape(spec.draws["u"]) == (3 * 16, 16, 16)


def test_pairs_are_used_where_there_are_any() -> None:
    spec = Pix2Pix(width=4).spec(fields(paired=True))
    assert set(spec.data_draws()) == {"a", "b"} and "a" not in spec.let
    assert [task.to for task in spec.tasks.values()] == ["b"]
    colours, detail = (Pix2Pix(width=4).spec(fields(16, channels)) for channels in (3, 1))
    assert {task.to for s in (colours, detail) for task in s.tasks.values()} == {
        "colours", "detail",
    }  # fmt: skip


def test_what_is_no_pair_is_no_pair() -> None:
    with pytest.raises(DataError, match="paired in this Spec"):
        run_of(Pix2Pix(given="pairs", **TINY))


def test_shades_are_those_of_the_eye() -> None:
    """A grey image is its own shade, and pure colours weigh as in ITU-R BT.601."""
    run = run_of(Pix2Pix(**TINY))
    model = run.model()
    grey = torch.full((1, 3, 16, 16), 0.3)
    assert torch.allclose(model.evaluate("a", {"b": grey}), grey[:, :1], atol=1e-6)
    for channel, weight in enumerate((0.299, 0.587, 0.114)):
        pure = torch.zeros(1, 3, 16, 16)
        pure[:, channel] = 1
        assert model.evaluate("a", {"b": pure}).mean().item() == pytest.approx(weight, abs=1e-6)


def test_a_translation_is_the_same_in_training_and_at_use() -> None:
    """Instance norm keeps no statistics."""
    run = run_of(CycleGAN(blocks=1, **TINY))
    run.round()
    net, images = run.networks["AB"], torch.randn(2, 3, 16, 16)
    assert torch.equal(net.train()(images), net.eval()(images))


def test_both_networks_of_a_domain_are_of_that_domain() -> None:
    terms = CycleGAN().spec(fields()).stages[0].updates[0].minimize
    assert terms["identity"] == "5 * (l1(AB(b), b) + l1(BA(a), a))"
    assert "identity" not in CycleGAN(identity=False).spec(fields()).stages[0].updates[0].minimize


def test_all_of_cut_learns_and_only_once_each() -> None:
    """The heads are in the generator's optimizer, and every weight of all networks moves."""
    run = run_of(CUT(**TINY_CUT))
    before = {
        (name, key): weight.clone()
        for name, net in run.networks.items()
        for key, weight in net.named_parameters()
    }
    for _ in range(2):
        run.round()
    for (name, key), weight in before.items():
        moved = not torch.equal(weight, run.networks[name].get_parameter(key))
        # a bias before instance norm has no gradient but rounding's
        assert moved or key.endswith("bias"), (name, key)


def test_a_mirrored_image_is_mirrored_back() -> None:
    """Of a generator that is equivariant under mirroring, FastCUT's features are the same."""
    run = run_of(FastCUT(**TINY_CUT))
    model = run.model()
    images, m = torch.randn(4, 3, 16, 16), torch.tensor([[0.1], [0.9], [0.4], [0.6]])
    turned = model.evaluate("mirror(mirror(a, m), m)", {"a": images, "m": m})
    assert torch.equal(turned, images)
    once = model.evaluate("mirror(a, m)", {"a": images, "m": m})
    same = [torch.equal(one, other) for one, other in zip(once, images, strict=True)]
    assert same == [False, True, False, True]
    assert torch.equal(once[0], images[0].flip(2))


def test_the_rate_falls_to_nothing_in_the_second_half() -> None:
    run = run_of(CycleGAN(blocks=1, steps=4, **TINY))
    rates = []
    for _ in range(4):
        run.round()
        rates.append(run.updaters["G"].optimizer.param_groups[0]["lr"])
    assert np.allclose([float(rate) for rate in rates], [2e-4, 2e-4, 2e-4, 1e-4])
