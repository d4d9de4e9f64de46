"""The documentation: it builds, its links lead somewhere, and the commands and names that it shows exist."""

import importlib
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

import kfg
from kfg import __main__
from kfg.engine import orders
from kfg.search import command as search

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^(?:kfg |python -m kfg\.)")
COMMENT = re.compile(r"\s+#.*$")


def blocks(page, language) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(page) -> list[str]:
    """Return the commands of kfg that a page shows, in blocks of the shell and in words set as code."""
    text = page.read_text(encoding="utf-8")
    lines = [COMMENT.sub("", line) for block in blocks(page, "bash") for line in block.splitlines()]
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [line.strip() for line in lines + spans if COMMAND.match(line.strip())]


def parse(line: str):
    """Let the parser of a command read its words; SystemExit where it does not know them.

    Two words, as `kfg predict`, are a command's name in a sentence: its help is asked for.
    """
    words = shlex.split(line)
    words += ["--help"] if len(words) == 2 else []
    if words[0] == "kfg":
        return __main__.parser().parse_args(words[1:])
    module, arguments = words[2], words[3:]
    if not arguments:  # it does its main job on drawn images
        return importlib.import_module(module)
    if module == "kfg.search":
        return search.parser().parse_args(arguments)
    return orders.parser(importlib.import_module(module).RECIPE).parse_args(arguments)


def is_a_pattern(line: str) -> bool:
    """Return whether a line stands for many commands, as `kfg COMMAND --help` does."""
    return bool(re.search(r"\b(COMMAND|NAME|RECIPE|STUDY)\b|\$|\.\.\.", line))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_are_understood(page):
    for line in commands(page):
        if is_a_pattern(line):
            continue
        try:
            parse(line)
        except SystemExit as left:
            assert left.code == 0, f"{page.name}: {line}"


def test_commands_are_found_and_wrong_ones_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Type `kfg train photos`.\n\n```bash\nkfg predict run a.jpg   # a table\nls\n```\n")
    assert commands(page) == ["kfg predict run a.jpg", "kfg train photos"]
    with pytest.raises((SystemExit, kfg.InputError)):
        parse("kfg train photos --no-such-option")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_a_page_compiles_and_its_names_are_there(page):
    for block in blocks(page, "python"):
        compile(block, page.name, "exec")
        assert set(re.findall(r"\bkfg\.(\w+)\(", block)) <= set(dir(kfg))


def test_the_documentation_builds_without_a_warning(tmp_path):
    """Strict: a warning, as of a dead link or a name that is not there, ends the build."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install '.[docs]'")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    page = (tmp_path / "site" / "api" / "index.html").read_text(encoding="utf-8")
    assert all(f">{name}<" in page or f".{name}" in page for name in ("train", "Part", "Policy", "export"))
    pages = [path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html")]
    fetched = {url for text in pages for url in re.findall(r'(?:src|href)="(https?://[^"]+\.(?:js|css|woff2?))"', text)}
    assert fetched == set()  # the pages work without a network


def test_the_readme_has_no_dead_link():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)#]+)", text)
    assert links and [link for link in links if not (ROOT / link).exists()] == []
