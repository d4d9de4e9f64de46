"""Turn a drawn object into something like a photograph: background, pose, light, shadow, blur and noise."""

import numpy as np
from PIL import Image, ImageFilter

from kfg.data.demo_shapes import colour, draw

SUPERSAMPLE = 2


def photograph(name: str, rng, size: tuple[int, int]) -> Image.Image:
    """Draw one photograph of class `name`.

    Args:
        rng: numpy Generator; equal states give equal pixels.
        size: (width, height) in pixels.
    Returns:
        RGB image.
    """
    width, height = size
    thing = _posed(draw(name, rng, SUPERSAMPLE * min(size)), rng, SUPERSAMPLE * width, SUPERSAMPLE * height)
    thing = thing.resize(size, Image.Resampling.BOX)
    alpha = thing.getchannel("A")
    scene = _shadowed(_background(rng, width, height), alpha, rng)
    body = _mottled(np.asarray(thing.convert("RGB"), dtype=np.float32), rng)
    cover = np.asarray(alpha, dtype=np.float32)[..., None] / 255
    scene = (scene * (1 - cover) + body * cover) * _light(rng, width, height)
    image = Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.7)))
    grain = rng.normal(0, rng.uniform(2, 7), (size[1], size[0], 1)) + rng.normal(0, 2, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def _clouds(rng, width, height, cells):
    """Return smooth random relief with `cells` bumps across: float32 (height, width, 1), about in [-1, 1]."""
    coarse = rng.uniform(-1, 1, (round(cells * height / width) + 2, cells + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))[..., None]


def _background(rng, width, height):
    """Draw a background: two colours mixed by random relief of three scales; often with a horizon or planks."""
    one, two = (np.array(colour(rng, (0, 1), (0.05, 0.5), (0.25, 0.9)), dtype=np.float32) for _ in range(2))
    mix = 0.5 + 0.4 * _clouds(rng, width, height, 3) + 0.2 * _clouds(rng, width, height, 9)
    kind = rng.integers(3)
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    if kind == 0:  # ground and sky
        mix = mix * 0.5 + np.clip((down - rng.uniform(0.45, 0.8)) * 30, 0, 1) * 0.7
    elif kind == 1:  # planks
        slant, planks = rng.uniform(-0.8, 0.8), rng.uniform(3, 7)
        place = (across + slant * down) * planks
        mix = mix * 0.6 + 0.35 * ((np.floor(place) * 0.618) % 1) - 0.5 * (place % 1 < 0.06)
    fine = 14 * _clouds(rng, width, height, 40)
    return one + (two - one) * np.clip(mix, 0, 1) + fine


def _posed(thing, rng, width, height):
    """Place the drawing on an empty scene: mirrored or not, turned, scaled, squeezed, shifted."""
    if rng.random() < 0.5:
        thing = thing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    angle = np.deg2rad(rng.normal(0, 12))
    scale = rng.uniform(0.72, 1.05)
    squeeze = rng.uniform(0.9, 1.1)
    centre = np.array([width * rng.uniform(0.42, 0.58), height * rng.uniform(0.4, 0.6)])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    back = np.diag([1 / (scale * squeeze), squeeze / scale]) @ turn  # scene -> drawing
    offset = np.array([thing.width / 2, thing.height / 2]) - back @ centre
    data = (*back[0], offset[0], *back[1], offset[1])
    return thing.transform((width, height), Image.Transform.AFFINE, data, resample=Image.Resampling.BILINEAR)


def _shadowed(scene, alpha, rng):
    """Darken the scene below and beside the object, like a shadow."""
    dx, dy = int(rng.integers(-7, 8)), int(rng.integers(1, 8))
    soft = alpha.filter(ImageFilter.GaussianBlur(rng.uniform(2, 6)))
    moved = np.roll(np.asarray(soft, dtype=np.float32), (dy, dx), axis=(0, 1))[..., None] / 255
    return scene * (1 - rng.uniform(0.25, 0.6) * moved)


def _mottled(body, rng):
    """Vary the brightness of flat paint at random, so that it looks like a surface."""
    height, width, _ = body.shape
    return body * (1 + 0.16 * _clouds(rng, width, height, 6) + 0.1 * _clouds(rng, width, height, 36))


def _light(rng, width, height):
    """Return float32 (height, width, 3): light from one side, its tint, and darker corners."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.35)
    slope = 1 + strength * (np.cos(angle) * x + np.sin(angle) * y)
    corners = 1 - rng.uniform(0, 0.18) * (x**2 + y**2)
    tint = rng.normal(1, 0.06, 3).astype(np.float32) * np.float32(rng.uniform(0.75, 1.15))
    return (slope * corners)[..., None] * tint
