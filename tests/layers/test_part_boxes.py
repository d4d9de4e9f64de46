import keras
import numpy as np
import pytest
import tensorflow as tf

from kfg.errors import InputError
from kfg.layers.part_boxes import PartBoxes, boxes, iou

STRIDE = 32
GROUPS = [([(4, 4), (3, 5), (5, 3)], 2), ([(6, 6), (5, 7), (7, 5)], 3)]


def chosen(cells, sizes, count):
    """Take windows of one size group on a map (H, W) by the rule, window by window."""
    windows = []
    for h, w in sizes:
        for i in range(cells.shape[0] - h + 1):
            for j in range(cells.shape[1] - w + 1):
                low = max(0, STRIDE * i - 1), max(0, STRIDE * j - 1)
                high = STRIDE * i - 1 + STRIDE * h, STRIDE * j - 1 + STRIDE * w
                windows.append((cells[i : i + h, j : j + w].mean(), (*low, *high)))
    left = sorted(windows, key=lambda window: -window[0])  # stable: the first of equal ones stays first
    taken = []
    while left and len(taken) < count:
        taken.append(left.pop(0)[1])
        left = [window for window in left if overlap(window[1], taken[-1]) <= 0.25]
    return taken + taken[-1:] * (count - len(taken))


def overlap(a, b):
    height = min(a[2], b[2]) - max(a[0], b[0]) + 1
    width = min(a[3], b[3]) - max(a[1], b[1]) + 1
    common = height * width if height > 0 and width > 0 else 0
    areas = [(y1 - y0 + 1) * (x1 - x0 + 1) for y0, x0, y1, x1 in (a, b)]
    return common / (sum(areas) - common)


@pytest.mark.parametrize("size", [(14, 14), (8, 8), (7, 10)])
@pytest.mark.parametrize("kind", ["random", "corner", "tied"])
def test_equals_a_loop_over_windows(size, kind):
    rng = np.random.default_rng(sum(map(ord, kind)))
    maps = rng.random((20, *size, 3), dtype="float32")
    if kind == "corner":
        maps += 5 * (np.indices(size).sum(axis=0) > sum(size) - 6)[..., None]
    elif kind == "tied":  # powers of two, windows of 16 cells: means without rounding, many of them equal
        maps = 2.0 ** rng.integers(0, 2, (20, *size, 1)).astype("float32")
    groups = [([(4, 4), (2, 8)], 3)] if kind == "tied" else GROUPS
    found = np.asarray(PartBoxes(groups, stride=STRIDE)(maps))
    for one, cells in zip(found, maps.sum(axis=-1, dtype="float64"), strict=True):
        assert one.tolist() == [list(b) for sizes, count in groups for b in chosen(cells, sizes, count)]


def test_when_no_window_is_left_the_last_one_is_repeated():
    found = np.asarray(PartBoxes([([(3, 3)], 3)], stride=STRIDE)(np.ones((2, 4, 4, 1), "float32")))
    assert found.tolist() == [[[0, 0, 95, 95]] * 3] * 2


def test_boxes_begin_a_pixel_before_the_cell_and_areas_count_both_ends():
    windows = boxes((4, 3), cells=(14, 14), stride=32)
    assert len(windows) == 11 * 12
    assert windows[0].tolist() == [0, 0, 127, 95]
    assert windows[-1].tolist() == [319, 351, 447, 447]
    pair = np.array([[0, 0, 9, 9], [0, 5, 9, 14]])
    assert iou(pair)[0, 1] == pytest.approx(50 / 150)
    assert iou(np.array([[0, 0, 9, 9], [0, 10, 9, 19]]))[0, 1] == 0


def test_an_overlap_of_just_what_is_allowed_is_kept():
    rows = np.array([0, 9, 9, 9, 9, 1, 1, 1, 0], "float32").reshape(1, 9, 1, 1)
    assert iou(np.array([[0, 0, 4, 0], [3, 0, 7, 0]]))[0, 1] == 0.25  # 2 pixels of 8: windows 1 and 4
    found = np.asarray(PartBoxes([([(4, 1)], 2)], stride=1, overlap=0.25)(rows))
    assert found[0].tolist() == [[0, 0, 4, 0], [3, 0, 7, 0]]
    stricter = np.asarray(PartBoxes([([(4, 1)], 2)], stride=1, overlap=0.24)(rows))
    assert stricter[0, 1].tolist() == [4, 0, 8, 0]


def test_it_runs_in_a_compiled_graph_with_any_batch_and_without_a_gradient():
    layer = PartBoxes(GROUPS, stride=STRIDE)
    x = tf.constant(np.random.default_rng(0).random((3, 8, 8, 4), dtype="float32"))
    expected = layer(x).numpy()
    compiled = tf.function(layer, input_signature=[tf.TensorSpec((None, 8, 8, 4))], jit_compile=True)
    np.testing.assert_array_equal(compiled(x), expected)
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = layer(x)
    assert tape.gradient(found, x) is None


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    inputs = keras.Input((8, 9, 3))
    model = keras.Model(inputs, PartBoxes(GROUPS, stride=16, overlap=0.3)(inputs))
    model.save(tmp_path / "model.keras")
    maps = np.random.default_rng(0).random((4, 8, 9, 3), dtype="float32")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.output_shape == (None, 5, 4)
    np.testing.assert_array_equal(loaded(maps), model(maps))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": []}, "groups: expected at least one"),
        ({"groups": [([(2, 2)], 0)]}, "groups: expected at least one"),
        ({"stride": 0}, "stride: must be at least 1"),
        ({"overlap": 2}, "overlap: from 0 to 1"),
    ],
)
def test_values_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        PartBoxes(**{"groups": GROUPS, "stride": 32, **arguments})


def test_a_window_larger_than_the_map_is_refused():
    with pytest.raises(InputError, match="windows: 5 x 3 cells do not fit a map of 4 x 14"):
        PartBoxes(GROUPS, stride=32)(np.zeros((1, 4, 14, 1)))
