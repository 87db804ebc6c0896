"""The demo of ganzoo as a Hugging Face Space; see spaces/build.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "packages"))

from ganzoo import demo

app = demo.build()

if __name__ == "__main__":
    demo.launch(app, host="0.0.0.0")
