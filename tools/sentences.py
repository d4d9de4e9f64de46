"""Draw sentences at random from pages, messages, docstrings and comments, for a test of how well strangers read them.

Run       python tools/sentences.py [CHECKOUT] [--each 50] [--seed 0]
Prints    Markdown: numbered sentences of each kind, each with its file
Test      a reader who has not seen the code says what each sentence means and what to do next; someone who knows the
          code judges the answers; docs/walks/reading.md has the shares of sentences understood
"""

import argparse
import ast
import io
import pathlib
import random
import re
import tokenize

PLUMBING = ("printable", "str", "len", "quoted", "duration", "shortened", "int", "sorted", "pathlib", "join")
WORDS = 5  # sentences with this many words or fewer are left out
SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z`\"])")
PARAGRAPH = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*|#]|\d+\.\s))")  # a list item begins one, too
ENTRY = re.compile(r"\n(?=\s*[A-Za-z_][\w, ]*:\s)")  # of Args, which is read with the argument's name
CODE = re.compile(r"```.*?```|<!--.*?-->|^    .*$", re.DOTALL | re.MULTILINE)


def sentences(text: str) -> list[str]:
    """Return the sentences of more than WORDS words, without examples, tables and code.

    Example:
        >>> sentences("Short one. This sentence has quite a few words. Args:\\n")
        ['This sentence has quite a few words.']
    """
    found, entries = [], ENTRY.split(text) if "\nArgs:" in text or "\nReturns:" in text else [text]
    for paragraph in (one for entry in entries for one in PARAGRAPH.split(entry)):
        if ">>>" not in paragraph and not paragraph.lstrip().startswith(("|", "#")):
            found += SENTENCE.split(" ".join(paragraph.split()))
    return [one for one in found if len(one.split()) > WORDS]


def of_pages(root: pathlib.Path) -> list[tuple[str, str]]:
    """Return (file, sentence) of the README, the documentation and the evidence."""
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md")), *sorted((root / "recipes").rglob("*.md"))]
    return [(name(page, root), one) for page in pages for one in sentences(CODE.sub("", page.read_text("utf-8")))]


def of_code(root: pathlib.Path) -> dict[str, list[tuple[str, str]]]:
    """Return messages, docstrings and comments of the package, each as (file, sentence)."""
    kinds = {"messages": [], "docstrings": [], "comments": []}
    for path in sorted((root / "kfg").rglob("*.py")):
        source = path.read_text("utf-8")
        tree = ast.parse(source)
        documented = [node for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))]
        texts = {
            "messages": spoken(tree),
            "docstrings": [ast.get_docstring(node) or "" for node in documented],
            "comments": commented(source),
        }
        for kind, found in texts.items():
            kinds[kind] += [(name(path, root), one) for text in found for one in sentences(text)]
    return kinds


def spoken(tree) -> list[str]:
    """Return the strings of a module except its docstrings; a value filled into an f-string is shown by its name."""
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(map(filled, node.values)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (bare | inside):
            found.append(node.value)
    return found


def filled(part) -> str:
    """Return a part of an f-string; for a value <NAME>, the last name in its expression, or <...> for a long one."""
    if isinstance(part, ast.Constant):
        return part.value
    names = [node for node in ast.walk(part.value) if isinstance(node, (ast.Name, ast.Attribute))]
    known = [node.attr if isinstance(node, ast.Attribute) else node.id for node in names]
    known = [one for one in known if one not in PLUMBING]
    return f"<{known[0]}>" if known else "<...>"


def commented(source: str) -> list[str]:
    """Return the comments of a module, each with the code that precedes it on its line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    found = [token for token in tokens if token.type == tokenize.COMMENT]
    return [f"{token.line[: token.start[1]].strip()}  {token.string}".strip() for token in found]


def name(path: pathlib.Path, root: pathlib.Path) -> str:
    return path.relative_to(root).as_posix()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parents[1])
    parser.add_argument("--each", type=int, default=50, help="sentences of each kind (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")
    args = parser.parse_args()
    rng, number = random.Random(args.seed), 0
    for kind, found in {"pages": of_pages(args.checkout), **of_code(args.checkout)}.items():
        print(f"## {kind.capitalize()}: {args.each} of {len(found)}\n")
        for where, one in rng.sample(found, min(args.each, len(found))):
            number += 1
            print(f"{number}. `{where}`: {one}")
        print()


if __name__ == "__main__":
    main()
