"""Make every published model anew, and its folder in `model_cards/`.

    python scripts/zoo.py                 all of them, one after the other
    python scripts/zoo.py dcgan-mnist     these
    python scripts/zoo.py --publish-only  from the finished runs in runs/zoo/
    python scripts/zoo.py --measure       the figures anew, of the folders in model_cards/
    python scripts/zoo.py --cards-only    the cards alone, from the figures that are there
    python scripts/zoo.py --device cuda --minutes 9 --jobs 3 r3gan-avatars ...
                                          train these for so long, three at a time, and publish
                                          those that are done; the same again goes on with the rest

A run that was stopped goes on where it was. Where one fails the others go on; which did is said
last, and the exit status is 1. The feature extractors come first: the figures of all others are
theirs, and the data sets pin their hashes. The package's official list gets the hashes of the new
weights.
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
from pathlib import Path

import publish as hub
from published import ZOO, Published
from tables import left_out, without

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "runs" / "zoo"
CARDS = ROOT / "model_cards"


def train(
    models: Sequence[Published], *, device: str = "", minutes: float | None = None, jobs: int = 1
) -> list[str]:
    """Carry out the commands that train, `jobs` at a time, each from its checkpoint where it was
    stopped; `minutes` is for all of them together. Returns the names of those that failed."""
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    lock, failed = threading.Lock(), list[str]()
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
            done = subprocess.run([sys.executable, "-c", main, *words], cwd=ROOT, check=False)
            if done.returncode:
                failed.append(model.name)

    with ThreadPoolExecutor(jobs) as threads:
        for job in [threads.submit(work) for _ in range(jobs)]:
            job.result()
    return failed


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
    from ganzoo.publish import card

    run, folder = RUNS / model.name, CARDS / model.name
    for name in (*card.CAPTIONS, "history.json"):  # what is not made anew would be of other weights
        (folder / name).unlink(missing_ok=True)
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
    ways = {task.to for task in published.tasks("translate").values()}
    if ways:
        images = first_images(model.data, 20, "a")
        there = published.translate(images, to="b", output="pt")
    if ways == {"b"}:
        partners = first_images(model.data, 20, "b")
        pictures.pairs(images, there, partners).save(folder / "partners.png", optimize=True)
    if ways == {"a", "b"}:
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


def card_of(model: Published) -> str:
    """The card of a published model, from what lies in its folder."""
    from ganzoo import metrics
    from ganzoo.models import store
    from ganzoo.publish import card

    folder = CARDS / model.name
    pictures = tuple(name for name in card.CAPTIONS if (folder / name).is_file())
    return card.card(
        store.load(folder),
        summary=model.summary,
        limits=model.limits,
        pictures=pictures,
        report=metrics.read(folder),
        more="\n\n".join(filter(None, (left_out(folder), without(folder)))),
        licence="apache-2.0",
    )


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
    parser.add_argument("--device", default="", help="cpu, cuda, ...")
    parser.add_argument("--minutes", type=float, help="for all together; what is left stays")
    parser.add_argument("--jobs", type=int, default=1, help="how many train at a time")
    arguments = parser.parse_args()
    chosen = [model for model in ZOO if not arguments.names or model.name in arguments.names]
    there = arguments.cards_only or arguments.measure  # the folders stay as they are
    trains = not (arguments.publish_only or there)
    failed: list[str] = []
    if trains and (arguments.jobs > 1 or arguments.minutes is not None):
        failed += train(
            chosen, device=arguments.device, minutes=arguments.minutes, jobs=max(1, arguments.jobs)
        )
    for model in chosen:
        if trains:
            if arguments.minutes is None and model.name not in failed:
                failed += train([model], device=arguments.device)
            if not finished(model):
                continue
        if not there:
            publish(model)
        elif not (CARDS / model.name / "config.json").is_file():
            continue  # declared, and not trained yet
        elif arguments.measure:
            measure(model)
        (CARDS / model.name / "README.md").write_text(card_of(model), "utf-8")
    if not there:
        hub.pin()
    if failed:
        sys.exit(f"these failed, and the others did not: {', '.join(failed)}")


if __name__ == "__main__":
    main()
