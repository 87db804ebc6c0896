"""Shared by all commands: the application, its output streams, tables, and checks of options."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.table import Table
from typer.core import TyperCommand

from ganzoo.cli import completion
from ganzoo.cli.terminal import answers_alone, err, out
from ganzoo.errors import DataError, SpecError

__all__ = ["err", "out"]

if TYPE_CHECKING:
    from ganzoo.spec.spec import Spec
    from ganzoo.spec.variant import Fields


class _Command(TyperCommand):
    """A command whose standard output holds only its answer."""

    def invoke(self, ctx: Any) -> Any:
        with answers_alone():
            return super().invoke(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _each_with_its_option(args))


def _each_with_its_option(args: list[str]) -> list[str]:
    """`--set a=1 b=2` as `--set a=1 --set b=2`."""
    found: list[str] = []
    for word in args:
        follows = len(found) > 1 and found[-2] == "--set"
        if follows and re.fullmatch(r"[A-Za-z_]\w*=.*", word, re.DOTALL):
            found.append("--set")
        found.append(word)
    return found


class App(typer.Typer):
    """A typer application whose commands are `_Command`s."""

    def command(self, name: str | None = None, *, cls: Any = _Command, **options: Any) -> Any:
        return super().command(name, cls=cls, **options)


app = App(
    name="ganzoo",
    help="A zoo of GANs in which a model is data: list, explain, train and sample.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
PictureFiles = Annotated[
    list[Path], typer.Argument(metavar="PICTURE", help="Picture files, or folders of them.")
]
ModelName = Annotated[
    str,
    typer.Argument(
        help="A model (`ganzoo models`), or a folder.", autocompletion=completion.models
    ),
]
Target = Annotated[
    str,
    typer.Argument(
        help="A variant, a YAML or JSON file with a Spec, a model (`ganzoo models`), or a run.",
        autocompletion=completion.specs,
    ),
]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A hyperparameter, such as width=32; several values: shares=1,0.5. Can be repeated.",
    ),
]
LossName = Annotated[
    str | None,
    typer.Option(
        "--loss",
        help="Another loss (`ganzoo losses`), rpgan,gamma=2 to set its numbers, or a YAML or "
        "JSON file; for one generator and one discriminator.",
        autocompletion=completion.losses,
    ),
]
Augment = Annotated[
    str | None,
    typer.Option(
        "--augment",
        help="Augment the images that the discriminator gets, for small data sets: diffaugment, "
        "ada (adaptive), or ada,p=0.2.",
    ),
]
Device = Annotated[str, typer.Option(help="Where to compute: cpu, cuda, cuda:1, mps, ...")]
TrainingDevice = Annotated[
    str | None,
    typer.Option(help="Where to compute: cpu, cuda, cuda:1, ...; default: cuda, if available."),
]
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
"""Endings of the pictures that can be written."""
DATA_HELP = (
    "A data set (`ganzoo data`), mnist,without=2 to leave classes out of training, or "
    "folder:PATH[,size=64][,channels=3][,fit=crop][,test=0.1][,flip], whose subfolders are classes."
)

DataName = Annotated[str | None, typer.Option(help=DATA_HELP, autocompletion=completion.data)]


def declared(
    target: str,
    data: str | None,
    settings: list[str] | Mapping[str, Any] | None,
    loss: str | None = None,
    augment: str | None = None,
) -> tuple[Spec, dict[str, Any]]:
    """The Spec of a variant or of a file, and the entries of config.json on its origin.

    Settings are those of `--set`, or values by name. The changes by another loss and by
    augmentations are listed on the error stream.
    """
    return recomposed(*_own(target, data, settings), loss, augment)


def recomposed(
    spec: Spec, made_by: dict[str, Any], loss: str | None, augment: str | None
) -> tuple[Spec, dict[str, Any]]:
    """A Spec and its origin with another loss and with augmentations, which are listed."""
    if loss is not None:
        from ganzoo.plugins.named import composed

        spec, facts = composed(spec, loss)
        err.print(f"with loss {loss}:", *facts["changes"], sep="\n  ", style="dim", markup=False)
        made_by = {**made_by, "loss": facts}
    if augment is not None:
        from ganzoo.spec.losses.augment import augmented

        spec, facts = augmented(spec, augment)
        said = facts["changes"]
        err.print(f"with {augment}:", *said, sep="\n  ", style="dim", markup=False)
        made_by = {**made_by, "augment": facts}
    return spec, made_by


def _own(
    target: str, data: str | None, settings: list[str] | Mapping[str, Any] | None
) -> tuple[Spec, dict[str, Any]]:
    from ganzoo.plugins.host import default
    from ganzoo.spec import files

    if files.is_file_name(target):
        if settings:
            raise SpecError("--set is for variants; in a Spec file, edit the file")
        return files.read(target), {"variant": "", "file": Path(target).name}
    host = default()
    variant = host.variant(target)
    made = variant.parse(dict(settings) if isinstance(settings, Mapping) else given(settings))
    plugin = host.providers["variants", target]
    version = next((p.version for p in host.plugins if p.distribution == plugin), "")
    spec = made.spec(fields("mnist" if data is None else data))
    made_by = {
        "variant": target, "settings": made.model_dump(mode="json"),
        "plugin": plugin, "plugin_version": version,
    }  # fmt: skip
    return spec, made_by


def given(settings: list[str] | None) -> dict[str, str]:
    """The values of `--set`, by name."""
    found: dict[str, str] = {}
    for item in settings or []:
        name, equals, value = item.partition("=")
        if not equals:
            raise SpecError(f"--set {item}: write name=value, such as width=32")
        found[name] = value
    return found


def fields(data: str) -> Fields:
    """The fields of a data set, by its name."""
    from ganzoo.data.catalog import fields_of
    from ganzoo.plugins.host import default

    return fields_of(data, default().data)


def check_output(output: Path, what: str, endings: tuple[str, ...], option: str = "-o") -> None:
    """Raise DataError unless a file with one of these endings can be written there."""
    if output.suffix.lower() not in endings:
        *others, last = (ending for ending in endings if ending != ".jpeg")
        listed = f"{', '.join(others)} or {last}" if others else last
        raise DataError(f"{option} {output}: {what} is a {listed}")
    if not output.parent.is_dir():
        raise DataError(f"{option} {output}: there is no folder {output.parent}")
    if output.is_dir():
        raise DataError(f"{option} {output}: this is a folder; name a file in it")
    place = output if output.exists() else output.parent
    if not os.access(place, os.W_OK):
        raise DataError(f"{option} {output}: {place} is not writable; give another path")
    if output.exists():
        return
    try:  # rights alone do not tell: of a full disk, or one that can be read only
        handle, name = tempfile.mkstemp(dir=output.parent, prefix=".ganzoo-")
        os.close(handle)
        Path(name).unlink()
    except OSError as error:
        raise DataError(
            f"{option} {output}: cannot write there ({error.strerror}); give another path"
        ) from None


def check_precision(precision: str) -> None:
    """Raise SpecError for an unknown `--precision`."""
    from ganzoo.engine.precision import Precision

    if precision not in get_args(Precision):
        raise SpecError(f"--precision is auto, fp32, tf32 or bf16, not {precision!r}")


def is_folder(output: str) -> bool:
    """Whether an output path is a folder: `DIR/`, or an existing one."""
    return output.endswith(("/", os.sep)) or (bool(output) and Path(output).is_dir())


def check_folder(output: Path, option: str = "-o") -> None:
    """Raise DataError unless files can be written in that folder, which need not exist yet."""
    there = output
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise DataError(f"{option} {output}: {there} is a file; name another folder")
    if not os.access(there, os.W_OK):
        raise DataError(f"{option} {output}: {there} is not writable; give another path")


def columns(*names: str) -> Table:
    from rich import box

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        table.add_column(name)
    return table


def escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
