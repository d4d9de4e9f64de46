"""A recipe that ends within a second: it trains a single dense layer, and writes all files that a recipe writes.

Commands that run at the same time can disturb each other in what kfg does before and after a training, not in the
training itself. With this recipe, hundreds of pairs of commands can be tried.
"""

import dataclasses
import time

import keras
from keras import layers

from kfg.data.part import Part
from kfg.engine import runner
from kfg.engine.fitting import fit_on
from kfg.engine.recipe import Recipe, Row


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    image_size: tuple[int, int] = (8, 8)  # pixels, height and width
    batch_size: int = 16  # images
    epochs: int = 2
    learning_rate: float = 1e-2
    seconds: float = 0.0  # time to sleep before training, so that another command can run meanwhile


ROWS = {"one": Row(Config()), "two": Row(Config(epochs=3)), "three": Row(Config(learning_rate=1e-3))}


def run(config, job):
    """Train, test and export once; return the contents of report.json."""
    index = job.split(val=0.2, test=0.2, seed=0)
    images = job.data.images(config.image_size)
    training, validation = (Part.of(index, images, name) for name in ("train", "val"))

    def build():
        pixels = keras.Input((*config.image_size, 3), name="images")
        features = layers.Flatten(name="features")(layers.Rescaling(1 / 255)(pixels))
        return keras.Model(pixels, layers.Dense(len(index.classes), activation="softmax")(features))

    job.compile(build, optimizer=lambda: keras.optimizers.SGD(config.learning_rate), batch_size=config.batch_size)
    time.sleep(config.seconds)
    fit_on(job, training, validation, batch_size=config.batch_size, epochs=config.epochs)
    return job.finish(index, images, batch_size=config.batch_size)


RECIPE = Recipe(
    name="instant",
    description=__doc__,
    rows=ROWS,
    default_rows=("one",),
    run=run,
    caveat="No study: made to be disturbed.",
)


if __name__ == "__main__":
    raise SystemExit(runner.main(RECIPE))
