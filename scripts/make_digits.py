"""Make `ganzoo/data/digits.png`, the data set that comes with ganzoo, from MNIST.

    python scripts/make_digits.py --root FOLDER_WITH_MNIST

The sheet holds the first 1,000 training images of each digit, untouched, 100 x 100 of
them: 0 to 9, again and again, so that a digit's place is also its label. MNIST is by
Yann LeCun and Corinna Cortes, CC BY-SA 3.0; so is the sheet.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torchvision.datasets import MNIST

EACH, COLUMNS = 1000, 100


def main() -> None:
    parser = argparse.ArgumentParser(description="Make ganzoo/data/digits.png from MNIST.")
    parser.add_argument("--root", required=True, help="the folder that has MNIST/raw")
    parser.add_argument("--out", type=Path, default="ganzoo/data/digits.png")
    arguments = parser.parse_args()

    data = MNIST(arguments.root, train=True)
    images, labels = data.data.numpy(), data.targets.numpy()
    first = np.stack([np.flatnonzero(labels == digit)[:EACH] for digit in range(10)], axis=1)
    sheet = images[first.ravel()].reshape(-1, COLUMNS, 28, 28).swapaxes(1, 2)
    sheet = sheet.reshape(-1, COLUMNS * 28)

    about = PngInfo()
    about.add_text("Source", "MNIST, http://yann.lecun.com/exdb/mnist/")
    about.add_text("Copyright", "Yann LeCun and Corinna Cortes, CC BY-SA 3.0")
    Image.fromarray(sheet).save(arguments.out, optimize=True, pnginfo=about)
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
