"""Model folders spoilt at random, and what loading and using them may cost.

Each mutant is made from a published model or a Spec of the table by a few changes: values of
config.json, its text, the files themselves, the header and the numbers of the weights. Weights are
made to fit where the Spec still says what they should be, so that what loads is used, too.

`tests/test_strangers.py` tries some hundreds, `scripts/mutants.py` as many as one likes.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as to_bytes

from ganzoo import hub
from ganzoo.errors import GanzooError
from ganzoo.metrics import report
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.nn.build import build
from ganzoo.spec.spec import Spec
from tests.table import TABLE

LOAD_SECONDS, LOAD_MEGABYTES = 2.0, 500.0
"""CPU and memory that a load may cost at most."""
USE_SECONDS = 20.0
HANGS = 60
FITTED = 3_000_000
"""Numbers of weights that are made to fit a mutant."""


# -------------------------------------------------------------------- what harms would look like

WATCHED = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class",
           "socket.connect", "marshal.loads", "ctypes.dlopen"}  # fmt: skip
_seen: list[str] | None = None


def _watch(event: str, _: tuple[Any, ...]) -> None:
    if _seen is not None and event in WATCHED:
        _seen.append(event)


sys.addaudithook(_watch)


@contextmanager
def watched() -> Iterator[list[str]]:
    """The programs, sockets and pickles that the code inside asks for."""
    global _seen
    before, _seen = _seen, []
    try:
        yield _seen
    finally:
        _seen = before


def level() -> float:
    """Megabytes that this process needs now, from which `peak` begins anew.

    Without that a load would cost nothing as long as it stays below what was needed before.
    """
    with suppress(OSError):  # of Linux alone
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> float:
    """Megabytes that this process has needed at most since `level`."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ------------------------------------------------------------------------------------- material


def configs() -> list[dict[str, Any]]:
    """Of the published models, and of the table: half of the language stands in them."""
    found = [json.loads((path / "config.json").read_text()) for path in hub.installed().values()]
    base = found[0]
    return found + [{**base, "name": row, "spec": TABLE[row]().to_dict()} for row in TABLE]


CONFIGS = configs()
EVIL = (
    None, True, False, 0, -1, 1, 10**6, 10**6 + 1, 10**9, 2**63, 10**400, 1e308, -1e308, 0.5, "",
    "x", "relu", "G", "D(x)", "G(z)", [], {}, [[]], [{}], {"kind": "conv"}, "../../etc/passwd",
    "/dev/zero", "a" * 5000, "\x00", "\u202e", "é", "__class__", "__import__('os').system('x')",
    "G.__class__(z)", "(lambda: 1)()", "[x for x in z]", "9**9**9", "1e999", "-" * 900 + "1",
    "(" * 500, "G(" * 60 + "z" + ")" * 60, "+".join(["G(z)"] * 190), "G(z) if z else z", "z[0]",
    "f'{z}'", "x.y.z()", "print(z)", "resize(z, 1000000)", "resize(G(z), 4000)", "resize(G(z), 7)",
    "concatenate(z, z)", "z/0", "1 or z", "mean(G(z))", "roll(G(z))", "G(z) + G(z)", "z", "x",
    {"kind": "linear", "units": 10**6}, {"kind": "maxout", "units": 10**6, "pieces": 64},
    {"kind": "upsample", "factor": 64}, {"kind": "reshape", "shape": [10**6, 10**6, 10**6]},
    {"kind": "one_hot", "classes": 10**6}, {"kind": "embedding", "classes": 10**6, "units": 10**6},
    {"kind": "conv", "channels": 10**6, "kernel": 64}, {"kind": "tap", "name": "t"},
    {"kind": "conv", "channels": 64, "kernel": 3}, {"kind": "conv", "channels": 3, "kernel": 64},
    {"kind": "deconv", "channels": 3}, {"kind": "downsample"}, {"kind": "max_pool", "factor": 64},
    {"kind": "global_pool"}, {"kind": "flatten"}, {"kind": "linear", "units": 1},
    {"kind": "batch_norm"}, {"kind": "layer_norm"}, {"kind": "instance_norm"},
    {"kind": "pixel_norm"}, {"kind": "minibatch_std"}, {"kind": "dropout"},
    {"kind": "crop", "size": 3}, {"kind": "crop", "size": 300},
    {"kind": "reshape", "shape": [1, 28, 28]}, {"kind": "reshape", "shape": [4, 4]},
    {"kind": "inject", "input": "z"}, {"kind": "gain", "__class__": 1, "_x": {}, "layers": [[]]},
    {"kind": "residual", "layers": [{"kind": "skip", "layers": ["relu"]}] * 30},
    {"kind": "residual", "layers": [{"kind": "conv", "channels": 8}], "shortcut": []},
    {"kind": "skip", "layers": [{"kind": "downsample"}]},
    [{"kind": "linear", "units": 10**6}] * 200, ["relu"] * 201, {"a" * 500: 1}, {"": ""},
    {"kind": "image", "shape": [10**6, 10**6, 10**6]}, {"kind": "normal", "size": 10**6},
    {"kind": "image", "shape": [1, 4096, 4096]}, {"kind": "label", "classes": 3}, "\ud800",
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in JSON."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


PLACES = [[path for path in places(config) if path] for config in CONFIGS]
LISTS = [[path for path in found if path[-1] == "layers"] for found in PLACES]
LAYERS = [value for value in EVIL if isinstance(value, dict) and "kind" in value] + ["relu", "tanh"]


def spoil(config: dict[str, Any], path: tuple[Any, ...], how: str, value: Any) -> None:
    """One change at a place that may not be there any more."""
    *way, last = path
    here: Any = config
    try:
        for key in way:
            here = here[key]
        match how:
            case "replace":
                here[last] = copy.deepcopy(value)
            case "remove":
                del here[last]
            case "add" if isinstance(here[last], dict):
                here[last][value if isinstance(value, str) else "x"] = copy.deepcopy(value)
            case "add" if isinstance(here[last], list):
                here[last].insert(0, copy.deepcopy(value))
            case "wrap":
                here[last] = [here[last]] if isinstance(value, list) else {"kind": here[last]}
            case "layer" if isinstance(here[last], list):
                there = here[last]
                there.insert(len(there) // 2, copy.deepcopy(value))
            case "double" if isinstance(here[last], list) and len(here[last]) < 1000:
                here[last] = here[last] * 2
            case "number" if type(here[last]) in (int, float):
                here[last] = type(here[last])(here[last] * 2 + 1)
            case _:
                here[last] = copy.deepcopy(value)
    except (KeyError, IndexError, TypeError, OverflowError):
        pass


HOW = ("layer", "layer", "replace", "replace", "remove", "add", "wrap", "double", "number")


# --------------------------------------------------------------------------------------- mutants


def mutate(folder: Path, chance: random.Random) -> str:
    """Make a mutant in an empty folder; what was done to it, in words."""
    which = chance.randrange(len(CONFIGS))
    config = copy.deepcopy(CONFIGS[which])
    done: list[str] = []
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        how = chance.choice(HOW)
        paths, values = (LISTS, LAYERS) if how == "layer" else (PLACES, EVIL)
        path, value = chance.choice(paths[which]), chance.choice(values)
        spoil(config, path, how, value)
        done.append(f"{how} {'.'.join(map(str, path))} {str(value)[:60]!r}")
    weights = _fitting(config, chance)
    if chance.random() < 0.3:
        weights, what = _spoilt_weights(weights, chance)
        done.append(what)
    if isinstance(config.get("weights"), dict) and chance.random() < 0.95:
        config["weights"]["sha256"] = hashlib.sha256(weights).hexdigest()
    text = json.dumps(config).encode("utf-8", "surrogatepass")
    if chance.random() < 0.1:
        text, what = _spoilt_text(text, chance)
        done.append(what)
    (folder / "config.json").write_bytes(text)
    (folder / "model.safetensors").write_bytes(weights)
    if chance.random() < 0.3:
        (folder / "metrics.json").write_bytes(_spoilt_text(_report(), chance)[0])
    if chance.random() < 0.1:
        done.append(_spoilt_file(folder, chance))
    return f"{config.get('name')}: " + "; ".join(done)


def _report() -> bytes:
    return (hub.installed()["gan-mnist"] / "metrics.json").read_bytes()


def _fitting(config: dict[str, Any], chance: random.Random) -> bytes:
    """Weights as the Spec asks for, where it does and they are not too many."""
    try:
        spec = Spec.from_dict(copy.deepcopy(config.get("spec")), allow_unknown=True)
        nets = build(spec, published=True)
        wanted = {
            f"{name}.{key}": value
            for name, net in nets.items()
            for key, value in net.state_dict().items()
        }
    except Exception:
        wanted = {}
    if sum(value.numel() for value in wanted.values()) > FITTED:
        wanted = {}
    generator = torch.Generator().manual_seed(chance.randrange(2**31))
    tensors = {
        name: torch.rand(value.shape, generator=generator).mul_(0.1).to(value.dtype)
        for name, value in wanted.items()
    }
    return to_bytes(tensors)


def _spoilt_weights(content: bytes, chance: random.Random) -> tuple[bytes, str]:
    length = int.from_bytes(content[:8], "little")
    header, data = content[8 : 8 + length], content[8 + length :]
    match chance.choice(("cut", "flip", "more", "header", "value", "special", "length", "nothing")):
        case "cut":
            return content[: chance.randrange(len(content) + 1)], "weights cut"
        case "flip":
            changed = bytearray(content)
            for _ in range(chance.choice((1, 1, 50))):
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
            return bytes(changed), "weights with bits flipped"
        case "more":
            return content + b"\0" * chance.choice((1, 4, 10_000)), "weights with more behind"
        case "header":
            text, what = _spoilt_text(header, chance)
            return len(text).to_bytes(8, "little") + text + data, f"header with {what}"
        case "value":
            said = json.loads(header)
            paths = [path for path in places(said) if path]
            if paths:
                spoil(said, chance.choice(paths), chance.choice(HOW), chance.choice(EVIL))
            text = json.dumps(said).encode("utf-8", "surrogatepass")
            return len(text).to_bytes(8, "little") + text + data, "header with another value"
        case "special":
            numbers = np.frombuffer(data[: len(data) // 4 * 4], np.float32).copy()
            if len(numbers):
                value = chance.choice((np.nan, np.inf, -np.inf, 3e38, -1.0, 1e-45))
                numbers[chance.randrange(len(numbers)) :] = value
            return content[: 8 + length] + numbers.tobytes(), "weights of special numbers"
        case "length":
            return chance.randrange(2**64).to_bytes(8, "little") + header + data, "another length"
        case _:
            return b"", "weights of nothing"


def _spoilt_text(text: bytes, chance: random.Random) -> tuple[bytes, str]:
    match chance.choice(("cut", "flip", "insert", "deep", "spaces", "twice", "encoding")):
        case "cut":
            return text[: chance.randrange(len(text) + 1)], "text cut"
        case "flip":
            changed = bytearray(text or b" ")
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
            return bytes(changed), "text with a bit flipped"
        case "insert":
            at = chance.randrange(len(text) + 1)
            more = chance.choice((b"\0", b"\xff", b'"', b"[", b"1e999", b"NaN", b"{", b"\xed\xa0"))
            return text[:at] + more + text[at:], f"{more!r} inside"
        case "deep":
            return (
                b'{"library": "ganzoo", "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
                "deep text",
            )
        case "spaces":
            return text + b" " * chance.choice((1000, 2_000_000)), "spaces behind"
        case "twice":
            return text.replace(b"{", b'{"name": "x", "name": "y", ', 1), "a key twice"
        case _:
            return text.decode("utf-8", "replace").encode("utf-16"), "UTF-16"


def _spoilt_file(folder: Path, chance: random.Random) -> str:
    path = folder / chance.choice(("config.json", "model.safetensors", "metrics.json"))
    kinds: dict[str, Callable[[], object]] = {
        "a FIFO": lambda: os.mkfifo(path),
        "a folder": path.mkdir,
        "a device": lambda: path.symlink_to("/dev/zero"),
        "a link out": lambda: path.symlink_to("/etc/passwd"),
        "a loop": lambda: path.symlink_to(path.name),
        "a link to nothing": lambda: path.symlink_to("missing"),
        "terabytes": lambda: (path.touch(), os.truncate(path, 10**12)),
        "nothing": lambda: path.touch(),
        "not there": lambda: None,
    }
    kind = chance.choice(list(kinds))
    path.unlink(missing_ok=True)
    kinds[kind]()
    return f"{path.name} is {kind}"


# ---------------------------------------------------------------------------------------- trials


@dataclass(frozen=True)
class Trial:
    """What a mutant did. `fault` is empty where it did no harm.

    Args:
        ended: "used", "loaded", or the name of the error that refused it.
        seconds, megabytes: CPU and memory of the load.
    """

    what: str
    ended: str
    seconds: float
    megabytes: float
    fault: str


class Hangs(BaseException):
    """Raised by the alarm, where nothing may swallow it."""


def trial(folder: Path, chance: random.Random) -> Trial:
    """Make a mutant in `folder`, load it and ask it everything; the folder is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    what = mutate(folder, chance)

    def hang(*_: Any) -> None:
        raise Hangs

    before_signal = signal.signal(signal.SIGALRM, hang)
    signal.alarm(HANGS)
    ended, fault, seconds, memory = "", "", 0.0, 0.0
    try:
        with watched() as seen:
            for read in (lambda: hub.local.entry("stranger", folder), lambda: report.read(folder)):
                with suppress(GanzooError):
                    read()
            start, before = time.process_time(), level()
            try:
                model = store.load(folder)
                ended = "loaded"
            except GanzooError as error:
                ended = type(error).__name__
                if len(str(error)) > 50_000:
                    fault = "an endless message"
            seconds, memory = time.process_time() - start, peak() - before
            if ended == "loaded":
                fault = _used(model)
                ended = "used"
        fault = fault or (f"it ran {seen}" if seen else "")
        if seconds > LOAD_SECONDS:
            fault = f"load of {seconds:.1f} s"
        if memory > LOAD_MEGABYTES:
            fault = f"load of {memory:.0f} MB"
    except Hangs:
        fault = "it hangs"
    except Exception as error:
        fault = f"{type(error).__name__}: {str(error)[:300]}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before_signal)
    return Trial(what, ended, seconds, memory, fault)


def _used(model: Model) -> str:
    """Ask a model all that it can do; what is wrong with the answers, if anything."""
    start = time.process_time()
    draws, blank = model.spec.draws, np.zeros((2, 8, 8, 1), np.float32)
    for name, task in model.spec.tasks.items():
        given: dict[str, Any] = {}
        for draw in (draws[word] for word in model.spec.draws_in(task.output)):
            match draw.kind:
                case "image":
                    channels, height, width = draw.shape
                    if channels * height * width > 10**6:
                        return ""
                    given["image"] = np.full((2, height, width, channels), 0.5, np.float32)
                case "label":
                    given["label"] = [0, draw.classes - 1]
                case "text" | "vector":
                    given[draw.kind] = np.ones((2, draw.size), np.float32)
                case _:
                    pass
        try:
            match task.kind:
                case "generate":
                    made = model.generate(2, task=name, output="np", **given)
                    fine = made.ndim == 4 and len(made) == 2 and np.isfinite(made).all()
                case "reconstruct":
                    made = model.reconstruct(given.pop("image", blank), task=name, output="np")
                    fine = made.ndim == 4 and len(made) == 2 and np.isfinite(made).all()
                case "translate":
                    made = model.translate(given.pop("image", blank), to=task.to, output="np")
                    fine = made.ndim == 4 and len(made) == 2 and np.isfinite(made).all()
                case "score":
                    made = model.score(
                        given.pop("image", None), task=name, maps=task.map is not None, **given
                    ).values
                    fine = made.shape == (2,) and np.isfinite(made).all()
                case "classify":
                    made = model.classify(given.pop("image", blank), task=name, **given)
                    fine = made.shape == (2,) and made.min() >= 0
                case "match":
                    image, text = given.get("image"), given.get("text")
                    made = model.match(image, text=text, task=name)
                    fine = made.ndim == 2 and len(made) == 2 and np.isfinite(made).all()
                case _:
                    made = model.encode(given.pop("image", None), task=name, **given)
                    fine = made.ndim == 2 and len(made) == 2 and np.isfinite(made).all()
        except GanzooError:
            continue
        except KeyError as error:
            return f"task {name}: KeyError {error}"
        if not fine:
            return f"task {name} gives {made.shape}, or numbers that are not finite"
    used = time.process_time() - start
    return f"tasks of {used:.1f} s" if used > USE_SECONDS else ""


def trials(number: int, seed: int, folder: Path) -> Iterator[Trial]:
    """So many trials, each of a seed of its own."""
    settle()
    for index in range(number):
        yield trial(folder / "mutant", random.Random(f"{seed} {index}"))


def settle() -> None:
    """Import what is imported once, at first need; that is not a mutant's doing."""
    from ganzoo.nn import functions
    from ganzoo.spec.vocabulary import FUNCTIONS

    for name in FUNCTIONS:
        functions.load(name)
    for name in ("ali-mnist", "ganomaly-mnist", "stackgan-fashion", "cyclegan-avatars"):
        _used(store.load(hub.installed()[name]))
