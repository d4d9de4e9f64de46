"""corrections.csv: decisions about photographs are kept whole, applied, and refused in a line that says what to do."""

import csv
import dataclasses
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import warnings

import pytest

import kfg
from kfg.__main__ import main
from kfg.data import audit, audit_table, corrected, corrections, folder, splits
from kfg.data.corrections import COLUMNS, LEFT_OUT, Correction
from kfg.data.index import fingerprint
from kfg.data.told import passed_over
from kfg.errors import InputError

FIRST, SECOND, THIRD = "blue/000.jpg", "blue/001.jpg", "green/000.jpg"


@pytest.fixture
def root(photos, tmp_path):
    """Three classes of twelve photographs."""
    return shutil.copytree(photos, tmp_path / "photos")


def correction(root, path, after):
    digest = hashlib.sha256((root / path).read_bytes()).hexdigest()
    return Correction(path, digest, path.split("/")[0], after, "looks like it", "2026-11-29T03:55:00+00:00")


def write(root, *rows, table=None):
    """Write a table as a person could, whatever is in it."""
    table = table or root / "corrections.csv"
    with open(table, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([one.path, one.sha256, one.before, one.after, one.reason, one.time] for one in rows)
    return table


def labels(index):
    return {path: index.classes[label] for path, label in zip(index.paths, index.labels, strict=True)}


def test_photographs_are_relabelled_and_left_out_and_no_file_is_touched(root):
    before = {path: path.read_bytes() for path in root.rglob("*.jpg")}
    write(root, correction(root, FIRST, "green"), correction(root, THIRD, LEFT_OUT), correction(root, SECOND, "blue"))
    index = folder.scan(root)
    assert len(index) == 35 and labels(index)[FIRST] == "green" and THIRD not in index.paths
    assert labels(index)[SECOND] == "blue"
    assert (
        index.corrected.said() == f"{root / 'corrections.csv'}: 2 corrections applied"
    )  # to keep one is no correction
    assert passed_over(index) == []
    plain = folder.scan(root, corrections=False)
    assert len(plain) == 36 and labels(plain)[FIRST] == "blue" and plain.corrected is None
    assert {path: path.read_bytes() for path in root.rglob("*.jpg")} == before


def test_corrected_photographs_are_other_data(root):
    plain = audit.duplicate_groups(folder.scan(root))
    write(root, correction(root, SECOND, "blue"))
    assert fingerprint(audit.duplicate_groups(folder.scan(root))) == fingerprint(plain)  # kept as it is
    write(root, correction(root, FIRST, "green"))
    assert fingerprint(audit.duplicate_groups(folder.scan(root))) != fingerprint(plain)


def test_corrections_move_no_photograph_to_another_part(root):
    shutil.copy(root / THIRD, root / "green" / "copy.jpg")  # the two share a part, and one is left out below
    (root / "green" / "broken.jpg").write_bytes((root / THIRD).read_bytes()[:500])

    def parts():
        index = splits.split(audit.duplicate_groups(folder.scan(root)), val=0.1, test=0.3)
        return dict(zip(index.paths, index.parts, strict=True))

    (root / "green" / "broken.jpg").rename(root / "broken.jpg")  # else the first call refuses it
    before = parts()
    (root / "broken.jpg").rename(root / "green" / "broken.jpg")
    write(
        root,
        correction(root, FIRST, "green"),
        correction(root, SECOND, "red"),
        correction(root, THIRD, LEFT_OUT),
        correction(root, "green/broken.jpg", LEFT_OUT),
    )
    after = parts()
    assert after == {path: part for path, part in before.items() if path != THIRD}
    assert set(after.values()) == {"train", "val", "test"} and len(after) == 36


def test_a_begun_run_is_not_divided_otherwise(root, tmp_path):
    """What is left out helps to decide how its class is divided; when it is gone, the others are divided otherwise."""
    write(root, *(correction(root, path, LEFT_OUT) for path in (FIRST, SECOND)))
    index = splits.split(audit.duplicate_groups(folder.scan(root)), val=0.1, test=0.3)
    splits.check_as_before(index, tmp_path / "split.csv")  # there is none yet
    splits.write_csv(index, tmp_path / "split.csv")
    splits.check_as_before(index, tmp_path / "split.csv")
    for path in (FIRST, SECOND):
        (root / path).unlink()
    (root / "corrections.csv").unlink()
    again = splits.split(audit.duplicate_groups(folder.scan(root)), val=0.1, test=0.3)
    with pytest.raises(InputError, match=r"split\.csv: blue/0..\.jpg was in \w+ and would now be in \w+, because"):
        splits.check_as_before(again, tmp_path / "split.csv")


def test_photographs_are_divided_anew_where_corrections_would_empty_a_part_or_leave_a_class_untrained(root):
    def parts():
        index = splits.split(audit.duplicate_groups(folder.scan(root)), val=0.02, test=0.3)
        return dict(zip(index.paths, index.parts, strict=True))

    before = parts()
    for part, name in (("val", ""), ("train", "blue/")):
        gone = [path for path, own in before.items() if own == part and path.startswith(name)]
        write(root, *(correction(root, path, LEFT_OUT) for path in gone))
        after = parts()
        assert set(after.values()) == {"train", "val", "test"} and len(after) == 36 - len(gone)
        assert {path.split("/")[0] for path, own in after.items() if own == "train"} == {"blue", "green", "red"}


def test_what_no_longer_fits_is_counted_and_not_applied(root):
    rows = [correction(root, f"blue/{i:03d}.jpg", "red") for i in range(5)] + [correction(root, THIRD, LEFT_OUT)]
    write(root, *rows)
    (root / "blue/000.jpg").write_bytes((root / "red/000.jpg").read_bytes())
    index = folder.scan(root)
    assert index.corrected.said().endswith(
        "5 corrections applied, 1 no longer fits: the photograph changed (blue/000.jpg)"
    )
    assert labels(index)["blue/000.jpg"] == "blue" and labels(index)["blue/001.jpg"] == "red"
    (root / "blue/001.jpg").unlink()
    told = folder.scan(root).corrected.said()
    assert "4 corrections applied, 2 no longer fit: the photograph changed (1, such as blue/000.jpg)" in told
    assert told.endswith("the photograph is gone (1, such as blue/001.jpg)")


def test_the_audit_looks_at_the_corrected_classes_and_not_at_what_is_left_out(root):
    (root / "blue/000.jpg").write_bytes(b"no picture")
    assert audit.exit_code(audit.audit(root)) == 1
    write(root, correction(root, "blue/000.jpg", LEFT_OUT), correction(root, SECOND, "green"))
    result = audit.audit(root)
    assert result.images == 35 and result.classes == {"blue": 10, "green": 13, "red": 12}
    assert audit.exit_code(result) == 0 and "2 corrections applied" in audit_table.findings_table(result)
    assert audit_table.as_json(result)["corrections"]["relabelled"] == {SECOND: "green"}
    assert not {one.path for one in result.findings} & {"corrections.csv", "blue/000.jpg"}
    assert audit.audit(root, corrections=False).classes["blue"] == 12


def test_a_split_written_with_corrections_keeps_them(root, capsys):
    write(root, correction(root, FIRST, "green"), correction(root, THIRD, LEFT_OUT))
    assert main(["split", str(root)]) == 0
    assert "2 corrections applied" in capsys.readouterr().out
    index = folder.scan(root)  # of split.csv, which has the new classes already
    assert index.corrected.said().endswith("2 corrections applied")
    assert labels(index)[FIRST] == "green" and THIRD not in index.paths and len(index) == 35


def test_commands_honour_them_say_so_and_leave_them_aside_when_asked(root, capsys, tmp_path):
    table = write(root, correction(root, FIRST, "green"))
    assert main(["audit", str(root)]) == 0
    assert "1 correction applied" in capsys.readouterr().out
    assert main(["audit", str(root), "--no-corrections"]) == 0
    assert "correction" not in capsys.readouterr().out
    elsewhere = tmp_path / "mine.csv"
    table.rename(elsewhere)  # as for photographs in a folder that cannot be written
    assert main(["split", str(root), "--corrections", str(elsewhere), "--out", str(tmp_path / "split.csv")]) == 0
    assert f"{elsewhere}: 1 correction applied" in capsys.readouterr().out
    assert f"{FIRST},green," in (tmp_path / "split.csv").read_text()
    assert main(["audit", str(root), "--corrections", str(elsewhere), "--no-corrections"]) == 2
    assert main(["audit", str(root), "--corrections", str(tmp_path / "none.csv")]) == 2
    assert "none.csv" in capsys.readouterr().err


def test_kfg_load_honours_them_and_says_so(root):
    write(root, correction(root, FIRST, "green"), correction(root, THIRD, LEFT_OUT))
    with pytest.warns(UserWarning, match="2 corrections applied"):
        parts = kfg.load(root, image_size=8)
    everything = parts.train + parts.val + parts.test
    assert len(everything) == 35 and everything.counts().tolist() == [11, 12, 12]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = kfg.load(root, image_size=8, corrections=False)
    assert sum(map(len, parts)) == 36


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[:-60], ":3: this line is incomplete, "),
        (lambda text: text[: text.index("\n") + 100], ":2: this line is incomplete, "),
        (lambda text: text[:-9], ":3: '2026-11-29T03:55:' is not a time like "),
        (
            lambda text: text.replace("sha256", "digest"),
            ": its first line is not path,sha256,class before,class after,",
        ),
        (lambda text: text.partition("\n")[2], ": its first line is not path,"),
        (lambda text: "", ": its first line is not path,"),
        (lambda text: text + text.splitlines()[1] + "\n", ":4: blue/000.jpg is also decided in line 2; remove one"),
        (
            lambda text: text.replace("green,looks", "gren,looks", 1),
            ":2: there is no class 'gren'; did you mean green?",
        ),
        (lambda text: text.replace("green,looks", ",looks", 1), ":2: a path or a class is missing"),
        (lambda text: text.replace("blue/000", "../other/000"), ":2: ../other/000.jpg is outside of "),
        (lambda text: text.replace(text.split(",")[6], "abc"), ":2: 'abc' is not a sha256"),
    ],
)
def test_a_table_that_was_edited_by_hand_is_refused_in_a_line_with_its_place(root, capsys, damage, said):
    table = write(root, correction(root, FIRST, "green"), correction(root, SECOND, "green"))
    folder.scan(root)  # whole, it is taken
    table.write_text(damage(table.read_text()))
    left = table.read_bytes()
    for command in (["audit", str(root)], ["split", str(root)]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1 and f"{table}{said}" in error
    with pytest.raises(InputError):
        kfg.load(root)
    assert table.read_bytes() == left and not (root / "split.csv").exists()


@pytest.mark.parametrize(("encoding", "separator", "end"), [("utf-8-sig", ";", "\r\n"), ("utf-16", "\t", "\n")])
def test_what_a_spreadsheet_saves_is_read(root, encoding, separator, end):
    table = write(root, correction(root, FIRST, "green"))
    table.write_bytes(table.read_text().replace(",", separator).replace("\n", end).encode(encoding))
    assert labels(folder.scan(root))[FIRST] == "green"


def test_corrections_of_another_folder_are_refused(root, tmp_path):
    other = shutil.copytree(root, tmp_path / "other")
    for path in other.rglob("*.jpg"):
        path.write_bytes(path.read_bytes() + b"\0")
    write(root, correction(other, FIRST, "green"), correction(other, THIRD, LEFT_OUT))
    with pytest.raises(
        InputError, match=r"none of its 2 corrections fits .* belongs to another folder.*--no-corrections"
    ):
        folder.scan(root)
    write(root, dataclasses.replace(correction(root, FIRST, "green"), path="cats/1.jpg"))
    with pytest.raises(InputError, match=r"the photograph is gone: cats/1\.jpg"):
        folder.scan(root)


def test_no_class_loses_all_its_photographs_and_none_is_called_left_out(root):
    write(root, *(correction(root, f"red/{i:03d}.jpg", LEFT_OUT) for i in range(12)))
    with pytest.raises(InputError, match="leaves no photograph in the class 'red'"):
        folder.scan(root)
    (root / "red").rename(root / LEFT_OUT)
    write(root, correction(root, FIRST, "green"))
    with pytest.raises(InputError, match="a class called 'left out' would be confused"):
        folder.scan(root)


def test_a_decision_is_written_taken_back_and_changed_one_row_each(root):
    table = root / "corrections.csv"
    made = correction(root, FIRST, "green")
    corrections.decide(table, root, FIRST, made, was=None)
    corrections.decide(table, root, FIRST, made, was=None)  # the answer was lost, and the page asks again
    corrections.decide(table, root, SECOND, correction(root, SECOND, LEFT_OUT), was=None)
    assert [one.path for one in corrections.read(table, root)] == [FIRST, SECOND]
    corrections.decide(table, root, FIRST, correction(root, FIRST, "blue"), was="green")
    assert [(one.path, one.after) for one in corrections.read(table, root)] == [(SECOND, LEFT_OUT), (FIRST, "blue")]
    corrections.decide(table, root, FIRST, None, was="blue")
    assert [one.path for one in corrections.read(table, root)] == [SECOND]


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such name")
def test_names_with_a_line_break_are_written_and_read_back(root):
    table, odd = root / "corrections.csv", ("blue/a\rb.jpg", 'blue/"c\r\n, d".jpg', "blue/e\nf.jpg")
    for path in odd:
        shutil.copy(root / FIRST, root / path)
        corrections.decide(table, root, path, correction(root, path, LEFT_OUT), was=None)
    corrections.decide(table, root, SECOND, correction(root, SECOND, "green"), was=None)
    assert [one.path for one in corrections.read(table, root)] == [*odd, SECOND]
    assert labels(folder.scan(root))[SECOND] == "green" and not set(odd) & set(folder.scan(root).paths)


def test_who_does_not_know_of_a_decision_cannot_overwrite_it(root):
    table = root / "corrections.csv"
    corrections.decide(table, root, FIRST, correction(root, FIRST, "green"), was=None)
    left = table.read_bytes()
    with pytest.raises(corrections.Changed) as error:
        corrections.decide(table, root, FIRST, correction(root, FIRST, "red"), was=None)
    assert error.value.now.after == "green" and table.read_bytes() == left


def test_a_damaged_table_is_not_written_over(root):
    table = write(root, correction(root, FIRST, "green"))
    table.write_text(table.read_text()[:-60])
    left = table.read_bytes()
    with pytest.raises(InputError, match="this line is incomplete"):
        corrections.decide(table, root, SECOND, correction(root, SECOND, "green"), was=None)
    assert table.read_bytes() == left


DECIDER = """
import sys, pathlib
from kfg.data import corrections
from kfg.data.corrections import Correction
root, first = pathlib.Path(sys.argv[1]), int(sys.argv[2])
for number in range(first, 40):
    path = f"blue/{number:03d}.jpg"
    one = Correction(path, "0" * 64, "blue", "green", "looks like it", corrections.now())
    corrections.decide(root / "corrections.csv", root, path, one, was=None)
    print(number, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
def test_decisions_with_a_kill_after_each_tenth_are_all_there_once(tmp_path):
    done = -1
    while done < 39:
        command = [sys.executable, "-c", DECIDER, str(tmp_path), str(done + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(10):
                if line := process.stdout.readline():
                    done = int(line)
            process.send_signal(signal.SIGKILL)  # in the middle of the next one
    found = [one.path for one in corrections.read(tmp_path / "corrections.csv", tmp_path)]
    assert sorted(found) == [f"blue/{number:03d}.jpg" for number in range(40)]


def test_what_is_said_has_nothing_that_garbles_a_terminal(tmp_path):
    made = corrected.Corrected(tmp_path / "a\x1b[31m.csv", {"x": "y"}, frozenset(), {})
    assert "\x1b" not in made.said()
