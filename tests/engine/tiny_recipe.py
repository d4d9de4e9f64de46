"""A recipe that trains a net of two layers for an epoch: what a run writes is as of any other."""

import dataclasses

import keras

from kfg.data.part import Part
from kfg.engine.fitting import fit_on
from kfg.engine.recipe import Recipe, Row


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    epochs: int = 1
    image_size: tuple[int, int] = (8, 8)
    split_seed: int = 0


def build():
    images = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(x))


def run(config, job):
    index = job.split(val=0.2, test=0.2, seed=config.split_seed)
    images = job.data.images(config.image_size)
    job.fitted = job.compile(build, optimizer=lambda: keras.optimizers.Adam(learning_rate=0.01), batch_size=8)
    fit_on(
        job, *(Part.of(index, images, name) for name in ("train", "val")), batch_size=8, epochs=config.epochs, verbose=0
    )
    return job.finish(index, images, batch_size=8)


RECIPE = Recipe(name="tiny", description=__doc__, rows={"net": Row(Config())}, default_rows=("net",), run=run)
