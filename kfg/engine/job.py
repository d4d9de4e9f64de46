"""A job: one run of one row, with its folder, data and model, and the files that are written at its end."""

import dataclasses
import pathlib
import typing
from collections.abc import Mapping

import keras

from kfg import explain, reporting
from kfg.data import contest, corrected, splits, stores
from kfg.data.decode import decode
from kfg.data.index import Index
from kfg.data.part_folders import PARTS
from kfg.data.splitcsv import BOTH
from kfg.engine import changes, confidence, provenance, run_folder, saving, timed_precision, unfinished
from kfg.engine.options import OF_RECIPES
from kfg.engine.photographs import Data
from kfg.errors import InputError
from kfg.evaluation import predict
from kfg.files import read_json, write_json, write_text
from kfg.models import freezing
from kfg.progress import step
from kfg.reporting import card, doubt
from kfg.runs import run_files
from kfg.training import devices as known_devices
from kfg.training import fit, precision

STEPS = 3  # split the photographs, train, finish
SAME_IMAGES = (
    "The {} validation images are also the test images: the images used to watch the training are the ones reported "
    "here. These figures are therefore not from images that the training never saw."
)


@dataclasses.dataclass(kw_only=True)
class Job:
    """One run of a row: everything that `run(config, job)` of a recipe works with.

    Args:
        recipe, row: the names of both.
        config: the recipe's frozen Config.
        seed: int, decides initial weights, order, augmentation and dropout.
        first_seed: the first seed of the command. What the clock decides is decided by that seed's run, for all seeds;
            None if the command has no other seed.
        fold, folds: number of the fold that is the test set, and how many folds there are; None and 1 for a single
            split.
        data: the images.
        out: the folder given with --out; for the run folder in it see kfg.runs.run_files.run_folder.
        precision: one of kfg.training.precision.CHOICES.
        resume: continue where an interrupted run stopped.
        note: what a reader of the report must know about the row.
        max_params: the most parameters, trainable or not, that a model may have; None for any number.
        track: keys of kfg.tracking.logs.LOGS; logging does not affect results, so it is not in config.json.
        devices: names of the devices that share the training of a net, see kfg.training.replicas; they do not affect
            results, so they are in env.json and not in config.json.
        options: setting -> option of the program that was called, for the commands that messages suggest.
        says_steps: whether the job announces each of its STEPS; a recipe with steps of its own announces those itself.
    """

    recipe: str
    row: str
    config: object
    seed: int
    data: Data
    out: pathlib.Path
    precision: str = "float32"
    resume: bool = False
    first_seed: int | None = None
    fold: int | None = None
    folds: int = 1
    note: str = ""
    max_params: int | None = None
    track: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    options: Mapping = dataclasses.field(default_factory=lambda: OF_RECIPES)
    says_steps: bool = False
    reports: typing.ClassVar[bool] = True  # whether a job of this class ends with a report

    def __post_init__(self):
        self.forget()
        self.logs = None  # a kfg.tracking.logs.Logs while kfg.engine.runner runs the job

    def forget(self) -> None:
        """Release the trained model: a command of many rows holds all its jobs, but only one model at a time."""
        self.model = None
        self.fitted = None  # the model that is being fitted: `model`, or a part of it
        self.build = self.optimizer = self.loss = None
        self.first_build = None  # `build` before the first `answer_by`
        self.begun = False  # whether anything was trained

    @property
    def workdir(self) -> pathlib.Path:
        return run_files.run_folder(self.out, self.recipe, self.row, self.seed, fold=self.fold, folds=self.folds)

    @property
    def first(self) -> pathlib.Path | None:
        """The folder of the command's run with the first seed; None where this run is that one."""
        alone = self.first_seed in (None, self.seed)
        return None if alone else dataclasses.replace(self, seed=self.first_seed).workdir

    def precursor(self, row: str) -> pathlib.Path:
        """Return the run folder of another row with the same seed and fold."""
        return dataclasses.replace(self, row=row).workdir

    def finished(self) -> bool:
        return all((self.workdir / name).is_file() for name in (run_files.REPORT, run_files.EXPORT_CHECK))

    def open(self) -> None:
        """Make the run folder, or check that an existing one has the same settings; remove what a killed run left.

        Raises:
            InputError: other settings; an unfinished run without --resume; a folder that is not a run's.
        """
        run_folder.begin(
            self.workdir,
            provenance.settings(self),
            finished=self.finished(),
            resume=self.resume,
            options=self.options,
            changed=lambda: changes.since(self.workdir, self.data.index),
        )

    def parted(self, index: Index | None = None, *, val: float, test: float, seed: int) -> Index:
        """Return the index with the parts train, val and test that `split` will decide, but write nothing."""
        index = self.data.index if index is None else index
        if self.fold is None:
            return splits.split(index, val=val, test=test, seed=seed)
        return splits.folds(index, k=self.folds, val=val, seed=seed)[self.fold]

    def split(self, index: Index | None = None, *, val: float, test: float, seed: int, val_is_test=False) -> Index:
        """Decide the parts train, val and test; write split.csv and classes.json, and return the index with the parts.

        If the classes have ids, as in a contest, class_labels.txt is written as well, with each class's index and id.

        Args:
            index: a subset of the images, or an index with other parts or classes than those of the data; default all
                images as they are.
            val_is_test: use the test images for validation too, as some studies do; see kfg.data.splits.
        Raises:
            InputError: a part without images; contest ids that are missing or not unique.
        """
        self._step(1, "the images are divided into training, validation and test images, decoded and resized")
        index = self.parted(index, val=val, test=test, seed=seed)
        splits.check_apart(index)
        for part in PARTS:
            if not len(index.where(part)):
                raise InputError(f"{index.root}: no image is left for {part}; {splits.WANTED}")
        if val_is_test:
            index = splits.with_test_as_val(index)
        # what corrections leave out is not part of the fingerprint, but it matters for how a class is divided
        if any(self.workdir.rglob(run_files.CHECKPOINT)):
            splits.check_as_before(index, self.workdir / run_files.SPLIT)
        splits.write_csv(index, self.workdir / run_files.SPLIT)
        write_json(self.workdir / run_files.CLASSES, list(index.classes))
        if contest.keeps_ids(index.root, index.classes):
            write_text(self.workdir / run_files.CLASS_IDS, contest.label_lines(index.classes))
        return index

    def compile(self, build, *, optimizer, batch_size: int, loss=None):
        """Build and compile the model in the chosen precision; the same seed gives the same initial weights.

        Args:
            build: function () -> Keras model.
            optimizer: function () -> Keras optimizer, a new one at each call, because models must not share one.
            batch_size: images in a training step, for timing precisions.
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
        self.build = self.first_build = build
        self.optimizer, self.loss = optimizer, loss
        return self.model

    def _precision(self, build, optimizer, loss, batch_size):
        known = self.workdir / run_files.ENVIRONMENT
        if known.is_file():  # a resumed run keeps the precision it began with
            found = read_json(known, dict)
            return found["precision"], found["jit_compile"], found["images_per_second"]
        if self.precision != "auto":
            return self.precision, False, {}

        def compiled(jit_compile):
            model = build()
            fit.compile_classifier(model, optimizer=optimizer(), loss=loss, jit_compile=jit_compile)
            return model

        return timed_precision.chosen(self.out, build, compiled, batch_size=batch_size, shared=len(self.devices) > 1)

    def _write_environment(self, chosen, jit_compile, rates):
        rates = {name: round(rate, 1) for name, rate in rates.items()}
        environment = {
            "precision": chosen,
            "jit_compile": jit_compile,
            "images_per_second": rates,
            "devices": list(self.devices or known_devices.here()[:1]),
            **provenance.environment(),
            "photographs": str(self.data.index.root.resolve()),
            "corrections": corrected.said(self.data.index.corrected),
        }
        write_json(self.workdir / run_files.ENVIRONMENT, environment)

    def _count_parameters(self):
        """Add to env.json the model's parameters, and how many were trained: perhaps only a part of it was fitted."""
        trained = freezing.trainable_count(self.fitted) if self.begun else 0
        counts = {"total": self.model.count_params(), "trained": trained}
        path = self.workdir / run_files.ENVIRONMENT
        write_json(path, {**read_json(path, dict), "parameters": counts})

    def answer_by(self, change) -> None:
        """From now on, answer by a changed model of the same weights; `change` is a function model -> model."""
        build = self.build
        self.model, self.build = change(self.model), lambda: change(build())

    def training_begins(self) -> None:
        """Note that fitting begins. Call it before each fit, once images and features are loaded."""
        if not self.begun:
            self._step(2, "the network is trained")
        self.begun = True

    def _step(self, number: int, what: str) -> None:
        if self.says_steps:
            step(number, STEPS, what)

    def withdraw(self) -> None:
        """Remove what `open` and `split` wrote if nothing was trained."""
        if not self.begun:
            unfinished.withdraw(self.workdir, out=self.out)

    def keep_interrupted(self) -> None:
        """After Ctrl-C, write model.keras with the weights of the last finished epoch, if this session was there."""
        if self.fitted is not None and not self.finished():
            unfinished.keep(self)

    def float32_model(self):
        """Return the model computing in float32, so that its export gives the same answers on every machine."""
        with precision.scope("float32"):
            model = self.build()
        model.set_weights(self.model.get_weights())
        return model

    def finish(
        self, index: Index, images, *, batch_size: int, sections=(), last=(), examine=None, crossed=None
    ) -> dict:
        """Calibrate, predict val and test, write report and export, and add the export's check to the report.

        Args:
            index: the photographs, with their parts.
            images: store of all images of `index`.
            batch_size: images in a batch.
            sections: (title, text, rows or PNG bytes) of sections that the report shows after its own.
            last: the same, for sections at the end of the report.
            examine: function (answers on val, answers on test) -> (figures, sections) of the recipe's own. `figures`,
                name -> {"value", "low", "high"}, are recorded beside the usual ones.
            crossed: kfg.engine.confidence.OutOfFold for calibration; None to use only the validation images.
        Returns:
            The content of report.json.
        """
        self._step(3, "the network is tested, reported on and exported")
        self._count_parameters()
        settled = confidence.settle(
            self.float32_model(), index, images, batch_size=batch_size, cache_dir=self.data.cache_dir, crossed=crossed
        )
        model, answers = settled.model, settled.answers
        self.model = model  # `examine` must ask the model that is reported
        saving.save_keras(model, index.classes, self.workdir)
        confidence.write(settled, self.workdir)
        predict.write_csv(answers["val"], self.workdir / run_files.VAL_PREDICTIONS)
        figures, more = examine(answers["val"], answers["test"]) if examine else ({}, [])
        if BOTH in index.parts:
            sections = [("Validation and test", SAME_IMAGES.format(len(answers["test"]))), *sections]
        sections = [*sections, doubt.section(settled.content, settled.reliability, self.workdir)]
        test_images = stores.chosen(images, index.where("test"))
        looks = explain.looks(model, answers["test"], test_images, self.workdir)
        about = [("About this training", self.note)] if self.note else []
        draft = reporting.prepare(
            self.workdir,
            answers["test"],
            image_root=index.root,
            decode=decode,
            store=test_images,
            maps=looks.maps,
            extra_figures=figures,
            extra_sections=[*about, *sections, *more, *looks.sections],
            last_sections=last,
            separated=index.separated,
        )
        draft.write()  # written now, so that the run has its report even if the export fails
        print("The report is written. Next the model is exported, and the export is compared with it.", flush=True)
        test = index.take(index.where("test"))
        check = saving.save(model, test, self.workdir, confidence=settled.content, bank=settled.bank)
        card.write(self.workdir)
        result = draft.write(export_told=saving.told(check), export_failed=not check["passed"])
        write_json(self.workdir / run_files.EXPORT_CHECK, check)  # written last: it marks the run as finished
        return result
