"""Publish every model in `model_cards/` under one organisation of the hub.

    python scripts/publish.py NAME             a dry run: check all, send nothing
    python scripts/publish.py NAME --for-real  publish; log in first: hf auth login, or HF_TOKEN
    python scripts/publish.py NAME --only dcgan-mnist --endpoint https://...

Each goes to NAME/<its folder's name> in one commit. What is there already is left as it is, so
a second run goes on where the first one stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError
from ganzoo.publish.push import push

ROOT = Path(__file__).parent.parent
CARDS = ROOT / "model_cards"
OFFICIAL = ROOT / "ganzoo" / "hub" / "official.json"


def publish(
    organisation: str, names: list[str], *, for_real: bool, private: bool, endpoint: str | None
) -> int:
    """Publish, or check, each; the number of those that failed."""
    failed = 0
    listed = {"organisation": organisation, "models": pins()}
    for name in names:
        try:
            done = push(
                CARDS / name, f"{organisation}/{name}", private=private or None,
                message="As ganzoo brings it", endpoint=endpoint, dry_run=not for_real,
            )  # fmt: skip
        except GanzooError as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
            continue
        size = sum(size for _, size in done.files) / 1e6
        state = (
            f"there already, {done.commit}" if done.unchanged
            else done.commit or "checked, nothing sent"
        )  # fmt: skip
        if for_real and done.commit and not endpoint:
            listed["models"][name]["commit"] = done.commit
        print(f"{done.url}  {len(done.files)} files, {size:.1f} MB  {state}")
    if for_real and not endpoint:
        write(listed)
        print(f"{OFFICIAL.relative_to(ROOT)} pins what is published; commit it")
    return failed


def pins() -> dict[str, dict[str, str]]:
    """The official list as it should be: the hash of each model's weights.

    The commit of a model on the hub stays where its weights are still those of that commit.
    """
    known = json.loads(OFFICIAL.read_text("utf-8"))["models"]
    found: dict[str, dict[str, str]] = {}
    for path in sorted(CARDS.glob("*/config.json")):
        name, sha256 = path.parent.name, json.loads(path.read_text("utf-8"))["weights"]["sha256"]
        old = known.get(name, {})
        found[name] = old if old.get("sha256") == sha256 else {"sha256": sha256}
    return found


def write(listed: dict[str, Any]) -> None:
    OFFICIAL.write_text(json.dumps(listed, indent=2) + "\n", "utf-8")


def pin() -> None:
    """Write the official list anew for the weights that are in `model_cards/`."""
    write({**json.loads(OFFICIAL.read_text("utf-8")), "models": pins()})


def main() -> None:
    models = sorted(path.parent.name for path in CARDS.glob("*/config.json"))
    parser = argparse.ArgumentParser(description="Publish model_cards/ under one organisation.")
    parser.add_argument("organisation")
    parser.add_argument("--only", nargs="+", choices=models, default=models, metavar="MODEL")
    parser.add_argument("--for-real", action="store_true")
    parser.add_argument("--private", action="store_true")
    parser.add_argument("--endpoint")
    said = parser.parse_args()
    failed = publish(
        said.organisation, said.only, for_real=said.for_real, private=said.private,
        endpoint=said.endpoint,
    )  # fmt: skip
    if not said.for_real and not failed:
        print("a dry run; --for-real (make publish FOR_REAL=1) sends it")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
