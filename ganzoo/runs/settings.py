"""The settings of a run, as in run.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ganzoo.atomic import write_text
from ganzoo.data.names import absolute
from ganzoo.engine.precision import resolved
from ganzoo.errors import SpecError, StoreError, TrainingError
from ganzoo.layout import MAX_CONFIG, RUN
from ganzoo.nn.devices import find
from ganzoo.reading import content
from ganzoo.spec import older
from ganzoo.spec.json_text import pretty_json, strict_json
from ganzoo.spec.spec import Spec

CHECKPOINT, LOG, MODEL = "checkpoint.safetensors", "log.jsonl", "model"
BATCHES = "batches.safetensors"
"""The data that the model of a stopped run needs for its batch statistics."""
_TYPES: Mapping[str, type] = {
    "steps": int, "batch": int, "seed": int, "data": str, "eval_every": int, "figure": str,
    "patience": int, "start": dict, "command": str,
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The settings of a run: everything that `resume` needs to know.

    `data` is the name of a data set, `made_by` the variant, its settings and the plugin;
    `snapshots` keeps the model at about forty moments, so that figures can be followed over time.
    Every `eval_every` rounds `figure` is measured, and the best model is published; after
    `patience` measurements without improvement the run ends (0: it does not). `trackers` are those
    of `--track`. `start` names the model whose weights it starts from, `command` is the command
    that started it.
    """

    name: str
    spec: Spec
    data: str
    steps: int
    batch: int
    seed: int = 0
    precision: str = "auto"
    snapshots: bool = False
    made_by: Mapping[str, Any] = field(default_factory=lambda: dict[str, Any]())
    eval_every: int = 0
    figure: str = ""
    patience: int = 0
    trackers: tuple[str, ...] = ()
    start: Mapping[str, Any] = field(default_factory=lambda: dict[str, Any]())
    command: str = ""

    def settled(self, device: str | torch.device | None = None) -> Settings:
        """The same, independent of the machine: precision and path of the data are resolved."""
        precision = resolved(self.precision, find(device))  # type: ignore[arg-type]
        return replace(self, precision=precision, data=absolute(self.data))

    def write(self, folder: Path) -> None:
        facts = asdict(self) | {
            "spec": self.spec.to_dict(), "made_by": dict(self.made_by), "start": dict(self.start),
        }  # fmt: skip
        write_text(folder / RUN, pretty_json(facts) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Settings:
        """The settings of the run in `folder`.

        Raises:
            TrainingError: there is none, or it is damaged.
        """
        path = folder / RUN
        try:
            path.lstat()  # a FileNotFoundError differs from a file that cannot be read
            facts = strict_json(content(path, MAX_CONFIG, anywhere=True).decode("utf-8"))
            facts.pop("compile", None)  # runs of 0.1 said whether they used torch.compile
            facts["trackers"] = tuple(facts.get("trackers", ()))
            found = cls(**{**facts, "spec": Spec.from_dict(older.updated(facts["spec"]))})
        except FileNotFoundError:
            raise TrainingError(
                f"no run in {folder}: there is no {RUN}. A run is started with "
                f"`ganzoo train VARIANT --out {folder}`"
            ) from None
        except (OSError, StoreError, UnicodeDecodeError) as error:
            raise TrainingError(f"no run in {folder}: {RUN} cannot be read ({error})") from None
        except (SpecError, TypeError, KeyError, AttributeError) as error:
            raise TrainingError(f"{path} is damaged, or another ganzoo's ({error})") from None
        for word, kind in _TYPES.items():
            if type(getattr(found, word)) is not kind:
                raise TrainingError(f"{path} is damaged: {word} is {getattr(found, word)!r}")
        return found
