"""How the demo answers: one at a time, and many at once, with a training beside them if asked for.

    python benchmarks/demo.py [--url http://127.0.0.1:7860] [--clients 50] [--seconds 60]
                              [--training] [--most 5]

Without --url, it starts `ganzoo demo` first and measures that, too. Each client asks for a sheet
of a seed of its own, again and again, as programs do through the API. An answer is right if it is
the very file that the same seed gave when nobody else asked; a message that the queue is full
counts apart, and everything else is an error. It ends with 1 where there was an error or a wrong
answer, or, with --most, one that took longer. It asks this machine alone, and is bounded in clients
and in time.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

MODEL, SEEDS = "dcgan-mnist", 20
MOST_CLIENTS, MOST_SECONDS = 100, 120.0
HERE = ("127.0.0.1", "localhost", "::1")


@dataclass
class Found:
    """What came of the requests: seconds of right answers, and how many were of each kind."""

    seconds: list[float] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


async def ask(client: httpx.AsyncClient, name: str, data: list[object]) -> tuple[str, object]:
    """Call an endpoint: ("complete", its outputs), ("full", message) or ("error", message)."""
    posted = await client.post(f"/gradio_api/call/{name}", json={"data": data})
    if posted.status_code != 200:
        kind = "full" if "ueue is full" in posted.text else "error"
        return kind, posted.text
    event = ""
    async with client.stream(
        "GET", f"/gradio_api/call/{name}/{posted.json()['event_id']}"
    ) as lines:
        async for line in lines.aiter_lines():
            if line.startswith("event:"):
                event = line.removeprefix("event:").strip()
            elif line.startswith("data:") and event in ("complete", "error"):
                said = json.loads(line.removeprefix("data:"))
                if event == "error" and "ueue is full" in str(said):
                    return "full", said
                return event, said
    return "error", "the stream ended without an answer"


async def picture(client: httpx.AsyncClient, seed: int, model: str) -> tuple[str, str]:
    """A sheet of 16 of a seed: ("complete", its hash), or what came instead."""
    kind, said = await ask(client, "generate", [model, seed, 16, "", 1.0])
    if kind != "complete":
        return kind, str(said)
    found = await client.get(httpx.URL(said[0]["url"]).path)  # type: ignore[index]
    if found.status_code != 200 or not found.content.startswith(b"\x89PNG"):
        return "error", f"no picture: {found.status_code}"
    return kind, hashlib.sha256(found.content).hexdigest()


async def train(client: httpx.AsyncClient, done: asyncio.Event) -> dict[str, object]:
    """A training until `done`: its state and rounds, asked for as the page does."""
    kind, said = await ask(client, "train_start", ["dcgan", "digits", 5000, "", 0])
    if kind != "complete":
        return {"training": str(said)[:200]}
    word, state = said[0], {}  # type: ignore[index]
    while not done.is_set():
        kind, told = await ask(client, "train_status", [word])
        state = told[0] if kind == "complete" else state  # type: ignore[index]
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 1.2)
    await ask(client, "train_stop", [word])
    return {"training": state.get("state"), "training_rounds": state.get("step", 0)}


async def measure(
    url: str, clients: int, seconds: float, model: str = MODEL, *, training: bool = False
) -> dict[str, object]:
    """Requests one at a time, then `clients` at once for `seconds`."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        await picture(client, 0, model)  # it loads the model
        alone: list[float] = []
        known: dict[int, str] = {}
        for seed in range(SEEDS):
            started = time.perf_counter()
            kind, known[seed] = await picture(client, seed, model)
            alone.append(time.perf_counter() - started)
            if kind != "complete":
                raise SystemExit(f"alone, seed {seed}: {known[seed]}")
        over = asyncio.Event()
        beside = asyncio.create_task(train(client, over)) if training else None
        found, until = Found(), time.perf_counter() + seconds

        async def one(number: int) -> None:
            turn = number
            while turn == number or time.perf_counter() < until:  # once at the least
                seed, started = turn % SEEDS, time.perf_counter()
                turn += 1
                try:
                    kind, said = await picture(client, seed, model)
                except httpx.HTTPError as error:
                    kind, said = "error", repr(error)
                if kind == "complete" and said != known[seed]:
                    kind, said = "wrong", f"seed {seed}"
                found.kinds[kind] += 1
                if kind == "complete":
                    found.seconds.append(time.perf_counter() - started)
                elif kind == "full":
                    await asyncio.sleep(1)
                else:
                    found.errors.append(said[:200])

        await asyncio.gather(*(one(number) for number in range(clients)))
        over.set()
        trained = await beside if beside else {}
    alone.sort()
    found.seconds.sort()
    return {
        "alone_median": round(alone[len(alone) // 2], 3),
        "alone_worst": round(alone[-1], 3),
        "clients": clients,
        "right": found.kinds["complete"],
        "queue_full": found.kinds["full"],
        "wrong": found.kinds["wrong"],
        "errors": found.kinds["error"],
        "a_second": round(found.kinds["complete"] / seconds, 1),
        "median": round(found.seconds[len(found.seconds) // 2], 3) if found.seconds else None,
        "worst": round(found.seconds[-1], 3) if found.seconds else None,
        "first_errors": found.errors[:3],
        **trained,
    }


def start(port: int) -> tuple[subprocess.Popen[bytes], float]:
    """`ganzoo demo` on a port, and the seconds until its page was there."""
    started = time.perf_counter()
    command = [sys.executable, "-c", "from ganzoo.cli import main; main()", "demo"]
    process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL)
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200:
                return process, time.perf_counter() - started
        except httpx.HTTPError:
            if process.poll() is not None:
                raise SystemExit("ganzoo demo did not start") from None
            time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--url")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--port", type=int, default=7865)
    parser.add_argument("--training", action="store_true", help="one trains meanwhile")
    parser.add_argument("--most", type=float, help="seconds that an answer may take")
    given = parser.parse_args()
    if given.url and httpx.URL(given.url).host not in HERE:
        parser.error(f"--url is of this machine ({', '.join(HERE)}), not {given.url!r}")
    if not 1 <= given.clients <= MOST_CLIENTS or not 0 < given.seconds <= MOST_SECONDS:
        parser.error(f"at most {MOST_CLIENTS} clients and {MOST_SECONDS:.0f} seconds")
    process = None
    facts: dict[str, object] = {"load_before": round(os.getloadavg()[0], 1)}
    url = given.url
    if url is None:
        process, seconds = start(given.port)
        url = f"http://127.0.0.1:{given.port}"
        facts["started_after"] = round(seconds, 1)
    try:
        facts |= asyncio.run(
            measure(url, given.clients, given.seconds, given.model, training=given.training)
        )
    finally:
        if process:
            process.terminate()
    print(json.dumps(facts, indent=2))
    slow = given.most is not None and (facts.get("worst") or 0) > given.most  # type: ignore[operator]
    sys.exit(1 if facts["errors"] or facts["wrong"] or slow else 0)


if __name__ == "__main__":
    main()
