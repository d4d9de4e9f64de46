"""What a recipe declares: its rows, how they are run, and what a reader must know about its figures."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a study's tables.

    Args:
        config: the recipe's Config.
        reported: the study's figures, {"top1": ..., "loss": ...}; empty for rows that the study does not have.
        after: rows whose runs this one starts from; they are run first.
        note: what a reader must know about the row.
    """

    config: object
    reported: dict = dataclasses.field(default_factory=dict)
    after: tuple[str, ...] = ()
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Demonstration:
    """A recipe's main job at a size that takes at most five minutes.

    Args:
        does: a description of the job that can follow "this program ...".
        rows: names of the recipe's rows to run.
        settings: name -> value, replacing settings of the rows.
        epochs: epochs of each row on a machine of REFERENCE speed (kfg.engine.demonstration); a slower machine gets
            fewer.
    """

    does: str
    rows: tuple[str, ...]
    settings: Mapping = dataclasses.field(default_factory=dict)
    epochs: int | None = None


def _nothing(*_) -> None:
    """Do nothing, in the place of an optional function."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that the engine knows about a recipe; a recipe's module defines one as RECIPE.

    The fields from `quick` on are optional.

    Args:
        name: name of the module and of the folder of its runs.
        description: text whose first line says what the recipe is about, as the module's docstring does.
        rows: name -> Row; the frozen Configs of all rows are of one class.
        default_rows: names of the rows that are run if none are named.
        run: function (config, job) -> content of report.json; it trains, tests and exports once.
        quick, smoke: name -> value, the settings of `--quick` and `--smoke`.
        demo: what is run if the program is called without arguments; None: `--data` is then asked for.
        caveat: what a reader must know about the study's figures.
        errata: (what the study says, what its code does) for each mistake in the study.
        own_steps: whether `run` announces its steps itself, instead of the job.
        check: function (jobs) that raises InputError, before anything is trained, for jobs that would fail later.
        lending: function (config) -> settings that a row must share with a run whose weights it starts from
            (`--init-from`); needed if Config has init_from.
        summarise: function (out, run folders) that compares the runs when all of them are finished.
    """

    name: str
    description: str
    rows: Mapping[str, Row]
    default_rows: tuple[str, ...]
    run: Callable
    quick: Mapping = dataclasses.field(default_factory=dict)
    smoke: Mapping = dataclasses.field(default_factory=dict)
    demo: Demonstration | None = None
    caveat: str = ""
    errata: tuple[tuple[str, str], ...] = ()
    own_steps: bool = False
    check: Callable[[list], None] = _nothing
    lending: Callable[[object], Mapping] | None = None
    summarise: Callable[[pathlib.Path, list[pathlib.Path]], None] = _nothing

    def setting_names(self) -> list[str]:
        """Return the names of the settings, which all rows have."""
        return [field.name for field in dataclasses.fields(next(iter(self.rows.values())).config)]
