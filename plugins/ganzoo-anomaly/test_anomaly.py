"""AnoGAN's search and f-AnoGAN's encoder: what is frozen, and scores of one image alone."""

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.engine.training import Training
from ganzoo.nn.build import build
from ganzoo.spec import Image
from ganzoo.testing import noise
from ganzoo_anomaly import AnoGAN, FAnoGAN


def spec(variant, size: int = 16, channels: int = 1, **settings):
    return variant(**settings).spec(ganzoo.Fields({"image": Image((channels, size, size))}))


def run_of(made, rounds: int = 0):
    run = Training(
        made, noise(16, 1), batch=8, seed=0, device=torch.device("cpu"), precision="fp32"
    )
    for _ in range(rounds):
        run.round()
    return run


@pytest.mark.parametrize("size, channels", [(16, 1), (28, 1), (32, 3), (50, 3), (64, 3)])
def test_every_size_fits(size: int, channels: int) -> None:
    for variant in (AnoGAN, FAnoGAN):
        nets = build(spec(variant, size, channels, width=2, latent=4))
        assert nets["G"].leaves[""] == (channels, size, size)


# ---------------------------------------------------------------------------------- AnoGAN


@pytest.fixture(scope="module")
def anogan():
    return run_of(spec(AnoGAN, width=4, latent=4, search=60), 2).model()


def drawn(model, number: int) -> torch.Tensor:
    return model.generate(number, seed=3, output="pt")


def test_what_the_generator_can_draw_is_less_strange_than_noise(anogan) -> None:
    ours = anogan.score(drawn(anogan, 6)).values
    strange = anogan.score(torch.rand(6, 1, 16, 16)).values
    assert ours.max() < strange.min()


def test_the_search_lowers_the_loss_from_where_it_starts(anogan) -> None:
    """And what it ends with is the score: 0.9 of pixels' residual and 0.1 of features'."""
    images = drawn(anogan, 4)
    x = images * 2 - 1
    found = torch.from_numpy(anogan.encode(images))
    nets = anogan.networks
    with torch.no_grad():

        def strangeness(z: torch.Tensor) -> torch.Tensor:
            near = nets["G"](z)
            pixels = (x - near).abs().flatten(1).mean(1)
            features = [nets["D"](image, outputs=("f",)) for image in (x, near)]
            return 0.9 * pixels + 0.1 * (features[0] - features[1]).abs().flatten(1).mean(1)

        start, end = strangeness(torch.zeros(4, 4)), strangeness(found)
    assert (end < start).all()
    assert np.allclose(anogan.score(images).values, end.numpy(), atol=1e-5)


def test_a_searched_score_does_not_depend_on_the_company(anogan) -> None:
    images = torch.cat([drawn(anogan, 3), torch.rand(3, 1, 16, 16)])
    together = anogan.score(images).values
    alone = np.concatenate([anogan.score(image[None]).values for image in images])
    np.testing.assert_allclose(alone, together, rtol=1e-4)


# -------------------------------------------------------------------------------- f-AnoGAN


def test_generator_and_critic_do_not_move_while_the_encoder_learns() -> None:
    """Not a bit of them, batch statistics included."""
    run = run_of(spec(FAnoGAN, width=4, latent=4).with_steps(4))
    kept: dict[str, dict[str, torch.Tensor]] = {}
    stages = []
    while run.step < run.spec.steps:
        if run.step == run.spec.stages[0].steps:
            kept = {name: {k: v.clone() for k, v in run.networks[name].state_dict().items()}
                    for name in "CGE"}  # fmt: skip
        stages.append(run.round())
    assert stages[-1] == "encoder" and kept
    for name in "CG":
        for key, value in run.networks[name].state_dict().items():
            assert torch.equal(value, kept[name][key]), (name, key)
        assert not run.networks[name].training
    assert not all(torch.equal(v, kept["E"][k]) for k, v in run.networks["E"].state_dict().items())


def test_its_score_is_the_encoders_loss_of_one_image_alone() -> None:
    """A batch's mean in place of it would make an image's score its company's."""
    model = run_of(spec(FAnoGAN, width=4, latent=4).with_steps(4), 4).model()
    images = torch.rand(5, 1, 16, 16)
    together = model.score(images).values
    alone = np.concatenate([model.score(image[None]).values for image in images])
    np.testing.assert_array_equal(alone, together)
    x, nets = images * 2 - 1, model.networks
    with torch.no_grad():
        back = nets["G"](nets["E"](x))
        features = [nets["C"](image, outputs=("f",)) for image in (x, back)]
    wanted = (x - back).square().flatten(1).mean(1)
    wanted = wanted + (features[0] - features[1]).square().flatten(1).mean(1)
    np.testing.assert_allclose(together, wanted.numpy(), rtol=1e-4)


def test_the_critic_steps_as_often_as_is_set() -> None:
    gans = [spec(FAnoGAN, critic_steps=number).stages[0] for number in (1, 5)]
    assert [gan.updates[0].repeat for gan in gans] == [1, 5]


def test_codes_of_images_lie_where_tanh_leads() -> None:
    model = run_of(spec(FAnoGAN, width=4, latent=4).with_steps(2), 2).model()
    codes = model.encode(torch.rand(5, 1, 16, 16))
    assert np.abs(codes).max() <= 1
