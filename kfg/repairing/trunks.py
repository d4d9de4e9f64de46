"""The pretrained trunks on whose features photographs are judged and remedies are tried."""

import dataclasses
import math

from kfg.engine.options import second_for
from kfg.models import backbones, efficientnet_lite, halves

LARGER = 1.25  # factor on the sides of the images


@dataclasses.dataclass(frozen=True)
class Trunk:
    """A pretrained trunk.

    Args:
        backbone: a key of kfg.models.backbones.BACKBONES.
        image_size: (height, width) in pixels.
        weights: imagenet, none or a file.
        second: name of a second trunk, whose features are appended to the first's; "" for none.
    """

    backbone: str
    image_size: tuple[int, int]
    weights: str = "imagenet"
    second: str = ""

    def built(self):
        """Return the model, images -> features, ready for inference."""
        return halves.front(
            backbones.classifier(
                self.backbone,
                num_classes=2,
                image_size=self.image_size,
                weights=self.weights,
                second=self.second,
            )
        )

    @property
    def told(self) -> str:
        """The name of the trunk, or both names."""
        return f"{self.backbone} and {self.second}" if self.second else self.backbone


def second_trunk(first: Trunk) -> str | None:
    """Return the name of another trunk; None if its weights are not installed, or if `first` is two already."""
    name = second_for(first.backbone)
    return name if not first.second and efficientnet_lite.at_hand(name) else None


def larger_size(trunk: Trunk) -> tuple[int, int]:
    """Return the size of the larger images, rounded up to a multiple of 32 pixels, which suits trunks."""
    return tuple(math.ceil(LARGER * side / 32) * 32 for side in trunk.image_size)
