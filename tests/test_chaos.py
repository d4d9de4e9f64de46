"""tools/chaos: every kind of check finds a planted defect, and a short form of the campaign finds none in kfg."""

import json
import os
import shutil
import zipfile

import h5py
import numpy as np
import pytest
from chaos import files, images, kills, mutate, pairs, repairs, running, state, workload
from chaos.image_seeds import seeds
from chaos.tally import BAD, Failure, Tally

from kfg.errors import InputError
from kfg.runs import run_files

RUN = "instant/one/seed-0"
ROW = {"recipe": "instant", "row": "one", "seed": 0, "fold": None, "folds": 1}


@pytest.fixture(scope="module", autouse=True)
def trunks_as_before():
    """Take back the trunk that the campaigns let kfg know: other tests of this process count them."""
    from kfg.models import backbones, mmal

    before = [(known, dict(known)) for known in (backbones.BACKBONES, mmal.TAPS)]
    yield
    for known, names in before:
        known.clear()
        known.update(names)


def kinds(failures):
    return [failure.kind for failure in failures]


@pytest.fixture
def tally(tmp_path):
    return Tally("test", kept=tmp_path / "kept", seed=3)


def ended(code=0, out="", err=""):
    return running.Ended(("kfg", "predict"), code, out, err)


@pytest.mark.parametrize(
    ("end", "found"),
    [
        (ended(), []),
        (ended(2, err="a warning\nerror: x/split.csv: no column\n"), []),
        (ended(2, err="error: something else\n"), ["other"]),  # which names no file
        (ended(2), ["other"]),  # without a word
        (ended(2, err="error: x/split.csv: one\nerror: x/split.csv: two\n"), ["other"]),
        (ended(3), ["other"]),
        (ended(None), ["other"]),  # hung
        (ended(1, err="Traceback (most recent call last):\n  ...\nKeyError: 'x'\n"), ["tracebacks"]),
        (ended(0, out="Traceback (most recent call last):\nKeyError: 'x'\n"), ["tracebacks"]),
    ],
)
def test_the_end_of_a_command_is_judged(end, found):
    assert kinds(running.judged(end, codes=(0, 1, 2), names=["split.csv"])) == found


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([json.dumps(ROW)], []),
        ([json.dumps(ROW)] * 2, ["doubled"]),
        ([], ["lost"]),
        ([json.dumps(ROW), json.dumps(ROW)[:20]], ["other"]),  # a line that a kill cut off
        ([json.dumps(ROW), json.dumps({**ROW, "seed": 9})], ["other"]),  # which nobody ran
    ],
)
def test_rows_lost_and_doubled_are_told(tmp_path, lines, found):
    (tmp_path / run_files.RESULTS).write_text("".join(f"{line}\n" for line in lines))
    assert kinds(state.check_rows(tmp_path, [RUN])) == found


@pytest.mark.parametrize(("read", "found"), [([ROW], []), ([ROW, ROW], ["doubled"]), ([], ["lost"]), (None, ["other"])])
def test_behind_a_line_that_a_kill_cut_off_the_other_rows_must_be_read(tmp_path, monkeypatch, read, found):
    def reads(_):
        if read is None:
            raise InputError("results.jsonl:2: not JSON")
        return read

    (tmp_path / run_files.RESULTS).write_text(f"{json.dumps(ROW)}\n{json.dumps(ROW)[:20]}")
    monkeypatch.setattr(state.results_file, "read", reads)
    assert kinds(state.check_rows(tmp_path, [RUN], may_be_cut=True)) == found


def write_model(path, *arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for number, array in enumerate(arrays):
            file[f"layer{number}/kernel"] = array
    with zipfile.ZipFile(path, "w") as file:
        file.write(path.with_suffix(".h5"), "model.weights.h5")


def test_weights_that_differ_in_one_bit_are_told(tmp_path):
    one = np.ones((2, 3), np.float32)
    write_model(tmp_path / "a" / RUN / "model.keras", one)
    wanted = state.all_weights(tmp_path / "a", [RUN])
    assert state.check_weights(tmp_path / "a", wanted) == []
    other = one.copy()
    other[0, 0] = np.nextafter(np.float32(1), np.float32(2))
    for name, arrays, kind in (("bit", (other,), "other"), ("more", (one, one), "other")):
        write_model(tmp_path / name / RUN / "model.keras", *arrays)
        assert kinds(state.check_weights(tmp_path / name, wanted)) == [kind]
    assert kinds(state.check_weights(tmp_path / "nothing", wanted)) == ["lost"]


def test_half_written_files_are_told(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert state.check_whole(tmp_path, ended=True) == []
    (tmp_path / "env.json").write_text("{")
    (tmp_path / ".report.json.12.partial").touch()
    assert kinds(state.check_whole(tmp_path, ended=False)) == ["lost"]
    assert kinds(state.check_whole(tmp_path, ended=True)) == ["other", "lost"]


def test_a_campaign_fails_on_any_bad_kind_and_where_nothing_was_checked(tally, tmp_path):
    assert tally.failed()
    tally.figures["skipped"] = "this system has no tmpfs to mount"
    assert not tally.failed()
    tally.note("row")
    tally.figures["kills"] = 0
    assert tally.failed() and "nothing was killed" in tally.table()
    tally.figures["kills"] = 1
    assert not tally.failed() and "nothing was killed" not in tally.table()
    for kind in BAD:
        other = Tally("test", kept=tmp_path / kind, seed=3)
        other.note("row", [Failure(kind, "what")], keep=[("input", b"bytes")])
        assert other.failed()
        assert other.line()[kind] == 1 and other.line()["seed"] == 3
        assert (tmp_path / kind / "0001" / "input").read_bytes() == b"bytes"
        assert kind in (tmp_path / kind / "failures.txt").read_text()


@pytest.fixture(scope="module")
def decoders():
    return images.Pair()


def test_seeds_are_shown_alike_or_for_a_known_reason(decoders):
    assert len(seeds()) > 90
    found = {name: decoders.compare(data) for name, data in seeds().items()}
    assert {name: failures for name, (_, failures) in found.items() if failures} == {}
    assert {kind for kind, _ in found.values()} == {"shown by both", "known difference", "refused by both"}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_mutated_images_leave_no_traceback_and_come_again_by_their_number(decoders):
    first = len(seeds())
    for number in range(first, first + 300):
        name, data = mutate.mutated(seeds(), seed=1, number=number)
        assert mutate.mutated(seeds(), seed=1, number=number) == (name, data)
        failures = decoders.compare(data)[1]
        assert "tracebacks" not in kinds(failures), (number, name, failures)


def test_a_decoder_that_is_off_or_raises_is_told(decoders, monkeypatch):
    data, right = seeds()["png-RGB"], decoders.decode
    assert decoders.compare(data) == ("shown by both", [])

    def raises(_):
        raise KeyError("planted")

    for planted, kind in ((lambda one: right(one) ^ 1, "other"), (raises, "tracebacks")):
        monkeypatch.setattr(decoders, "decode", planted)
        assert kinds(decoders.compare(data)[1]) == [kind]
    monkeypatch.setattr(decoders, "decode", right)
    for planted, kind in ((raises, "tracebacks"), (lambda _: decoders.tf.zeros((1, 1, 3)), "other")):
        monkeypatch.setattr(decoders, "exported", planted)
        assert kinds(decoders.compare(data)[1]) == [kind]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return workload.write_photos(tmp_path_factory.mktemp("chaos") / "photos", per_class=8)


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    return running.Runner(tmp_path_factory.mktemp("commands"), fork=True, env={"CHAOS_UNDRAWN": "1"})


@pytest.fixture(scope="module")
def whole(runner, photos, tmp_path_factory):
    """Return the output folder of an uninterrupted run of the instant recipe."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert running.judged(runner.run(*pairs.filled(pairs.instant(), photos, out))) == []
    return out


def test_two_kills_leave_the_same_run(runner, photos, whole, tmp_path, tally):
    work = workload.Workload("instant", pairs.instant(), (), (RUN,))
    known = kills.Reference(state.all_weights(whole, work.runs), 2.0)
    killed = [
        kills.kill_and_go_on(runner, work, photos, tmp_path / f"out-{i}", known, moments, tally, at_most=1)
        for i, moments in enumerate((At("last.npz"), At("report.json")))
    ]
    assert killed == [1, 1]
    assert not tally.failed(), tally.table()
    assert tally.rows["instant: ended"]["done"] == 2
    # the contrary: weights of another seed are not taken for the same
    other = state.all_weights(whole, work.runs)
    next(iter(other[RUN].values()))[...] += 1
    assert kinds(state.check_end(tmp_path / "out-0", work.runs, other)) == ["other"]


@pytest.mark.skipif("KFG_TEST_LONG" not in os.environ, reason="takes five minutes; KFG_TEST_LONG=1 runs it")
def test_a_repair_that_is_killed_ends_as_one_that_is_not(runner, tmp_path, tally):
    data = workload.write_photos(tmp_path / "photos", per_class=repairs.PER_CLASS, classes=repairs.ALIKE)
    trained, known = repairs.prepared(runner, data, tmp_path, tally)
    at = At("last.npz")  # in the training with the proven remedy, when all that comes before is there
    assert repairs.repaired(runner, data, trained, tmp_path / "cut", known, at, tally, 1) == 1
    assert not tally.failed(), tally.table()
    assert tally.rows["kfg repair: ended"]["done"] == 1
    # the contrary: other findings are not taken for the same
    (name, content), *_ = known.files.items()
    assert kinds(state.check_files(tmp_path / "cut", {name: content + b" "})) == ["other"]


class At:
    """Draws, in place of a random generator, the moment when a file of some name appears."""

    def __init__(self, name):
        self.name = name

    def random(self):
        return 1.0

    def choice(self, _):
        return self.name


@pytest.mark.parametrize("pair", pairs.cheap_pairs()[:3], ids=lambda pair: pair.name)
def test_two_commands_on_one_folder_lose_and_double_nothing(runner, photos, tmp_path, pair):
    assert pairs.meet(runner, pair, photos, tmp_path / "out", delay=0)[0] == []


def test_two_commands_that_record_at_once_lose_no_row(runner, photos, tmp_path, tally, monkeypatch):
    monkeypatch.setattr(pairs, "STORED", 10)
    stored = pairs.finished_runs(runner, photos, tmp_path / "stored", tally)
    pairs.storm(runner, photos, stored, tmp_path / "out", tally)
    assert not tally.failed(), tally.table()
    assert len(state.rows(tmp_path / "out")[0]) == 10


@pytest.fixture
def reader(photos):
    return files.Reader(photos.parent)


def test_mutated_files_of_a_run_end_in_one_line(reader, whole, monkeypatch):
    monkeypatch.setattr(reader, "words", lambda _, out: ("predict", str(out / RUN), str(reader.scratch / files.IMAGE)))
    for number in range(12):
        one = reader.try_finished(whole, np.random.default_rng([5, number]))
        assert one.failures == [], one.what


def test_a_reader_that_raises_or_does_not_name_the_file_is_told(reader, whole, monkeypatch):
    def raises(_):
        raise KeyError("planted")

    def vague(_):
        import sys

        print("error: something is wrong", file=sys.stderr)
        return 2

    for planted, kind in ((raises, "tracebacks"), (vague, "other")):
        monkeypatch.setattr("kfg.__main__.main", planted)
        monkeypatch.setattr(reader, "words", lambda *_: ("predict",))
        one = reader.try_finished(whole, np.random.default_rng(0))
        assert kinds(one.failures) == [kind]
        assert one.keep


def test_a_snapshot_tells_a_lost_file(tmp_path):
    from chaos import permissions

    (tmp_path / "report.json").write_text("{}")
    (tmp_path / run_files.RESULTS).write_text("a\n")
    before = permissions._snapshot(tmp_path)
    (tmp_path / run_files.RESULTS).write_text("a\nb\n")
    assert permissions._changed(before, tmp_path) == []
    shutil.copy(tmp_path / run_files.RESULTS, tmp_path / "report.json")
    (tmp_path / run_files.RESULTS).write_text("b\n")
    gone = {str(tmp_path / name) for name in ("report.json", run_files.RESULTS)}
    assert set(permissions._changed(before, tmp_path)) == gone
