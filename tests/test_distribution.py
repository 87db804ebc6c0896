"""Several processes train together what one trains alone."""

from __future__ import annotations

import io
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ganzoo import cli
from ganzoo.data.source import Source
from ganzoo.engine import train
from ganzoo.engine import training as engine
from ganzoo.engine.buckets import Buckets
from ganzoo.engine.distribution import Votes, first_here, join_group, told
from ganzoo.engine.training import Training
from ganzoo.errors import DataError, ElsewhereError, MetricError, NonFiniteError, TrainingError
from ganzoo.metrics import evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.plugins.host import default
from ganzoo.runs import Settings, carry_out, log, state
from ganzoo.spec import (
    SGD,
    Adam,
    BatchNorm,
    Conv,
    Dropout,
    Fields,
    Flatten,
    Image,
    LeakyReLU,
    Linear,
    MinibatchStd,
    Network,
    Normal,
    Reshape,
    Spec,
    Stage,
    Uniform,
    Update,
    vocabulary,
)
from ganzoo.testing import noise
from tests.by_hand import only
from tests.modern import MODERN
from tests.shipped import SMALL
from tests.table import TABLE, arrays, fields

BATCH = 8
CHANCE = {"stackgan": {"noise": 0.1}}
"""Settings with which a variant has all of its layers."""


def of_variant(name: str) -> tuple[Spec, Source]:
    settings = {**SMALL, **MODERN}[name] | CHANCE.get(name, {})
    source = noise(16, 3 if name in MODERN else 1)
    spec = default().variants[name].parse(settings).spec(source.fields)
    return spec, only(spec, source)


def of_row(row: str) -> tuple[Spec, Source]:
    spec = TABLE[row]()
    return spec, Source(row, fields(row), arrays(spec, 24))


def of_losses(terms: dict[str, str], fool: str, **more: Any) -> tuple[Spec, Source]:
    """A small Spec with layers that mix samples, and these losses."""
    image = Image((1, 8, 8))
    generator = Network({"z": []}, [Linear(64), BatchNorm(), LeakyReLU(0.2), Reshape((1, 8, 8))])
    layers = [
        Conv(4, 3, 2, 1), BatchNorm(), LeakyReLU(0.2), Dropout(0.3), MinibatchStd(group=4),
        Flatten(), Linear(1),
    ]  # fmt: skip
    if any("grad(" in text for text in terms.values()):
        layers = [Conv(4, 3, 2, 1), LeakyReLU(0.2), MinibatchStd(), Flatten(), Linear(1)]
    spec = Spec(
        draws={"x": image, "z": Normal(4)} | ({"u": Uniform(1, 0, 1)} if "wild" in terms else {}),
        networks={"G": generator, "D": Network({"x": []}, layers)},
        stages=[
            Stage((
                Update("D", terms, Adam(1e-3)),
                Update("G", {"fool": fool}, SGD(0.05, 0.9), clip_norm=0.5),
            ))
        ],
        tasks={},
        **{"let": {"fake": "G(z)"}, **more},
    )  # fmt: skip
    return spec, Source("noise", Fields(fields={"image": image}), arrays(spec, 24))


RELATIVE = {"gap": "bce(D(x) - mean(D(fake)), 1) + bce(D(fake) - mean(D(x)), 0)"}
PLAIN = {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}
OWN: dict[str, Callable[[], tuple[Spec, Source]]] = {
    "relative": lambda: of_losses(RELATIVE, "bce(D(fake) - mean(D(x)), 1)"),
    "squared mean": lambda: of_losses(
        {**PLAIN, "drift": "square(mean(D(x)) - mean(D(roll(fake))))"}, "bce(D(fake), 1)"
    ),
    "gradients": lambda: of_losses(
        {**PLAIN, "r1": "mean(squared_norm(grad(D(x), x)))"}, "bce(D(fake), 1)"
    ),
    "matching": lambda: of_losses(PLAIN, "feature_matching(D(x), D(fake)) + bce(D(fake), 1)"),
    "cosines": lambda: of_losses(
        {**PLAIN, "apart": "mean(square(cosines(D(fake), fake_code)))"},
        "bce(D(fake), 1)",
        let={"fake": "G(z)", "fake_code": "D(x)"},
    ),
    "pairs": lambda: of_losses(
        {**PLAIN, "apart": "mean(log(1 + dot(1 - same_class(told, told), exp(-near))))"},
        "bce(D(fake), 1)",
        let={
            "fake": "G(z)",
            "told": "argmax(concatenate(D(fake), D(x)))",
            "near": "squared_distances(fake, fake)",
        },
    ),
    "memory": lambda: of_losses(
        {"real": "bce(D(x), 1)", "fake": "k * bce(D(old), 0)"},
        "bce(D(fake), 1)",
        state={
            "k": {"start": 0.5, "next": "clip(k + 0.1 * (mean(D(x)) - mean(D(fake))), 0, 1)"},
            "old": {"kind": "pool", "of": "fake", "size": 6},
        },
    ),
}
"""What variants that ship may not have: means inside of other things, functions and layers that
mix samples, states."""


def made(name: str) -> tuple[Spec, Source]:
    kind, _, word = name.partition(" ")
    return {"row": of_row, "variant": of_variant}[kind](word) if kind != "own" else OWN[word]()


NAMES = [
    *(f"row {row}" for row in TABLE),
    *(f"variant {name}" for name in (*SMALL, *MODERN)),
    *(f"own {name}" for name in OWN),
]
FOUR = ("row gan", "variant dcgan", "own memory", "own relative")


def learnt(name: str, **options: Any) -> dict[str, Any]:
    """What a few rounds make of a run: all that a checkpoint would hold, and the last losses.

    In float64, or Adam, whose first steps are as long for a gradient that is rounding alone as
    for any other, would make much of the order in which numbers are summed.
    """
    torch.set_num_threads(1)
    spec, source = made(name)
    rounds = 2 if len(spec.stages) > 1 else 3
    spec = spec.with_steps(rounds * len(spec.stages))
    with doubled():
        training = Training(
            spec, source, batch=BATCH, seed=2, device=torch.device("cpu"), precision="fp32",
            **options,
        )  # fmt: skip
        of = training.draws.batch_of
        training.draws.batch_of = lambda *given: _double(of(*given))  # type: ignore[method-assign]
        while training.step < spec.steps:
            training.round()
    found = {key: value.numpy().copy() for key, value in training._state().items()}
    return found | {f"loss {key}": value for key, value in training.losses().items()}


@contextmanager
def doubled() -> Iterator[None]:
    """Runs are of float64."""
    before = engine.initialize

    def initialize(net: Any, *given: Any) -> None:
        before(net, *given)
        net.double()
        torch.set_default_dtype(torch.float64)  # the dry run is over, which is of float32

    engine.initialize = initialize
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        engine.initialize = before


def _double(value: Tensor) -> Tensor:
    return value.double() if value.is_floating_point() else value


def said(work: Callable[[], Any]) -> Any:
    """What it gives, or the error that it raises."""
    try:
        return work()
    except Exception as error:  # the other process waits for an answer
        return error


def program(rank: int, world: int, port: int, names: tuple[str, ...], pipe: Connection) -> None:
    """One of several processes, with what torchrun would set."""
    os.environ |= {
        "RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    for name in names:
        pipe.send(said(lambda name=name: learnt(name) if name in NAMES else WORK[name]()))
    torch.distributed.destroy_process_group()


def odd() -> Any:
    spec, source = of_row("gan")
    return train(spec, source, batch=5)


def infinite() -> Any:
    """A loss that is infinite in one process alone."""
    spec, source = of_losses({"real": "bce(D(x), 1)", "wild": "mean(log(u))"}, "bce(D(fake), 1)")
    training = Training(
        spec, source, batch=BATCH, seed=0, device=torch.device("cpu"), precision="fp32"
    )
    if training.rank == 1:
        of = training.draws.batch_of
        training.draws.batch_of = (  # type: ignore[method-assign]
            lambda name, raw: of(name, raw) * (0 if name == "u" else 1)
        )
    before = training._state()["networks/D/layers.0.weight"].clone()
    with pytest.raises(NonFiniteError) as caught:
        training.round()
    unchanged = torch.equal(before, training._state()["networks/D/layers.0.weight"])
    return caught.value.term, unchanged


def apart() -> Any:
    """Batch norm of each process's own samples."""
    spec, source = made("variant dcgan")
    training = Training(
        spec, source, batch=BATCH, seed=2, device=torch.device("cpu"), precision="fp32",
        shared_norm=False,
    )  # fmt: skip
    for _ in range(3):
        training.round()
    return {key: value.numpy().copy() for key, value in training._state().items()}


def pieces() -> Any:
    """Gradients in one piece, and in one for each weight."""
    torch.manual_seed(0)
    rank = join_group()[0]
    unused = torch.nn.Parameter(torch.zeros(3))
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.Linear(48, 2))
    net.to(memory_format=torch.channels_last)
    parameters = [*net.parameters(), unused]
    found = []
    for size in (2**20, 1):
        buckets = Buckets(parameters, 2, piece=size)
        total = net(torch.full((1, 2, 6, 6), rank + 1.0)).square()
        terms = buckets.average(total.sum(), [total[0, 0], total[0, 1]], keep_graph=False)
        assert unused.grad is None
        for p in net.parameters():
            assert p.grad is not None and p.grad.stride() == p.stride()
        grads = [p.grad.numpy().copy() for p in net.parameters() if p.grad is not None]
        found.append((buckets.pieces, terms.detach().tolist(), grads))
        for p in parameters:
            p.grad = None
    return found


def failing() -> Any:
    def work() -> None:
        raise DataError("no pictures")

    assert told(lambda: os.environ["RANK"]) == "0"
    with pytest.raises((DataError, ElsewhereError)) as caught:
        told(work)
    with pytest.raises((DataError, ElsewhereError)):
        first_here(work)
    return type(caught.value).__name__, str(caught.value)


def stopping() -> Any:
    """Process 1 wants to stop after a while; all stop after the same round."""
    votes, rank = Votes(seconds=0.001), join_group()[0]
    for number in range(10_000):
        if stop := votes(2 if rank == 1 and number >= 20 else 0):
            return number, stop
    return None


def measuring() -> Any:
    """Two metrics, of which each process finds one; then one that fails."""
    asked = list[str]()

    def metric(name: str) -> Metric:
        def find(_: Any) -> dict[str, Figure]:
            asked.append(name)
            if name == "broken":
                raise MetricError("it is broken")
            return {name: Figure(len(name), about="letters", better="higher", real=1, generated=1)}

        return Metric(name, lambda _: True, find)

    chosen = [metric("first"), metric("another")]
    found = evaluation._all_found(chosen, None, lambda _: None)  # type: ignore[arg-type]
    figures = {name: figure.value for one in found for name, figure in one.items()}
    with pytest.raises(MetricError, match="it is broken"):
        evaluation._all_found([metric("broken")], None, lambda _: None)  # type: ignore[arg-type]
    return asked, figures


def whole() -> Any:
    """A run of both processes to its end, in a folder that process 0 made."""
    folder = told(lambda: Path(tempfile.mkdtemp()))
    a_run(folder)
    first_here(lambda: None)  # process 0 has written all
    found = load_file(folder / "checkpoint.safetensors")
    assert state(folder) == "done"
    first_here(lambda: None)
    if not join_group()[0]:
        shutil.rmtree(folder)
    return {key: value.numpy().copy() for key, value in found.items()}


def command() -> Any:
    """The command line in both processes; again, where the run is done; and with a mistake."""
    folder = told(lambda: Path(tempfile.mkdtemp()))
    run_ = str(folder / "run")
    words = ["train", "gan", "--data", "digits", "--set", "width=4", "--set", "pieces=2",
             "--batch", "8", "--device", "cpu", "--out", run_]  # fmt: skip
    found = [spoken([*words, "--steps", "3"]), spoken([*words, "--steps", "3"])]
    found.append(spoken(["train", "--resume", run_]))
    first_here(lambda: None)
    done = state(run_)
    first_here(lambda: None)
    if not join_group()[0]:
        shutil.rmtree(folder)
    return found, done


def spoken(words: list[str]) -> tuple[int, str]:
    """The exit code of a command, and all that it says."""
    before, sys.argv = sys.argv, ["ganzoo", *words]
    heard = io.StringIO()
    try:
        with redirect_stdout(heard), redirect_stderr(heard):
            cli.main()
    except SystemExit as stop:
        return int(stop.code or 0), heard.getvalue()
    finally:
        sys.argv = before
    raise AssertionError("the command line always exits")


WORK: dict[str, Callable[[], Any]] = {
    "command": command,
    "whole": whole,
    "measuring": measuring,
    "odd": odd, "infinite": infinite, "apart": apart, "pieces": pieces, "failing": failing,
    "stopping": stopping,
}  # fmt: skip


@contextmanager
def started(world: int, names: tuple[str, ...]) -> Iterator[list[Connection]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "ganzoo.engine"])
    running = []
    for rank in range(world):
        hears, pipe = context.Pipe(duplex=False)
        process = context.Process(target=program, args=(rank, world, port, names, pipe))
        process.start()
        pipe.close()
        running.append((process, hears))
    yield [hears for _, hears in running]
    for process, hears in running:
        process.join()
        assert process.exitcode == 0
        hears.close()


def answers(world: int, names: tuple[str, ...]) -> dict[str, list[Any]]:
    """What each of several processes says, by name."""
    with started(world, names) as pipes:
        return {name: [pipe.recv() for pipe in pipes] for name in names}


@pytest.fixture(scope="module")
def two() -> dict[str, list[Any]]:
    return answers(2, (*NAMES, *WORK))


@pytest.fixture(scope="module")
def four() -> dict[str, list[Any]]:
    return answers(4, FOUR)


def agree(name: str, found: list[Any]) -> None:
    for one in found:
        if isinstance(one, Exception):
            raise one
    alone = learnt(name)
    for one in found:
        assert alone.keys() == one.keys()
        for key, value in alone.items():
            np.testing.assert_array_equal(one[key], found[0][key], err_msg=key)
            np.testing.assert_allclose(one[key], value, rtol=1e-6, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_end_with_the_weights_of_one(name: str, two: dict[str, list[Any]]) -> None:
    agree(name, two[name])


@pytest.mark.parametrize("name", FOUR)
def test_four_processes_end_with_the_weights_of_one(name: str, four: dict[str, list[Any]]) -> None:
    agree(name, four[name])


def test_a_batch_that_two_cannot_share(two: dict[str, list[Any]]) -> None:
    for error in two["odd"]:
        assert isinstance(error, DataError)
        assert "a batch of 5 cannot be shared by 2 processes evenly" in str(error)


def test_a_loss_that_is_infinite_in_one_process_stops_all_before_the_step(
    two: dict[str, list[Any]],
) -> None:
    assert two["infinite"] == [("train.D.wild", True)] * 2


def test_batch_norm_of_each_process_leaves_all_with_the_same_state(
    two: dict[str, list[Any]],
) -> None:
    first, second = two["apart"]
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key], err_msg=key)
    shared = two["variant dcgan"][0]
    assert any(np.abs(shared[key] - value).max() > 1e-4 for key, value in first.items())


def test_gradients_in_many_pieces_are_those_in_one(two: dict[str, list[Any]]) -> None:
    for one, many in two["pieces"]:
        assert (one[0], many[0]) == (1, 5)
        assert one[1] == many[1]
        for a, b in zip(one[2], many[2], strict=True):
            np.testing.assert_array_equal(a, b)
            assert np.abs(a).max() > 0
    np.testing.assert_array_equal(two["pieces"][0][0][2][0], two["pieces"][1][0][2][0])


def test_what_fails_in_process_0_ends_all(two: dict[str, list[Any]]) -> None:
    assert two["failing"] == [
        ("DataError", "no pictures"),
        ("ElsewhereError", "process 0 failed: no pictures"),
    ]


def test_all_stop_after_the_same_round(two: dict[str, list[Any]]) -> None:
    (first, wish), (second, also) = two["stopping"]
    assert first == second >= 20 and wish == also == 2


def test_metrics_are_shared_and_all_processes_have_all_figures(two: dict[str, list[Any]]) -> None:
    figures = {"first": 5, "another": 7}
    assert two["measuring"] == [(["first", "broken"], figures), (["another"], figures)]


def test_of_several_processes_the_first_one_speaks(two: dict[str, list[Any]]) -> None:
    (heard, done), (also, _) = two["command"]
    assert [code for code, _ in heard] == [code for code, _ in also] == [0, 2, 0], heard
    for (_, text), (_, other), words in zip(
        heard, also, ("2 processes", "is not empty; continue it with", "is finished"), strict=True
    ):
        assert words in text and words not in other
    assert done == "done"


# ------------------------------------------------------------------------------- in parts


def looks_at_a_batch(name: str) -> bool:
    spec, _ = made(name)
    layers = [layer for network in spec.networks.values() for _, layer in network.walk()]
    words = {word for _, text in spec.expressions() for word in spec.names_in(text)}
    kinds = ("batch_norm", "minibatch_std", "dropout", "gaussian_noise")
    return any(layer.kind in kinds for layer in layers) or any(
        (function := vocabulary.function(word)) is not None and function.mixes for word in words
    )


ALONE = [name for name in NAMES if name != "row stackgan" and not looks_at_a_batch(name)]


@pytest.mark.parametrize("name", ALONE)
def test_a_batch_in_parts_makes_the_weights_of_the_whole(name: str) -> None:
    alone, parts = learnt(name), learnt(name, accumulate=4)
    assert alone.keys() == parts.keys()
    for key, value in alone.items():
        np.testing.assert_allclose(parts[key], value, rtol=1e-6, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("graph", [False, True])
def test_no_network_sees_more_than_a_part(graph: bool) -> None:
    spec, source = made("own memory")
    training = Training(
        spec, source, batch=BATCH, seed=0, device=torch.device("cpu"), precision="fp32",
        accumulate=4, graph=graph,
    )  # fmt: skip
    seen = list[int]()
    for net in training.networks.values():
        net.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    for _ in range(2):
        training.round()
    assert set(seen) == {2}
    assert {"D.real", "D.fake", "G.fool"} <= training.losses().keys()


def test_parts_that_a_batch_does_not_have() -> None:
    spec, source = made("row gan")
    with pytest.raises(TrainingError, match="8 samples cannot be taken in 3 equal parts"):
        train(spec, source, batch=8, accumulate=3)


# ------------------------------------------------------------------------------- torchrun

SCRIPT = """
import os, sys
from pathlib import Path
import numpy as np
import torch
torch.set_num_threads(1)
from ganzoo.data.source import Source
from ganzoo.runs import Settings, carry_out
from ganzoo.spec import Spec
from ganzoo.spec.variant import Fields
folder, spec = Path(sys.argv[1]), Spec.from_json(Path(sys.argv[2]).read_text())
pixels = np.load(sys.argv[3])
source = Source("noise", Fields(fields={"image": spec.draws["x"]}), {"image": pixels})
settings = Settings("small", spec, "noise", 6, 8, precision="fp32")
for step in carry_out(folder, source, settings=settings, device="cpu", checkpoint_seconds=0):
    first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    if step.number == 3 and os.environ["RANK"] == "1" and first:
        os._exit(9)
"""


def a_run(folder: Path) -> None:
    """What the script does, and nobody dies."""
    spec, source = made("variant dcgan")
    settings = Settings("small", spec.with_steps(6), "noise", 6, 8, precision="fp32")
    for _ in carry_out(folder, source, settings=settings, device="cpu", checkpoint_seconds=0):
        pass


def test_a_run_whose_process_dies_is_started_anew_and_ends_as_one_that_did_not(
    two: dict[str, list[Any]], tmp_path: Path
) -> None:
    """By torchrun, from the last checkpoint, which process 0 wrote and both read."""
    spec, source = made("variant dcgan")
    (tmp_path / "spec.json").write_text(spec.with_steps(6).to_json())
    np.save(tmp_path / "pixels.npy", source._arrays["image"])
    (tmp_path / "script.py").write_text(SCRIPT)
    root = Path(__file__).parents[1]
    env = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "GANZOO_OFFLINE": "1"}
    given = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
        "--max-restarts=1",
        *(str(tmp_path / name) for name in ("script.py", "broken", "spec.json", "pixels.npy")),
    ]  # fmt: skip
    done = subprocess.run(given, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    # the second time it began where the first had come to
    assert [record["step"] for record in log(tmp_path / "broken")] == [1, 2, 3, 4, 5, 6]
    assert state(tmp_path / "broken") == "done"
    broken = load_file(tmp_path / "broken" / "checkpoint.safetensors")
    for whole in two["whole"]:
        assert whole.keys() == broken.keys()
        for key, value in broken.items():
            np.testing.assert_array_equal(value.numpy(), whole[key], err_msg=key)
