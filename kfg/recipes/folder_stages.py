"""The stages of `kfg train`: head, judgement of the classes, fine-tuning, second opinion, changes of the answers."""

import dataclasses
import functools

from kfg.augment import mixing
from kfg.data.index import Index
from kfg.data.part import Part
from kfg.engine import confidence, earlier_net, planning, second_opinion
from kfg.engine.clock import Clock
from kfg.engine.fitting import train, train_head
from kfg.engine.job import Job
from kfg.engine.judged import Judged
from kfg.engine.options import countdown
from kfg.engine.own_photographs import STEPS
from kfg.errors import InputError
from kfg.models import heads, mirrored
from kfg.names import printable, suggestion
from kfg.progress import step
from kfg.recipes.folder_parts import classifier, fine_tuning_optimizer, head_optimizer, manner, views_of, without
from kfg.recipes.folder_settings import AUTO, Config
from kfg.repairing import after_training
from kfg.runs import choices, run_files
from kfg.training import imbalance
from kfg.training.callbacks import write_history
from kfg.training.schedules import Cosine

HEAD, TUNED, EARLIER = "the head", "the fine-tuned network", "the network of the earlier run"  # names of stages


def fit(config: Config, job: Job, index: Index, images, clock: Clock) -> "Training":
    """Train the head, then fine-tune the net if that promises a gain; `job.model` gets the better of the two.

    A second opinion counts as much as the validation images say, see kfg.engine.second_opinion.

    Args:
        images: store of all images of `index`.
    """
    training = begun(config, job, index, images, clock)
    third, fourth = steps_of(config)
    step(3, STEPS, third, left=countdown(config.time_budget, clock.spent()))
    if not config.net_of:
        training.fit_head()
    training.judge_classes()
    step(4, STEPS, fourth, left=countdown(config.time_budget, clock.spent()))
    second = training.plan_second_opinion()
    plan = training.plan_fine_tuning(reserved=second.get("seconds expected", 0) if second["trunk"] else 0)
    if config.net_of:
        training.take_over()
    if plan["epochs"]:
        training.fine_tune(plan)
    else:
        write_history(training.history, job.workdir / run_files.HISTORY)
    if second["trunk"]:
        training.ask_second(second["trunk"])
    if config.class_bias:
        training.raise_classes()
    if config.mirror_averaged:
        training.average_mirror_images()
    training.best.say_if_useless()
    return training


def steps_of(config) -> tuple[str, str]:
    """Return what the third and the fourth step of a training do."""
    if config.net_of:
        return "the classes are judged", f"{EARLIER} is taken over, and its answers are changed"
    return (
        "the head is trained on features of the pretrained trunk",
        "the network is fine-tuned if that promises a gain",
    )


@dataclasses.dataclass(eq=False)
class Training:
    """A training in progress: what its stages share, and what they have found so far.

    Args:
        config: its settings.
        job: the job, whose model is compiled.
        index: the photographs, with their parts; those that nothing is learned from are in no part.
        images: store of all images of the index.
        clock: measures the time that the training has taken.
        treatment: of unequal class sizes, a key of kfg.training.imbalance.TREATMENTS.
        loss, sampling: what the treatment means for the training.
        best: the stage that was kept last.
        history: the rows of the head's history.
        judged: the diagnosis of the classes, if the run ends with a report or it decides on fine-tuning.
        crossed: out-of-fold answers of heads, for calibration.
    """

    config: Config
    job: Job
    index: Index
    images: object
    clock: Clock
    treatment: str
    loss: object
    sampling: object
    best: Judged | None = None
    history: list = dataclasses.field(default_factory=list)
    judged: after_training.Judged | None = None
    crossed: confidence.OutOfFold | None = None

    @functools.cached_property
    def training(self) -> Part:
        return Part.of(self.index, self.images, "train")

    @functools.cached_property
    def validation(self) -> Part:
        return Part.of(self.index, self.images, "val")

    @property
    def aim(self) -> str:
        """How the values of single images are averaged: a key of kfg.engine.judged.AIMS."""
        return imbalance.aim(self.treatment)

    @property
    def judged_by(self) -> str:
        """What decides which stage is kept."""
        return "loss on the validation images" + (", each class counted alike" if self.aim == "macro recall" else "")

    def left(self) -> float:
        """Return the seconds that are left of the time budget."""
        return self.config.time_budget - self.clock.spent()

    def stage(self, name) -> Judged:
        """Return the model as it is now, judged on the validation images."""
        return Judged(
            name, self.job.model, self.validation, self.index, batch_size=self.config.batch_size, aim=self.aim
        )

    def fit_head(self) -> None:
        """Train the head on cached features, on as many views as time allows."""
        config = self.config
        views = views_of(config)
        share = planning.HEAD_SHARE if config.epochs or config.second_opinion else 1
        plan = planning.choose(
            self.job,
            "head",
            lambda: planning.head_stage(
                self.job,
                self.training,
                views=views,
                epochs=config.head_epochs,
                batch_size=config.head_batch_size,
                optimizer=head_optimizer(config),
                loss=self.loss,
                left=share * config.time_budget - self.clock.spent(),
            ),
            by_clock=True,
        )
        print(f"Augmented views of each image: {plan['views']} ({plan['why']}); epochs of the head: {plan['epochs']}.")
        self.history = train_head(
            self.job,
            self.training,
            self.validation,
            workdir=self.job.workdir / run_files.HEAD,
            views=views_of(config, plan["views"]),
            **self.head_learning(plan["epochs"]),
        )
        self.best = self.stage(HEAD)

    def head_learning(self, epochs: int) -> dict:
        """Return how a head on cached features learns, as arguments of kfg.engine.fitting.train_head."""
        return {
            "loss": self.loss,
            "sampling": self.sampling,
            "batch_size": self.config.head_batch_size,
            "optimizer": head_optimizer(self.config),
            "epochs": epochs,
            "schedule": Cosine(),
            "rate_setting": "head_learning_rate",
        }

    def judge_classes(self) -> None:
        """Let heads answer photographs that they have not seen, for the calibration and for the report's last section.

        Those for the last section also decide whether the net is fine-tuned.
        """
        job, config = self.job, self.config
        own = manner(config, self.index, self.treatment)
        if job.reports:
            equal = self.treatment != "none"
            self.crossed = confidence.heads_out_of_fold(job, self.index, self.images, equal=equal, manner=own)
        if job.reports or config.min_errors:
            limit = after_training.SHARE * config.time_budget
            self.judged = after_training.diagnosed(job, self.index, self.images, own, limit=limit)
            print(*self.judged.why, sep="\n", end="\n" if self.judged.why else "")

    @functools.cached_property
    def head_errors(self) -> dict:
        """The errors of the cross-validated head; {} if they decide nothing, or if there is no diagnosis."""
        found = self.judged and self.judged.found
        if not (self.config.min_errors and found):
            return {}
        return planning.head_errors(found.crossed.answers, found.crossed.index.labels, aim=self.aim)

    def too_few_errors(self) -> bool:
        """Return whether the head makes too few errors for a gain to show."""
        limits = {"min_errors": self.config.min_errors, "min_error_rate": self.config.min_error_rate}
        return bool(self.head_errors) and not planning.worth_a_try(self.head_errors, **limits)

    def plan_second_opinion(self) -> dict:
        """Decide whether there is a second opinion; return the choice, a dict with "trunk", "" for none."""
        config = self.config

        def decide():
            if config.net_of:
                return {"trunk": config.second_opinion, "why": "as the settings say"}
            if self.too_few_errors():
                return {"trunk": "", "why": "the head makes too few errors for a gain to show"}
            learning = self.head_learning(config.head_epochs)
            return second_opinion.planned(config, self.job, self.index, self.images, left=self.left(), **learning)

        if not config.second_opinion:
            return {"trunk": ""}
        second_opinion.check_budget(config, self.job, len(self.index.classes))
        plan = planning.choose(self.job, choices.SECOND, decide, by_clock=True)
        print(f"Second opinion: {plan['trunk'] or 'none'} ({plan['why']}).")
        return plan

    def plan_fine_tuning(self, *, reserved: float) -> dict:
        """Decide for how many epochs the net is fine-tuned: none if the head leaves too little to gain.

        Where not even two epochs fit into the time, the last stage may learn on stored outputs instead.

        Args:
            reserved: seconds that are kept for what comes after it.
        Returns:
            The choice, a dict with "epochs"; with "after" if it is on stored outputs, see planning.last_stage_alone.
        """
        config = self.config

        def left():
            return self.left() - reserved

        def decide():
            if config.net_of:
                return {"epochs": 0, "why": "the network of an earlier run is used"}
            if not config.epochs:
                return {"epochs": 0, "why": "only the head was asked for"}
            if left() <= 0:
                return {"epochs": 0, "why": "the time budget is used up"}
            if self.too_few_errors():
                return {"epochs": 0, "why": "the head makes too few errors for a gain to show", **self.head_errors}
            sizes = {"judged": len(self.validation), "batch_size": config.batch_size, "epochs": config.epochs}
            plan = planning.fine_tuning(self.job, count=len(self.training), left=left, **sizes)
            if plan["epochs"] < min(2, config.epochs) and (after := self.last_stage_but_one()):
                stored = planning.last_stage_alone(
                    self.job, self.training, after=after, views=views_of(config), left=left, **sizes
                )
                plan = stored if stored["epochs"] else plan
            return {**plan, **self.head_errors}

        plan = planning.choose(self.job, choices.TUNING, decide, by_clock=True)
        print(f"Epochs of fine-tuning: {plan['epochs']} ({plan['why']}).")
        return plan

    def last_stage_but_one(self) -> str | None:
        """Return the name of its last layer; None where the settings ask for what stored outputs do not allow."""
        config = self.config
        if config.freeze != AUTO or config.second_backbone or config.mixing != "none" or len(self.job.devices) > 1:
            return None
        return planning.last_stage_but_one(self.config.backbone)

    def take_over(self) -> None:
        """Take over the net of an earlier run."""
        earlier_net.take_over(self.config.net_of, self.job.model, self.index.classes)
        self.best = self.stage(EARLIER)

    def fine_tune(self, plan: dict) -> None:
        """Fine-tune the net as planned; if the head alone is better, the head is kept."""
        config = self.config
        print(
            "The accuracies shown meanwhile are of the latest weights; at the end an average of the weights is judged."
        )
        learning = {
            "sampling": self.sampling,
            "batch_size": config.batch_size,
            "epochs": plan["epochs"],
            "schedule": Cosine(warmup_epochs=0.5, final_fraction=0.02),
        }
        if plan.get("after"):  # on stored outputs of the layers up to it
            own = {"optimizer": self.job.optimizer, "loss": self.job.loss, "after": plan["after"]}
            views = views_of(config, plan["views"])
            train_head(self.job, self.training, self.validation, views=views, **own, **learning)
        else:
            mixed = mixing.named(config.mixing, alpha=config.mixing_alpha)
            train(self.job, self.training, self.validation, policy=config.policy, mixing=mixed, **learning)
        self.best = best = min(self.best, self.stage(TUNED), key=lambda stage: stage.loss)
        print(f"Kept: {best.name}, which has the lower loss on the validation images.")
        self.job.model.set_weights(best.weights)

    def ask_second(self, trunk: str) -> None:
        """Train a head on another trunk, and from then on average the answers with its own."""
        job, before = self.job, self.best
        learning = self.head_learning(self.config.head_epochs)
        equal = self.treatment != "none"
        heard = second_opinion.added(
            self.config, job, self.index, self.images, before, trunk=trunk, equal=equal, **learning
        )
        if heard is None:
            job.begun = job.begun and not self.config.net_of  # what was trained is not part of the net
            return
        if self.config.net_of:
            job.fitted = heard  # what was trained
        self.best = self.stage(f"{before.name}, averaged with the second opinion")

    def raise_classes(self) -> None:
        """Raise the answers of some classes by log-odds of calibrated answers, as `config.class_bias` says.

        The logits of the net are those of calibrated answers multiplied by its temperature.
        """
        found = planning.choose(
            self.job,
            earlier_net.RAISED,
            lambda: {"temperature": confidence.temperature(self.best.answers, self.index, self.crossed)},
        )
        raised = heads.log_odds(self.config.class_bias, self.index.classes)
        heads.raise_classes(self.job.model, found["temperature"] * raised)
        self.best = self.stage(f"{self.best.name}, with raised classes")

    def average_mirror_images(self) -> None:
        """From now on, average the answers on a photograph and on its mirror image."""
        self.job.answer_by(mirrored.averaged)
        self.best = self.stage(f"{self.best.name} with mirror images")


def begun(config: Config, job: Job, index: Index, images, clock: Clock) -> Training:
    """Return a training whose model is compiled. Arguments as for `fit`.

    Raises:
        InputError: settings that do not go with these photographs.
    """
    for name, _ in config.class_bias:
        if name not in index.classes:
            raise InputError(f"class_bias: {printable(name)}: no such class; {suggestion(name, index.classes)}")
    if config.net_of:
        earlier_net.check(config.net_of, config, index)
    index = without(index, config.left_out)
    counts = index.take(index.where("train")).counts()
    chosen = planning.choose(job, "classes", lambda: imbalance.chosen(config.imbalance, counts))
    treatment = chosen["treatment"]
    if treatment != "none":
        print(f"Unequal class sizes are handled by the method '{treatment}' ({chosen['why']}).")
    loss, sampling = imbalance.treated(treatment, counts, label_smoothing=config.label_smoothing)
    build = functools.partial(classifier, config, len(index.classes))
    job.compile(build, optimizer=fine_tuning_optimizer(config), batch_size=config.batch_size, loss=loss)
    return Training(config, job, index, images, clock, treatment, loss, sampling)
