"""Kill runs at random file operations, resume them, and compare with runs that were not killed.

    python scripts/kills.py [300] [--seed 0] [--rows gan wgan_gp bigan ganomaly stackgan measured]

See tests/kills.py for how. Ends with status 1 where one ending is bad or one bit differs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kills import ROWS, trials


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("number", nargs="?", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    options = parser.parse_args()
    bad, kinds, started = 0, Counter[str](), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ganzoo-kills-") as home:
        for row, kind, wrong in trials(
            Path(home), options.number, options.seed, tuple(options.rows)
        ):
            kinds[kind] += 1
            if (done := sum(kinds.values())) % 20 == 0:
                print(f"{done} of {options.number}", file=sys.stderr, flush=True)
            if wrong:
                bad += 1
                print(f"{row}, {kind}: {wrong}", flush=True)
    said = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    print(
        f"{sum(kinds.values())} trials, {bad} bad endings ({said}) "
        f"in {time.monotonic() - started:.0f} s"
    )
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
