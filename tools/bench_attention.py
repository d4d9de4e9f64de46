"""Cases of tools/bench.py for FBSD and MMAL-Net: steps beside their bare convolutions, modules beside plain code."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from _measure import interleaved, rate, report

TOOLS = Path(__file__).parent
CLASSES = 100


def attention(args) -> bool:
    """Measure training steps of FBSD and MMAL-Net beside steps of the same trunk and heads without attention."""
    size = (args.size, args.size)
    met = True
    for name, build, bar in (("FBSD", fbsd_pair, 1.25), ("MMAL-Net", mmal_pair, 1.3)):
        net, bare, inputs = build(args, size)
        cases = {f"{name} step": rate(step(net, inputs[:1]), args.batch), "bare": rate(step(bare, inputs), args.batch)}
        figures = interleaved(cases, repeats=args.repeats)
        width = f", head width {args.width}" if name == "FBSD" else ""
        title = f"{name}, {args.trunk}, {args.size} px, {args.batch} images{width}"
        # the bar is "at most so many times the time", so the ratio printed is one of images/s, at least 1 / bar
        met &= report(title, figures, unit="images/s", bars=[(f"{name} step", "bare", round(1 / bar, 3))])
    return met


def fbsd_pair(args, size):
    """Return FBSD's training graph, a model of the same layers without strips and diversification, and their inputs."""
    import keras
    from keras import layers

    from kfg.models import backbones, fbsd

    net = fbsd.classifier(args.trunk, num_classes=CLASSES, image_size=size, weights="none", width=args.width)
    body = backbones.trunk(args.trunk, image_size=size, weights="none")
    vectors, answers = [], []
    for stage, tap in zip(fbsd.STAGES, backbones.BACKBONES[args.trunk].taps, strict=True):
        maps = fbsd._conv_block(body.get_layer(tap).output, args.width, f"head_{stage}")
        vectors.append(layers.GlobalAveragePooling2D()(maps))
        answers.append(fbsd._head(vectors[-1], args.width // 2, CLASSES, f"head_{stage}_bare"))
    answers.append(fbsd._head(layers.Concatenate()(vectors), args.width // 2, CLASSES, "head_concat"))
    return net.training_graph(), keras.Model(body.input, answers), [pictures(args.batch, size)]


def mmal_pair(args, size):
    """Return MMAL-Net's training graph, its bare trunk and classifier on three such inputs, and the inputs."""
    import keras
    from keras import layers

    from kfg.models import backbones, mmal

    model = mmal.classifier(args.trunk, num_classes=CLASSES, image_size=size, weights="none")
    net = model.training_graph()
    parts, half = net.get_layer("part_boxes").parts, [side // 2 for side in size]
    body = backbones.trunk(args.trunk, image_size=size, weights="none")
    head = [layers.GlobalAveragePooling2D(), layers.Dropout(0.5), layers.Dense(CLASSES)]
    inputs = [keras.Input((*shape, 3)) for shape in (size, size, half)]
    answers = []
    for images in inputs:
        x = body.call(images)
        for layer in head:
            x = layer(x)
        answers.append(x)
    whole = pictures(args.batch, size)
    return net, keras.Model(inputs, answers), [whole, whole, pictures(args.batch * parts, half)]


def pictures(count, size):
    return np.random.default_rng(0).uniform(0, 255, (count, *size, 3)).astype("float32")


def step(model, inputs):
    """Return a function that makes one step of SGD on the sum of the mean cross-entropies of all outputs."""
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.SGD(learning_rate=1e-3, momentum=0.9)
    optimizer.build(model.trainable_variables)
    tensors = [tf.constant(one) for one in inputs]

    @tf.function(jit_compile=False)
    def run(*images):
        with tf.GradientTape() as tape:
            answers = model(list(images) if len(images) > 1 else images[0], training=True)
            scores = answers.values() if isinstance(answers, dict) else answers
            loss = sum(tf.reduce_mean(-tf.nn.log_softmax(one)[:, 0]) for one in scores)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return lambda: run(*tensors).numpy()


def modules(args) -> bool:
    """Measure time and peak memory of diversification and part proposals, kfg's and written as in the authors' code."""
    names = {"diversification": ("kfg", "plain"), "parts": ("kfg", "plain")}
    for name, ways in names.items():
        figures = interleaved(
            {way: (lambda way=way, name=name: measured(name, way, args)) for way in ways},
            repeats=args.repeats,
            warm_up=False,
        )
        title = f"{name}, maps of {args.size} px, {args.batch} images"
        for unit, place in (("ms a step", 0), ("MB above start", 1)):
            report(title, {way: [one[place] for one in values] for way, values in figures.items()}, unit=unit)
    return True


def measured(name, way, args):
    """Run a module in a process of its own; return (ms per step, MB of peak memory above that before the steps)."""
    code = f"import sys; sys.path.insert(0, {str(TOOLS)!r}); import bench_attention as b; "
    code += f"b.run_module({name!r}, {way!r}, {args.size}, {args.batch})"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return tuple(map(float, answer.stdout.split()[-2:]))


def run_module(name, way, size, batch) -> None:
    import resource

    import tensorflow as tf

    work = {"diversification": diversification, "parts": part_proposals}[name](way)
    sides = [size // 8, size // 16, size // 32] if name == "diversification" else [size // 32]
    channels = 1024 if name == "diversification" else 2048
    rng = np.random.default_rng(0)
    maps = [tf.constant(rng.normal(size=(batch, side, side, channels)).astype("float32")) for side in sides]

    @tf.function(jit_compile=False)
    def run():
        with tf.GradientTape() as tape:
            tape.watch(maps)
            total = tf.add_n([tf.reduce_sum(tf.square(one)) for one in work(maps)])
        return total, [g for g in tape.gradient(total, maps) if g is not None]

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        run()[0].numpy()
        times.append(time.perf_counter() - start)
    print(1000 * float(np.median(times)), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def diversification(way):
    import itertools

    import tensorflow as tf

    from kfg.layers.diversification import Diversification

    if way == "kfg":
        return Diversification()

    def plain(maps):
        """Compute it as the authors' code does, with two softmaxes of one matrix for each pair."""
        places = [tf.reshape(x, (len(x), -1, x.shape[-1])) for x in maps]
        received = [0.0] * len(maps)
        for p, q in itertools.combinations(range(len(maps)), 2):
            one, other = (tf.math.l2_normalize(places[i], axis=-1) for i in (p, q))
            unlike = -tf.matmul(one, other, transpose_b=True)
            received[p] += tf.matmul(tf.nn.softmax(unlike, axis=2), places[q])
            received[q] += tf.matmul(tf.nn.softmax(unlike, axis=1), places[p], transpose_a=True)
        return [x + tf.reshape(y, x.shape) for x, y in zip(maps, received, strict=True)]

    return plain


def part_proposals(way):
    import tensorflow as tf

    from kfg.layers.part_boxes import PartBoxes
    from kfg.models.mmal import WINDOWS, scaled

    def plain(maps):
        """Compute only the scores, as the authors' code does: pool every channel, then sum.

        kfg's layer also does the non-maximum suppression.
        """
        groups = scaled(WINDOWS["cub"], cells=tuple(maps[0].shape[1:3]))
        return [
            tf.reduce_sum(tf.nn.avg_pool2d(tf.stop_gradient(maps[0]), size, 1, "VALID"), axis=-1)
            for sizes, _ in groups
            for size in sizes
        ]

    def ours(maps):
        return [PartBoxes(scaled(WINDOWS["cub"], cells=tuple(maps[0].shape[1:3])), stride=32)(maps[0])]

    return ours if way == "kfg" else plain


def add_commands(commands, common) -> None:
    for run, size, batch, text in (
        (attention, 192, 8, "a step of FBSD and of MMAL-Net against their own convolutions"),
        (modules, 448, 2, "diversification and part proposals against the authors' way"),
    ):
        command = commands.add_parser(run.__name__, parents=[common], help=text)
        command.add_argument("--trunk", default="efficientnet-lite0", metavar="NAME")
        command.add_argument("--size", type=int, default=size, metavar="PIXELS")
        command.add_argument("--batch", type=int, default=batch)
        command.add_argument("--width", type=int, default=256, help="channels of FBSD's maps; 1024 in the paper")
        command.set_defaults(run=run)
