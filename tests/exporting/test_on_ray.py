"""A Ray cluster of two machines on this one, one of them killed half-way: every photograph is answered exactly once.

Ray is no dependency of the tests, and a cluster takes a minute and more than a core: KFG_TEST_RAY=1 asks for that test.
"""

import csv
import os
import threading
import time

import numpy as np
import pytest
from PIL import Image

from kfg.__main__ import main
from kfg.errors import InputError
from kfg.exporting import answer_file, on_ray

COUNT, PIECE = 120, 4


@pytest.fixture(scope="module")
def cluster():
    """Start a cluster whose head has no core, and two machines of one core each."""
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    machines = [made.add_node(num_cpus=1) for _ in range(2)]
    made.wait_for_nodes()
    yield made, machines
    ray.shutdown()
    made.shutdown()


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """Return an export that answers by the mean colour, slowly enough that a kill finds it at work."""
    import keras

    from kfg.exporting import saved_model

    images = keras.Input((16, 16, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(images))
    model = keras.Model(images, keras.layers.Softmax()(keras.layers.Rescaling(9.0)(mean)))
    out = tmp_path_factory.mktemp("model") / "export"
    saved_model.save(model, out, classes=("red", "green", "blue"), samples=np.zeros((1, 16, 16, 3), np.uint8))
    return out


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Write COUNT photographs, each of one of three colours; photograph 7 is none."""
    home = tmp_path_factory.mktemp("photos")
    for number in range(COUNT):
        pixels = np.zeros((400, 400, 3), np.uint8)
        pixels[..., number % 3] = 200
        Image.fromarray(pixels).save(home / f"{number:03}.png")
    (home / "007.png").write_text("no photograph")
    return home


@pytest.mark.skipif("KFG_TEST_RAY" not in os.environ, reason="a Ray cluster takes a minute; KFG_TEST_RAY=1 asks for it")
def test_a_machine_that_is_killed_half_way_loses_no_photograph_and_doubles_none(
    cluster, export, photographs, tmp_path, monkeypatch, capsys
):
    made, machines = cluster
    monkeypatch.setattr(answer_file, "PIECE", PIECE)
    target, killed = tmp_path / "answers.csv", []

    def kill():
        partial = tmp_path / "answers.csv.partial"
        while len(list(partial.glob("*.csv"))) < 5:
            time.sleep(0.05)
        killed.append(len(list(partial.glob("*.csv"))))
        made.remove_node(machines[0], allow_graceful=False)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    words = ["predict", str(export), str(photographs), "--out", str(target), "--ray", made.address]
    assert main(words) == 1  # photograph 7 could not be read
    killer.join(60)
    assert killed and killed[0] < COUNT // PIECE, "the work was over before the machine was killed"
    with open(target, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [str(photographs / f"{number:03}.png") for number in range(COUNT)]
    wrong = [
        row for number, row in enumerate(rows) if number != 7 and row["class"] != ("red", "green", "blue")[number % 3]
    ]
    assert wrong == [] and str(photographs / "007.png") in rows[7]["error"]
    assert f"{target}: answers for {COUNT} photographs, 1 of them could not be read" in capsys.readouterr().out


@pytest.mark.parametrize("address", ["nowhere.invalid:6379", "127.0.0.1:1", "ray://127.0.0.1:1", "head:port"])
def test_an_address_where_no_cluster_answers_is_said_at_once(address):
    with pytest.raises(InputError, match=rf"--ray {address}: no Ray cluster answers at this address \("):
        on_ray._check_answers(address)
    on_ray._check_answers("auto")


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(on_ray.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"it with pip install 'ray\[data\]'"):
        list(on_ray.answers("export", {0: ["a.jpg"]}, top=1))


def test_where_no_piece_is_missing_no_cluster_is_asked(monkeypatch):
    monkeypatch.setattr(on_ray.importlib.util, "find_spec", lambda name: None)
    assert list(on_ray.answers("export", {}, top=1)) == []
