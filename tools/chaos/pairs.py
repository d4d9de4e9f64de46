"""Run two commands at once with the same --out: each must succeed or say why not, and no row is lost or doubled."""

import dataclasses
import json
import pathlib
import shutil
import time

import numpy as np

from chaos import running, state, workload
from chaos.tally import Failure, Tally
from kfg.runs import run_files

INSTANT = "chaos.instant"
REAL_SHARE = 0.2  # share of pairs with kfg's own commands; the others use the recipe `instant`
STORED = 50  # number of finished runs whose rows two commands write at the same time


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two commands that run at the same time.

    Args:
        name: row of the table.
        first, second: words of the two commands, with DATA and OUT in place of the folders.
        runs: run folders of the first and of the second command; if a command ends with 0, its runs must have a row.
        codes: exit codes that are right for the second command.
        begun: file below OUT that must exist before the second command starts; "": it starts at once.
    """

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    runs: tuple[tuple[str, ...], tuple[str, ...]]
    codes: tuple[int, ...] = (0, 2)
    begun: str = ""


def instant(*, rows="one", seeds="0", seconds=0.0) -> tuple[str, ...]:
    words = ("-m", INSTANT, "--data", "DATA", "--out", "OUT", "--rows", rows, "--seeds", seeds, "--resume")
    return (*words, "--set", f"seconds={seconds}")


def made(rows="one", seeds="0") -> tuple[str, ...]:
    return tuple(f"instant/{row}/seed-{seed}" for seed in seeds.split(",") for row in rows.split(","))


def cheap_pairs() -> list[Pair]:
    """Return the pairs with the recipe `instant`, in which training takes almost no time."""
    same, many = made(), made(seeds="0,1,2")
    return [
        Pair("the same row twice", instant(), instant(), (same, same)),
        Pair("the same row, one waits", instant(seconds=1.0), instant(seconds=1.0), (same, same)),
        Pair("different rows", instant(), instant(rows="two"), (same, made("two"))),
        Pair("different seeds", instant(seeds="0,1,2"), instant(seeds="3,4,5"), (many, made(seeds="3,4,5"))),
        Pair("rows in other order", instant(rows="one,two"), instant(rows="two,one"), (made("one,two"),) * 2),
        Pair("same seeds", instant(seeds="0,1,2"), instant(seeds="0,1,2"), (many, many)),
        Pair("other settings", instant(), instant(seconds=0.5), (same, same)),
    ]


def real_pairs() -> list[Pair]:
    """Return the pairs of kfg's own commands; a command that reads a run starts once the run exists."""
    train, recipe, search = workload.train(), workload.recipe(), workload.search()
    run = f"OUT/{train.runs[0]}"
    predict = ("kfg", "predict", run, "DATA/blue")
    return [
        Pair("train twice", train.words, train.words, (train.runs, train.runs)),
        Pair("train and a recipe", train.words, recipe.words, (train.runs, recipe.runs)),
        Pair("train and a search", train.words, search.words, (train.runs, search.runs)),
        Pair("predict while training", train.words, predict, (train.runs, ()), begun=f"{train.runs[0]}/config.json"),
        Pair("predict while exporting", train.words, predict, (train.runs, ()), begun=f"{train.runs[0]}/model.keras"),
        Pair("evaluate while training", train.words, ("kfg", "evaluate", run), (train.runs, ()), begun=train.runs[0]),
        Pair("compare while training", train.words, ("kfg", "compare", "folder", "--out", "OUT"), (train.runs, ())),
    ]


def campaign(tally: Tally, scratch, *, count: int = 100, minutes: float | None = None) -> None:
    """Try `count` pairs: a fifth with kfg's own commands, a tenth storms (see `storm`), the rest with `instant`."""
    scratch, rng = pathlib.Path(scratch), np.random.default_rng(tally.seed)
    data = workload.write_photos(scratch / "photos")
    runner = running.Runner(scratch / "commands", fork=True)
    end = None if minutes is None else time.monotonic() + 60 * minutes
    real = max(1, round(count * REAL_SHARE))
    storms = max(1, round(count * 0.1))
    cheap, own = cheap_pairs(), real_pairs()
    chosen = [cheap[i % len(cheap)] for i in range(count - real - storms)] + [own[i % len(own)] for i in range(real)]
    stored = finished_runs(runner, data, scratch / "stored", tally)
    for number in range(count):
        if end is not None and time.monotonic() > end:
            break
        out = scratch / f"pair-{number}"
        if number < storms:
            storm(runner, data, stored, out, tally)
        else:
            pair = chosen[number - storms]
            failures, kept = meet(runner, pair, data, out, delay=float(rng.choice([0, 0, 0.05, 0.3, 1.0])))
            tally.note(pair.name, failures, keep=[out, *kept], what=f"pair {number}")
        print(f"pair {number + 1} of {count}: {len(tally.failures)} failures", flush=True)
        shutil.rmtree(out, ignore_errors=True)
    tally.figures |= {"pairs_with_the_instant_recipe": count - real, "pairs_of_real_commands": real}


def meet(runner, pair: Pair, data, out, *, delay: float) -> tuple[list[Failure], list[pathlib.Path]]:
    """Start both commands, wait for their ends and check the files; return the failures and the commands' folders."""
    first = runner.start(*filled(pair.first, data, out))
    waited = time.monotonic() + delay
    while time.monotonic() < waited or (pair.begun and first.running() and not (out / pair.begun).exists()):
        time.sleep(0.005)
    second = runner.start(*filled(pair.second, data, out))
    ends = [first.wait(), second.wait()]
    failures = running.judged(ends[0], codes=(0, 2)) + running.judged(ends[1], codes=pair.codes)
    if all(end.code != 0 for end in ends):
        failures.append(Failure("lost", f"neither command came through: {ends[0].told} | {ends[1].told}"))
    runs = dict.fromkeys(run for end, of in zip(ends, pair.runs, strict=True) if end.code == 0 for run in of)
    began = dict.fromkeys(run for of in pair.runs for run in of if state.finished(out, run))
    failures += state.check_rows(out, [*runs, *(run for run in began if run not in runs)])
    failures += state.check_whole(out, ended=True)
    return failures, [first.folder, second.folder]


def filled(words, data, out) -> list[str]:
    return [word.replace("DATA", str(data)).replace("OUT", str(out)) for word in words]


def finished_runs(runner, data, out, tally) -> pathlib.Path:
    """Run the instant recipe once and copy its run folder for other seeds, so that the runs of all are finished."""
    ended = runner.run(*filled(instant(), data, out))
    tally.note("a run alone", running.judged(ended) or state.check_rows(out, made()))
    folder = out / "instant" / "one"
    for seed in range(1, STORED if ended.code == 0 else 0):
        shutil.copytree(folder / "seed-0", folder / f"seed-{seed}")
        path = folder / f"seed-{seed}" / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "seed": seed}))
    return out


def storm(runner, data, stored, out, tally) -> None:
    """Let two commands at the same time write the missing rows of many finished runs."""
    shutil.copytree(stored, out)
    (out / run_files.RESULTS).unlink(missing_ok=True)
    half = STORED // 2
    seeds = [",".join(map(str, range(half))), ",".join(map(str, range(half, STORED)))]
    both = [runner.start(*filled(instant(seeds=one), data, out)) for one in seeds]
    ends = [process.wait() for process in both]
    failures = [failure for end in ends for failure in running.judged(end)]
    failures += state.check_rows(out, made(seeds=",".join(seeds)))
    tally.note("records at once", failures, keep=[out / run_files.RESULTS, *(process.folder for process in both)])
