"""Remedies for weak classes: changes to the photographs, to the training or to the answers."""

from kfg.repairing.remedies import augmenting, controls, labels, losses, seeing

REMEDIES = (controls.NONE, controls.BIAS, *augmenting.REMEDIES, *labels.REMEDIES, *seeing.REMEDIES, *losses.REMEDIES)
