"""Every store and every policy of kfg is what the protocols say, in names and in what comes out."""

import inspect

import numpy as np
import pytest

from kfg import protocols
from kfg.augment.crops import ResizedCrop
from kfg.augment.eightfold import Eightfold, Repeated
from kfg.augment.policies import ClassTargeted, Policy
from kfg.augment.views import Changed
from kfg.data.stores import Chosen, ImageFile, Images
from kfg.training.features import AnyView

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 0, 1], np.int32)
TURNED = Policy(rotation=20)


def stores(folder):
    store = Images(IMAGES)
    (folder / "pixels").write_bytes(IMAGES.tobytes())
    return [
        store,
        ImageFile(folder / "pixels", IMAGES.shape),
        Chosen(store, [0, 2]),
        Repeated(store),
        Changed(store, TURNED, seed=0),
    ]


def test_stores(tmp_path):
    for store in stores(tmp_path):
        assert isinstance(store, protocols.Store), store
        assert len(store) == store.shape[0]
        found = store.gather(np.array([1, 0]))
        assert found.shape == (2, *store.shape[1:]) and found.dtype == np.uint8


@pytest.mark.parametrize(
    "policy",
    [
        TURNED,
        ClassTargeted(default=TURNED, by_class={1: Policy()}),
        ResizedCrop(image_size=(3, 4)),
        Eightfold(),
        AnyView(np.zeros((2, 4, 7), np.float32)),
    ],
)
def test_policies(policy):
    assert isinstance(policy, protocols.ImagePolicy)
    expected = list(inspect.signature(protocols.ImagePolicy.apply).parameters)
    given = list(inspect.signature(type(policy).apply).parameters)
    assert given[3:] == expected[3:]  # the first two go by position
    batch = np.zeros((4, 7), np.float32) if isinstance(policy, AnyView) else IMAGES
    draw = {"seed": 1, "epoch": 2, "positions": np.arange(4)}
    whole = policy.apply(batch, LABELS, **draw)
    alone = policy.apply(batch[2:3], LABELS[2:3], **{**draw, "positions": np.array([2])})
    np.testing.assert_array_equal(whole[2], alone[0])
