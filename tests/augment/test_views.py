import numpy as np

from kfg.augment.crops import ResizedCrop
from kfg.augment.views import Changed
from kfg.data.stores import Chosen, Images

IMAGES = Images(np.random.default_rng(0).integers(0, 256, (6, 20, 20, 3), dtype=np.uint8))


def test_an_image_is_changed_in_the_same_way_whoever_asks():
    view = Changed(IMAGES, ResizedCrop(image_size=(12, 16)), seed=1)
    assert view.shape == (6, 12, 16, 3) and len(view) == 6
    everything = view.gather(np.arange(6))
    np.testing.assert_array_equal(Chosen(view, [4, 2]).gather([1, 0]), everything[[2, 4]])
    other = Changed(IMAGES, ResizedCrop(image_size=(12, 16)), seed=1, epoch=1)
    assert (other.gather(np.arange(6)) != everything).any()


def test_a_policy_without_a_size_keeps_the_stores():
    assert Changed(IMAGES, ResizedCrop(), seed=1).gather(np.arange(2)).shape == (2, 20, 20, 3)
