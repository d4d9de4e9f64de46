"""Remedies for weak classes: what may be done to the photographs, the training or the answers."""

from kfg.repairing.remedies import augmenting, controls, labels, losses, seeing

REMEDIES = (controls.NONE, controls.BIAS, *augmenting.REMEDIES, *labels.REMEDIES, *seeing.REMEDIES, *losses.REMEDIES)
