"""Class names that may be two spellings of one: which are found, which are not, and what the audit says."""

import itertools
import time

import numpy as np
import pytest
from PIL import Image

from kfg.data import audit, spellings


@pytest.mark.parametrize(
    "one, other",
    [
        ("Fox Sparrow", "Fox  Sparow"),
        ("Fox Sparrow", "Fox Sparrwo"),
        ("Fox Sparrow", "fox_sparrow"),
        ("Fox Sparrow", "FoxSparrow"),
        ("Blackthroated Sparrow", "Black-throated Sparrow"),
        ("apple", "apples"),
        ("Chrysanthemum", "Crysantemum"),
        ("stage 2 tumour", "stage 2 tumor"),
    ],
)
def test_two_spellings_of_one_name_are_found(one, other):
    assert spellings.pairs([one, "Ivory Gull", other]) == [(one, other)]


@pytest.mark.parametrize(
    "names",
    [
        ("Faces", "Faces_easy"),
        ("Green_Kingfisher", "Pied_Kingfisher"),
        ("crocodile", "crocodile_head"),
        ("Tree Sparrow", "Tree Swallow"),
        ("stage 1", "stage 2"),
        ("model 12", "model 1 2"),
        ("healthy", "unhealthy"),
        ("duck female", "duck male"),
        ("typical", "atypical"),
        ("grade A", "grade B"),
        ("Parus major", "Parus minor"),
        ("cat", "Cat"),  # the check of names that look alike reports these
        ("", "-", " "),
    ],
)
def test_different_names_are_left_alone(names):
    assert spellings.pairs(names) == []


def test_one_or_two_wrong_letters_are_found_wherever_they_are():
    word = "goldfinch"
    wrong = {word[:i] + word[i + 1 :] for i in range(1, 9)} | {word[:i] + "x" + word[i:] for i in range(1, 10)}
    wrong |= {word[:i] + "x" + word[i + 1 :] for i in range(1, 9)}
    wrong |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(1, 8)}
    assert all(spellings.pairs([word, other]) for other in wrong) and len(wrong) > 30
    twice = {one[:i] + one[i + 1 :] for one in wrong for i in range(1, len(one)) if len(one) > 8} - {word}
    assert all(spellings.pairs([word, other]) for other in twice) and len(twice) > 60
    assert not spellings.pairs([word, "goxxxinch"]) and not spellings.pairs(["finch", "fixxh"])


def test_words_too_long_to_be_misspelt_and_numbers_take_no_time():
    digests = [f"{number:064x}" for number in range(2000)]
    began = time.process_time()
    assert spellings.pairs([*digests, "a" * 255, "a" * 254 + "b"]) == []
    assert spellings.pairs([f"class{number:05}" for number in range(10_000)]) == []
    assert time.process_time() - began < 10


def test_many_classes_take_little_time():
    rng = np.random.default_rng(0)
    names = ["".join(letters) for letters in rng.choice(list("abcdefgh"), (3000, 14))]
    began = time.process_time()
    found = spellings.pairs([*names, names[7][:5] + names[7][6:]])
    assert found == [(names[7], names[7][:5] + names[7][6:])] and time.process_time() - began < 10


def test_the_audit_warns_of_the_smaller_class_and_says_what_to_do(tmp_path):
    numbers = itertools.count()
    for name, count in (("Fox Sparrow", 5), ("Fox  Sparow", 3), ("Ivory Gull", 5)):
        (tmp_path / name).mkdir()
        for i in range(count):
            Image.effect_noise((24, 24), 40 + 9 * next(numbers)).convert("RGB").save(tmp_path / name / f"{i}.png")
    (found,) = [one for one in audit.audit(tmp_path).findings if one.kind == "like-names"]
    assert (found.path, found.severity) == ("Fox  Sparow", "warning")
    said = "may be the same class as 'Fox Sparrow': if so, put the photographs of both into one folder"
    assert found.detail.startswith(said)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["caltech20", "caltech101_lt", "cub100", "fruit3"])
def test_the_classes_of_real_data_sets_are_left_alone(real_data, name):
    assert spellings.pairs(sorted(one.name for one in (real_data / name).iterdir() if one.is_dir())) == []
