"""Files of a model's tasks for other runtimes: ONNX, and torch's own `.pt2`."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from ganzoo.atomic import write_bytes
from ganzoo.errors import DataError, TaskError, choices, nearest
from ganzoo.export.contract import as_text, contract
from ganzoo.export.function import followed
from ganzoo.models.model import Model

ENDINGS = {"onnx": ".onnx", "torch": ".pt2"}
"""Of the files of each format."""
FACTS = "ganzoo.json"
"""The file in a `.pt2`, and the key in the metadata of an ONNX file, with the contract."""
PACKAGES = ("onnx", "onnxscript")
"""Packages needed to write ONNX, beside torch."""


@dataclass(frozen=True)
class Exported:
    """The file of one task, or why there is none.

    Args:
        task: its name. path: the file; None where the task cannot be exported, for `reason`.
    """

    task: str
    path: Path | None = None
    reason: str = ""


def tasks_of(model: Model, names: Sequence[str] = ()) -> list[str]:
    """The tasks to export: those that are named, by default all that can be run.

    Raises:
        TaskError: there is no task of that name.
    """
    known = [name for name in model.spec.tasks if name not in model.spec.lacking]
    for name in names:
        if name not in known:
            raise TaskError(
                f"{model.title} has no task {name!r}{nearest(name, known)} it has: {choices(known)}"
            )
    return [*dict.fromkeys(names)] or known


def places(model: Model, to: str, output: Path, names: Sequence[str] = ()) -> dict[str, Path]:
    """The file for each task: `output` itself for one task, else `output/TASK.onnx`.

    Raises:
        TaskError: there is no task of that name.
        DataError: `output` is one file, and there are several tasks.
    """
    ending, tasks = ENDINGS[to], tasks_of(model, names)
    if output.suffix.lower() != ending:
        return {task: output / f"{task}{ending}" for task in tasks}
    if len(tasks) > 1:
        raise DataError(
            f"-o {output}: {model.title} has {len(tasks)} tasks ({choices(tasks)}), a file each; "
            f"give a folder, or --task for one of them"
        )
    return {tasks[0]: output}


def write(model: Model, to: str, places: dict[str, Path]) -> Iterator[Exported]:
    """Write the file of each task when it is done; one that cannot be exported does not stop
    others.

    Args:
        to: `onnx` or `torch`. places: the file of each task, as `places` gives them.

    Raises:
        TaskError: `onnx`, and the packages that write it are not installed.
    """
    if to == "onnx" and not all(find_spec(package) for package in PACKAGES):
        raise TaskError('ONNX files need two more packages: pip install "ganzoo-core[export]"')
    for task, path in places.items():
        try:
            content = onnx(model, task) if to == "onnx" else archive(model, task)
        except TaskError as error:
            yield Exported(task, reason=str(error))
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
        yield Exported(task, path)


def onnx(model: Model, task: str) -> bytes:
    """A task as the content of an ONNX file, weights and contract inside.

    Inputs and outputs are named as in the contract (`ganzoo.export.contract`), which is JSON
    under the key `ganzoo.json` of the file's metadata. All batches are dynamic.

    Raises:
        TaskError: it cannot be exported.
    """
    facts = contract(model, task)
    program = followed(model, task)
    try:
        with _quiet():
            made = torch.onnx.export(
                program,
                input_names=[one["name"] for one in facts["inputs"]],
                output_names=[one["name"] for one in facts["outputs"]],
                dynamo=True, verbose=False, optimize=True,
            )  # fmt: skip
    except Exception as error:  # whatever the exporter fails on
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TaskError(
            f"the task {task!r} of {model.title} cannot be expressed in ONNX: {reason[:300]}"
        ) from error
    assert made is not None
    proto = made.model_proto
    for key, value in ((FACTS, as_text(facts)), ("ganzoo.task", task)):
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    _without_traces(proto)
    _named_batch(proto)
    return proto.SerializeToString()


def archive(model: Model, task: str) -> bytes:
    """A task as the content of a `.pt2`: `torch.export.load(path).module()` gives the function.

    The contract is JSON in its extra file `ganzoo.json`. It loads without ganzoo.

    Raises:
        TaskError: it cannot be exported.
    """
    facts, program = contract(model, task), followed(model, task)
    handle, name = tempfile.mkstemp(suffix=".pt2")
    os.close(handle)
    try:
        torch.export.save(program, name, extra_files={FACTS: as_text(facts)})
        return Path(name).read_bytes()
    finally:
        Path(name).unlink()


def _without_traces(proto: Any) -> None:
    """Leave out the source location of each node: paths of this machine, and most of a small
    file."""
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        del value.metadata_props[:]
    for function in proto.functions:
        for node in function.node:
            del node.metadata_props[:]


def _named_batch(proto: Any) -> None:
    """Give the one dynamic axis its name, instead of the number of a symbol."""
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        sides = value.type.tensor_type.shape.dim
        if sides and sides[0].dim_param:
            symbol = sides[0].dim_param
            for side in sides:
                if side.dim_param == symbol:
                    side.dim_param = "batch"


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's messages about its steps."""
    with (
        warnings.catch_warnings(),
        redirect_stdout(StringIO()),
        redirect_stderr(StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
