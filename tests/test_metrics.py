"""Metrics against closed forms and well-kept libraries; reports whole and honest."""

from __future__ import annotations

import ast
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo import hub
from ganzoo.data.catalog import find
from ganzoo.errors import DataError, IntegrityError, MetricError
from ganzoo.metrics import (
    anomalies,
    classes,
    codes,
    critics,
    distributions,
    efficientnet,
    evaluate,
    feature_extractors,
    history,
    likelihood,
    reconstructions,
    report,
)
from ganzoo.metrics.evaluation import Evaluation, untrained
from ganzoo.models import store
from ganzoo.plugins.host import default
from tests.builders import trained

random = np.random.default_rng(0)


# ------------------------------------------------------------------------ distributions


def test_frechet_distance_of_a_shift_and_of_a_scale() -> None:
    """Moved by v it is |v|^2; scaled by a it is (1-a)^2 times the total variance."""
    rows = random.normal(size=(500, 6)) @ random.normal(size=(6, 6))
    shift = random.normal(size=6)
    found = distributions.frechet_distance(rows, rows + shift)
    assert found == pytest.approx((shift**2).sum(), rel=1e-6)
    centred = rows - rows.mean(0)
    expected = (1 - 1.5) ** 2 * np.cov(centred, rowvar=False).trace()
    assert distributions.frechet_distance(centred, 1.5 * centred) == pytest.approx(expected)


def test_kernel_distance_is_the_unbiased_estimate() -> None:
    """With one subset of all rows it is the formula; of equal distributions it is about 0."""
    a, b = random.normal(size=(60, 4)), random.normal(1.0, size=(60, 4))

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / 4 + 1) ** 3

    within = sum((kernel(x, x).sum() - kernel(x, x).trace()) / (60 * 59) for x in (a, b))
    expected = within - 2 * kernel(a, b).mean()
    assert distributions.kernel_distance(a, b, subsets=1) == pytest.approx(expected)
    many = random.normal(size=(2, 2000, 4))
    assert abs(distributions.kernel_distance(*many)) < 0.02
    before = torch.random.get_rng_state()
    once = distributions.kernel_distance(*many, seed=3)
    assert once == distributions.kernel_distance(*many, seed=3)
    assert once != distributions.kernel_distance(*many, seed=4)
    assert torch.equal(before, torch.random.get_rng_state()), "chance elsewhere is left alone"


def test_neighbourhoods_by_hand() -> None:
    """Points on a line, k = 1: the balls can be drawn on paper."""
    real = np.array([[0.0], [1.0], [10.0], [12.0]])  # radii 1, 1, 2, 2
    fake = np.array([[0.5], [0.6], [50.0], [50.5]])  # radii .1, .1, .5, .5
    found = distributions.precision_recall(real, fake, k=1)
    assert found == {"precision": 0.5, "recall": 0.0, "density": 1.0, "coverage": 0.5}
    same = distributions.precision_recall(real, real + 1e-9, k=1)
    assert same["precision"] == same["recall"] == same["coverage"] == 1


def test_recall_falls_with_lost_modes_and_precision_with_noise() -> None:
    real = np.concatenate([random.normal(m, 0.1, (200, 2)) for m in (0, 5)])
    lost = random.normal(0, 0.1, (400, 2))
    noisy = real + random.normal(0, 3, real.shape)
    assert distributions.precision_recall(real, lost)["coverage"] < 0.6
    assert distributions.precision_recall(real, lost)["precision"] > 0.9
    assert distributions.precision_recall(real, noisy)["precision"] < 0.2


# -------------------------------------------------------------------- classes and codes


def test_entropy_and_shares() -> None:
    assert classes.entropy(np.arange(1000) % 10, 10) == pytest.approx(math.log(10))
    assert classes.entropy(np.zeros(50, np.int64), 10) == 0
    assert classes.shares(np.array([0, 0, 2, 2]), 4).tolist() == [0.5, 0, 0.5, 0]
    assert classes.accuracy(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 0])) == 0.75


def test_nearest_neighbour() -> None:
    fitted, labels = np.array([[0.0, 0], [10, 0], [0, 10]]), np.array([0, 1, 2])
    rows, truth = np.array([[1.0, 1], [9, 1], [1, 9], [6, 1]]), np.array([0, 1, 2, 0])
    assert codes.nearest_neighbour_accuracy(fitted, labels, rows, truth) == 0.75


def test_reconstruction_ratio_knows_own_from_other() -> None:
    images = random.random((40, 1, 4, 4))
    assert reconstructions.reconstruction_ratio(images, images) == 0
    constant = np.broadcast_to(images.mean(0), images.shape)
    # what is the same for all is as far from another as from one's own
    assert reconstructions.reconstruction_ratio(images, constant) == pytest.approx(1)
    # two images: the other is always the other
    pair = np.stack([np.zeros((1, 2, 2)), np.ones((1, 2, 2))])
    assert reconstructions.reconstruction_ratio(pair, pair * 0.5) == pytest.approx(0.25 / 0.75)
    assert reconstructions.reconstruction_ratio(pair, pair, seed=5) == 0


def test_moments_of_a_standard_normal_and_of_another() -> None:
    found = codes.moments(random.normal(size=(20_000, 8)))
    assert found["largest_mean"] < 0.04 and found["least_variance"] > 0.95
    off = codes.moments(np.stack([random.normal(2, 3, 20_000), random.normal(0, 1, 20_000)], 1))
    assert off["mean"] == pytest.approx(1, abs=0.05)
    assert off["largest_variance"] == pytest.approx(9, rel=0.05)


# --------------------------------------------------------------------------- likelihood


def test_parzen_is_the_formula_and_scikit_learns() -> None:
    from scipy.special import logsumexp
    from sklearn.neighbors import KernelDensity

    samples, rows, width = random.random((300, 20)), random.random((700, 20)), 0.2
    squares = ((rows[:, None] - samples) ** 2).sum(2)
    constant = math.log(300) + 10 * math.log(2 * math.pi * width**2)
    expected = logsumexp(-squares / (2 * width**2), axis=1) - constant
    found = likelihood.parzen(samples, rows, width)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    # scikit-learn prunes its tree, to about this
    theirs = KernelDensity(bandwidth=width).fit(samples).score_samples(rows)
    np.testing.assert_allclose(found, theirs, rtol=2e-3)


def test_width_is_chosen_by_validation_alone() -> None:
    """Far off rows would want the widest kernel; validation among the samples does not."""
    samples = random.normal(0, 0.12, (400, 5))
    rows = random.normal(0, 2, (50, 5))
    _, width = likelihood.log_likelihood(samples, random.normal(0, 0.12, (200, 5)), rows)
    assert width < max(likelihood.WIDTHS)
    _, wide = likelihood.log_likelihood(samples, rows, rows)
    assert wide == max(likelihood.WIDTHS)


# ------------------------------------------------------------------------------ critics


def test_auroc() -> None:
    assert anomalies.auroc(np.array([0.0, 1]), np.array([2.0, 3])) == 1
    assert anomalies.auroc(np.array([2.0, 3]), np.array([0.0, 1])) == 0
    assert anomalies.auroc(np.array([1.0, 1]), np.array([1.0, 1])) == 0.5


def test_gradient_norm_of_a_linear_critic_is_its_weight() -> None:
    """Everywhere, and over image and code together."""
    w, v = torch.randn(12), torch.randn(5)

    def critic(x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return (x.flatten(1) @ w + z @ v)[:, None]

    real = [torch.randn(30, 3, 2, 2), torch.randn(30, 5)]
    fake = [torch.randn(30, 3, 2, 2), torch.randn(30, 5)]
    norms = critics.gradient_norms(critic, real, fake, batch=7)
    assert norms.shape == (30,)
    np.testing.assert_allclose(norms, (w.norm() ** 2 + v.norm() ** 2).sqrt(), rtol=1e-5)


def test_what_a_critic_is_given_stays_with_its_sample_and_has_no_slope() -> None:
    slopes = torch.tensor([1.0, 10.0])
    label = torch.arange(30) % 2
    images = torch.randn(30, 1)
    norms = critics.gradient_norms(
        lambda x, y: x[:, 0] * slopes[y], [images], [-images], [label], batch=7
    )
    np.testing.assert_allclose(norms, slopes[label], rtol=1e-6)


def test_gradient_is_taken_between_the_two() -> None:
    """|x|^2 has gradient 2x: between 0 and 1 in every coordinate, another share each time."""
    real, fake = torch.ones(200, 1), torch.zeros(200, 1)
    norms = critics.gradient_norms(lambda x: x.square().sum(1), [real], [fake])
    assert 0 <= norms.min() < 0.1 and 1.9 < norms.max() <= 2 and len(set(norms.tolist())) > 150


# ------------------------------------------------------------------------------ reports


def made(**changes) -> report.Report:
    figures = {"fid": report.Figure(5.0, "lower", "a distance", 100, 100, {"training": 0.5})}
    facts = {"model": "m", "weights": "ab", "data": "digits", "split": "train", "seed": 0}
    return report.Report(**{**facts, "feature_extractor": None, "figures": figures, **changes})


def test_report_round_trip(tmp_path: Path) -> None:
    first = made(feature_extractor={"name": "j", "sha256": "cd"})
    first.write(tmp_path)
    assert report.read(tmp_path) == first
    assert report.read(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"a": NaN}', '{"format_version": 2}', '{"format_version": 3}',
        '{"figures": 3, "format_version": 1}',
        made().text().replace('"lower"', '"downwards"'), made().text().replace("5.0", '"five"'),
        made().text().replace("5.0", "1e999"), made().text().replace("5.0", "9" * 400),
        made().text().replace('"about"', '"abuot"'),
    ],
)  # fmt: skip
def test_broken_reports_are_said_to_be_broken(text: str, tmp_path: Path) -> None:
    (tmp_path / report.FILE).write_text(text)
    with pytest.raises(MetricError, match=r"metrics\.json"):
        report.read(tmp_path)


def test_reports_of_before_are_read(tmp_path: Path) -> None:
    """Format 1 called the feature extractor the judge."""
    new = made(feature_extractor={"name": "j", "sha256": "cd"})
    text = new.text().replace('"format_version": 2', '"format_version": 1')
    (tmp_path / report.FILE).write_text(text.replace('"feature_extractor"', '"judge"'))
    assert report.read(tmp_path) == new
    with pytest.warns(DeprecationWarning, match="feature_extractor"):
        assert new.judge == new.feature_extractor


def test_drift() -> None:
    def with_fid(value: float) -> report.Report:
        return made(figures={"fid": report.Figure(value, "lower", "")})

    assert report.drift(with_fid(5), with_fid(5.05)) == {}
    assert report.drift(with_fid(5), with_fid(5.5)) == {"fid": (5, 5.5)}
    assert with_fid(5).protocol == with_fid(6).protocol != made(seed=1).protocol


# ------------------------------------------------------------------- measuring a model


@pytest.fixture(scope="module")
def conditional() -> report.Report:
    return evaluate(ganzoo.from_pretrained("cdcgan-mnist"), "digits", count=500)


def test_a_conditional_model(conditional: report.Report) -> None:
    figures = conditional.figures
    assert set(figures) == {
        "fid", "kid", "precision", "recall", "density", "coverage", "class_entropy",
        "rarest_class", "log_likelihood", "class_accuracy", "nearest_neighbour_error",
        "nearest_training_image", "copies",
    }  # fmt: skip
    assert figures["class_accuracy"].value > 0.9
    assert figures["class_accuracy"].references["test images"] > 0.97
    # the class that is asked for follows the real images' labels, 0 to 9 in turn
    assert figures["class_entropy"].value == pytest.approx(math.log(10), abs=0.05)
    assert figures["fid"].real == figures["fid"].generated == 500
    assert figures["nearest_neighbour_error"].generated == 9_500, "the rest stands for the test"
    (declared,) = find("mnist").feature_extractors
    assert conditional.feature_extractor == {"name": declared.name, "sha256": declared.sha256}


def test_measuring_again_gives_the_same(conditional: report.Report) -> None:
    again = evaluate(ganzoo.from_pretrained("cdcgan-mnist"), "digits", count=500)
    assert again.protocol == conditional.protocol
    assert report.drift(conditional, again) == {}


def test_a_worse_model_gets_worse_figures(conditional: report.Report) -> None:
    """The same model with half of its last layer lost."""
    model = ganzoo.from_pretrained("cdcgan-mnist")
    last = [p for p in model.networks["G"].parameters() if p.ndim == 4][-1]
    last.data[: len(last) // 2] = 0
    worse = evaluate(model, "digits", count=500).figures
    assert worse["fid"].value > 1.5 * conditional.figures["fid"].value
    assert worse["coverage"].value < conditional.figures["coverage"].value
    assert worse["class_accuracy"].value < conditional.figures["class_accuracy"].value


def test_a_model_with_an_encoder() -> None:
    """Hardly trained, so hardly better than untrained; but every figure is there."""
    found = evaluate(trained("ali", width=4, hidden=16, latent=6), count=100).figures
    codes_of = found["encode_nearest_neighbour"]
    assert set(codes_of.references) == {"untrained", "pixels"}
    assert 0.15 < codes_of.value < codes_of.references["pixels"]
    assert "features_nearest_neighbour" in found and "sampled_nearest_neighbour" in found
    kept = found["class_kept"]
    assert kept.references["test images"] > 0.95 > 0.5 > kept.value
    ratio = found["reconstruction_ratio"]
    assert 0.8 < ratio.value < 1.2 and 0.8 < ratio.references["untrained"] < 1.2
    assert found["sampled_variance"].references["prior"] == 1
    assert "encode_variance" not in found, "the mean code is not a sample of the posterior"


def test_a_model_with_a_critic() -> None:
    def figures(model: ganzoo.Model) -> Mapping[str, report.Figure]:
        return evaluate(model, count=200, metrics=[critics.METRIC]).figures

    # a penalty of 10 lets a young critic be steeper: where the means of real and generated images
    # are d apart, the loss is least at a slope of 1 + d / 20
    settings = {"lr": 3e-3, "lr_generator": 3e-3, "decay": False, "penalty": 100}
    penalised = trained("wgan-gp", width=4, rounds=30, **settings)
    norm = figures(penalised)["gradient_norm"]
    assert 0.5 < norm.value < 1.5
    assert norm.references["target"] == 1
    for weight in penalised.networks["C"].parameters():
        weight.mul_(2)
    assert figures(penalised)["gradient_norm"].value > 1.5 * norm.value
    clipped = trained("wgan", width=4, clip=0.02)
    figure = figures(clipped)["largest_weight"]
    assert figure.value == figure.references["clipped to"] == 0.02


def test_scores_of_what_was_left_out(data_root: Path, monkeypatch) -> None:
    """Beside a net that has learnt nothing stands what PCA finds, which is known for digit 2.

    Of all images; the neighbours, which take minutes, have tests of their own.
    """
    monkeypatch.setattr(anomalies, "_neighbours", lambda evaluation: {})
    fresh = untrained(trained("ganomaly", rounds=1, width=4))
    reported = evaluate(fresh, "mnist,without=2", metrics=[anomalies.METRIC])
    found = reported.figures["score_auroc"]
    assert found.references["PCA of 20"] == pytest.approx(0.875, abs=0.01)
    assert found.value == found.references["untrained"]
    assert "class 2" in found.about


def test_what_cannot_be_measured() -> None:
    model = ganzoo.from_pretrained("dcgan-mnist")
    with pytest.raises(MetricError, match="use 100 or more"):
        evaluate(model, "digits", count=10)
    with pytest.raises(ganzoo.GanzooError, match="no data set 'digist'; did you mean 'digits'"):
        evaluate(model, "digist")
    model.config = model.config.replace(data={})
    with pytest.raises(MetricError, match="give --data"):
        evaluate(model)


def test_images_must_fit(tmp_path: Path) -> None:
    from PIL import Image

    for index in range(3):
        Image.new("RGB", (20, 20), (index, 0, 0)).save(tmp_path / f"{index}.png")
    with pytest.raises(MetricError, match=r"draws \(1, 28, 28\), and 'folder:.* has \(3, 20, 20\)"):
        evaluate(ganzoo.from_pretrained("dcgan-mnist"), f"folder:{tmp_path},size=20")


def test_missing_libraries_are_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    with pytest.raises(MetricError, match=r'pip install "ganzoo-core\[metrics\]"'):
        evaluate(ganzoo.from_pretrained("dcgan-mnist"), "digits", count=100)


def test_feature_extractors_are_pinned() -> None:
    """Each data set, whoever brings it, names a model that is there, by its weights."""
    declared = {name: one.feature_extractors for name, one in default().data.items()}
    assert {name for name, some in declared.items() if some} >= {
        "digits", "mnist", "fashion-mnist", "mnist-outlines", "emoji", "emoji-captions",
        "fashion-captions", "fashion-colours",
    }  # fmt: skip
    for name, some in declared.items():
        for one in some:
            config = json.loads((hub.installed()[one.name] / "config.json").read_text())
            assert config["weights"]["sha256"] == one.sha256, name
    assert feature_extractors.extractor_of("mnist,without=2").name == "classifier-mnist"
    (mnist,) = find("mnist").feature_extractors
    with pytest.raises(IntegrityError, match="would not compare"):
        feature_extractors.pinned(replace(mnist, sha256="0" * 64))


def test_the_core_names_no_data_of_a_plugin() -> None:
    brought = {name for word, name in default().providers if word == "data"}
    assert brought
    for path in Path(ganzoo.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not brought & strings, path


def test_extractors_see_images_as_a_file_holds_them() -> None:
    values = feature_extractors.rounded(torch.tensor([0.0, 0.0019, 0.002, 0.5, 1.0]))
    assert (values * 255).tolist() == pytest.approx([0, 0, 1, 128, 255])


@pytest.mark.parametrize(
    "name, bar", [("classifier-mnist", 0.992), ("classifier-fashion-mnist", 0.92)]
)
def test_the_extractors_know_their_classes(name: str, bar: float) -> None:
    data = name.removeprefix("classifier-")
    try:
        test = ganzoo.load_data(data, "test")
    except DataError:
        pytest.skip(f"{data} is not at hand: GANZOO_DATA")
    everything = torch.arange(len(test))
    images = test.batch("image", everything).add(1).div(2)
    seen = feature_extractors.extractor_of(data).classes(images)
    assert classes.accuracy(seen, test.batch("label", everything).numpy()) >= bar


# ------------------------------------------------------------------------------ history


def course(gaps: list[float], fids: list[float]) -> dict:
    records = [
        {"step": i, "fid": fid, "losses": {"C.critic": -gap, "G.critic": 0.0}}
        for i, (gap, fid) in enumerate(zip(gaps, fids, strict=True))
    ]
    return {"count": 10, "records": records}


def test_correlation_of_gap_and_distance() -> None:
    falling = [float(n) for n in range(20, 0, -1)]
    found = history.figures_of(course(falling, [x**2 for x in falling]))
    assert found["gap_fid_correlation"].value == pytest.approx(1)
    assert found["gap_left"].value == pytest.approx(3 / 18, rel=1e-4), (
        "the first tenth does not count"
    )
    found = history.figures_of(course(falling, falling[::-1]))
    assert found["gap_fid_correlation"].value == pytest.approx(-1)
    assert history.figures_of({"records": [{"step": 1, "fid": 1, "losses": {"D.real": 1}}]}) == {}


def test_a_run_is_followed(tmp_path: Path) -> None:
    """Snapshots of a real run: one record each, and the figure comes from the folder again."""
    from ganzoo import runs

    data = ganzoo.load_data("digits")
    spec = default().variant("wgan").parse({"width": 4}).spec(data.fields).with_steps(8)
    settings = runs.Settings("w", spec, "digits", steps=8, batch=8, snapshots=True)
    runs.start(tmp_path / "run", settings)
    for _ in runs.carry_out(tmp_path / "run", data):
        pass
    snapshots = [*(tmp_path / "run" / "snapshots").iterdir()]
    assert len(snapshots) == 8
    log = runs.log(tmp_path / "run")
    found = history.follow(snapshots, log, "digits", count=64)
    assert [record["step"] for record in found["records"]] == [*range(1, 9)]
    assert found["records"][3]["losses"] == pytest.approx(log[3]["losses"])
    assert len({record["fid"] for record in found["records"]}) == 8
    history.write(found, tmp_path)
    assert history.read(tmp_path) == json.loads(json.dumps(found))
    model = store.load(tmp_path / "run" / "model")
    figures = evaluate(model, count=100, history=found).figures
    assert "gap_fid_correlation" in figures and "fid" in figures


def test_broken_history(tmp_path: Path) -> None:
    assert history.read(tmp_path) is None
    (tmp_path / history.FILE).write_text('{"records": [{"step": 1}]}')
    with pytest.raises(MetricError, match=r"history\.json"):
        history.read(tmp_path)


# ---------------------------------------------------------------------- pictures of people


def digits_in(folder: Path, number: int) -> str:
    """A data set of the first bundled digits as files, a subfolder for each class."""
    from PIL import Image as Picture

    data = ganzoo.load_data("digits")
    for index in range(number):
        grey = data.batch("image", torch.tensor([index]))[0, 0].add(1).mul(127.5).round().byte()
        place = folder / str(index % 10) / f"{index:04}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(grey.numpy()).save(place)
    return f"folder:{folder}"


def test_a_few_pictures_have_no_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the count that is asked for; scikit-learn complained of neighbours."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    name, model = digits_in(tmp_path / "ten", 10), trained("dcgan", width=4)
    for count in ({}, {"count": 50}):
        with pytest.raises(MetricError, match=r"figures of (5|50) images are not meaningful"):
            evaluate(model, name, **count)


def test_a_folder_is_measured_against_all_of_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Divided by name, both halves had other classes: a distance of 32 where 4 is right."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    evaluation = Evaluation(trained("dcgan", width=4), digits_in(tmp_path / "digits", 240))
    extractor = feature_extractors.extractor_of("digits")
    for images in (evaluation.real, evaluation.known):
        seen = extractor.classes(images)
        assert seen is not None and np.bincount(seen, minlength=10).min() >= 4
    assert evaluation.split == "train" and len(evaluation.test) == 120


@pytest.mark.parametrize(
    ("channels", "wanted"),
    [
        ([0.2], [51, 51, 51]),
        ([1.0, 0.2, 0.0], [255, 51, 0]),
        ([1.0, 0.2, 0.0, 0.0], [255, 255, 255]),  # nothing of it is seen
        ([1.0, 0.2, 0.0, 1.0], [255, 51, 0]),
        ([1.0, 0.0, 0.0, 0.2], [255, 204, 204]),
    ],
)
def test_the_net_of_all_images_sees_all_channels(channels: list[float], wanted: list[int]) -> None:
    """It saw grey where there were two, and no alpha."""
    images = torch.tensor(channels).view(1, -1, 1, 1).expand(3, -1, 8, 8)
    (seen,) = efficientnet._batches(images, torch.device("cpu"))
    colours = (seen * efficientnet.SCALE + efficientnet.MEAN).mul(255).mean((2, 3))
    assert colours.round().tolist() == [wanted] * 3


def test_the_net_of_all_images_refuses_what_has_no_colours() -> None:
    with pytest.raises(MetricError, match="no feature extractor sees images of 2 channels"):
        next(efficientnet._batches(torch.zeros(1, 2, 8, 8), torch.device("cpu")))
