"""One run of one row: its folder, its data, its model, and what is written when it ends."""

import dataclasses
import pathlib
import typing
from collections.abc import Mapping

import keras

from kfg import explain, reporting
from kfg.data import contest, splits
from kfg.data.decode import decode
from kfg.data.folder import PARTS, Index
from kfg.data.listing import BOTH
from kfg.data.part import Part
from kfg.engine import changes, provenance, run_folder, timed_precision, unfinished
from kfg.engine import shipping as exporting
from kfg.engine.options import OF_RECIPES
from kfg.engine.photographs import Data
from kfg.errors import InputError
from kfg.evaluation import predict
from kfg.files import read_json, write_json, write_text
from kfg.models import freezing
from kfg.runs import run_files
from kfg.training import fit, precision

SAME_IMAGES = (
    "The validation images are the test images, all {}: what watched the training is what is reported here. These "
    "figures are therefore not of images the training never saw."
)


@dataclasses.dataclass(kw_only=True)
class Job:
    """What `run(config, job)` of a recipe works with.

    Args:
        recipe, row: names.
        config: the recipe's frozen Config.
        seed: int, decides initial weights, order, augmentation and dropout.
        fold, folds: which part is the test set, of how many; None, 1 for a single split.
        data: the images.
        out: the folder given with --out; the run folder is `out/recipe/row/seed-N[-fold-K-of-M]`.
        precision: one of kfg.training.precision.CHOICES.
        resume: go on where an interrupted run stopped.
        note: what a reader of the report must know about the row.
        max_params: parameters a model may have, all counted; None for any number.
        track: keys of kfg.tracking.logs.LOGS; what is logged decides no result, so it is not in config.json.
        options: setting -> option of the program that was called, for commands that messages suggest.
    """

    recipe: str
    row: str
    config: object
    seed: int
    data: Data
    out: pathlib.Path
    precision: str = "float32"
    resume: bool = False
    fold: int | None = None
    folds: int = 1
    note: str = ""
    max_params: int | None = None
    track: tuple[str, ...] = ()
    options: Mapping = dataclasses.field(default_factory=lambda: OF_RECIPES)
    reports: typing.ClassVar[bool] = True  # whether it ends with a report

    def __post_init__(self):
        self.forget()
        self.kept = ""  # what Ctrl-C left in model.keras, in words
        self.logs = None  # a kfg.tracking.logs.Logs while the job runs, where that was begun by kfg.engine.runner

    def forget(self) -> None:
        """Let go of what was trained: a command of many rows holds all its jobs, and one model at a time."""
        self.model = None
        self.fitted = None  # the model that is being fitted: `model`, or a part of it
        self.build = self.optimizer = self.loss = None
        self.begun = False  # whether anything was trained

    @property
    def workdir(self) -> pathlib.Path:
        fold = "" if self.fold is None else f"-fold-{self.fold}-of-{self.folds}"
        return self.out / self.recipe / self.row / f"seed-{self.seed}{fold}"

    def precursor(self, row: str) -> pathlib.Path:
        """Return the run folder of another row with the same seed and fold."""
        return dataclasses.replace(self, row=row).workdir

    def finished(self) -> bool:
        return all((self.workdir / name).is_file() for name in (run_files.REPORT, run_files.EXPORT_CHECK))

    def owned(self):
        """Keep other processes out of the run folder for a `with` block; InputError where one has it."""
        return run_folder.owned(self.workdir)

    def open(self) -> None:
        """Make the run folder, or check that the one there is of the same settings; sweep what a killed run left.

        Raises:
            InputError: other settings, unfinished without --resume, a folder of something else.
        """
        run_folder.begin(
            self.workdir,
            self.settings(),
            finished=self.finished(),
            resume=self.resume,
            options=self.options,
            changed=lambda: changes.since(self.workdir, self.data.index),
        )

    def settings(self) -> dict:
        """Return everything that decides the result, as it stands in config.json."""
        return provenance.settings(self)

    def parted(self, index: Index | None = None, *, val: float, test: float, seed: int) -> Index:
        """Return the index with train, val and test decided as `split` will, and write nothing."""
        index = self.data.index if index is None else index
        if self.fold is None:
            return splits.split(index, val=val, test=test, seed=seed)
        return splits.folds(index, k=self.folds, val=val, seed=seed)[self.fold]

    def split(self, index: Index | None = None, *, val: float, test: float, seed: int, val_is_test=False) -> Index:
        """Return the index with train, val and test decided, and write split.csv and classes.json.

        Classes with ids, as a contest's, get class_labels.txt as well, each class's index and id.

        Args:
            index: some of the images, or other parts or classes than the data's; default all as they are.
            val_is_test: the test images are the validation images too, as in some studies; see splits.
        Raises:
            InputError: a part without an image, a contest's ids that are missing or alike.
        """
        index = self.parted(index, val=val, test=test, seed=seed)
        splits.check_apart(index)
        for part in PARTS:
            if not len(index.where(part)):
                raise InputError(f"{index.root}: no image is left for {part}: {splits.WANTED}")
        if val_is_test:
            index = splits.with_test_as_val(index)
        splits.write_csv(index, self.workdir / run_files.SPLIT)
        write_json(self.workdir / run_files.CLASSES, list(index.classes))
        if contest.keeps_ids(index.root, index.classes):
            write_text(self.workdir / run_files.CLASS_IDS, contest.label_lines(index.classes))
        return index

    def compile(self, build, *, optimizer, batch_size: int, loss=None):
        """Build and compile the model in the precision asked for; the same seed gives the same weights.

        Args:
            build: function () -> Keras model.
            optimizer: function () -> Keras optimizer, a new one at each call: no two models share one.
            batch_size: images of a training step, for timing precisions.
            loss: Keras loss; default cross-entropy on int labels.
        """
        chosen, jit_compile, rates = self._precision(build, optimizer, loss, batch_size)
        keras.utils.set_random_seed(self.seed)
        with precision.scope(chosen):
            self.model = self.fitted = build()
        if self.max_params is not None:
            freezing.check_budget(self.model, self.max_params)
        self._write_environment(chosen, jit_compile, rates)
        fit.compile_classifier(self.model, optimizer=optimizer(), loss=loss, jit_compile=jit_compile)
        self.build, self.optimizer, self.loss = build, optimizer, loss
        return self.model

    def _precision(self, build, optimizer, loss, batch_size):
        known = self.workdir / run_files.ENVIRONMENT
        if known.is_file():  # a resumed run keeps what it was begun with
            found = read_json(known, dict)
            return found["precision"], found["jit_compile"], found["images_per_second"]
        if self.precision != "auto":
            return self.precision, False, {}

        def compiled(jit_compile):
            model = build()
            fit.compile_classifier(model, optimizer=optimizer(), loss=loss, jit_compile=jit_compile)
            return model

        return timed_precision.chosen(self.out, build, compiled, batch_size=batch_size)

    def _write_environment(self, chosen, jit_compile, rates):
        rates = {name: round(rate, 1) for name, rate in rates.items()}
        environment = {
            "precision": chosen,
            "jit_compile": jit_compile,
            "images_per_second": rates,
            **provenance.environment(),
            "photographs": str(self.data.index.root.resolve()),
        }
        write_json(self.workdir / run_files.ENVIRONMENT, environment)

    def _count_parameters(self):
        """Put into env.json the model's parameters, and how many training changed: perhaps only a part's was fitted."""
        counts = {"total": self.model.count_params(), "trained": freezing.trainable_count(self.fitted)}
        path = self.workdir / run_files.ENVIRONMENT
        write_json(path, {**read_json(path, dict), "parameters": counts})

    def answer_by(self, change) -> None:
        """Answer from here on by a changed model of the same weights; `change` is a function model -> model."""
        build = self.build
        self.model, self.build = change(self.model), lambda: change(build())

    def training_begins(self) -> None:
        """Called before each fit, when images and features are at hand: from here on time is a trial's own."""
        self.begun = True

    def withdraw(self) -> None:
        """Remove what `open` and `split` wrote, if the run ended before it trained anything."""
        if not self.begun:
            unfinished.withdraw(self.workdir, out=self.out)

    def keep_interrupted(self) -> str:
        """After Ctrl-C: leave a model.keras with the weights of the last finished epoch; say what it holds, or ""."""
        if self.fitted is None or self.finished():
            return ""
        return unfinished.keep(self)

    def float32_model(self):
        """Return the model computing in float32, so that an export answers alike on every machine."""
        with precision.scope("float32"):
            model = self.build()
        model.set_weights(self.model.get_weights())
        return model

    def finish(self, index: Index, images, *, batch_size: int, sections=(), examine=None) -> dict:
        """Predict val and test, report, export, and report on the export; return report.json's content.

        Args:
            sections: (title, text, rows or PNG bytes) that the report shows besides its own.
            examine: function (answers on val, answers on test) -> (figures, sections) of the recipe's own; figures,
                name -> {"value", "low", "high"}, are recorded beside the usual ones.
        """
        self._count_parameters()
        model = self.model = self.float32_model()  # what `examine` asks is what is reported
        exporting.save_keras(model, index.classes, self.workdir)
        parts = {name: Part.of(index, images, name) for name in ("val", "test")}
        answers = {
            name: predict.predict(model, part.batches(batch_size, shuffle=False), index=part)
            for name, part in parts.items()
        }
        predict.write_csv(answers["val"], self.workdir / run_files.VAL_PREDICTIONS)
        figures, more = examine(answers["val"], answers["test"]) if examine else ({}, [])
        if BOTH in index.parts:
            sections = [("Validation and test", SAME_IMAGES.format(len(parts["test"]))), *sections]
        looks = explain.report_sections(model, answers["test"], parts["test"].store, self.workdir)
        draft = reporting.prepare(
            self.workdir,
            answers["test"],
            image_root=index.root,
            decode=decode,
            extra_figures=figures,
            extra_sections=[*([("About this row", self.note)] if self.note else []), *sections, *more, *looks],
        )
        draft.write()  # first: whatever the export does, the run has its report
        check = exporting.save(model, index.take(index.where("test")), self.workdir)
        result = draft.write(export_told=exporting.told(check), export_failed=not check["passed"])
        write_json(self.workdir / run_files.EXPORT_CHECK, check)  # last: from here on the run is finished
        return result
