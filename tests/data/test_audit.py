"""The audit finds what was planted, each thing once, and nothing in a clean folder."""

import collections
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import unicodedata

import numpy as np
import pytest
from PIL import Image

from kfg.data import audit, checks, decode, fingerprints, folder, splits
from kfg.data.audit_table import as_json, findings_table
from kfg.data.index import make_index
from kfg.errors import InputError


def photo(seed, size=(48, 48)):
    """A picture with structure of its own: no two seeds are alike."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def save(root, path, image, format="JPEG", **options):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    image.save(root / path, format, **options)


@pytest.fixture
def clean(tmp_path):
    for name, i in itertools.product("ab", range(6)):
        save(tmp_path, f"{name}/{i}.jpg", photo(i + 10 * (name == "b")))
    return tmp_path


def found(root, **options):
    """Return {(kind, severity, path)} of the findings."""
    findings = audit.audit(root, **options).findings
    rows = [(one.kind, one.severity, one.path) for one in findings]
    assert len(rows) == len(set(rows))
    return set(rows)


def test_a_clean_folder_has_no_findings(clean):
    result = audit.audit(clean)
    assert result.findings == [] and audit.exit_code(result) == 0
    assert (result.images, result.classes) == (12, {"a": 6, "b": 6})
    assert as_json(result) == {"images": 12, "classes": {"a": 6, "b": 6}, "imbalance_ratio": 1.0, "findings": []}
    assert "0 errors, 0 warnings, 0 notes" in findings_table(result)
    assert found(clean, expect_size=(48, 40)) == {
        ("odd-size", "warning", f"{n}/{i}.jpg") for n in "ab" for i in range(6)
    }


def test_files_that_are_no_usable_image(clean):
    whole = (clean / "a/0.jpg").read_bytes()
    (clean / "a/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (clean / "a/empty.jpg").touch()
    (clean / "a/text.jpg").write_text("From: somebody")
    (clean / "a/notes.txt").write_text("From: somebody")
    (clean / "a/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50) + b"IEND\xaeB`\x82")
    os.symlink("loop.jpg", clean / "a/loop.jpg")
    os.symlink("nowhere.jpg", clean / "a/dangling.jpg")
    bomb = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(bomb, "PNG")
    (clean / "a/bomb.png").write_bytes(bomb.getvalue())
    wanted = {
        ("truncated", "error", "a/cut.jpg"), ("truncated", "error", "a/empty.jpg"), ("bomb", "error", "a/bomb.png"),
        ("not-an-image", "error", "a/text.jpg"), ("not-an-image", "note", "a/notes.txt"),
        ("undecodable", "error", "a/broken.png"),
    }  # fmt: skip
    got = found(clean)
    assert wanted <= got
    left = {(severity, path) for _, severity, path in got - wanted}
    assert left == {("error", "a/loop.jpg"), ("error", "a/dangling.jpg")}
    assert audit.exit_code(audit.audit(clean)) == 1


def test_forms_that_train_but_are_said(clean):
    save(clean, "a/gif.jpg", photo(100), "GIF")
    save(clean, "a/noname", photo(101), "PNG")
    save(clean, "a/grey.jpg", photo(102).convert("L"))
    save(clean, "a/three.png", photo(103).convert("L").convert("RGB"), "PNG")
    save(clean, "a/inks.jpg", photo(104).convert("CMYK"))
    save(clean, "a/clear.png", photo(105).convert("RGBA"), "PNG")
    deep = np.asarray(photo(106).convert("L")).astype(np.uint16) * 257
    save(clean, "a/deep.png", Image.fromarray(deep), "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    save(clean, "a/turned.jpg", photo(107, (40, 48)), exif=exif)
    save(clean, "a/wide.jpg", photo(108, (48, 40)))
    save(clean, "a/fine.webp", photo(109), "WEBP")
    result = audit.audit(clean)
    detail = {(one.kind, one.path): one.detail for one in result.findings}
    assert set(detail) == {
        ("wrong-suffix", "a/gif.jpg"),
        ("wrong-suffix", "a/noname"),
        ("greyscale", "a/grey.jpg"),
        ("grey-in-colour", "a/three.png"),
        ("cmyk", "a/inks.jpg"),
        ("alpha", "a/clear.png"),
        ("16-bit", "a/deep.png"),
        ("greyscale", "a/deep.png"),
        ("exif-rotation", "a/turned.jpg"),
        ("odd-size", "a/turned.jpg"),
        ("odd-size", "a/wide.jpg"),
    }
    assert detail["odd-size", "a/turned.jpg"] == "48x40, most are 48x48"  # upright
    assert audit.exit_code(result) == 0
    assert len(folder.scan(clean)) == result.images == 22
    for path in folder.scan(clean).full_paths():
        assert decode.decode(path).shape[2] == 3  # what passes, trains


def test_each_extra_file_is_one_finding(clean):
    shutil.copy(clean / "a/0.jpg", clean / "a/copy 1.jpg")
    shutil.copy(clean / "a/0.jpg", clean / "a/copy 2.jpg")
    shutil.copy(clean / "a/1.jpg", clean / "b/stray.jpg")
    assert found(clean) == {
        ("duplicate", "warning", "a/copy 1.jpg"),
        ("duplicate", "warning", "a/copy 2.jpg"),
        ("duplicate-across-classes", "error", "b/stray.jpg"),
    }


def test_near_duplicates_are_the_same_picture_in_other_bytes(clean):
    save(clean, "a/again.jpg", photo(0), quality=40)
    save(clean, "b/shrunk.png", photo(1).resize((44, 44)), "PNG")
    brighter = Image.fromarray((np.asarray(photo(12)) * 0.9 + 20).astype(np.uint8))
    save(clean, "b/brighter.jpg", brighter, quality=80)
    save(clean, "b/mirrored.jpg", photo(13).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    for i in range(3):
        save(clean, f"b/flat {i}.jpg", Image.new("RGB", (48, 48), (90 + 9 * i, 90, 90)))  # nothing to compare in them
    assert {row for row in found(clean) if row[0].startswith("near-")} == {
        ("near-duplicate", "warning", "a/again.jpg"),
        ("near-duplicate-across-classes", "warning", "b/shrunk.png"),
        ("near-duplicate", "warning", "b/brighter.jpg"),
    }


def parts(root):
    for part, name, i in itertools.product(("train", "test"), "ab", range(3)):
        save(root, f"{part}/{name}/{i}.jpg", photo(i + 10 * (name == "b") + 20 * (part == "test")))
    shutil.copy(root / "train/a/0.jpg", root / "test/a/leak.jpg")
    shutil.copy(root / "train/a/1.jpg", root / "train/a/twice.jpg")
    save(root, "test/b/similar.jpg", photo(11), quality=40)
    return root


def test_leaks_between_part_folders(tmp_path):
    assert found(parts(tmp_path)) == {
        ("duplicate-across-parts", "error", "test/a/leak.jpg"),
        ("duplicate", "warning", "train/a/twice.jpg"),
        ("near-duplicate-across-parts", "warning", "test/b/similar.jpg"),
    }


def test_split_csv_gives_the_parts_and_is_checked(clean):
    shutil.copy(clean / "a/0.jpg", clean / "b/9.jpg")
    rows = [f"a/{i}.jpg,a,train" for i in range(5)] + [f"b/{i}.jpg,b,test" for i in (0, 1, 9)] + ["b/gone.jpg,b,test"]
    (clean / "split.csv").write_text("\n".join(["path,class,split", *rows]))
    got = found(clean)
    assert ("duplicate-across-parts", "error", "b/9.jpg") in got and ("missing", "error", "b/gone.jpg") in got
    assert {path for kind, _, path in got if kind == "unlisted"} == {
        "a/5.jpg",
        "b/2.jpg",
        "b/3.jpg",
        "b/4.jpg",
        "b/5.jpg",
    }
    (clean / "split.csv").write_text("path,class\n")
    result = audit.audit(clean)
    assert [(one.kind, one.path) for one in result.findings[:1]] == [("bad-split", "split.csv")]
    assert result.images == 13


def test_bytes_that_are_not_those_of_split_csv_are_found(clean):
    index = audit.duplicate_groups(folder.scan(clean))
    splits.write_csv(splits.split(index), clean / "split.csv")
    assert "changed" not in {kind for kind, _, _ in found(clean)}
    audit.duplicate_groups(folder.scan(clean))
    shutil.copy(clean / "b/5.jpg", clean / "a/3.jpg")
    assert ("changed", "error", "a/3.jpg") in found(clean)
    with pytest.raises(InputError, match=r"a/3\.jpg: the file is not the one that split\.csv lists"):
        audit.duplicate_groups(folder.scan(clean))


def test_what_is_skipped_is_said(clean):
    save(clean, ".thumbs/1.jpg", photo(1))
    save(clean, "a/.hidden.jpg", photo(1))
    save(clean, "stray.jpg", photo(1))
    assert found(clean) == {
        ("hidden", "note", ".thumbs"),
        ("hidden", "note", "a/.hidden.jpg"),
        ("outside", "note", "stray.jpg"),
    }
    assert audit.audit(clean).images == 12


def test_class_counts(tmp_path):
    (tmp_path / "empty").mkdir()
    assert found(tmp_path) == {("no-images", "error", "."), ("empty-class", "error", "empty")}
    save(tmp_path, "one/1.jpg", photo(1))
    assert ("one-class", "error", ".") in found(tmp_path)
    for i in range(12):
        save(tmp_path, f"many/{i}.jpg", photo(50 + i))
    result = audit.audit(tmp_path)
    assert result.classes == {"empty": 0, "many": 12, "one": 1}
    assert found(tmp_path) == {
        ("empty-class", "error", "empty"),
        ("one-image-class", "error", "one"),
        ("imbalance", "note", "."),
    }
    assert "imbalance ratio 12.0" in findings_table(result) and as_json(result)["imbalance_ratio"] == 12.0


def test_sizes_without_a_common_one_are_one_note(tmp_path):
    for name, i in itertools.product("ab", range(4)):
        save(tmp_path, f"{name}/{i}.jpg", photo(i + 10 * (name == "b"), (40 + i, 48)))
    assert found(tmp_path) == {("mixed-sizes", "note", ".")}
    assert len(found(tmp_path, expect_size=(40, 48))) == 6


@pytest.mark.parametrize("others, leads", [(20, True), (21, False), ([2, *[1] * 10], False), ([1] * 20, True)])
def test_a_size_that_clearly_leads_is_the_usual_one(others, leads):
    others = [1] * others if isinstance(others, int) else others  # images of each other size
    sizes = [(48, 48)] * 5 + [(50 + i, 48) for i, count in enumerate(others) for _ in range(count)]
    entries = [
        checks.Entry(str(i), "a", "", fingerprints.Fingerprint(str(i), size=size)) for i, size in enumerate(sizes)
    ]
    found = list(checks.sizes(entries, None))
    if leads:
        assert len(found) == len(sizes) - 5 and {one.kind for one in found} == {"odd-size"}
        assert found[0].detail == f"50x48, 5 of {len(sizes)} are 48x48"
    else:
        assert [one.kind for one in found] == ["mixed-sizes"]


def test_a_class_that_the_parts_leave_untrained_is_an_error(tmp_path):
    for i, path in enumerate(("train/cat", "train/dog", "test/cats", "test/dog", "val/cats", "val/dog")):
        for j in range(2):
            save(tmp_path, f"{path}/{j}.jpg", photo(10 * i + j))
    result = audit.audit(tmp_path)
    (one,) = result.findings
    assert (one.kind, one.severity, one.path) == ("untrained-class", "error", "cats")
    assert one.detail == "2 in test, 2 in val, none in train" and audit.exit_code(result) == 1
    with pytest.raises(InputError, match="class 'cats' has 2 in test, 2 in val, none in train; use the same name"):
        splits.split(folder.scan(tmp_path))
    shutil.rmtree(tmp_path / "train/cat")
    (tmp_path / "test/cats").rename(tmp_path / "train/cats")
    assert found(tmp_path) == set()


def test_names_that_differ_in_case_or_unicode_form_only(clean):
    composed, apart = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    save(clean, f"{composed}/1.jpg", photo(60))
    save(clean, f"{composed}/2.jpg", photo(61))
    save(clean, f"{apart}/3.jpg", photo(62))
    save(clean, f"{apart}/4.jpg", photo(63))
    save(clean, "a/x.jpg", photo(64))
    save(clean, "a/X.JPG", photo(65))
    save(clean, "b/x.jpg", photo(66))  # in another folder: no collision
    severities = {(one.path, one.severity) for one in audit.audit(clean).findings if one.kind == "name-collision"}
    assert severities == {(composed, "error"), ("a/x.jpg", "warning")}


def test_only_a_root_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        audit.audit(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: not a folder"):
        audit.audit(tmp_path / "file")


def test_a_folder_that_may_not_be_read_is_a_finding(clean, monkeypatch):
    real = os.scandir

    def scandir(path):  # root may read everything, so the refusal is played
        if os.fspath(path) == os.fspath(clean / "b"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert ("unreadable", "error", "b") in found(clean)


def test_table_and_json_hold_every_kind_and_odd_names(clean):
    name = os.fsdecode(b"a/\xff.jpg")
    save(clean, name, photo(70, (30, 30)))
    for i in range(5):
        shutil.copy(clean / "a/0.jpg", clean / f"a/copy {i}.jpg")
    result = audit.audit(clean)
    text = findings_table(result)
    text.encode("utf-8")
    line = next(line for line in text.splitlines() if line.startswith("duplicate "))
    assert line.split()[:3] == ["duplicate", "warning", "5"] and "and 2 more" in text
    assert "1 error, 6 warnings, 0 notes" in text
    findings = json.loads(json.dumps(as_json(result), ensure_ascii=False).encode())["findings"]
    assert (findings[0]["kind"], findings[0]["path"]) == ("bad-name", "a/\\xff.jpg")
    assert findings[1] == {
        "kind": "odd-size",
        "severity": "warning",
        "path": "a/\\xff.jpg",
        "detail": "30x30, most are 48x48",
    }
    assert len(findings) == 7


def test_duplicate_groups_join_copies_near_duplicates_and_known_groups(clean):
    shutil.copy(clean / "a/0.jpg", clean / "a/copy.jpg")
    save(clean, "a/near.jpg", photo(0), quality=40)
    index = folder.scan(clean)
    known = np.arange(len(index))
    at = {path: i for i, path in enumerate(index.paths)}
    known[at["b/4.jpg"]] = known[at["b/5.jpg"]]
    grouped = audit.duplicate_groups(make_index(clean, index.paths, index.labels, index.classes, groups=known))
    sets = collections.defaultdict(set)
    for path, group in zip(grouped.paths, grouped.groups.tolist(), strict=True):
        sets[group].add(path)
    assert {frozenset(s) for s in sets.values() if len(s) > 1} == {
        frozenset({"a/0.jpg", "a/copy.jpg", "a/near.jpg"}),
        frozenset({"b/4.jpg", "b/5.jpg"}),
    }
    assert len(set(grouped.sha256)) == len(grouped) - 1 and all(len(digest) == 64 for digest in grouped.sha256)
    (clean / "b/0.jpg").write_bytes(b"From: somebody")
    with pytest.raises(InputError, match=r"b/0\.jpg: not an image"):
        audit.duplicate_groups(index)


def drifting(count, step):
    """Fingerprints whose hash drifts by `step` bits from one to the next, all with the same thumbnail."""
    thumb = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return [
        fingerprints.Fingerprint(str(i), sha256=str(i), phash=(1 << (step * i)) - 1, thumb=thumb) for i in range(count)
    ]


def test_chains_of_near_duplicates_do_not_swallow_a_class():
    prints = drifting(16, 4)  # 4 bits from each to the next, 60 from the first to the last
    assert len(fingerprints.near_pairs(prints)) == 15 + 14  # next and next but one
    groups = fingerprints.group(prints, range(16))
    members = collections.defaultdict(list)
    for i, g in enumerate(groups.tolist()):
        members[g].append(i)
    assert len(members) > 1 and max(len(m) for m in members.values()) > 1
    assert all(4 * (max(m) - min(m)) <= fingerprints.GROUP_BITS for m in members.values())


def test_near_pairs_agree_with_the_plain_double_loop(monkeypatch):
    rng = np.random.default_rng(1)
    base = rng.integers(0, 256, (4, 16, 16, 3))
    prints = []
    for i in range(200):  # more than one block
        noisy = np.clip(base[i % 4] + rng.normal(0, 12 * (i % 7), (16, 16, 3)), 0, 255).astype(np.uint8)
        phash = int(sum(1 << int(b) for b in rng.choice(64, i % 5, replace=False))) ^ (i % 4) * 0x1234567890ABCDEF
        prints.append(fingerprints.Fingerprint(str(i), sha256=str(i), phash=phash, thumb=noisy))
    rows = [(one.thumb - one.thumb.mean(axis=(0, 1))).ravel() for one in prints]
    wanted = set()
    for i, k in itertools.combinations(range(200), 2):
        bits = (prints[i].phash ^ prints[k].phash).bit_count()
        alike = rows[i] @ rows[k] / np.sqrt((rows[i] @ rows[i]) * (rows[k] @ rows[k]))
        if bits <= fingerprints.NEAR_BITS and alike >= fingerprints.NEAR_CORRELATION:
            wanted.add((i, k, bits))
    monkeypatch.setattr(fingerprints, "NEIGHBOURS", 200)
    assert set(map(tuple, fingerprints.near_pairs(prints).tolist())) == wanted
    assert 100 < len(wanted) < 200 * 199 // 8
    monkeypatch.setattr(fingerprints, "NEIGHBOURS", 2)
    few = set(map(tuple, fingerprints.near_pairs(prints).tolist()))
    assert few < wanted and max(collections.Counter(k for _, k, _ in few).values()) == 2


@pytest.mark.realdata
def test_fruit3_has_its_known_blemishes_within_a_minute(real_data):
    started = time.perf_counter()
    result = audit.audit(real_data / "fruit3")
    assert time.perf_counter() - started < 60
    kinds = collections.Counter(one.kind for one in result.findings)
    assert (kinds["odd-size"], kinds["duplicate"], kinds["greyscale"]) == (53, 21, 1)
    assert [one.path for one in result.findings if one.kind == "greyscale"] == ["strawberry/strawberry_1581.jpg"]
    assert 20 <= kinds["near-duplicate"] <= 30 and not any("across" in kind for kind in kinds)
    assert result.classes == {"cherry": 1495, "strawberry": 1495, "tomato": 1495} and audit.exit_code(result) == 0


@pytest.mark.realdata
def test_odd_files_are_called_by_their_content(real_data):
    wrong = {one.detail for one in audit.audit(real_data / "odd_files").findings if one.kind == "wrong-suffix"}
    assert wrong == {"holds a GIF, but is named .jpg", "holds a PNG, but is named .jpg"}


def test_none_of_this_imports_tensorflow():
    modules = "audit, checks, decode, demo, fingerprints, folder, listing, splits"
    code = (
        f"import sys; from kfg.data import {modules}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
