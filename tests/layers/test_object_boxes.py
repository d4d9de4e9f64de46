import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from kfg.errors import InputError
from kfg.layers.object_boxes import ObjectBoxes, largest_component

STRIDE = 32


def by_scipy(first, second):
    """Return the box of one image's two maps (H, W, C), by SciPy's labels."""
    masks = [(sums := m.sum(axis=-1, dtype="float32")) > sums.mean(dtype="float32") for m in (first, second)]
    labels, count = ndimage.label(masks[0], structure=np.ones((3, 3)))  # numbered as they come, row by row
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    common = (labels == 1 + sizes.argmax()) & masks[1] if count else np.zeros_like(masks[0])
    rows, columns = np.nonzero(common.any(axis=1))[0], np.nonzero(common.any(axis=0))[0]
    if not len(rows):
        rows, columns = np.array([0, len(common) - 1]), np.array([0, common.shape[1] - 1])
    low = [max(0, STRIDE * lines.min() - 1) for lines in (rows, columns)]
    return low + [STRIDE * (lines.max() + 1) - 1 for lines in (rows, columns)]


def grid(text):
    """Return a float32 map (1, H, W, 1) drawn as lines of . and #."""
    return np.array([[mark == "#" for mark in line] for line in text.split()], "float32")[None, ..., None]


def box(first, second=None):
    return np.asarray(ObjectBoxes(stride=STRIDE)([first, first if second is None else second])).astype(int).tolist()


@pytest.mark.parametrize("size", [(14, 14), (8, 8), (7, 9), (3, 3), (1, 4)])
@pytest.mark.parametrize("kind", ["random", "smooth", "few levels", "sparse", "constant", "constant with one"])
def test_equals_scipy_on_random_maps(size, kind):
    rng = np.random.default_rng(sum(map(ord, kind)) + sum(size))
    maps = rng.integers(0, 256, (2, 120, *size, 3)).astype("float32")
    if kind == "smooth":
        maps = np.floor(ndimage.uniform_filter(maps, (0, 0, 3, 3, 0)))  # whole, so that sums are exact
    elif kind == "few levels":  # sizes of components tie, cells equal the mean
        maps = np.floor(maps / 128)
    elif kind == "sparse":
        maps = (maps > 240).astype("float32")
    elif kind.startswith("constant"):
        maps[:] = rng.integers(0, 9, (2, 120, 1, 1, 1))
        if kind.endswith("one"):
            maps[1, np.arange(120), 0, np.arange(120) % size[1]] += 1
    found = ObjectBoxes(stride=STRIDE)([maps[0], maps[1]])
    np.testing.assert_array_equal(found, [by_scipy(a, b) for a, b in zip(*maps, strict=True)])


def test_the_larger_of_two_blobs_is_bounded():
    assert box(grid("##.... ##.... ...... ...### ...###")) == [[95, 95, 159, 191]]


def test_cells_that_touch_at_a_corner_are_connected():
    assert box(grid("##.... ##.... ..#... ...#.. ....##")) == [[0, 0, 159, 191]]


def test_of_two_blobs_of_one_size_the_first_by_rows_counts():
    assert box(grid("...## ##... ##.##")) == [[31, 0, 95, 63]]  # 2, 4 and 2 cells
    assert box(grid("...## ##.## ##...")) == [[0, 95, 63, 159]]  # both have 4


def test_the_whole_intersection_is_bounded_where_it_falls_apart():
    assert box(grid("######## ........"), grid("##....#. ........")) == [[0, 0, 31, 223]]


def test_nothing_in_common_and_a_constant_map_give_the_whole_image():
    whole = [[0, 0, 95, 159]]
    assert box(grid("##... ##... ....."), grid("..... ....# ....#")) == whole
    assert box(np.full((1, 3, 5, 2), 7, "float32")) == whole


def test_a_spiral_is_followed_to_its_end():
    spiral = """
        ###########
        ..........#
        #########.#
        #.......#.#
        #.#####.#.#
        #.#...#.#.#
        #.#.###.#.#
        #.#.....#.#
        #.#######.#
        #.........#
        ###########"""
    mask = grid(spiral)[..., 0] > 0
    np.testing.assert_array_equal(largest_component(tf.constant(mask)), mask)


def test_it_runs_in_a_compiled_graph_with_any_batch_and_without_a_gradient():
    layer = ObjectBoxes(stride=STRIDE)

    @tf.function(input_signature=[tf.TensorSpec((None, 14, 14, 4))], jit_compile=True)
    def compiled(x):
        return layer([x, x])

    x = tf.constant(np.random.default_rng(0).random((6, 14, 14, 4), dtype="float32"))
    np.testing.assert_array_equal(compiled(x), [by_scipy(m, m) for m in x.numpy()])
    with tf.GradientTape() as tape:
        tape.watch(x)
        boxes = layer([x, x])
    assert tape.gradient(boxes, x) is None


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    inputs = [keras.Input((5, 6, 2)), keras.Input((5, 6, 3))]
    model = keras.Model(inputs, ObjectBoxes(stride=16)(inputs))
    model.save(tmp_path / "model.keras")
    maps = [np.random.default_rng(0).random((4, 5, 6, n), dtype="float32") for n in (2, 3)]
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(maps), model(maps))


def test_wrong_values_and_maps_are_refused():
    with pytest.raises(InputError, match="stride: must be at least 1, got 0"):
        ObjectBoxes(stride=0)
    with pytest.raises(InputError, match=r"taps: expected two maps of the same size, got \(4, 4\) and \(2, 2\) cells"):
        ObjectBoxes(stride=32)([np.zeros((1, 4, 4, 1)), np.zeros((1, 2, 2, 1))])
