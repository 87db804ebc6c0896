"""Live training: a queue, runs that belong to who started them, and processes started ahead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ganzoo.errors import TrainingError

if find_spec("gradio") is None:
    pytest.skip("no gradio here: pip install 'ganzoo-core[demo]'", allow_module_level=True)

from ganzoo.demo import live_training, outputs
from ganzoo.demo.live_training import LiveTraining, Run

PATIENCE = 300
OBEDIENT = """
import json, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
def say(word):
    draft = folder / "draft"
    draft.write_text(json.dumps({"state": word, "step": 3, "steps": 9, "seconds": 1.0}))
    draft.replace(folder / "state.json")
say("running")
while not (folder / "stop").exists():
    time.sleep(0.02)
say("done")
"""
"""A training that learns nothing, and ends when it is asked to."""


def comes(happened: Callable[[], Any]) -> Any:
    until = time.monotonic() + PATIENCE
    while not (found := happened()):
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.02)
    return found


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LiveTraining]:
    """Live training whose processes are obedient ones."""
    monkeypatch.setattr(outputs, "folder", lambda: tmp_path)
    made = LiveTraining(["digits"], seconds=600)

    def take(folder: Path, seconds: float) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", OBEDIENT, str(folder)])

    monkeypatch.setattr(made._processes, "take", take)
    monkeypatch.setattr(made._processes, "prepare", lambda: None)
    yield made
    made.close()


def begin(live: LiveTraining) -> tuple[str, Run]:
    word = live.start("gan", "digits", 50, {"width": "8", "batch": "8"}, 0)
    return word, live.run(word)


def test_one_learns_and_the_others_wait_their_turn(live: LiveTraining) -> None:
    word, first = begin(live)
    others = [begin(live)[1] for _ in range(2)]
    assert first.learns and [run.waits for run in others] == [True, True]
    assert [live.ahead(run) for run in others] == [1, 2]
    live.run(word).stop()
    comes(lambda: others[0].learns)
    assert first.state["state"] == "done" and live.ahead(others[1]) == 1
    others[1].stop()
    assert others[1].state == {"state": "failed", "message": "it was stopped before it began"}
    others[0].stop()
    comes(lambda: not others[0].learns)
    assert others[1].process is None, "it never began"


def test_the_training_that_is_offered_first_starts_without_being_examined(
    live: LiveTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first examination takes seconds, which `warm` spends before anybody asks."""
    from ganzoo.engine import explain

    def examined(spec: Any) -> Any:
        raise AssertionError("it is examined when it is asked for")

    live.warm()
    monkeypatch.setattr(explain, "explain", examined)
    variant = live.variants("digits")[0]
    said = {name: f"{value:g}" for name, value in live_training.quick_settings(variant).items()}
    word = live.start(variant, "digits", 50, said, 0)
    assert live.run(word).learns


def test_a_full_queue_says_so(live: LiveTraining) -> None:
    for _ in range(1 + live_training.MOST_WAITING):
        begin(live)
    with pytest.raises(TrainingError, match="5 trainings are waiting already; one runs at a time"):
        begin(live)


def test_a_run_that_nobody_asks_for_ends_and_one_that_is_asked_for_goes_on(
    live: LiveTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    word, run = begin(live)
    waiting_word, waiting = begin(live)
    monkeypatch.setattr(live_training, "ABSENT_SECONDS", 1.0)

    def asked_for() -> bool:
        live.run(word)
        return not waiting.waits

    comes(asked_for)  # only the one in the queue was left alone
    assert (
        run.learns and "no longer requested" in waiting.state["message"] and waiting.process is None
    )
    comes(lambda: not run.learns)
    assert run.state["state"] == "done" and "no longer requested" in run.state["message"]
    assert live.run(waiting_word) is waiting


def test_a_run_ends_soon_after_its_page_is_closed_and_not_when_it_is_loaded_anew(
    live: LiveTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_training, "LEFT_SECONDS", 0.0)
    word, run = begin(live)
    live.shown(word, "page")
    live.shown(word, "second page")
    live.session_left("page")
    assert run.left is None, "another page shows it"
    live.session_left("second page")
    live.run(word)  # the page was loaded anew, and asks
    assert not run.absent
    live.shown(word, "third page")
    live.session_left("third page")
    comes(lambda: not run.learns)
    live.session_left("a page without a training")


def test_who_waits_shortens_the_training_before(
    live: LiveTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_training, "FAIR_SECONDS", 0.0)
    _, alone = begin(live)
    live._look_after()
    assert alone.stopping is None, "nobody waits"
    _, second = begin(live)
    comes(lambda: second.learns)
    assert "others wait" in alone.state["message"] and alone.state["state"] == "done"


def test_a_process_started_ahead_takes_the_training(tmp_path: Path) -> None:
    from ganzoo.demo.train_process import Processes

    processes = Processes([])
    processes.prepare()
    waiting = processes._spare
    assert waiting is not None
    processes.prepare()
    assert processes._spare is waiting, "one is enough"
    (tmp_path / "run").mkdir()
    taken = processes.take(tmp_path / "run", 5.0)
    try:
        assert taken is waiting and processes._spare is None
        comes(lambda: taken.poll() is not None)  # there is no run in that folder
        assert '"failed"' in (tmp_path / "run/state.json").read_text()
        processes.prepare()
        assert processes._spare is not None
        processes._spare.kill()
        processes._spare.wait()
        again = processes.take(tmp_path / "run", 5.0)
        assert again.poll() is None or again.returncode is not None, "a dead one is not given"
        again.kill()
        again.wait()
    finally:
        processes.close()


def test_a_killed_app_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    code = (
        "import os\n"
        "from ganzoo.demo import temporary_files\n"
        "from ganzoo.demo.train_process import Processes\n"
        "place = temporary_files.claim(); (place / 'upload.png').write_text('x')\n"
        "processes = Processes([]); processes.prepare()\n"
        "print(processes._spare.pid, place, flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    app = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert app.stdout is not None
    pid, place = app.stdout.readline().split()
    assert Path(place, "upload.png").exists()
    time.sleep(0)
    os.kill(app.pid, signal.SIGKILL)
    app.communicate()
    comes(lambda: not Path(f"/proc/{pid}").exists())
    assert not Path(place).exists()


def test_colour_and_modern_variants_are_offered_in_small() -> None:
    offered = LiveTraining(live_training.at_hand()).offered
    assert {"digits", "avatars-32"} <= {*offered} <= {"digits", "avatars-32", "stacked-mnist"}
    assert {"dcgan", "r3gan", "stylegan2", "sngan"} <= set(offered["avatars-32"])
    assert not {"r3gan", "stylegan2"} & set(offered["digits"]), "28 pixels are not theirs"
    for variant in ("dcgan", "r3gan", "stylegan2"):
        live_training._bounded(offered["avatars-32"][variant])


def test_stacked_digits_are_offered_where_mnist_is(monkeypatch, tmp_path: Path) -> None:
    from ganzoo.data import loading

    monkeypatch.delenv("GANZOO_DATA", raising=False)
    monkeypatch.setattr(loading, "cache_dir", lambda: tmp_path)
    assert "stacked-mnist" not in live_training.at_hand()
    folder = tmp_path / "data/MNIST/raw"
    folder.mkdir(parents=True)
    for name in loading._IDX_FILES:
        (folder / name).touch()
    assert "stacked-mnist" in live_training.at_hand()


def test_a_translation_by_class_is_shown_with_all_classes_in_turn() -> None:
    import torch

    from ganzoo.demo.train_worker import ABREAST, _work
    from ganzoo.metrics.evaluation import untrained
    from ganzoo.models.model import Model
    from ganzoo.spec import Conv, Image, Label, Network, OneHot, Tanh
    from ganzoo.testing import noise
    from tests.builders import gan

    spec = gan(
        draws={"x": Image((1, 8, 8)), "y": Label(3)},
        networks={
            "T": Network({"x": (), "y": [OneHot(3)]}, [Conv(1), Tanh()]),
            "D": gan().networks["D"],
        },
        let={"fake": "T(x, y)"},
        round=[
            {"train": "D", "minimize": {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}},
            {"train": "T", "minimize": {"fool": "bce(D(fake), 1)"}},
        ],
        tasks={"there": {"kind": "translate", "output": "fake", "to": "label"}},
    )
    model, data = untrained(Model(spec, {})), noise(8)
    rows = _work(model, data)
    images = data.batch("image", torch.arange(ABREAST)).add(1).div(2)
    labels = [n % 3 for n in range(ABREAST)]
    assert torch.equal(rows[:ABREAST], images)
    made = model.translate(images, to="label", label=labels, output="pt")
    assert torch.allclose(rows[ABREAST : 2 * ABREAST], made, atol=1e-6)
    other = model.translate(images, to="label", label=0, output="pt")
    assert not torch.allclose(made, other, atol=1e-3)
