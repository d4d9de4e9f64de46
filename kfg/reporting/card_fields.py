"""The fields of a model card that the Hugging Face Hub reads, as YAML; the licence of the weights is one of them."""

import json

from kfg.models import licences
from kfg.names import printable
from kfg.runs import choices

FIGURES = (  # key in report.json, name, type of the Hub's metric
    ("top1", "top-1 accuracy", "accuracy"),
    ("macro_recall", "macro recall", "recall"),
    ("macro_f1", "macro F1", "f1"),
)
IMAGENET = (
    "ImageNet's photographs were released for non-commercial research; whether this also applies to weights is "
    "disputed."
)


def of(name: str, result: dict, config: dict) -> dict:
    """Return the card's front matter, as the Hub's documentation of model cards defines it.

    Args:
        name: name of the photographs.
        result, config: content of report.json and config.json.
    """
    settings = config.get("config") or {}
    backbone = settings.get("backbone")
    tags = ["image-classification", "keras", "tensorflow", "kfg", *([backbone] if backbone else [])]
    metrics = [
        {"type": kind, "name": called, "value": round(result[key]["value"], 4)}
        for key, called, kind in FIGURES
        if result.get(key)
    ]
    licence, _ = licence_of({**settings, "second_opinion": choices.heard(config)})
    return {
        "license": licence,
        **({"license_name": "not-chosen-yet"} if licence == "other" else {}),
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": tags,
        "metrics": [one["type"] for one in metrics],
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": "image-classification", "name": "Image classification"},
                        "dataset": {"type": "imagefolder", "name": name, "split": "test"},
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }


def as_yaml(value, indent: int = 0) -> str:
    """Return dicts, lists, texts and numbers as YAML in block style.

    Example:
        >>> print(as_yaml({"tags": ["a: b", "c"], "results": [{"value": 0.5, "on": {"name": "x"}}]}), end="")
        tags:
        - "a: b"
        - "c"
        results:
        - value: 0.5
          on:
            name: "x"
    """
    space, lines = " " * indent, []
    if isinstance(value, dict):
        for key, one in value.items():
            nested = as_yaml(one, indent + (0 if isinstance(one, list) else 2)) if isinstance(one, (dict, list)) else ""
            lines.append(f"{space}{key}:\n{nested}" if nested else f"{space}{key}: {_scalar(one)}\n")
        return "".join(lines)
    for one in value:
        nested = as_yaml(one, indent + 2) if isinstance(one, (dict, list)) else f"{_scalar(one)}\n"
        lines.append(f"{space}- {nested.lstrip(' ')}")
    return "".join(lines)


def _scalar(value) -> str:
    """Return a text or number as JSON, which YAML reads in the same way."""
    return json.dumps(printable(value) if isinstance(value, str) else value, ensure_ascii=False)


def licence_of(settings) -> tuple[str, str]:
    """Return the licence for the card's fields, and a sentence on the origin of the weights."""
    weights, trunks = (
        settings.get("weights", "none"),
        map(settings.get, ("backbone", "second_backbone", "second_opinion")),
    )
    if settings.get("init_from"):
        return "other", "Training started from the weights of another run, whose model card says where they come from."
    if weights not in ("none", "imagenet"):
        return "other", "Training started from the weights in a file; kfg does not know their licence."
    found = {trunk: licences.of(trunk) for trunk in trunks if trunk and weights == "imagenet"}
    if not found or None in found.values():
        return "other", "All weights started from random values and were trained only on the photographs."
    named = [f"{plain(trunk)}, which {whose} published under {licence}" for trunk, (licence, whose) in found.items()]
    names = {licence for licence, _ in found.values()}
    said = f"Training started from the ImageNet weights of {', and of '.join(named)}. {IMAGENET}"
    return names.pop() if len(names) == 1 else "other", said


def plain(word: str) -> str:
    """Return a name for use in Markdown, in a sentence or a table cell, with its special characters escaped.

    Example:
        >>> plain("a_b|c")
        'a\\\\_b\\\\|c'
    """
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]<>#|" else letter for letter in printable(word))
