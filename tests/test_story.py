"""The demo's last screen: what was learned, from the files of the run, and what to type next."""

import types

import pytest
import story

from kfg.__main__ import parser
from kfg.files import write_json
from kfg.recipes import folder_settings


@pytest.fixture
def run(tmp_path):
    """A run folder with what is read of it."""
    top1 = {"value": 0.84, "low": 0.79, "high": 0.88}
    write_json(
        tmp_path / "report.json", {"top1": top1, "images": 270, "baseline": {"images": 270, "commonest_right": 17}}
    )
    write_json(tmp_path / "export_check.json", {"passed": True, "images": 8, "largest_difference": 2.4e-7})
    return tmp_path


def test_the_last_screen_says_what_was_learned_and_what_to_type_next(run, capsys):
    findings = [types.SimpleNamespace(severity=one) for one in ("error", "warning", "note")]
    seen = types.SimpleNamespace(images=1329, classes=["elm"] * 20, findings=findings)
    made = types.SimpleNamespace(said=["2 classes are weak. Proven to help: x.", "more"], page=run / "repair.html")
    story.last_screen(run, made, seen, took=150)
    said = capsys.readouterr().out
    for words in (
        "What was learned, in 2.5 min",
        "1,329 in 20 classes; the audit found 2 things",
        "84% of 270 test images are right [79%, 88%]; naming the commonest class always: 6%",
        "2 classes are weak. Proven to help: x.",
        "a SavedModel that answers as the net does, on 8 test images by at most 2e-07",
        str(run / "report.html"),
        str(run / "repair.html"),
        "What to type next",
    ):
        assert words in said, words
    story.last_screen(run, None, seen, took=150)
    assert "weak" not in capsys.readouterr().out.split("What to type next")[0]


@pytest.mark.parametrize(("gflops", "side"), [(5, 64), (60, 96), (500, 128)])
def test_images_go_by_the_speed_of_the_machine_and_a_second_call_keeps_them(gflops, side, monkeypatch, tmp_path):
    monkeypatch.setattr(story.demonstration, "speed", lambda: gflops)
    settings = story.sized(tmp_path)
    assert settings["image_size"] == (side, side)
    config = {**vars(folder_settings.Config()), **settings}
    folder_settings.checked(settings)
    (tmp_path / "folder/transfer/seed-0").mkdir(parents=True)
    write_json(
        tmp_path / "folder/transfer/seed-0/config.json",
        {"config": {name: config[name] for name in ("image_size", "views", "epochs", "head_epochs")}},
    )
    monkeypatch.setattr(story.demonstration, "speed", lambda: 1000.0)
    assert story.sized(tmp_path).items() >= settings.items()


def test_what_is_to_be_typed_next_is_understood():
    for command, _ in story.NEXT:
        program, *words = command.split()
        if program == "kfg":
            assert parser().parse_args(words).run
    assert any(command.startswith("kfg train") for command, _ in story.NEXT)
