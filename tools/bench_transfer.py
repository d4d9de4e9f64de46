"""The cases of tools/bench.py for pretrained trunks: training on a cached frozen trunk, and prediction from files."""

import concurrent.futures
import os
import pathlib
import tempfile

import numpy as np
from _measure import interleaved, rate, report

TRUNK, SIZE, BATCH, EPOCHS = "efficientnet-lite0", (224, 224), 64, 20
TUNED_BATCH, CLASSES = 32, 100  # of fine_tune
WAYS = (
    "all of the network",
    "the last two stages, as they are",
    "the last two stages, the stages before them folded",
    "the last stage on stored outputs",
)


def frozen(args) -> bool:
    """Measure training of a head on a frozen trunk: plain Keras fit, with an empty and with a filled feature cache."""
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


def built(num_classes, image_size=SIZE):
    """Return the classifier with a new head, and everything before the head frozen."""
    import keras

    from kfg.models import backbones, freezing

    keras.utils.set_random_seed(0)
    model = backbones.classifier(TRUNK, num_classes=num_classes, image_size=image_size)
    freezing.apply(model, "head")
    return model


def plain_fit(images, labels, num_classes) -> float:
    """Train as a Keras user would, with decoded images in memory; return the test accuracy."""
    import keras

    model = built(num_classes)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=1e-3), loss="sparse_categorical_crossentropy", jit_compile=False
    )
    model.fit(images["train"], labels["train"], batch_size=BATCH, epochs=EPOCHS, verbose=0)
    answers = model.predict(images["test"], batch_size=BATCH, verbose=0)
    return float(np.mean(answers.argmax(axis=1) == labels["test"]))


def head_on_cache(images, labels, num_classes, cache_dir) -> float:
    """Train the same with kfg's feature cache; return the test accuracy."""
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


def fine_tune(args) -> bool:
    """Measure training steps of EfficientNet-Lite0: of all, of its last two stages, of its last on stored outputs.

    What each is worth on real photographs is in recipes/folder/README.md.
    """
    import keras

    from kfg.engine import planning
    from kfg.models import backbones, freezing, halves
    from kfg.training import fit, optimizers

    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, TUNED_BATCH).astype(np.int32)

    def steps(learn, inputs):
        model = learn(backbones.classifier(TRUNK, num_classes=CLASSES, image_size=(args.size, args.size)))
        fit.compile_classifier(model, optimizer=optimizers.rates("adamw", learning_rate=1e-4, weight_decay=0.02))
        batch = inputs(model.input_shape[1:])

        def work():
            for _ in range(max(1, args.images // TUNED_BATCH)):
                model.train_on_batch(batch, labels)

        return rate(work, max(1, args.images // TUNED_BATCH) * TUNED_BATCH)

    def learning(policy, *, fold=True):
        def made(model):
            freezing.apply(model, policy, batch_norm="fixed")
            return halves.learning(model) if fold else model

        return made

    def images(shape):
        return rng.integers(0, 256, (TUNED_BATCH, *shape), dtype=np.uint8)

    whole, plain, stages, maps = WAYS
    keras.utils.set_random_seed(0)
    cases = {
        whole: steps(learning("none"), images),
        plain: steps(learning("stages:2", fold=False), images),
        stages: steps(learning("stages:2"), images),
        maps: steps(
            lambda model: halves.rest(learning("stages:1", fold=False)(model), planning.last_stage_but_one(TRUNK)),
            lambda shape: rng.random((TUNED_BATCH, *shape), dtype=np.float32),
        ),
    }
    figures = interleaved(cases, repeats=args.repeats)
    bars = [(stages, whole, 1.5), (stages, plain, 1), (maps, whole, 4)]
    return report(f"fine-tuning at {args.size} px, batches of {TUNED_BATCH}", figures, unit="images/s", bars=bars)


def predict(args) -> bool:
    """Measure `kfg predict` on image files, with TensorFlow and with the fastest engine, beside bare forward passes."""
    import tensorflow as tf

    from kfg.data import decoded, folder
    from kfg.engine import saving
    from kfg.exporting import classifiers, saved_model
    from kfg.files import write_json
    from kfg.inference import fastest

    index = folder.scan(args.data)
    index = index.take(np.linspace(0, len(index) - 1, min(args.images, len(index))).astype(int))
    paths, model = index.full_paths(), built(len(index.classes), (args.size, args.size))
    arrays = decoded.load(index, image_size=model.input_shape[1:3]).array
    with tempfile.TemporaryDirectory() as scratch:
        run = pathlib.Path(scratch)
        saving.save_keras(model, index.classes, run)
        write_json(run / "classes.json", list(index.classes))
        saved_model.save(model, run / "export", classes=index.classes, samples=arrays[:2])
        plain, quick = classifiers.load(run), classifiers.load(run)
        # the paths are repeated: only for `fastest.FEWEST` photographs or more is the fastest engine looked for
        classifiers.hasten(quick, run, paths * -(-fastest.FEWEST // len(paths)))
        print(quick.engine)
        forward = tf.function(lambda batch: model(batch, training=False), jit_compile=False)

        def bare(answer):
            for start in range(0, len(arrays), classifiers.BATCH):
                np.asarray(answer(arrays[start : start + classifiers.BATCH]))

        files, reading = "kfg predict by the fastest engine, from files", "reading and resizing the files alone"
        today, engine = "kfg predict by TensorFlow, from files", "the fastest engine's forward pass, decoded images"
        trunk, folded = "the model's forward pass, decoded images", "the export's forward pass, decoded images"
        work = {
            trunk: lambda: bare(forward),
            folded: lambda: bare(plain.serve),
            engine: lambda: bare(quick.serve),
            today: lambda: list(plain.predict(paths)),
            files: lambda: list(quick.predict(paths)),
            reading: lambda: drained(quick, paths),
        }
        figures = interleaved({name: rate(one, len(paths)) for name, one in work.items()}, repeats=args.repeats)
    share = np.median(figures[files]) / np.median(figures[reading])
    print(f"reading takes {share:.0%} of the time of kfg predict by the fastest engine, where nothing else is done")
    bars = [(files, today, 2), (files, engine, 0.9), (today, trunk, 0.85), (today, folded, 0.85)]
    return report(f"predict {len(paths)} images, {args.size} px", figures, unit="images/s", bars=bars)


def drained(classifier, paths) -> None:
    """Read and resize image files as `kfg predict` does, on all cores, without a model."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(classifier.read, paths):
            pass


def add_commands(commands, common) -> None:
    for run, images, text in (
        (frozen, 600, "a frozen trunk through the feature cache against plain Keras fit"),
        (predict, 1000, "prediction from files against the bare forward pass"),
    ):
        command = commands.add_parser(run.__name__, parents=[common], help=text)
        command.add_argument("--data", type=pathlib.Path, required=True, metavar="DIR", help="folder of photographs")
        command.add_argument("--images", type=int, default=images)
        command.add_argument("--size", type=int, default=256, help="of the images that predict gives the net, pixels")
        command.set_defaults(run=run)
    command = commands.add_parser("fine-tune", parents=[common], help="training of a network's last stages against all")
    command.add_argument("--images", type=int, default=128, help="images of one measurement")
    command.add_argument("--size", type=int, default=256, help="pixels")
    command.set_defaults(run=fine_tune)
