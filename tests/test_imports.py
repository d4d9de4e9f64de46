"""Imports go down only, and what must not import TensorFlow does not."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "kfg"
# A module may import from lower ranks, and from its own package.
RANKS = {
    "__main__": 9, "commands": 8, "face": 7, "search": 7, "recipes": 6, "repairing": 5.5,
    "repairing.diagnosis": 6.5, "repairing.retraining": 6.5, "repairing.repair": 6.6, "reviewing": 6.7,
    "engine": 5, "runs": 5, "runs.origins": 3.6, "runs.results_file": 4.3, "runs.comparison": 4.5,
    "runs.unfinished": 3.6, "serving": 5.7, "web": 2.5,
    "explain": 4, "reaugment": 4, "reporting": 4, "exporting": 4, "tracking": 4,
    "figures": 3.7, "training": 3.5, "evaluation": 3.3, "inference": 3.2, "models": 3, "data": 3,
    "augment": 2, "layers": 2,
    "overwrite": 2, "quiet": 2, "program": 3,
    "runs.run_files": 0, "runs.choices": 0, "files": 1, "locks": 1, "names": 1, "pixels": 1, "progress": 1, "tables": 1,
    "time_budgets": 1,
    "kernels": 0, "keras_settings": 1, "keras_private": 1,
    "errors": 0, "protocols": 0,
}  # fmt: skip
WITHOUT_TENSORFLOW = (
    "kfg.__main__", "kfg.commands", "kfg.errors", "kfg.files", "kfg.locks", "kfg.overwrite", "kfg.quiet",
    "kfg.runs.results_file", "kfg.runs.comparison", "kfg.runs.found", "kfg.runs.answers", "kfg.runs.choices",
    "kfg.data.folder", "kfg.data.index", "kfg.data.class_names", "kfg.data.decode", "kfg.data.exif",
    "kfg.data.audit", "kfg.data.splits", "kfg.data.demo", "kfg.evaluation.confusion", "kfg.evaluation.metrics",
    "kfg.evaluation.paired", "kfg.evaluation.posthoc", "kfg.evaluation.baseline", "kfg.evaluation.macro",
    "kfg.augment.policies", "kfg.augment.copies", "kfg.data.layouts", "kfg.data.download", "kfg.data.contest",
    "kfg.data.image_files", "kfg.data.imagenet20", "kfg.models.sizes", "kfg.tables",
    "kfg.web.guard", "kfg.web.limits", "kfg.web.listening", "kfg.web.pages",
    "kfg.exporting.formats.known", "kfg.engine.own_photographs", "kfg.engine.places",
)  # fmt: skip


def part(module):
    return module.split(".")[1]


def rank(module):
    """Return the rank of a module, where it has one of its own, or of its package."""
    return RANKS.get(module.removeprefix("kfg."), RANKS[part(module)])


def imports_of(path):
    """Yield the kfg modules that a file imports, also by a name that is put together: import_module(f"kfg.x.{y}")."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func) and node.args:
            found = re.match(r"f?['\"](kfg\.\w+)", ast.unparse(node.args[0]))
            yield from found.groups() if found else ()
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("kfg."))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "kfg":
            if node.module == "kfg.runs":
                yield from (f"kfg.runs.{alias.name}" for alias in node.names)
            elif node.module == "kfg":
                yield from (f"kfg.{alias.name}" for alias in node.names if alias.name != "__version__")
            else:
                yield node.module


def violations(path, name):
    return [
        f"{name} imports {imported}"
        for imported in imports_of(path)
        if part(imported) != part(name) and rank(imported) >= rank(name)
    ]


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(("kfg", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        if name != "kfg":
            yield path, name


def test_imports_go_down_only():
    found = [violation for path, name in modules() for violation in violations(path, name)]
    assert found == []


def test_an_import_upwards_or_sideways_is_found(tmp_path):
    path = tmp_path / "bad.py"
    lines = ["from kfg import reporting", "from kfg.training import fit", "from kfg.errors import InputError"]
    lines += ["import importlib", "importlib.import_module(f'kfg.recipes.{name}')", "importlib.import_module(name)"]
    path.write_text("\n".join(lines))
    assert violations(path, "kfg.data.bad") == [
        "kfg.data.bad imports kfg.reporting",
        "kfg.data.bad imports kfg.training",
        "kfg.data.bad imports kfg.recipes",
    ]


def test_light_modules_leave_tensorflow_alone():
    code = "import sys\n" + "".join(f"import {name}\n" for name in WITHOUT_TENSORFLOW)
    code += "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_imports_next_to_nothing(option):
    code = "import sys\nfrom kfg.__main__ import main\n"
    code += f"try: main([{option!r}])\nexcept SystemExit: pass\n"
    code += "print(sorted({'tensorflow', 'keras', 'numpy', 'PIL', 'matplotlib', 'cv2'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"
