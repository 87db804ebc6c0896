"""Two processes train together what one trains alone."""

from __future__ import annotations

import multiprocessing
import os
import socket
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pytest
import torch

from ganzoo.data.source import Source
from ganzoo.engine import train
from ganzoo.errors import DataError
from tests.table import TABLE, arrays, fields

ROWS = ("gan", "wgan_gp")
"""Without batch normalisation, which each process would do over its share of the batch."""


def weights(row: str) -> dict[str, Any]:
    """What three rounds make of the networks, as numpy arrays."""
    torch.set_num_threads(1)
    spec = TABLE[row]()
    source = Source(row, fields(row), arrays(spec))
    *_, step = train(spec, source, steps=3, seed=2, precision="fp32", batch=8)
    return {
        f"{name}.{key}": value.numpy(force=True).copy()
        for name, net in step.training.networks.items()
        for key, value in net.state_dict().items()
    }


def program(rank: int, port: int, said: Connection) -> None:
    """One of two processes, with what torchrun would set."""
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    said.send({row: weights(row) for row in ROWS})
    spec = TABLE["gan"]()
    source = Source("gan", fields("gan"), arrays(spec))
    try:
        train(spec, source, batch=5)
    except DataError as error:
        said.send(str(error))
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def together() -> list[tuple[dict[str, Any], str]]:
    """What each of two processes says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["torch._dynamo", "ganzoo.engine"])
    started = []
    for rank in range(2):
        hears, said = processes.Pipe(duplex=False)
        process = processes.Process(target=program, args=(rank, port, said))
        process.start()
        said.close()
        started.append((process, hears))
    found = [(hears.recv(), hears.recv()) for _, hears in started]
    for process, hears in started:
        process.join()
        assert process.exitcode == 0
        hears.close()
    return found


@pytest.mark.parametrize("row", ROWS)
def test_two_processes_end_with_the_weights_of_one(row: str, together: Any) -> None:
    (first, _), (second, _) = together
    alone = weights(row)
    assert alone.keys() == first[row].keys()
    for key, value in alone.items():
        np.testing.assert_array_equal(first[row][key], second[row][key])
        np.testing.assert_allclose(first[row][key], value, rtol=0, atol=1e-6, err_msg=key)


def test_a_batch_that_two_cannot_share(together: Any) -> None:
    for _, said in together:
        assert "a batch of 5 cannot be shared by 2 processes evenly" in said
