"""Checks of the cases about runs: environments, changed images, contests, network shares without locks."""

import json
import os
import shutil

import numpy as np
from PIL import Image

from chaos import kills, running
from chaos.bench import QUICK, said


def environment(bench, case):
    """Check that Keras's own settings change no prediction, or that one line says what to change."""
    fresh = running.Runner(bench.out("fresh"), fork=False)
    model, folder = bench.model(), case / "emoji"
    homes = {path.name: {"HOME": str(path), "KERAS_HOME": str(path / ".keras")} for path in sorted(case.glob("home_*"))}
    homes["KERAS_BACKEND=torch"] = {"KERAS_BACKEND": "torch"}
    wanted = fresh.run("kfg", "predict", model, folder)
    bench.ends("no settings", wanted, codes=(0,))
    for name, env in homes.items():
        ended = fresh.run("kfg", "predict", model, folder, env=env)
        words = ("keras.json", "KERAS_BACKEND")
        bench.ends(f"{name}: ends", ended, codes=(0, 2), names=words)
        if ended.code == 0:
            bench.expect(f"{name}: the same answers", ended.out == wanted.out, wrong="other answers")
    ascii_only = fresh.run("kfg", "predict", model, folder, env={"PYTHONIOENCODING": "ascii"})
    bench.ends("PYTHONIOENCODING=ascii", ascii_only, codes=(0,))
    bench.any_folder(folder)


def demo_name(bench, case):
    """Check that a user's own folder called demo is read, or that the screen says that drawn images were used."""
    out = bench.out("runs")
    words = ("-m", "kfg.recipes.imagenet20", "--data", "demo", "--out", out, "--rows", "convnet1", "--smoke")
    ended = bench.ends("recipe", bench.runner.run(*words, cwd=case), codes=(0, 2))
    path = out / "imagenet20" / "convnet1" / "seed-0" / "classes.json"
    own = path.is_file() and json.loads(path.read_text()) == ["cat", "dog"]
    bench.expect("the own folder, or said", own or "drawn" in said(ended), ended.told)


CHANGES = ("add", "remove", "alter", "rename", "trunc", "gone")


def resume_changed(bench, case):
    """Check that a run resumed on other images, or from a damaged checkpoint, says so in one line."""
    for name in CHANGES:
        data, out = bench.out(name), bench.out("runs")
        shutil.copytree(case / name, data)
        words = ["kfg", "train", data, "--out", out, "--weights", "none", "--time-budget", "1h"]
        for setting in (*QUICK, "epochs=6", "head_epochs=3", "min_errors=0"):
            words += ["--set", setting]
        process = bench.runner.start(*words)
        kills.kill_at(process, out, after=0.0, at="last.npz")
        process.wait()
        codes = change(name, data, out)
        ended = bench.runner.run(*words, "--resume")
        bench.ends(f"{name}: resumed", ended, codes=codes, names=[data, out] if codes == (2,) else ())


def change(name, data, out) -> tuple[int, ...]:
    """Change the images or the checkpoint as a case requires; return the exit codes that are right after that."""
    first = sorted((data / "cat").iterdir())[0]
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    if name == "add":
        Image.fromarray(pixels).save(data / "cat" / "added.jpg")
    elif name == "remove":
        first.unlink()
    elif name == "alter":
        Image.fromarray(pixels).save(first)
    elif name == "rename":
        os.rename(data / "cat", data / "lynx")
    elif name == "trunc":
        for path in out.rglob("last.npz"):
            path.write_bytes(b"")
    elif name == "gone":
        for path in out.rglob("last.npz"):
            path.unlink()
        return (0, 2)  # the training begins anew, or a message says what is missing
    return (2,)


def lopsided(bench, case):
    """Check that for two easy classes with 300 and 12 images nearly all predictions are right, in both classes."""
    for check, settings in (("head", ("epochs=0", "views=0")), ("default", ())):
        out = bench.out("runs")
        words = ["kfg", "train", case / "data", "--out", out]
        for setting in settings:
            words += ["--set", setting]
        ended = bench.ends(f"train, {check}", bench.runner.run(*words, timeout=1800), codes=(0,))
        report = out / "folder" / "transfer" / "seed-0" / "report.json"
        found = json.loads(report.read_text()) if report.is_file() and ended.code == 0 else None
        rates = [] if found is None else [found[name]["value"] for name in ("top1", "macro_recall")]
        bench.expect(
            f"{check}: nearly all right, of both", bool(rates) and min(rates) >= 0.95, f"top-1, macro recall {rates}"
        )


def contest(bench, case):
    """Check that every test image is answered once, or named in a message."""
    for folder in sorted(case.iterdir()):
        bench.any_folder(folder)
    ended, run = bench.train(case / "data")
    bench.ends("data: train", ended, codes=(0,))
    out = bench.out("answer.json")
    ended = bench.ends(
        "data: answer", bench.runner.run("kfg", "answer", run, case / "data", "--out", out), codes=(0, 1, 2)
    )
    text = said(ended).replace(str(out), "") + (out.read_text(encoding="utf-8") if out.is_file() else "")
    for name in ("0001", "0002", "00003", "0009.jpg", "0010.heic", "0011", "weird name", "caf"):
        bench.expect(f"data: {name} answered or named", name in text, wrong="neither")
    told = "0001.jpg" in said(ended) and "0001.png" in said(ended)
    bench.expect("data: two files of one id are told", told or ended.code == 2, ended.told)


def share(bench, case):
    """Check file systems without locks or without rename: training works, or one line names the folder."""
    fresh = running.Runner(bench.out("fresh"), fork=False)
    data = bench.scratch / "plain-photos"
    bench.model()
    for name, codes in (("nolock", (0,)), ("norename", (0, 2))):
        out = bench.out("runs")
        words = ["kfg", "train", data, "--out", out, "--weights", "none", "--time-budget", "1h"]
        for setting in QUICK:
            words += ["--set", setting]
        ended = fresh.run(*words, env={"PYTHONPATH": str(case / name)})
        bench.ends(f"{name}: train", ended, codes=codes, names=[out])


CHECKS = {
    "environment": environment,
    "demo-name": demo_name,
    "resume-changed": resume_changed,
    "lopsided-two-classes": lopsided,
    "contest": contest,
    "network-share": share,
}
