import numpy as np
import pytest

from kfg.data import sampling
from kfg.errors import InputError

COUNTS = [100, 25, 4, 0, 1]
LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(5), COUNTS))
N = len(LABELS)  # 130


def epoch(kind, number, seed=3):
    return sampling.epoch_keys(LABELS, kind, seed=seed, epoch=number)


@pytest.mark.parametrize(
    "kind, shares",
    [
        ("balanced", [32.5, 32.5, 32.5, 0, 32.5]),
        ("square-root", np.array([10, 5, 2, 0, 1]) / 18 * 130),
    ],
)
def test_each_class_gets_its_share_to_within_one_image_and_exactly_in_the_mean(kind, shares):
    shown = np.array([np.bincount(LABELS[epoch(kind, e) % N], minlength=5) for e in range(200)])
    assert (shown.sum(axis=1) == N).all()
    assert (abs(shown - shares) < 1).all()
    np.testing.assert_allclose(shown.mean(axis=0), shares, atol=0.12)  # 0.5 / sqrt(200) = 0.035
    assert shown.std(axis=0).max() > 0


def test_a_class_shows_all_its_images_before_one_again():
    for e in range(5):
        keys = epoch("balanced", e)
        assert len(set(keys.tolist())) == N
        for label, count in enumerate(COUNTS):
            times = np.bincount(keys[LABELS[keys % N] == label] % N, minlength=N)[label == LABELS]
            assert count == 0 or times.max() - times.min() <= 1
        assert keys.max() >= N  # the class of one image comes 32 times


def test_an_epoch_is_a_function_of_seed_and_epoch():
    assert epoch("balanced", 7).tolist() == epoch("balanced", 7).tolist()
    others = [epoch("balanced", 8), epoch("balanced", 7, seed=4), epoch("square-root", 7)]
    assert all(epoch("balanced", 7).tolist() != other.tolist() for other in others)


def test_images_left_out_of_one_epoch_come_in_others():
    seen = set(np.concatenate([epoch("balanced", e) % N for e in range(30)]).tolist())
    assert seen == set(range(N))  # 32 of the 100 of class 0 in each


def test_equal_classes_are_shown_once_each():
    labels = np.arange(12) % 3
    assert sorted(sampling.epoch_keys(labels, "balanced", seed=0, epoch=0).tolist()) == list(range(12))


def test_an_unknown_sampling_is_named():
    with pytest.raises(InputError, match="sampling: 'rare' is not one of balanced, square-root"):
        sampling.epoch_keys(LABELS, "rare", seed=0, epoch=0)
