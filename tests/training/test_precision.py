import keras
import pytest

from kfg.errors import InputError
from kfg.training import fit, precision


def test_scope_sets_the_policy_and_puts_the_old_one_back():
    before = keras.config.dtype_policy().name
    with precision.scope("bfloat16"):
        assert keras.layers.Dense(2).compute_dtype == "bfloat16"
        assert keras.layers.Dense(2).variable_dtype == "float32"
    assert keras.config.dtype_policy().name == before


def test_scope_puts_the_old_policy_back_after_an_error():
    before = keras.config.dtype_policy().name
    with pytest.raises(RuntimeError), precision.scope("bfloat16"):
        raise RuntimeError
    assert keras.config.dtype_policy().name == before


def test_unknown_names_are_listed():
    with pytest.raises(InputError, match=r"'double' is none of float32, bfloat16"), precision.scope("double"):
        pass


def test_choose_measures_every_candidate_and_takes_the_fastest(monkeypatch):
    def build(jit_compile):
        layers = [
            keras.Input((4, 4, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax", dtype="float32"),
        ]
        model = keras.Sequential(layers)
        fit.compile_classifier(model, optimizer=keras.optimizers.Adam(learning_rate=0.1))
        return model

    chosen, jit_compile, rates = precision.choose(build, batch_size=4)
    assert set(rates) == {"float32", "bfloat16"} and min(rates.values()) > 0
    assert rates[chosen] == max(rates.values()) and jit_compile is False
    for fastest in rates:

        def rate(model, batch_size, fastest=fastest):
            return 2.0 if keras.config.dtype_policy().compute_dtype == fastest else 1.0

        monkeypatch.setattr(precision, "training_rate", rate)
        assert precision.choose(build, batch_size=4)[0] == fastest
