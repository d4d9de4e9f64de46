import numpy as np
import pytest
from scipy import stats

from kfg.augment.mixing import CutMix, Mixup, named
from kfg.errors import InputError

LABELS = np.array([0, 2, 1, 2], np.int32)
EYE = np.eye(3, dtype=np.float32)


def flat(levels, size=(8, 6), dtype=np.uint8):
    return (np.array(levels)[:, None, None, None] * np.ones((*size, 3))).astype(dtype)


def mixed(mixing, images, labels=LABELS, *, seed=5, epoch=1, positions=None):
    positions = np.arange(len(images)) if positions is None else positions
    return mixing.apply(images, labels, num_classes=3, seed=seed, epoch=epoch, positions=positions)


@pytest.mark.parametrize("dtype, error", [(np.uint8, 0.5), (np.float32, 1e-3)])
def test_mixup_mixes_image_and_label_with_the_next_by_the_same_part(dtype, error):
    levels = np.array([0, 200, 100, 40])
    images, labels = mixed(Mixup(alpha=1.0), flat(levels, dtype=dtype))
    assert images.dtype == dtype and labels.dtype == np.float32
    part = (labels[:, 0][0], labels[1, 2], labels[2, 1], labels[3, 2])  # own class; no image has its next one's
    expected = part * levels + (1 - np.array(part)) * np.roll(levels, -1)
    np.testing.assert_allclose(images[:, 0, 0, 0], expected, atol=error + 1e-6)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert len(set(part)) == 4


@pytest.mark.parametrize("size", [(8, 6), (5, 5), (40, 30)])
def test_cutmix_labels_share_as_the_pixels_do(size):
    for epoch in range(20):
        images, labels = mixed(CutMix(), flat([10, 20, 30, 40], size), epoch=epoch)
        for i, level in enumerate([10, 20, 30, 40]):
            own = (images[i, ..., 0] == level).mean()
            other = [20, 30, 40, 10][i]
            assert ((images[i] == level) | (images[i] == other)).all()
            after = LABELS[(i + 1) % 4]
            np.testing.assert_allclose(labels[i], own * EYE[LABELS[i]] + (1 - own) * EYE[after], atol=1e-6)
            rows, columns = np.nonzero(images[i, ..., 0] == other)
            if len(rows):  # one rectangle
                assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_two_images_of_one_class_keep_a_whole_label():
    _, labels = mixed(Mixup(alpha=1.0), flat([0, 50]), np.array([1, 1]))
    np.testing.assert_allclose(labels, EYE[[1, 1]])


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_the_parts_are_beta_distributed(alpha):
    count = 4000
    labels = np.arange(count) % 2
    _, soft = Mixup(alpha=alpha).apply(
        flat([0] * count, (1, 1)), labels, num_classes=2, seed=0, epoch=0, positions=np.arange(count)
    )
    part = soft[np.arange(count), labels]
    assert stats.kstest(part, stats.beta(alpha, alpha).cdf).pvalue > 0.001
    assert stats.kstest(part, stats.beta(2 * alpha, alpha).cdf).pvalue < 1e-6


@pytest.mark.parametrize("mixing", [Mixup(alpha=1.0), CutMix()])
def test_the_draw_depends_on_seed_epoch_and_position_only(mixing):
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 6, 3), dtype=np.uint8)
    whole = mixed(mixing, images, positions=np.array([3, 9, 4, 1]))
    part = mixed(mixing, images[:2], LABELS[:2], positions=np.array([3, 9]))
    np.testing.assert_array_equal(whole[0][0], part[0][0])
    np.testing.assert_array_equal(whole[1][0], part[1][0])
    for changes in ({"seed": 6}, {"epoch": 2}, {"positions": np.array([4, 9, 4, 1])}):
        other = mixed(mixing, images, **{"positions": np.array([3, 9, 4, 1]), **changes})
        assert not np.array_equal(whole[0][0], other[0][0])


def test_images_given_are_not_changed():
    images = flat([0, 200, 100, 40])
    mixed(CutMix(), images)
    mixed(Mixup(), images)
    np.testing.assert_array_equal(images, flat([0, 200, 100, 40]))


@pytest.mark.parametrize("make", [lambda: Mixup(alpha=0), lambda: CutMix(alpha=-1)])
def test_alpha_is_above_0(make):
    with pytest.raises(ValueError, match="alpha"):
        make()


def test_a_label_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"\[0, 3\)"):
        mixed(Mixup(), flat([0, 1]), np.array([1, 3]))


@pytest.mark.parametrize(
    "name, alpha, complaint", [("blend", None, "'blend'"), ("mixup", 0, "above 0"), ("none", 1, "with")]
)
def test_a_setting_that_makes_no_sense_is_named(name, alpha, complaint):
    with pytest.raises(InputError, match=complaint):
        named(name, alpha=alpha)
