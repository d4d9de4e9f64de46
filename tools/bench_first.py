"""Benchmarks of a newcomer's first minutes: starts of the command, the choice of a number format, demonstrations."""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from _measure import interleaved, rate, report

from kfg.recipes import NAMES

TOOLS = pathlib.Path(__file__).parent
FIRST_RESULT = "near-duplicate"  # text in the first table of findings that the demonstration shows
SEARCH = "search"


def help_time(args) -> bool:
    """Measure the start of `kfg --help`, `kfg models` and `import tensorflow`, each in a new process."""

    def starts(*command):
        return rate(lambda: subprocess.run([sys.executable, *command], check=True, capture_output=True), 1)

    ours, models, theirs = "kfg --help", "kfg models", "import tensorflow"
    cases = {
        ours: starts("-m", "kfg", "--help"),
        models: starts("-m", "kfg", "models"),
        theirs: starts("-c", "import tensorflow"),
    }
    figures = interleaved(cases, repeats=args.repeats)
    met = report("start", figures, unit="starts/s", bars=[(ours, theirs, 10), (models, theirs, 2)])
    return within(models, {models: [1 / speed for speed in figures[models]]}, most=2) and met


def precision_choice(args) -> bool:
    """Measure how long `--precision auto` takes to choose, for a small and a large net; the bar is three seconds."""
    import keras

    from kfg.models import backbones
    from kfg.models.convnets import convnet
    from kfg.training import fit, precision

    nets = {
        "ConvNet 1": (lambda: convnet(num_classes=20, image_size=(68, 45)), 64),
        "ResNet-50 at 224 pixels": (
            lambda: backbones.classifier("resnet50", num_classes=20, image_size=(224, 224), weights="none"), 32,
        ),
    }  # fmt: skip

    def choice(build, batch_size):
        def compiled(jit_compile=False):
            model = build()
            fit.compile_classifier(model, optimizer=keras.optimizers.Adam(learning_rate=1e-3), jit_compile=jit_compile)
            return model

        began = time.perf_counter()
        formats = precision.candidates(compiled())
        chosen = precision.choose(compiled, formats, batch_size=batch_size)[0]
        return time.perf_counter() - began, chosen

    met = True
    for name, (build, batch_size) in nets.items():
        seconds, chosen = zip(*(choice(build, batch_size) for _ in range(args.repeats)), strict=True)
        print(f"{name}: chosen {', '.join(dict.fromkeys(chosen))}")
        met &= within(f"--precision auto, {name}", {"built, traced and timed": list(seconds)}, most=3)
    return met


def demo(args) -> bool:
    """Measure when the story of `bash tools/demo` shows its first result, and its end; bars: one and four minutes."""
    first, end = [], []
    for _ in range(args.repeats):
        with tempfile.TemporaryDirectory() as scratch:
            began = time.perf_counter()
            story = subprocess.Popen(
                [sys.executable, TOOLS / "story.py", f"{scratch}/runs"], stdout=subprocess.PIPE, text=True, cwd=scratch
            )
            shown = next((time.perf_counter() for line in story.stdout if FIRST_RESULT in line), None)
            story.stdout.read()
            if story.wait() or shown is None:
                raise SystemExit("error: the demonstration ended without its first result")
            first.append(shown - began)
            end.append(time.perf_counter() - began)
    met = within("demonstration, installed", {"first result": first}, most=60)
    return within("demonstration, installed", {"end": end}, most=240) and met


def recipes(args) -> bool:
    """Measure how long each recipe, and the search, takes that is called without arguments; the bar is five minutes."""
    met = True
    for name in args.names.split(","):
        module = "kfg.search" if name == SEARCH else f"kfg.recipes.{name}"
        seconds = []
        for _ in range(args.repeats):
            with tempfile.TemporaryDirectory() as scratch:
                began = time.perf_counter()
                done = subprocess.run([sys.executable, "-m", module], capture_output=True, text=True, cwd=scratch)
                if done.returncode:
                    raise SystemExit(f"error: {name} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
                seconds.append(time.perf_counter() - began)
        met &= within(f"python -m {module}", {"all of it": seconds}, most=300)
    return met


def within(title, figures, *, most: float) -> bool:
    """Print figures in seconds; return whether the median of each case is at most `most`."""
    report(title, figures, unit="s")
    met = all(statistics.median(values) <= most for values in figures.values())
    print(f"  bar: at most {most:g} s, {'met' if met else 'MISSED'}")
    return met


def add_commands(commands, common) -> None:
    """Add the commands of this module to the parser of tools/bench.py."""
    command = commands.add_parser("help-time", parents=[common], help="start of the command against import tensorflow")
    command.set_defaults(run=help_time)
    command = commands.add_parser("precision", parents=[common], help="how long the choice of a precision takes")
    command.set_defaults(run=precision_choice)
    command = commands.add_parser("demo", parents=[common], help="first result and end of bash tools/demo")
    command.set_defaults(run=demo)
    command = commands.add_parser("recipes", parents=[common], help="recipes, and the search, called without arguments")
    command.add_argument("--names", default=",".join([*NAMES, SEARCH]), help="separated by commas")
    command.set_defaults(run=recipes, repeats=1)  # they take minutes each
