"""Make every published model anew, and its folder in `model_cards/`.

    python scripts/zoo.py                 all of them, one after the other
    python scripts/zoo.py dcgan-mnist     these
    python scripts/zoo.py --publish-only  from the finished runs in runs/zoo/
    python scripts/zoo.py --measure       the figures anew, of the folders in model_cards/
    python scripts/zoo.py --cards-only    the cards alone, from the figures that are there
    python scripts/zoo.py --table         nothing but the table for README.md, on standard output
    python scripts/zoo.py --device cuda --minutes 9 --jobs 3 r3gan-emoji ...
                                          train these for so long, three at a time, and publish
                                          those that are done; the same again goes on with the rest

A run that was stopped goes on where it was. The feature extractors come first: the figures of
all others are theirs, and the data sets pin their hashes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tables import left_out, without

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "runs" / "zoo"
CARDS = ROOT / "model_cards"


@dataclass(frozen=True)
class Published:
    """One model of the zoo: the command that trains it, and what its card says of it."""

    name: str
    target: str
    data: str
    summary: str
    limits: str
    options: str = ""
    dtype: Literal["float16", "float32"] = "float16"

    @property
    def command(self) -> str:
        options = f" {self.options}" if self.options else ""
        train = f"ganzoo train {self.target} --data {self.data}{options}"
        return f"{train} --seed 0 --out runs/zoo/{self.name}"


def digits(unclear: str, choice: str = ", without a say in which", more: str = "") -> str:
    """The limits of a model that draws digits; `unclear` was counted on its sheet."""
    text = (
        f"It draws handwritten digits of 28x28 pixels and nothing else{choice}; {unclear}, as on "
        "the sheet above. It is for learning and teaching, not for forging handwriting or for "
        "adding to the training data of a system that matters."
    )
    return f"{text} {more}".rstrip()


TOLD = ", the one that it is told"


def garments(unclear: str, choice: str = ", without a say in which") -> str:
    """As `digits`, of a model that draws clothes."""
    return (
        f"It draws clothes as 28x28 grey thumbnails and nothing else{choice}; {unclear}, as on the "
        "sheet above, and prints and fine cuts are beyond it. It is for learning and teaching."
    )


EXTRACTOR_ONLY = (
    "It is made to measure generated images of this one kind. Any image gets one of ten classes, "
    "sense or nonsense, and its features know nothing of what such images do not have."
)

STRANGERS = (
    "It knows {} and nothing else: any other picture gets a score, too, and most likely a high "
    "one. One normal picture in twenty is called strange by design. It is for learning and "
    "teaching; train one on pictures of your own for anything that matters."
)

CLASSIFIER = "scripts/classifier.yaml"

ZOO = (
    Published(
        "classifier-mnist",
        CLASSIFIER,
        "mnist",
        "No GAN: the small classifier whose features and verdicts stand behind every figure "
        "for digits in this zoo.",
        EXTRACTOR_ONLY,
        "--steps 5000",
    ),
    Published(
        "classifier-fashion-mnist",
        CLASSIFIER,
        "fashion-mnist",
        "No GAN: the small classifier whose features and verdicts stand behind every figure "
        "for clothes in this zoo.",
        EXTRACTOR_ONLY,
        "--steps 3500",
    ),
    Published(
        "classifier-mnist-outlines",
        "scripts/classifier-outlines.yaml",
        "mnist-outlines",
        "No GAN: the small classifier that tells digits from outlines, and which they are; the "
        "feature extractor for translations between them.",
        EXTRACTOR_ONLY.replace("of ten", "of twenty"),
        "--steps 4000",
    ),
    Published(
        "classifier-emoji",
        "scripts/classifier-emoji.yaml",
        "emoji",
        "No GAN: the small classifier that tells who drew an emoji, Noto or Twemoji; the feature "
        "extractor for translations between them.",
        "It answers one question: which of two houses drew an emoji of 64x64 pixels on "
        "white. Any image gets one of the two answers.",
        "--steps 1500",
    ),
    Published(
        "classifier-captions",
        "scripts/classifier-captions.yaml",
        "fashion-colours",
        "No GAN: the small classifier of clothes in colour, which tells the garment, its colour "
        "and the background; the feature extractor for pictures drawn from captions.",
        "It is made to measure generated images of this one kind, 32x32 pixels. Any image gets one "
        "of ten garments and two of twelve colours, sense or nonsense.",
    ),
    Published(
        "matcher-emoji",
        "scripts/matcher.yaml",
        "emoji-captions",
        "No GAN: two small nets that find out which caption goes with which emoji; the feature "
        "extractor for emoji drawn from captions.",
        "It is made to measure emoji of 64x64 pixels and their captions in English. Of other "
        "pictures and sentences it knows nothing, and says something all the same.",
    ),
    Published(
        "classifier-avatars",
        "scripts/classifier-avatars.yaml",
        "avatars",
        "No GAN: the small classifier of portraits, which tells eleven attributes; the feature "
        "extractor for portraits of every kind.",
        "It is made to measure portraits of this one style, 64x64 pixels, composited or generated. "
        "Any image gets a value of each attribute, sense or nonsense.",
        "--steps 1200",
    ),
    Published(
        "gan-mnist",
        "gan",
        "mnist",
        "The GAN of the first paper, fully connected, drawing handwritten digits.",
        digits("about one in eight is no clear digit, and some are speckled"),
    ),
    Published(
        "gan-fashion-mnist",
        "gan",
        "fashion-mnist",
        "The GAN of the first paper, fully connected, drawing clothes; what others are "
        "compared with.",
        garments("all are speckled, and about one in six is no garment"),
    ),
    Published(
        "cgan-mnist",
        "cgan",
        "mnist",
        "The conditional GAN, fully connected: say which digit, and it draws one.",
        digits("about one in ten is unclear, and some are speckled", TOLD),
        "--steps 20000",
    ),
    Published(
        "dcgan-mnist",
        "dcgan",
        "mnist",
        "A deep convolutional GAN that draws handwritten digits.",
        digits("about one in twelve is no clear digit"),
        "--set width=32 --steps 25000",
    ),
    Published(
        "dcgan-fashion-mnist",
        "dcgan",
        "fashion-mnist",
        "A deep convolutional GAN that draws clothes.",
        garments("about one in ten is no garment"),
        "--set width=32 --steps 10000",
    ),
    Published(
        "cdcgan-mnist",
        "cdcgan",
        "mnist",
        "The conditional DCGAN: say which digit, and it draws a clean one.",
        digits(
            "nearly all are clear, and their styles vary less than people's",
            TOLD,
            "A nearest-neighbour classifier that learns from its samples alone errs on 3.9 % of "
            "the test images, where 3.5 % was aimed at; after half of the training it was 4.3 %.",
        ),
        "--set width=32 --set hidden=256 --steps 16000",
    ),
    Published(
        "dcgan-avatars",
        "dcgan",
        "avatars",
        "A deep convolutional GAN that draws portraits of 64x64 pixels in colour.",
        "It draws cartoon portraits of 64x64 pixels and nothing else, without a say in which. Most "
        "could be drawings of the set; about one in five has a blurred beard, hair that merges "
        "into the clothes, or two eyes that differ, and backgrounds are faintly textured where "
        "the drawings' are flat. It is for learning and teaching. It learnt from ToonHead by Johan "
        "Melin (CC BY 4.0, changed): name him, too.",
        "--set width=48 --steps 14000",
    ),
    Published(
        "cdcgan-fashion-mnist",
        "cdcgan",
        "fashion-mnist",
        "The conditional DCGAN: say which garment, and it draws one.",
        garments("nearly all are what was asked for", TOLD),
        "--set width=32 --set hidden=256 --steps 8000",
    ),
    Published(
        "wgan-mnist",
        "wgan",
        "mnist",
        "The Wasserstein GAN with clipped weights, drawing handwritten digits; its critic is "
        "published, too.",
        digits("about four in ten are no clear digits"),
        "--steps 5000 --snapshots",
        "float32",  # half precision rounds the weights at the clip up
    ),
    Published(
        "wgan-gp-mnist",
        "wgan-gp",
        "mnist",
        "The Wasserstein GAN with a gradient penalty, drawing handwritten digits; its critic "
        "is published, too.",
        digits("about one in eight is no clear digit"),
        "--set width=64 --set lr=0.0002 --set lr_generator=0.0001 --set decay_start=0.5 "
        "--steps 16000",
    ),
    Published(
        "bigan-mnist",
        "bigan",
        "mnist",
        "The bidirectional GAN: it draws digits, and finds the code of a digit it is shown.",
        digits(
            "about one in three is no clear digit",
            more="It encodes better: the nearest neighbour of a code is of the same digit for "
            "95.7 % of the test images. That of the layer before is for 95.9 %, where 97.0 % was "
            "aimed at, which raw pixels nearly reach; a falling rate, 30,000 rounds or a wider "
            "layer made it no better.",
        ),
        "--set width=640 --steps 16000",
    ),
    Published(
        "ali-mnist",
        "ali",
        "mnist",
        "Adversarially learned inference: it draws digits, and tells which codes a digit may "
        "have come from.",
        digits(
            "about one in eight is no clear digit",
            more="Its codes lie closer together than those that it draws from: a variance of 0.68 "
            "in place of 1 (0.8 was aimed at), and 0.78 after two thirds of the training.",
        ),
        "--steps 15000",
    ),
    Published(
        "wbigan-mnist",
        "wbigan",
        "mnist",
        "The Wasserstein BiGAN: it draws digits and encodes them, taught by a critic with a "
        "gradient penalty.",
        digits(
            "about four in ten are no clear digits",
            more="The nearest neighbour of a code is of the same digit for 94.8 % of the test "
            "images, where 95 % was aimed at, and some digits come back as others. One step of the "
            "critic in each round, in place of five, was chosen on held-out training images.",
        ),
        "--set critic_steps=1 --steps 3200 --snapshots",
    ),
    Published(
        "ganomaly-mnist",
        "ganomaly",
        "mnist,without=2",
        "GANomaly, taught with all digits but the 2: it says how strange a digit is, where, and "
        "whether that is too strange.",
        STRANGERS.format("handwritten digits, of which the 2 is strange"),
        "--steps 1500",
    ),
    Published(
        "ganomaly-fashion-mnist",
        "ganomaly",
        "fashion-mnist,without=8",
        "GANomaly, taught with clothes and shoes and no bag: it says how strange a picture is, "
        "where, and whether that is too strange.",
        STRANGERS.format("clothes as 28x28 grey thumbnails, of which the bag is strange"),
        "--steps 1500",
    ),
    Published(
        "discogan-emoji",
        "discogan",
        "emoji",
        "DiscoGAN between two styles of emoji: Noto to Twemoji and back, learnt from halves that "
        "share no emoji.",
        "It redraws emoji of 64x64 pixels on white, as strokes and shades go: flags wave or lie "
        "flat, shading comes or goes. Shapes stay, lines fray, and signs with much of one colour "
        "come out blotched. The classifier takes 85 % of the held-out emoji brought to Twemoji's "
        "style for Twemoji, where 90 % was aimed at (94 % of the true ones), and 91 % of those "
        "brought to Noto's; the true partner is found little more often than for the emoji as it "
        "was. What it makes of other pictures means nothing. What it draws is derived from "
        "Twemoji (CC BY 4.0) and Noto Emoji (Apache-2.0): name them. It is for learning and "
        "teaching.",
        "--set skip=true --set patches=true --set discriminator_width=32 --set noise=0.03 "
        "--set features=0 --set start=0.85 --set rate=0.85 --set lr=0.0005 --set width=16 "
        "--set decay=true --set steps=4200 --batch 32",
    ),
    Published(
        "discogan-mnist-outlines",
        "discogan",
        "mnist-outlines",
        "DiscoGAN between digits and their outlines: filled to hollow and back, learnt from halves "
        "that share no digit.",
        "It fills outlines of handwritten digits of 28x28 pixels, and draws them; what it makes of "
        "other pictures means nothing. It is for learning and teaching.",
        "--set start=0.5 --set steps=3000",
    ),
    Published(
        "stackgan-fashion",
        "stackgan",
        "fashion-captions",
        "StackGAN for clothes: say which garment, in which colour, before which, and it draws one; "
        "combinations, too, that it has never seen.",
        "It draws ten garments in twelve colours before twelve others, as thumbnails of 32x32 "
        "pixels. Any sentence gives a picture, and of one that speaks of something else it makes "
        "the nearest that it knows. In combinations that it has not seen the garment is right in "
        "93 % by the classifier, which finds it in 89 % of the test images: the model was taught "
        "to draw what can be told, and draws few of the doubtful ones that people wear. Cloth is "
        "flat, edges have stray pixels, some sneakers are mere patches, and samples of one "
        "sentence differ in shape, less than real ones do, and in nothing else. While its "
        "settings were sought, three short trials and one finished model, which drew one picture "
        "for each sentence, were measured on the captions of the test split. It is for learning "
        "and teaching.",
        "--set linear=true --set classify=1 --set diversity=0.1 --set kl=0.1 --set lr=0.0005 "
        "--set steps_small=12000 --set steps_large=6000",
    ),
    Published(
        "stackgan-emoji",
        "stackgan",
        "emoji-captions",
        "StackGAN for emoji: a sentence in, a picture of 64x64 pixels out.",
        "It draws rough emoji of 64x64 pixels that it has by heart: each of its captions has one "
        "picture, to which it was held pixel by pixel, so samples of one sentence are nearly the "
        "same. For forty captions of the training set, drawn by a seed, one can tell the subject "
        "in about twenty-five, best flags, faces, people, buttons and hearts; small figures, "
        "animals and vehicles are blots. Sentences that it has not seen get a mixture of what is "
        "near. The discriminator, published for scores, hardly knows which captions of new "
        "pictures fit (55 %). Distances of features say little, as the extractor, too, knows its "
        "training images by heart. What it draws is derived from Twemoji (CC BY 4.0) and Noto "
        "Emoji (Apache-2.0): name them. It is for learning and teaching.",
        "--set condition=128 --set reading=384 --set kl=0.005 --set pixels=30 --set lr=0.0005 "
        "--set steps_small=9000 --set steps_large=4000",
    ),
)


def train(
    models: Sequence[Published], *, device: str = "", minutes: float | None = None, jobs: int = 1
) -> None:
    """Carry out the commands that train, `jobs` at a time, each from its checkpoint where it was
    stopped; `minutes` is for all of them together."""
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    lock = threading.Lock()
    pending = [model for model in models if not finished(model)]

    def work() -> None:
        while True:
            with lock:
                if not pending:
                    return
                model = pending.pop(0)
                # a fair share for those that no process is left for
                turns = -(-(len(pending) + 1) // jobs)
            words = model.command.split()[1:]
            if (RUNS / model.name / "run.json").is_file():
                words = ["train", "--resume", str(RUNS / model.name)]
            words += ["--device", device] if device else []
            if deadline is not None:
                left = (deadline - time.monotonic()) / 60
                if left <= 0:
                    return
                words += ["--minutes", f"{left / turns:.3f}"]
            # the command itself, also where ganzoo is no more than on the path of modules
            main = "from ganzoo.cli import main; main()"
            subprocess.run([sys.executable, "-c", main, *words], cwd=ROOT, check=True)

    with ThreadPoolExecutor(jobs) as threads:
        for job in [threads.submit(work) for _ in range(jobs)]:
            job.result()


def finished(model: Published) -> bool:
    """Whether its run is done."""
    from ganzoo import runs

    return runs.state(RUNS / model.name) == "done"


def publish(model: Published) -> None:
    """Write the folder in `model_cards/` from a finished run: half precision, figures, pictures."""
    import torch

    import ganzoo
    from ganzoo import pictures, runs
    from ganzoo.data.catalog import find
    from ganzoo.metrics import evaluate, history
    from ganzoo.models import store
    from ganzoo.plugins.host import default

    run, folder = RUNS / model.name, CARDS / model.name
    trained = store.load(run / "model")
    data = trained.config.data.model_copy(
        update={"licence": find(model.data, default().data).licence}
    )
    trained.config = trained.config.replace(command=model.command, name=model.name, data=data)
    store.save(trained, folder, dtype=model.dtype, overwrite=True)
    published = store.load(folder)
    held_out = runs.hold_out(published.spec, ganzoo.load_data(model.data))[1]
    if held_out:  # the threshold of the weights as they are stored
        runs.fit_thresholds(published, held_out)
        store.save(published, folder, dtype=model.dtype, overwrite=True)
    shutil.copy(run / "losses.png", folder / "losses.png")
    if published.tasks("generate"):
        sheet = runs.samples(published, runs.SHEET)
        pictures.save_sheet(sheet, folder / "samples.png")
    if published.tasks("reconstruct"):
        images = first_images(model.data)
        again = published.reconstruct(images, output="pt")
        pictures.save_pairs(images, again, folder / "reconstructions.png")
    if {task.to for task in published.tasks("translate").values()} == {"a", "b"}:
        images = first_images(model.data, 20, "a")
        there = published.translate(images, to="b", output="pt")
        back = published.translate(there, to="a", output="pt")
        pictures.pairs(images, there, back).save(folder / "translations.png", optimize=True)
    if any(task.map for task in published.tasks("score").values()):
        normal, strange = both_kinds(model.data)
        shown = torch.cat([normal, strange])
        maps = published.score(shown, maps=True).maps
        assert maps is not None
        heat = torch.from_numpy(pictures.heat_maps(shown, maps, most=1.0) / 255.0)
        colour = shown.expand(-1, 3, -1, -1)
        pictures.save_pairs(colour, heat.permute(0, 3, 1, 2), folder / "anomalies.png")
    course = runs.course(run, model.data, print)
    if course is not None:
        history.write(course, folder)
        pictures.loss_plot(history.lines(course), folder / "history.png", model.name, word="")
    evaluate(published, history=course).write(folder)
    size = (folder / "model.safetensors").stat().st_size
    print(f"{model.name}: {size / 1e6:.1f} MB in {folder.relative_to(ROOT)}")
    if published.tasks("classify") or published.tasks("match"):
        sha256 = published.weights_sha256
        print(f"pin it where the data set declares its feature extractor: {sha256}")


def measure(model: Published) -> None:
    """Write the figures of a published model anew."""
    from ganzoo.metrics import evaluate, history
    from ganzoo.models import store

    folder = CARDS / model.name
    evaluate(store.load(folder), history=history.read(folder)).write(folder)


def write_card(model: Published) -> None:
    """Write README.md of a published model, from what lies beside it."""
    from ganzoo import metrics
    from ganzoo.models import store
    from ganzoo.publish import card

    folder = CARDS / model.name
    pictures = tuple(name for name in card.CAPTIONS if (folder / name).is_file())
    text = card.card(
        store.load(folder),
        summary=model.summary,
        limits=model.limits,
        pictures=pictures,
        report=metrics.read(folder),
        more="\n\n".join(filter(None, (left_out(folder), without(folder)))),
        licence="apache-2.0",
    )
    (folder / "README.md").write_text(text, "utf-8")


SHOWN = {
    "score_auroc": 3,
    "reconstruction_ratio": 2,
    "encode_nearest_neighbour": 3,
    "fid": 2,
    "class_accuracy": 3,
    "log_likelihood": 0,
    "r_precision_training": 3,
    "r_precision": 3,
    "accuracy": 3,
    "to_b_retrieval_1": 3,
    "to_b_taken": 3,
}
"""The figures of README's table, with their decimals; a model has the first two that it has."""


def table() -> str:
    """README's table of the published models."""
    from ganzoo import metrics
    from ganzoo.models import store

    rows = [
        "| model | what it is | trained on | figures | size |",
        "| --- | --- | --- | --- | --- |",
    ]
    for model in ZOO:
        folder = CARDS / model.name
        report = metrics.read(folder)
        if report is None:
            continue
        names = [name for name in SHOWN if name in report.figures]
        figures = ", ".join(
            f"{name.replace('_', ' ')} **{report.figures[name].value:.{SHOWN[name]}f}**"
            for name in names[:2]
        )
        spec = store.read_config(folder).spec
        size = (folder / "model.safetensors").stat().st_size
        rows.append(
            f"| [{model.name}](model_cards/{model.name}/README.md) | {spec.title} | {model.data} "
            f"| {figures} | {size / 1e6:.1f} MB |"
        )
    return "\n".join(rows)


def first_images(data: str, number: int = 32, field: str = "image"):
    """The first test images of a data set, (n, c, h, w) in [0, 1]."""
    import torch

    import ganzoo

    return ganzoo.load_data(data, "test").batch(field, torch.arange(number)).add(1).div(2)


def both_kinds(data: str, number: int = 5):
    """The first test images of classes that were trained on, and of those left out."""
    import torch

    import ganzoo

    test, train = (ganzoo.load_data(data, split) for split in ("test", "train"))
    labels = test.batch("label", torch.arange(len(test)))
    known = torch.isin(labels, train.batch("label", torch.arange(len(train))))
    return (
        test.batch("image", kind.nonzero().flatten()[:number]).add(1).div(2)
        for kind in (known, ~known)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the published models and their folders.")
    parser.add_argument("names", nargs="*", choices=[[], *(model.name for model in ZOO)])
    parser.add_argument("--publish-only", action="store_true")
    parser.add_argument("--cards-only", action="store_true")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--device", default="", help="cpu, cuda, ...")
    parser.add_argument("--minutes", type=float, help="for all together; what is left stays")
    parser.add_argument("--jobs", type=int, default=1, help="how many train at a time")
    arguments = parser.parse_args()
    if arguments.table:
        print(table())
        return
    chosen = [model for model in ZOO if not arguments.names or model.name in arguments.names]
    there = arguments.cards_only or arguments.measure  # the folders stay as they are
    trains = not (arguments.publish_only or there)
    if trains and (arguments.jobs > 1 or arguments.minutes is not None):
        train(
            chosen, device=arguments.device, minutes=arguments.minutes, jobs=max(1, arguments.jobs)
        )
    for model in chosen:
        if trains:
            if arguments.minutes is None:
                train([model], device=arguments.device)
            elif not finished(model):
                continue
        if not there:
            publish(model)
        elif not (CARDS / model.name / "config.json").is_file():
            continue  # declared, and not trained yet
        elif arguments.measure:
            measure(model)
        write_card(model)


if __name__ == "__main__":
    main()
