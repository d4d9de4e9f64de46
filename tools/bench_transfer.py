"""The cases of tools/bench.py about pretrained trunks: a cached frozen trunk, and prediction from files."""

import pathlib
import tempfile

import numpy as np
from _measure import interleaved, rate, report

TRUNK, SIZE, BATCH, EPOCHS = "efficientnet-lite0", (224, 224), 64, 20


def frozen(args) -> bool:
    """Train a head on a frozen trunk: plain Keras fit, through the feature cache, and once more from the cache."""
    import tensorflow as tf

    from kfg.data import audit, decoded, folder, splits

    index = splits.split(audit.duplicate_groups(folder.scan(args.data)), val=0, test=0.2, seed=0)
    kept = np.random.default_rng(0).permutation(len(index))[: args.images]
    index = index.take(np.sort(kept))
    parts = {part: index.take(index.where(part)) for part in ("train", "test")}
    images = {part: decoded.load(found, image_size=SIZE).array for part, found in parts.items()}
    labels = {part: found.labels for part, found in parts.items()}
    print(f"{args.data}: {len(labels['train'])} training, {len(labels['test'])} test images, {EPOCHS} epochs")
    accuracies = {}
    with tempfile.TemporaryDirectory() as scratch:
        numbers = iter(range(10**6))

        def cached(folder):
            return head_on_cache(images, labels, len(index.classes), folder)

        work = {
            "plain Keras frozen fit": lambda: plain_fit(images, labels, len(index.classes)),
            "feature cache, first fill included": lambda: cached(f"{scratch}/{next(numbers)}"),
            "feature cache, second run": lambda: cached(f"{scratch}/kept"),
        }
        cached(f"{scratch}/kept")
        tf.keras.backend.clear_session()
        cases = {name: rate(noting(accuracies, name, one), EPOCHS * len(labels["train"])) for name, one in work.items()}
        figures = interleaved(cases, repeats=args.repeats, warm_up=False)
    plain, first, second = work
    met = report("frozen trunk", figures, unit="images/s", bars=[(first, plain, 8), (second, plain, 50)])
    gaps = {name: np.mean(accuracies[name]) - np.mean(accuracies[plain]) for name in (first, second)}
    for name, values in accuracies.items():
        print(f"  test accuracy {np.mean(values):.4f}  {name}")
    return met and all(abs(gap) <= 0.005 for gap in gaps.values())


def noting(accuracies, name, work):
    def run():
        accuracies.setdefault(name, []).append(work())

    return run


def built(num_classes):
    """Return the classifier, its head fresh, all before the head frozen."""
    import keras

    from kfg.models import backbones, freezing

    keras.utils.set_random_seed(0)
    model = backbones.classifier(TRUNK, num_classes=num_classes, image_size=SIZE)
    freezing.apply(model, "head")
    return model


def plain_fit(images, labels, num_classes) -> float:
    """Fit as a Keras user does, images decoded in memory; return the test accuracy."""
    import keras

    model = built(num_classes)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=1e-3), loss="sparse_categorical_crossentropy", jit_compile=False
    )
    model.fit(images["train"], labels["train"], batch_size=BATCH, epochs=EPOCHS, verbose=0)
    answers = model.predict(images["test"], batch_size=BATCH, verbose=0)
    return float(np.mean(answers.argmax(axis=1) == labels["test"]))


def head_on_cache(images, labels, num_classes, cache_dir) -> float:
    """The same through kfg's feature cache."""
    import keras

    from kfg.data import pipeline, stores
    from kfg.models import folding
    from kfg.training import features, fit

    model = built(num_classes)
    trunk = folding.fold(keras.Model(model.input, model.get_layer("features").output))
    head = keras.Model(model.get_layer("features").output, model.output)
    fit.compile_classifier(head, optimizer=keras.optimizers.Adam(learning_rate=1e-3))
    stores = {
        part: stores.Images(features.cached(trunk, stores.Images(images[part]), cache_dir=cache_dir)) for part in images
    }

    def batches(first_epoch):
        return pipeline.training_batches(
            stores["train"], labels["train"], batch_size=BATCH, seed=0, first_epoch=first_epoch, epochs=EPOCHS
        )

    test = pipeline.evaluation_batches(stores["test"], labels["test"], batch_size=BATCH)
    with tempfile.TemporaryDirectory() as workdir:
        steps = pipeline.steps(len(labels["train"]), BATCH)
        rows = fit.train(head, batches, test, workdir=workdir, epochs=EPOCHS, steps_per_epoch=steps, verbose=0)
    return rows[-1]["val_accuracy"]


def predict(args) -> bool:
    """Classify image files as `kfg predict` does, beside forward passes, as trained and as exported."""
    import tensorflow as tf

    from kfg.data import decoded, folder
    from kfg.exporting import classifiers, saved_model

    index = folder.scan(args.data)
    index = index.take(np.linspace(0, len(index) - 1, min(args.images, len(index))).astype(int))
    arrays = decoded.load(index, image_size=SIZE).array
    model = built(len(index.classes))
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "export"
        saved_model.save(model, path, classes=index.classes, samples=arrays[:2])
        classifier = classifiers.load(path)
        forward = tf.function(lambda batch: model(batch, training=False), jit_compile=False)

        def bare(answer):
            for start in range(0, len(arrays), BATCH):
                np.asarray(answer(tf.constant(arrays[start : start + BATCH])))

        files, trunk = "kfg predict, from files", "the model's forward pass, decoded images"
        folded = "the export's forward pass, decoded images"
        cases = {
            trunk: rate(lambda: bare(forward), len(arrays)),
            folded: rate(lambda: bare(classifier.serve), len(arrays)),
            files: rate(lambda: list(classifier.predict(index.full_paths())), len(arrays)),
        }
        figures = interleaved(cases, repeats=args.repeats)
    bars = [(files, trunk, 0.85), (files, folded, 0.85)]
    return report(f"predict {len(arrays)} images", figures, unit="images/s", bars=bars)


def add_commands(commands, common) -> None:
    for run, images, text in (
        (frozen, 600, "a frozen trunk through the feature cache against plain Keras fit"),
        (predict, 1000, "prediction from files against the bare forward pass"),
    ):
        command = commands.add_parser(run.__name__, parents=[common], help=text)
        command.add_argument("--data", type=pathlib.Path, required=True, metavar="DIR", help="folder of photographs")
        command.add_argument("--images", type=int, default=images)
        command.set_defaults(run=run)
