import numpy as np
import pytest

from kfg.errors import InputError
from kfg.training.imbalance import TREATMENTS, treated


def test_a_treatment_is_a_loss_or_a_sampling_never_both():
    for name in TREATMENTS:
        loss, sampling = treated(name, [30, 10], label_smoothing=0.1)
        assert loss.label_smoothing == 0.1
        of_loss = (loss.class_weights is not None) + (loss.log_prior is not None)
        assert of_loss + (sampling is not None) == (name != "none")
    np.testing.assert_allclose(np.exp(treated("adjusted", [30, 10])[0].log_prior), [0.75, 0.25])
    with pytest.raises(InputError, match=r"imbalance: 'more' is not one of none, weighted"):
        treated("more", [1, 1])
