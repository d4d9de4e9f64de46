"""Take over the trained net of an earlier run of `kfg train`, without what was added to its answers at the end."""

from kfg.engine.lenders import check_unseen, model_file
from kfg.errors import InputError
from kfg.files import read_json
from kfg.models import heads, saved
from kfg.runs import run_files

RAISED = "raised classes"  # name of a choice
SHARED = ("backbone", "second_backbone", "image_size", "weights")  # settings that both runs must have in common


def check(run, config, index) -> None:
    """Check that a run's net can be taken over.

    Args:
        run: folder of a finished run of `kfg train`.
        config: settings of kfg.recipes.folder of the new run.
        index: the photographs, with their parts.
    Raises:
        InputError: there is no such run; its net is another or has other classes; it learned from photographs that are
            for validation or test here.
    """
    run = model_file(run, option="net_of").parent
    check_unseen(run, index, option="net_of")
    if read_json(run / run_files.CLASSES) != list(index.classes):
        raise InputError(f"net_of: {run} has other classes than these photographs")
    for name, (known, wanted) in differences(_settings(run), config).items():
        raise InputError(f"net_of: {run} has {name} {known!r}, not {wanted!r}")


def differences(earlier: dict, config) -> dict[str, tuple]:
    """Return the settings in which the net of an earlier run, with settings from its config.json, is another one."""
    wanted = {name: getattr(config, name) for name in SHARED}
    wanted |= {name: list(value) for name, value in wanted.items() if isinstance(value, tuple)}
    return {name: (earlier.get(name), value) for name, value in wanted.items() if earlier.get(name, "") != value}


def take_over(run, model, classes) -> None:
    """Give a model the weights of an earlier run's net.

    Layers are found by their names. A temperature, and the mean with mirror images or with a second opinion, leave them
    as they are; what the run added to raise some classes is subtracted.

    Raises:
        InputError: the net has other layers, because another version of kfg made it.
    """
    path = model_file(run, option="net_of")
    run, net = path.parent, saved.load(path)
    theirs = {layer.name: layer.get_weights() for layer in net.layers}
    for layer in (one for one in model.layers if one.weights):
        weights = theirs.get(layer.name, [])
        if [one.shape for one in weights] != [tuple(one.shape) for one in layer.weights]:
            raise InputError(
                f"net_of: {run} was trained by a version of kfg with other layers ({layer.name}); train anew"
            )
        layer.set_weights(weights)
    raised = heads.log_odds(_settings(run).get("class_bias") or (), classes)
    choices = read_json(run / run_files.CONFIG, dict).get("choices", {})
    factor = choices.get(RAISED, {}).get("temperature", 1.0)  # earlier versions did not multiply
    heads.raise_classes(model, -factor * raised)


def _settings(run) -> dict:
    found = read_json(run / run_files.CONFIG, dict)
    return found["config"] if found.get("recipe") == run_files.TRAIN_RECIPE else {}
