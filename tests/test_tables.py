"""Tables: cells as they are, numbers to the right, whole lines off a terminal."""

from kfg import tables


def test_cells_are_shown_as_they_are_and_lines_are_whole_off_a_terminal(capsys):
    long = "[red]x[/red] " * 40
    tables.show(("name", ">count"), [(long, "7"), ("日本", "1,234")])
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "count"] and first.split()[:2] == ["[red]x[/red]"] * 2
    assert first.rstrip().endswith(" 7") and second.rstrip().endswith("1,234")
    assert len(first.rstrip()) == len(second.rstrip()) + 2  # two characters that are as wide as four


def test_a_table_without_titles_has_its_rows_alone():
    assert tables.text(("", ""), [("a", "b"), ("ccc", "d")]) == "a    b\nccc  d"


def test_lines_off_a_terminal_do_not_end_in_spaces(capsys):
    tables.show(("", ""), [("a", "a long cell"), ("b", "short")])
    assert capsys.readouterr().out == "a  a long cell\nb  short\n"
