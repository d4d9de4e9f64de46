"""Checks of the cases with unusual folders and tables."""

import json

from chaos.bench import classes, said, told

ANIMALS = {"cat": 12, "dog": 12}


def plain(bench, case):
    folder = case / "data"
    bench.any_folder(folder, train=False)
    bench.ends("train ends well", bench.train(folder)[0], codes=(0,))


def litter(bench, case):
    for folder in (case / "data", case / "synology"):
        bench.any_folder(folder)
        found = classes(bench.split(folder)[1])
        bench.expect(f"{folder.name}: two classes of 12", found == ANIMALS, str(found))


def part_folders(bench, case):
    for name, wanted in (
        ("data", {"cats", "dogs"}),
        ("intel", {"buildings", "forest", "sea"}),
        ("roboflow", {"cats", "dogs"}),
    ):
        bench.any_folder(case / name)
        read_or_refused(bench, case / name, wanted)


def read_or_refused(bench, folder, wanted):
    """Check that a folder's classes are those wanted, or that it is refused; and that train and split agree."""
    ended, found = bench.split(folder)
    names = set(classes(found))
    refused = ended.code == 2 and len(ended.errors) == 1
    bench.expect(
        f"{folder.name}: those classes, or refused", names == wanted or refused, f"{sorted(names)} {ended.told}"
    )
    trained = bench.train(folder)[0]
    bench.expect(
        f"{folder.name}: train agrees with split",
        (trained.code == 2) == refused,
        f"exit {trained.code}: {trained.told}",
    )
    audited = bench.audit(folder)
    if trained.code == 2:
        bench.expect(f"{folder.name}: audit finds it, too", audited.code != 0, f"audit: exit {audited.code}")


def extra_level(bench, case):
    for name in ("data", "with_docs"):
        bench.any_folder(case / name)
        ended = bench.train(case / name)[0]
        named = f"{case / name / 'PetImages'}" in said(ended)
        bench.expect(f"{name}: says which folder to give", named or ended.code == 0, ended.told)
        found = set(classes(bench.split(case / name)[1]))
        bench.expect(f"{name}: PetImages is no class", "PetImages" not in found, str(sorted(found)))


def backslashes(bench, case):
    bench.any_folder(case / "data")
    for command, ended in (("train", bench.train(case / "data")[0]), ("audit", bench.audit(case / "data"))):
        bench.expect(f"{command} says backslash", "backslash" in told(case / "data", ended).lower(), ended.told)


def flat_csv(bench, case):
    for name in ("data", "dogs-vs-cats"):
        bench.any_folder(case / name)
        ended = bench.train(case / name)[0]
        way = "split.csv" in " ".join(ended.errors) or ended.code == 0
        bench.expect(f"{name}: names the way, split.csv", way, ended.told)


def class_names(bench, case):
    folder = case / "data"
    names = sorted(path.name for path in folder.iterdir())
    bench.ends("audit", bench.audit(folder), codes=(0, 1))
    found = classes(bench.split(folder)[1])
    bench.expect("split.csv has every name", sorted(found) == names, str(sorted(set(names) ^ set(found))))
    ended, run = bench.train(folder)
    bench.ends("train", ended, codes=(0,))
    if ended.code:
        return
    bench.expect(
        "classes.json has every name", json.loads((run / "classes.json").read_text()) == names, wrong="differs"
    )
    page = (run / "report.html").read_text(encoding="utf-8")
    bench.expect(
        "report.html escapes <b>", "<b>bold" not in page and "&lt;b&gt;bold" in page, wrong="raw markup in the page"
    )
    images = sum(1 for path in folder.rglob("*.jpg"))
    _, *lines = bench.predict(folder, run=run).out.splitlines()  # the first line has the names of the columns
    bench.expect("predict: one line per image", len(lines) == images, f"{len(lines)} lines, {images} images")
    bench.expect(
        "predict: three columns", {line.count("\t") for line in lines} == {2}, str({line.count("\t") for line in lines})
    )


def links(bench, case):
    for name in ("data", "nested", "deadclass"):
        bench.any_folder(case / name)
    for name, wanted in (("data", "broken.jpg"), ("deadclass", "horse")):
        for command, ended in (("audit", bench.audit(case / name)), ("train", bench.train(case / name)[0])):
            bench.expect(f"{name}: {command} names {wanted}", wanted in said(ended), ended.told)
    (case / "data" / "dog" / "broken.jpg").unlink()
    found = classes(bench.split(case / "data", again=True)[1])
    bench.expect("linked classes and images are read", found == ANIMALS, str(found))


def bad_names(bench, case):
    for folder in sorted(case.iterdir()):
        bench.any_folder(folder)
    trained, audited = bench.train(case / "data")[0], bench.audit(case / "data")
    bench.expect(
        "audit finds what train refuses", trained.code == 0 or audited.code != 0, f"{audited.code}: {trained.told}"
    )
    bench.ends("long: train", bench.train(case / "long")[0], codes=(0,))
    out = bench.out("explained")
    bench.ends(
        "long: explain",
        bench.runner.run("kfg", "explain", bench.model(), case / "long" / "cat", "--out", out),
        codes=(0,),
    )
    ends = [bench.predict(case / "control"), bench.audit(case / "control"), bench.train(case / "control")[0]]
    bench.expect(
        "control: no escape reaches the screen", "\x1b" not in said(*ends), wrong="a raw escape sequence was printed"
    )
    images = sum(1 for path in (case / "control").rglob("*.jpg"))
    _, *lines = (line for line in said(ends[0]).splitlines() if line.startswith("error: ") or line.count("\t") == 2)
    bench.expect("control: predict, one line per image", len(lines) == images, f"{len(lines)} lines, {images} images")


READ = (
    "bom_crlf", "extra_columns", "index_column", "class_number", "class_slash",
    "class_differs_from_folder", "absolute",
)  # fmt: skip
DOUBLED = ("twice", "same", "doubled", "two rows")
TOLD = {  # folder -> words of which the message must contain one
    "duplicate_dot_slash": DOUBLED, "duplicate_dot_slash_other_class": DOUBLED,
    "duplicate_dot_slash_other_part": DOUBLED, "duplicate_rows": DOUBLED,
    "missing_file": ("none.jpg",), "url_paths": ("http",), "binary": ("split.csv",), "xlsx_named_csv": ("split.csv",),
    "only_header": ("split.csv",), "latin1_class": ("split.csv",), "empty_part": ("part",),
}  # fmt: skip


def split_csv(bench, case):
    for folder in sorted(case.iterdir()):
        name = folder.name
        audited, (ended, found) = bench.audit(folder), bench.split(folder)
        bench.ends(f"{name}: audit", audited, names=[folder])
        bench.ends(f"{name}: split", ended, names=[folder])
        if name in READ:
            bench.expect(f"{name}: read", len(found) == 16, f"{len(found)} images: {ended.told}")
        if name in TOLD:
            good = any(word in told(folder, ended) for word in TOLD[name])
            bench.expect(f"{name}: told", good, ended.told)
        if name == "dotdot":
            outside = [path for path, _, _ in found if ".." in path]
            bench.expect("dotdot: read as what it is, or told", not outside, ended.told)
        if ended.code == 2:
            bench.expect(f"{name}: audit says so, too", audited.code != 0, f"audit: exit {audited.code}, {ended.told}")
            bench.expect(f"{name}: no false one-class", "one-class" not in said(audited), wrong="audit says one-class")
        if name in ("class_space", "class_case"):
            alike = set(classes(found)) == {"cat", "dog"}
            bench.expect(f"{name}: one class, or told", alike or tells_alike(told(folder, ended, audited)), ended.told)
        if name == "nfd" and ended.code == 2:
            words = ("NFC", "NFD", "U+", "normal", "\\u")
            bench.expect(
                "nfd: the message shows the difference", any(word in told(folder, ended) for word in words), ended.told
            )


def tells_alike(text: str) -> bool:
    """Return whether a text says that two class names look the same."""
    return any(word in text for word in ("U+", "alike", "look the same", "differ only", "same-looking", "same name"))


CHECKS = {
    "plain": plain,
    "mac-windows-litter": litter,
    "training_set-test_set": part_folders,
    "extra-level": extra_level,
    "windows-zip-backslash": backslashes,
    "kaggle-csv-flat": flat_csv,
    "class-names": class_names,
    "symlinks": links,
    "bad-names": bad_names,
    "split-csv": split_csv,
}
