"""The first minute, shortened."""

import pytest
from PIL import Image as Picture

from ganzoo import hub
from ganzoo.cli import quickstart
from ganzoo.errors import StoreError


def test_it_leaves_what_it_promises(tmp_path, capsys) -> None:
    folder = tmp_path / "quickstart"
    quickstart.run(folder, seconds=1)
    said = capsys.readouterr().out.replace("\n", "")
    for name in ("digits.png", "my-first-gan/samples.png", "my-first-gan/losses.png"):
        with Picture.open(folder / name) as picture:
            assert len(picture.convert("L").getcolors() or range(300)) > 20, f"{name} is blank"
    with Picture.open(folder / "my-first-gan" / "animation.gif") as film:
        assert film.n_frames >= 2  # in a minute it is dozens; a second pays for no more
    assert str(folder) in said and "What to try next" in said
    assert hub.from_pretrained(folder / "my-first-gan").generate(1)[0].size == (28, 28)
    quickstart.run(folder, seconds=1)  # its own folder may be replaced
    (other := tmp_path / "mine").mkdir()
    (other / "thesis.txt").write_text("precious")
    with pytest.raises(StoreError, match="other files"):
        quickstart.run(other, seconds=1)
    assert (other / "thesis.txt").read_text() == "precious"
