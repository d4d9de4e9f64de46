"""Study fruit3's eight copies: which place shows what, in the report's version and the source's."""

import numpy as np
import pytest

from kfg.augment.eightfold import COPIES, Eightfold, Repeated


class Store:
    def __init__(self, count=5, side=24):
        self.array = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
        self.shape = self.array.shape

    def __len__(self):
        return len(self.array)

    def gather(self, positions):
        return self.array[positions]


def copies(variant, *, epoch=0, seed=0):
    """Return (5, 8, H, W, 3), the copies of five images, and the images."""
    store = Store()
    places = np.arange(8 * 5)
    out = Eightfold(variant=variant).apply(
        Repeated(store).gather(places), np.zeros(40), seed=seed, epoch=epoch, positions=places
    )
    return out.reshape(5, 8, 24, 24, 3), store.array


@pytest.mark.parametrize("variant", ["report", "source"])
def test_the_first_four_are_the_image_and_its_mirrors(variant):
    out, images = copies(variant)
    for place, expected in enumerate((images, images[:, ::-1], images[:, :, ::-1], images[:, ::-1, ::-1])):
        np.testing.assert_array_equal(out[:, place], expected)


def test_the_source_repeats_the_image_once_and_the_report_does_not():
    for variant, same in (("source", True), ("report", False)):
        out, images = copies(variant)
        assert (out[:, 4] == images).all() == same
        for place in (5, 6, 7):
            assert all((out[:, place] != out[:, other]).any() for other in range(5))


def test_the_sources_random_copies_are_new_each_epoch_and_the_reports_are_not():
    for variant, redrawn in (("source", True), ("report", False)):
        one, other = copies(variant, epoch=0)[0], copies(variant, epoch=1)[0]
        assert (one[:, 5:] != other[:, 5:]).any() == redrawn
        np.testing.assert_array_equal(one[:, :4], other[:, :4])
        assert (copies(variant, seed=1)[0][:, 5:] != one[:, 5:]).any()


def test_random_copies_show_most_of_their_mirrored_image():
    side = 60
    ramp = np.broadcast_to(np.linspace(20, 240, side).astype(np.uint8)[:, None, None], (side, side, 3))
    out = Eightfold(variant="source").apply(np.stack([ramp] * 8), np.zeros(8), seed=0, epoch=0, positions=np.arange(8))
    upper, lower = out[:, 10:20, 25:35].mean(axis=(1, 2, 3)), out[:, 40:50, 25:35].mean(axis=(1, 2, 3))
    assert (upper < lower).tolist() == [True, False, True, False, True, False, True, False]


def test_a_repeated_store_keeps_nothing_and_counts_eight_times():
    store = Store(count=7)
    repeated = Repeated(store)
    assert len(repeated) == 7 * COPIES == 56 and repeated.shape == (56, 24, 24, 3)
    np.testing.assert_array_equal(repeated.gather([0, 7, 8, 55]), store.array[[0, 0, 1, 6]])


def test_another_variant_is_named():
    with pytest.raises(ValueError, match="variant must be one of report, source, got 'paper'"):
        Eightfold(variant="paper")
