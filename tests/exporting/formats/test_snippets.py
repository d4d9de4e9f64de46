"""The snippets of docs/ship.md: run as a reader would, in a process without kfg and, where they say so, TensorFlow."""

import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small_run import CLASSES, SIZE

from kfg.data.resizing import resize
from kfg.exporting.formats import known

PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "ship.md").read_text(encoding="utf-8")
MARKED = re.compile(r"<!-- run by the tests: ([\w -]+) -->\n\n```python\n(.*?)```", re.DOTALL)
SNIPPETS = {name: code for names, code in MARKED.findall(PAGE) for name in names.split()}
WITH_TENSORFLOW = ("savedmodel", "keras")


def test_every_format_has_a_snippet():
    assert SNIPPETS.keys() == known.FORMATS.keys()


@pytest.mark.parametrize("name", known.FORMATS)
def test_a_snippet_runs_without_kfg(name, exported, run, tmp_path):
    if missing := known.not_installed(known.FORMATS[name].MODULES):
        pytest.skip(f"{missing} is not installed")
    photo = next((run.parent / "photographs" / "green").iterdir())
    banned = ["kfg"] if name in WITH_TENSORFLOW else ["kfg", "tensorflow", "keras", "jax", "torch"]
    code = f"import sys\nfor name in {banned}: sys.modules[name] = None\n"  # importing one of them fails
    code += f"photo, folder = {str(photo)!r}, {str(exported / name)!r}\n{SNIPPETS[name]}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said, probability = done.stdout.split()
    answer = known.FORMATS[name].opened(exported / name)
    probabilities = (lambda x: answer(x)[0]) if known.FORMATS[name].JUDGES else answer
    pixels = np.asarray(resize(np.asarray(Image.open(photo).convert("RGB")), SIZE))
    expected = probabilities(pixels[None])[0]
    assert said == "green" == CLASSES[expected.argmax()]
    assert float(probability) == pytest.approx(expected.max(), abs=0.01)


@pytest.mark.parametrize("size", [(500, 375), (1200, 1600), (100, 120), (257, 255)])
def test_pillows_resize_is_trainings_but_for_rounding(size):
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (size[0] // 4, size[1] // 4, 3), dtype=np.uint8))
    image = coarse.resize(size[::-1], Image.Resampling.BICUBIC)
    ours = np.asarray(resize(np.asarray(image), (256, 256))).astype(int)
    theirs = np.asarray(image.resize((256, 256), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(ours - theirs).max() <= 1


def test_the_page_names_every_extra():
    assert all(f"'.[{one.EXTRA}]'" in PAGE for one in known.FORMATS.values() if one.EXTRA)
