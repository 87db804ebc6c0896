"""A run as a file: `ganzoo train run.yaml`, and what `ganzoo init` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ganzoo.errors import SpecError
from ganzoo.spec import files
from ganzoo.spec.frozen import Frozen, spec_error

Text = str | None


class RunFile(Frozen):
    """The contents of a run file; each key is an option of `ganzoo train` without its dashes.

    Attributes:
        variant: a variant; or `spec`, a YAML or JSON file with a Spec, relative to this file.
        data: as `--data` takes it. settings: of the variant, as `--set`.
        out: the folder of the run, relative to this file. start: another model's weights (`from`).
        track: trackers, with their options after commas.
    """

    variant: Text = None
    spec: Text = None
    data: Text = None
    settings: dict[str, Any] = Field(default_factory=dict)
    loss: Text = None
    augment: Text = None
    lr: float | str | None = None
    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    batch: int | None = Field(default=None, ge=1, le=100_000)
    seed: int | None = None
    precision: Text = None
    device: Text = None
    out: Text = None
    start: Text = None
    figure: Text = None
    eval_every: int | None = Field(default=None, ge=1)
    patience: int | None = Field(default=None, ge=1)
    track: tuple[str, ...] = ()
    snapshots: bool = False
    strict: bool = False
    minutes: float | None = Field(default=None, ge=0)

    @classmethod
    def read(cls, path: str | Path) -> RunFile:
        """A run file; file names in it are relative to its folder.

        Raises:
            SpecError: it cannot be read, or has keys that no run has.
        """
        path = Path(path)
        return cls.parse(files.plain(path), path)

    @classmethod
    def parse(cls, data: Any, path: Path) -> RunFile:
        """A run from the plain data of a run file; see `read`."""
        if not isinstance(data, dict):
            raise SpecError(f"{path}: a run file is a mapping, such as `variant: dcgan`")
        facts = {  # a key without a value counts as missing
            str(key).replace("-", "_"): value for key, value in data.items() if value is not None
        }
        for key, field in NAMES.items():
            if key in facts:
                facts[field] = facts.pop(key)
        if isinstance(facts.get("track"), str):
            facts["track"] = (facts["track"],)
        try:
            found = cls.model_validate(facts)
        except ValidationError as error:
            problems = spec_error(error, root=facts).problems
            raise SpecError(
                [(f"{path}: {where}".rstrip(": "), what) for where, what in problems]
            ) from None
        if (found.variant is None) == (found.spec is None):
            raise SpecError(f"{path}: a run file names a `variant:` or a `spec:`, one of them")
        beside = {
            name: str(path.parent / value)
            for name in ("spec", "out")
            if (value := getattr(found, name)) is not None
        }
        data_of = found.data or ""
        if (
            data_of.startswith("folder:")
            and not Path(data_of.removeprefix("folder:")).is_absolute()
        ):
            beside["data"] = f"folder:{path.parent / data_of.removeprefix('folder:')}"
        return found.replace(**beside) if beside else found


NAMES = {"from": "start", "set": "settings"}
"""Keys of a run file whose names differ in Python."""


def is_run(data: object) -> bool:
    """Whether plain data are those of a run, and not of a Spec."""
    return (
        isinstance(data, dict)
        and not {"networks", "draws"} & set(data)
        and bool({"variant", "spec"} & set(data))
    )


def template(variant: str, data: str, settings: Mapping[str, Any], steps: int, batch: int) -> str:
    """A run file with comments, equivalent to `ganzoo train VARIANT --data DATA`."""
    own = "\n".join(f"  # {name}: {_yaml(value)}" for name, value in settings.items())
    return f"""# A run of ganzoo: ganzoo train THIS_FILE
# Options of the command line override this file. Lines that begin with # are inactive.

variant: {variant}        # `ganzoo variants` lists them; or spec: my-spec.yaml
data: {data}        # `ganzoo data` lists them; folder:photos,size=64 for your own pictures

settings:        # hyper-parameters of the variant; these are its defaults
{own or "  # it has none"}

# loss: hinge            # another loss, `ganzoo losses`
# lr: 2e-4               # the learning rate, if the variant has just one
steps: {steps}            # rounds; or epochs: 20
# epochs: 20             # passes over the data, instead of steps
batch: {batch}
seed: 0
# precision: fp32        # fp32 or bf16; by default the faster one on this processor
# device: cuda           # by default CUDA if available
# out: runs/mine         # folder of the run, relative to this file
# from: dcgan-mnist      # start from the weights of another model, or of a run

# figure: fid            # measured during training; the best model is published
# eval_every: {max(1, steps // 20)}
# patience: 5            # stop after this many measurements without improvement

# track: [tensorboard]   # wandb, trackio; with options: ["wandb,project=gans,mode=offline"]
# snapshots: true        # keep about 40 intermediate models
# minutes: 30            # stop and save after this time; ganzoo train --resume continues
"""


def _yaml(value: Any) -> str:
    import json

    return json.dumps(value)
