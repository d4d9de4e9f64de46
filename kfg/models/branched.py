"""A classifier with several branches: the loss sums over all of them, and one output is the prediction."""

import dataclasses

import keras
import tensorflow as tf
from keras import ops

from kfg.errors import InputError

ANSWER = "probabilities"  # name of the output that is the model's prediction (answer); no branch may have this name


@dataclasses.dataclass(frozen=True)
class Branch:
    """Settings of one branch's part in the loss.

    Args:
        loss_weight: float >= 0, factor of its loss.
        first_epoch: int >= 0, the first epoch in which it counts; before, its loss is multiplied by 0.
        repeats: int >= 1, number of output rows per image; the rows of an image follow each other.
    """

    loss_weight: float = 1.0
    first_epoch: int = 0
    repeats: int = 1


@dataclasses.dataclass(frozen=True)
class _Training:
    """The parts needed in training, kept in an object that Keras does not track, or it would save the layers twice."""

    graph: keras.Model  # images -> {branch: logits, ANSWER: probabilities}
    branches: dict[str, Branch]
    epoch: keras.Variable
    losses: dict[str, keras.metrics.Mean]  # each branch's own loss, unweighted, averaged over the epoch


@keras.saving.register_keras_serializable(package="kfg")
class BranchedClassifier(keras.Model):
    """Flat functional model, images -> probabilities (B, C), whose loss is a weighted sum over several branches.

    A second functional graph over the same layers also outputs the logits of the branches. When called with
    `training=True`, the model runs that graph and returns all outputs as a dict. Otherwise it runs only the graph of
    its answer, which is used for predictions, validation, exports and Grad-CAM. `compute_loss` adds up
    loss_weight * loss(labels, softmax(logits)) with the loss object that the model was compiled with, so smoothing,
    class weights and priors apply to every branch; accuracy is computed from the answer. In the training logs
    "<name>_loss" is the own loss of a branch. `train_step` is that of Keras, so loss scaling, half precision,
    checkpoints and moving statistics work as in any model. In validation the loss is that of the answer.

    For branches that begin in a later epoch, `fit` keeps the number of the epoch, also when it does not begin with
    epoch 0. Without `fit`, for example in `train_on_batch`, every branch counts.

    Args:
        inputs, outputs: inputs and outputs of the answer's graph; outputs float (B, C), probabilities.
        logits: dict, name of a branch -> its logits, symbolic float (B * repeats, C) computed from `inputs`.
        branches: dict, name -> Branch, with the same names.
    Raises:
        InputError: there is no branch, the names differ, a value is out of range, or only a branch has some weights.
    """

    def __init__(self, inputs, outputs, *, logits, branches, name=None):
        super().__init__(inputs, outputs, name=name)
        if not branches or set(logits) != set(branches) or ANSWER in branches:
            raise InputError(
                f"branches: expected one for each of the logits and none called {ANSWER}, got {', '.join(branches)}"
            )
        for branch in branches.values():
            if branch.loss_weight < 0 or branch.first_epoch < 0 or branch.repeats < 1:
                raise InputError(f"branches: weight and epoch must be at least 0 and repeats at least 1, got {branch}")
        graph = keras.Model(inputs, {**logits, ANSWER: outputs})
        if len(graph.variables) != len(self.variables):  # such variables would be trained but not saved
            raise InputError("branches: one of them has variables that are not in the graph of the answer")
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

        Its layers are those of this model, and layers without weights that only training needs.
        """
        return self._training.graph

    def with_answer(self, answer) -> "BranchedClassifier":
        """Return a classifier with the same layers and branches but another answer, not compiled.

        Args:
            answer: symbolic float (B, C), probabilities computed from tensors of this model.
        """
        graph, branches = self._training.graph, self._training.branches
        logits = {name: graph.output[name] for name in branches}
        return BranchedClassifier(self.input, answer, logits=logits, branches=branches, name=self.name)

    def branch(self, name: str) -> keras.Model:
        """Return a functional model with the same layers that predicts with one branch: images -> probabilities.

        Raises:
            InputError: the branch is unknown.
        """
        if name not in self._training.branches:
            raise InputError(f"branch: {name!r} is not one of {', '.join(self._training.branches)}")
        logits = self._training.graph.output[name]
        probabilities = keras.layers.Activation("softmax", name=ANSWER, dtype="float32")(logits)
        return keras.Model(self.input, probabilities, name=f"{self.name}_{name}")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if not isinstance(y_pred, dict):
            return super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
        devices = tf.distribute.get_strategy().num_replicas_in_sync  # Keras divides `self.loss` by it, see Replicas
        total = ops.sum(ops.convert_to_tensor(self.losses)) / devices if self.losses else 0.0
        images = ops.cast(ops.shape(y)[0], "float32")
        if not isinstance(self.loss, keras.losses.Loss):
            raise InputError(f"loss: give an object, such as SparseCategoricalCrossentropy(), not {self.loss!r}")
        for name, branch in self._training.branches.items():
            labels, weights = y, sample_weight
            if branch.repeats > 1:
                labels = ops.repeat(labels, branch.repeats, axis=0)
                weights = None if weights is None else ops.repeat(weights, branch.repeats, axis=0)
            loss = self.loss(labels, ops.softmax(ops.cast(y_pred[name], "float32")), sample_weight=weights)
            self._training.losses[name].update_state(loss * devices, sample_weight=images)
            begun = ops.cast(self._training.epoch >= branch.first_epoch, loss.dtype)
            total = total + branch.loss_weight * begun * loss
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        training = isinstance(y_pred, dict)
        found = super().compute_metrics(x, y, y_pred[ANSWER] if training else y_pred, sample_weight=sample_weight)
        of_branches = () if training else [loss.name for loss in self._training.losses.values()]
        return {name: value for name, value in found.items() if name not in of_branches}

    def get_metrics_result(self):
        """Return the metrics by name, without the branches' losses if there are none, as after a validation.

        Keras takes this for an epoch's figures only if it has the names that a step returns; else it takes what the
        last step returned, which on several devices is a mean of what each has seen.
        """
        found = super().get_metrics_result()
        if tf.executing_eagerly():
            for loss in self._training.losses.values():
                if not keras.ops.convert_to_numpy(loss.count):
                    del found[loss.name]
        return found

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
    """A callback that keeps the number of the epoch, from 0, in a variable that the training step reads."""

    def __init__(self, variable):
        super().__init__()
        self.variable = variable

    def on_epoch_begin(self, epoch, logs=None):
        self.variable.assign(epoch)
