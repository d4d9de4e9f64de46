"""A classifier that answers with one branch and learns from several."""

import dataclasses

import keras
from keras import ops

from kfg.errors import InputError

ANSWER = "probabilities"  # the output that is the model's answer; no branch may have this name


@dataclasses.dataclass(frozen=True)
class Branch:
    """How one branch counts in the loss.

    Args:
        loss_weight: float >= 0, factor of its loss.
        first_epoch: int >= 0, the first epoch it counts in; its loss is multiplied by 0 before.
        repeats: int >= 1, rows it has per image, one image's rows together.
    """

    loss_weight: float = 1.0
    first_epoch: int = 0
    repeats: int = 1


@dataclasses.dataclass(frozen=True)
class _Training:
    """What training needs, in an object Keras does not look into: else it would save the graph's layers twice."""

    graph: keras.Model  # images -> {branch: logits, ANSWER: probabilities}
    branches: dict[str, Branch]
    epoch: keras.Variable
    losses: dict[str, keras.metrics.Mean]  # each branch's own, unweighted, over the epoch


@keras.saving.register_keras_serializable(package="kfg")
class BranchedClassifier(keras.Model):
    """Flat functional model, images -> probabilities (B, C), whose loss is a weighted sum over branches' logits.

    A second functional graph over the same layers also has the branches' logits. Called with `training=True` the
    model runs that graph and returns all of it as a dict; otherwise it runs the graph of its answer alone, which is
    what predictions, validation, exports and Grad-CAM see. `compute_loss` adds up loss_weight * loss(labels,
    softmax(logits)) with the loss the model was compiled with, so smoothing, class weights and priors reach every
    branch; accuracy is the answer's. In the logs of training "<name>_loss" is a branch's own loss. `train_step` stays
    Keras's own: loss scaling, half precision, checkpoints and moving statistics work as in any model. In validation
    the loss is that of the answer.

    Branches that begin late are told the epoch by `fit`, also when it begins with a later one; without `fit`, as in
    `train_on_batch`, every branch counts.

    Args:
        inputs, outputs: of the answer's graph; outputs float (B, C), probabilities.
        logits: dict, name of a branch -> its logits, symbolic float (B * repeats, C) made from `inputs`.
        branches: dict, name -> Branch, of the same names.
    Raises:
        InputError: no branch, unlike names, a value out of range, weights that only a branch has.
    """

    def __init__(self, inputs, outputs, *, logits, branches, name=None):
        super().__init__(inputs, outputs, name=name)
        if not branches or set(logits) != set(branches) or ANSWER in branches:
            raise InputError(f"branches: one for each of the logits, none called {ANSWER}, got {', '.join(branches)}")
        for branch in branches.values():
            if branch.loss_weight < 0 or branch.first_epoch < 0 or branch.repeats < 1:
                raise InputError(f"branches: weight and epoch at least 0, repeats at least 1, got {branch}")
        graph = keras.Model(inputs, {**logits, ANSWER: outputs})
        if len(graph.variables) != len(self.variables):  # they would be trained and not saved
            raise InputError("branches: one has variables that the answer's graph does not have")
        last = max(branch.first_epoch for branch in branches.values())
        start = keras.initializers.Constant(last)
        epoch = keras.Variable(start, shape=(), dtype="int32", trainable=False, name="epoch")
        losses = {name: keras.metrics.Mean(name=f"{name}_loss") for name in branches}
        self._training = _Training(graph, dict(branches), epoch, losses)

    def call(self, inputs, training=None, mask=None):
        if training:
            return self._training.graph(inputs, training=True)
        return super().call(inputs, training=training, mask=mask)

    def training_graph(self) -> keras.Model:
        """Return the functional model images -> {name of branch: logits, "probabilities": the answer}.

        Its layers are this model's and those without weights that only training needs.
        """
        return self._training.graph

    def branch(self, name: str) -> keras.Model:
        """Return a functional model over the same layers that answers with one branch: images -> probabilities.

        Raises:
            InputError: an unknown branch.
        """
        if name not in self._training.branches:
            raise InputError(f"branch: {name!r} is none of {', '.join(self._training.branches)}")
        logits = self._training.graph.output[name]
        probabilities = keras.layers.Activation("softmax", name=ANSWER, dtype="float32")(logits)
        return keras.Model(self.input, probabilities, name=f"{self.name}_{name}")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if not isinstance(y_pred, dict):
            return super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
        total = ops.sum(ops.convert_to_tensor(self.losses)) if self.losses else 0.0
        for name, branch in self._training.branches.items():
            labels, weights = y, sample_weight
            if branch.repeats > 1:
                labels = ops.repeat(labels, branch.repeats, axis=0)
                weights = None if weights is None else ops.repeat(weights, branch.repeats, axis=0)
            loss = self.loss(labels, ops.softmax(ops.cast(y_pred[name], "float32")), sample_weight=weights)
            self._training.losses[name].update_state(loss)
            begun = ops.cast(self._training.epoch >= branch.first_epoch, loss.dtype)
            total = total + branch.loss_weight * begun * loss
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        training = isinstance(y_pred, dict)
        found = super().compute_metrics(x, y, y_pred[ANSWER] if training else y_pred, sample_weight=sample_weight)
        of_branches = () if training else [loss.name for loss in self._training.losses.values()]
        return {name: value for name, value in found.items() if name not in of_branches}

    @property
    def metrics(self):
        return [*super().metrics, *self._training.losses.values()]

    def fit(self, *args, callbacks=None, **kwargs):
        return super().fit(*args, callbacks=[_Epoch(self._training.epoch), *(callbacks or [])], **kwargs)

    def get_config(self):
        branches = {name: dataclasses.asdict(branch) for name, branch in self._training.branches.items()}
        return {"name": self.name, "graph": self._training.graph.get_config(), "branches": branches}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        graph = keras.Model.from_config(config["graph"], custom_objects)
        logits = dict(graph.output)
        answer = logits.pop(ANSWER)
        branches = {name: Branch(**values) for name, values in config["branches"].items()}
        return cls(graph.input, answer, logits=logits, branches=branches, name=config["name"])


class _Epoch(keras.callbacks.Callback):
    """Keep the number of the epoch, from 0, in a variable that the training step reads."""

    def __init__(self, variable):
        super().__init__()
        self.variable = variable

    def on_epoch_begin(self, epoch, logs=None):
        self.variable.assign(epoch)
