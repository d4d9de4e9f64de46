"""What programs of kfg do at their beginning and end, and what importing kfg does not."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest
from PIL import Image

from kfg import keras_settings, program
from kfg.__main__ import main
from kfg.errors import InputError
from kfg.models import convnets
from kfg.search import command as search

ROOT = pathlib.Path(__file__).parents[1]
EMOJI = "\N{CAT FACE}"
FULL = pathlib.Path("/dev/full")
needs_full_device = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


@pytest.fixture
def photos(tmp_path):
    """Return a folder of two classes, one of them named by a character that ASCII lacks."""
    root = tmp_path / "photos"
    for number, name in enumerate((EMOJI, "ünïcödé")):
        (root / name).mkdir(parents=True)
        for i in range(4):
            noise = Image.effect_noise((24, 20), 40 + 30 * i + 11 * number).convert("RGB")
            noise.save(root / name / f"{i}.png")
    return root


def kfg(*words, shell="", module="kfg", **environment):
    """Run a program in a process of its own, its streams redirected as a shell would."""
    line = f'"{sys.executable}" -m {module} "$@" {shell}'
    return subprocess.run(
        ["bash", "-c", line, "kfg", *map(str, words)],
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **environment},
    )


STATE = """
import importlib, json, logging, os, pathlib, signal, sys, warnings
import keras, tensorflow, keras_tuner, grpc, matplotlib  # what they do themselves is theirs
from keras_tuner.src.distribute import oracle_chief, oracle_client
from keras_tuner.src.engine import conditions

def state():
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)]
    loggers = {name: (list(logger.handlers), list(logger.filters), logger.level)
               for name, logger in logging.Logger.manager.loggerDict.items()
               if isinstance(logger, logging.Logger) and name.split(".")[0] in ("tensorflow", "absl", "keras")}
    tuner = [dict(vars(module)) for module in (conditions, oracle_chief, oracle_client)]
    settings = [getattr(keras.config, name)() for name in ("backend", "floatx", "image_data_format", "epsilon")]
    fds = sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if int(fd) < 3)
    return [sys.excepthook, list(warnings.filters), list(logging.root.handlers), loggers, dict(os.environ), handlers,
            tuner, settings, fds, sys.stdout, sys.stderr, os.umask(os.umask(0)), os.getcwd()]

names = sys.argv[1:]
before = state()
for name in names:
    importlib.import_module(name)
changed = [number for number, (a, b) in enumerate(zip(before, state())) if a != b]
print(len(names), changed)
"""


def test_importing_any_module_of_kfg_changes_nothing_in_the_process():
    """TensorFlow is imported before: without it, a variable chooses its kernels, see test_kernels.py."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "kfg").rglob("*.py"))
        if path.parent.name != "tracking"  # wandb and tensorboard do as they please
    ]
    assert "kfg.search.distributed" in names and "kfg.recipes" in names and "kfg.search._server" in names
    ended = subprocess.run([sys.executable, "-c", STATE, *names], capture_output=True, text=True)
    assert ended.stdout.split(maxsplit=1) == [str(len(names)), "[]\n"], ended.stderr[-2000:]


@needs_full_device
@pytest.mark.parametrize("words", [["--help"], ["audit"], ["audit", "--json"]], ids=" ".join)
def test_a_full_device_on_standard_output_is_one_line_and_2(words, photos, tmp_path):
    given = [] if words == ["--help"] else [str(photos)]
    given += [str(tmp_path / "a.json")] if "--json" in words else []
    ended = kfg(words[0], *given[:1], *words[1:], *given[1:], shell="> /dev/full")
    assert (ended.returncode, ended.stderr) == (2, "error: standard output: No space left on device\n")
    unbuffered = kfg(words[0], *given[:1], *words[1:], *given[1:], shell="> /dev/full", PYTHONUNBUFFERED="1")
    assert (unbuffered.returncode, unbuffered.stderr) == (ended.returncode, ended.stderr)


@pytest.mark.parametrize("shell, code", [(">&-", 0), ("2>&-", 0), (">&- 2>&-", 0), ("<&- >&- 2>&-", 0)])
def test_closed_streams_do_no_harm(shell, code, photos, tmp_path):
    target = tmp_path / "findings.json"
    assert kfg("audit", photos, "--json", target, shell=shell).returncode == code
    assert json.loads(target.read_text())["images"] == 8  # and nothing that was printed


@needs_full_device
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["audit", "nowhere"], ["audit", "--no-such-option"], ["no-such-command"]])
def test_a_full_device_for_errors_leaves_the_exit_code(words, unbuffered):
    assert kfg(*words, shell="2> /dev/full", PYTHONUNBUFFERED=unbuffered).returncode == 2


def test_a_reader_that_has_seen_enough_is_no_error(photos):
    ended = kfg("audit", photos, shell="| true; exit ${PIPESTATUS[0]}")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_names_that_the_terminal_cannot_show_are_escaped(encoding, photos):
    ended = kfg("audit", photos, PYTHONIOENCODING=encoding)
    assert ended.returncode == 0 and "Traceback" not in ended.stderr
    assert r"\U0001f431" in ended.stdout


def test_an_error_about_such_a_name_is_one_line(photos):
    ended = kfg("audit", photos / "nowhere" / EMOJI, PYTHONIOENCODING="ascii:strict")
    assert ended.returncode == 2 and ended.stderr.isascii()
    assert ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1


def test_the_streams_are_afterwards_as_before(capsys):
    before = sys.stdout.errors, sys.stderr.errors
    assert program.run(lambda: print(EMOJI) or 0) == 0
    assert (sys.stdout.errors, sys.stderr.errors) == before


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "https://host/photos"],
        ["train", "s3://bucket/photos"],
        ["predict", "run", "http://host/a.jpg"],
        ["train", "photos", "--out=gs://bucket"],
    ],
)
def test_an_address_is_refused_as_it_was_typed(words, capsys):
    address = words[-1].removeprefix("--out=")
    assert main(words) == 2
    assert capsys.readouterr().err == (
        f"error: {address}: is a web address, but kfg reads only local folders and files; download it first\n"
    )


def test_other_programs_and_options_know_addresses_too(capsys):
    from kfg.engine import runner
    from kfg.recipes import fruit3

    assert runner.main(fruit3.RECIPE, ["--data", "https://host/photos"]) == 2
    assert "https://host/photos: is a web address" in capsys.readouterr().err
    assert search.main(["folder", "--data=https://host/photos", "--out", "x"]) == 2
    assert "https://host/photos: is a web address" in capsys.readouterr().err
    assert search.main(["folder", "--data", "demo", "--out", "x", "--worker", "a", "--chief", "https://host:80"]) == 2
    assert "--chief: expected HOST:PORT" in capsys.readouterr().err
    assert main(["data", "no-such-set", "x", "--url", "https://host/a.tgz"]) == 2
    assert "an address" not in capsys.readouterr().err


KERAS_JSON = {"image_data_format": "channels_first", "floatx": "float64", "backend": "torch", "epsilon": 1e-3}
SHOW = (
    "from kfg import quiet\nwith quiet.tensorflow_notes():\n    import keras\n"
    "c = keras.config\nprint(c.backend(), c.floatx(), c.image_data_format(), c.epsilon())"
)
PLAIN = "tensorflow float32 channels_last 1e-07"


VARIABLES = {
    "KERAS_BACKEND": "jax", "KERAS_MAX_EPOCHS": "1", "KERAS_HOME": "/dev/null/nowhere", "TF_USE_LEGACY_KERAS": "1"
}  # fmt: skip


@pytest.mark.parametrize("home, environment", [("other settings", {}), ("no settings", {}), ("no settings", VARIABLES)])
def test_a_program_sets_the_users_keras_settings_aside(home, environment, tmp_path):
    settings = tmp_path / "other settings" / ".keras" / "keras.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(KERAS_JSON))
    environment = {**os.environ, "HOME": str(tmp_path / home), **environment}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])
    code = SHOW + "\nimport os; print(sorted(name for name in os.environ if name.startswith('KERAS_')))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    kept = sorted(name for name in environment if name.startswith("KERAS_"))
    assert ended.stdout.splitlines() == [PLAIN, str(kept)], ended.stderr
    assert not (tmp_path / "no settings" / ".keras").exists()  # Keras would have made it


@pytest.mark.parametrize("there", [{}, VARIABLES])
def test_an_import_sees_no_settings_file_and_no_variable_of_the_user(there, monkeypatch):
    for name in [name for name in os.environ if name.startswith("KERAS_")]:
        monkeypatch.delenv(name)
    for name, value in there.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with pytest.raises(ZeroDivisionError), keras_settings.set_aside():
        seen = {name: value for name, value in os.environ.items() if name.startswith("KERAS_")}
        raise ZeroDivisionError
    # no file, whatever is in it, lies in a folder that is none
    assert seen == {"KERAS_HOME": os.devnull, "KERAS_BACKEND": "tensorflow"}
    assert dict(os.environ) == before


def test_a_library_that_set_keras_otherwise_is_told_what_to_change(monkeypatch):
    build = {"num_classes": 2, "image_size": (68, 45), "width": 0.1}
    convnets.convnet(**build)
    for name, other, needed in (
        ("image_data_format", "channels_first", "channels_last"),
        ("floatx", "float16", "float32"),
    ):
        change = getattr(keras.config, f"set_{name}")
        change(other)
        try:
            with pytest.raises(InputError, match=rf"Keras setting {name}: kfg needs '{needed}'.*keras\.json") as error:
                convnets.convnet(**build)
        finally:
            change(needed)
        assert "\n" not in str(error.value)
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(InputError, match=r"backend: kfg needs 'tensorflow'.*start with KERAS_BACKEND=tensorflow"):
        keras_settings.check()
