"""The case of tools/bench.py for optimisers: kfg's Adam, one operation for each variable, beside that of Keras."""

import numpy as np
from _measure import interleaved, rate, report

CLASSES, BATCH, STEPS = 3, 8, 10


def optimizer(args) -> bool:
    """Measure training steps of fruit3's CNN, of 10 million parameters, and how fast a step of Lite0 is traced."""
    import keras

    from kfg.training import optimizers

    adams = {"Keras's Adam": keras.optimizers.Adam, "kfg's Adam": optimizers.Adam}
    bars = [("kfg's Adam", "Keras's Adam", 1.0)]
    cases = {name: rate(training(adam), STEPS * BATCH) for name, adam in adams.items()}
    figures = interleaved(cases, repeats=args.repeats)
    met = report(f"training fruit3's CNN, batches of {BATCH}", figures, unit="images/s", bars=bars)
    cases = {name: rate(tracing(adam), 60) for name, adam in adams.items()}
    figures = interleaved(cases, repeats=args.repeats, warm_up=False)
    return report("tracing a step of EfficientNet-Lite0", figures, unit="traces/min", bars=bars) and met


def training(adam):
    """Return a function that trains for STEPS steps."""
    from kfg.models import baselines
    from kfg.training import fit

    model = baselines.fruit3_cnn(num_classes=CLASSES, image_size=(300, 300))
    fit.compile_classifier(model, optimizer=adam(learning_rate=1e-4))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, 300, 300, 3), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, BATCH).astype(np.int32)

    def work():
        for _ in range(STEPS):
            model.train_on_batch(images, labels)

    return work


def tracing(adam):
    """Return a function that traces a training step."""
    import tensorflow as tf

    from kfg.models import backbones
    from kfg.training import fit

    model = backbones.classifier("efficientnet-lite0", num_classes=CLASSES, image_size=(96, 96), weights="none")
    fit.compile_classifier(model, optimizer=adam(learning_rate=1e-4))
    model.optimizer.build(model.trainable_variables)
    batch = (tf.TensorSpec((None, 96, 96, 3), tf.uint8), tf.TensorSpec((None,), tf.int32))
    return lambda: tf.function(lambda *given: model.train_step(given)).get_concrete_function(*batch)


def add_commands(commands, common) -> None:
    """Add the sub-command `optimizer`."""
    command = commands.add_parser("optimizer", parents=[common], help="Adam of kfg beside Adam of Keras")
    command.set_defaults(run=optimizer)
