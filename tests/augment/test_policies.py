"""Policies: what is drawn, whom it depends on, what is refused."""

import dataclasses
import json

import numpy as np
import pytest

from kfg.augment import draws
from kfg.augment.policies import ClassTargeted, Policy, parameters

ALL = Policy(
    rotation=45,
    width_shift=0.1,
    height_shift=3,
    shear=10,
    zoom=0.1,
    channel_shift=20,
    brightness=(0.8, 1.2),
    contrast=(0.8, 1.2),
    horizontal_flip=True,
    vertical_flip=True,
    fill_mode="reflect",
)
STUDY = Policy(
    rotation=45, width_shift=3, height_shift=3, zoom=0.1, fill_mode="reflect", horizontal_flip=True, vertical_flip=True
)


def batch(count=24, height=45, width=68):
    images = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return images, (np.arange(count) % 4).astype(np.int32), np.arange(count) * 1_000_003


def drawn(policy, count=4000, height=45, width=68):
    uniforms = draws.uniforms(0, epoch=0, positions=np.arange(count), count=13)
    return parameters(policy, uniforms, height=height, width=width)


def test_the_default_policy_returns_the_same_bytes_in_a_new_array():
    images, labels, positions = batch()
    out = Policy().apply(images, labels, seed=1, epoch=2, positions=positions)
    np.testing.assert_array_equal(out, images)
    assert not np.shares_memory(out, images)


def test_flips_are_exact_mirrors_in_the_four_ways():
    images, labels, positions = batch(64)
    out = Policy(horizontal_flip=True, vertical_flip=True).apply(images, labels, seed=1, epoch=0, positions=positions)
    seen = set()
    for before, after in zip(images, out, strict=True):
        ways = [(y, x) for y in (1, -1) for x in (1, -1) if np.array_equal(after, before[::y, ::x])]
        assert len(ways) == 1
        seen.update(ways)
    assert len(seen) == 4


@pytest.mark.parametrize("policy", [ALL, ClassTargeted(default=STUDY, by_class={1: ALL, 3: Policy()})])
def test_an_image_is_changed_the_same_in_any_order_and_batch(policy):
    images, labels, positions = batch()
    whole = policy.apply(images, labels, seed=3, epoch=5, positions=positions)
    order = np.random.default_rng(1).permutation(len(images))
    for part in np.array_split(order, 5):
        some = policy.apply(images[part], labels[part], seed=3, epoch=5, positions=positions[part])
        np.testing.assert_array_equal(some, whole[part])
    for other in ({"seed": 4, "epoch": 5}, {"seed": 3, "epoch": 6}):
        assert not np.array_equal(policy.apply(images, labels, **other, positions=positions), whole)
    assert policy.apply(images[:0], labels[:0], seed=3, epoch=5, positions=positions[:0]).shape == (0, 45, 68, 3)


def test_a_parallel_map_gives_the_same_bytes_every_time():
    import tensorflow as tf

    images, labels, positions = batch(48, 32, 32)

    def change(rows):
        return ALL.apply(images[rows], labels[rows], seed=0, epoch=1, positions=positions[rows])

    def run(calls):
        dataset = tf.data.Dataset.range(len(images)).batch(5)
        mapped = dataset.map(lambda rows: tf.numpy_function(change, [rows], tf.uint8), num_parallel_calls=calls)
        return np.concatenate(list(mapped.as_numpy_iterator()))

    expected = ALL.apply(images, labels, seed=0, epoch=1, positions=positions)
    for calls in (1, 4, 4, 8, 8, tf.data.AUTOTUNE):
        np.testing.assert_array_equal(run(calls), expected)


def test_global_random_state_is_neither_read_nor_moved():
    images, labels, positions = batch(4)
    np.random.seed(1)
    first, state = ALL.apply(images, labels, seed=0, epoch=0, positions=positions), np.random.get_state()[1].copy()
    np.random.seed(2)
    np.testing.assert_array_equal(ALL.apply(images, labels, seed=0, epoch=0, positions=positions), first)
    np.random.seed(1)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize(
    ("option", "moved"),
    [
        ({"rotation": 10}, {"rotation"}),
        ({"width_shift": 0.3}, {"shift_x"}),
        ({"height_shift": 0.3}, {"shift_y"}),
        ({"shear": 5}, {"shear"}),
        ({"zoom": 0.3}, {"zoom_x", "zoom_y"}),
        ({"channel_shift": 5}, {"channel_shift"}),
        ({"brightness": None}, {"brightness"}),
        ({"contrast": None}, {"contrast"}),
        ({"horizontal_flip": False}, {"flip_x"}),
        ({"vertical_flip": False}, {"flip_y"}),
    ],
)
def test_an_option_leaves_the_draws_of_the_others_alone(option, moved):
    before, after = drawn(ALL, 50), drawn(dataclasses.replace(ALL, **option), 50)
    assert {name for name in before if not np.array_equal(before[name], after[name])} == moved


def test_each_parameter_keeps_its_column():
    """A run resumed with a later kfg must draw what it drew before."""
    columns = ["rotation", "shift_x", "shift_x", "shift_y", "shift_y", "shear", "zoom_x", "zoom_y", "flip_x", "flip_y"]
    policy, low = dataclasses.replace(ALL, width_shift=9, height_shift=9), np.full((1, 13), 0.3)
    before = parameters(policy, low, height=45, width=68)
    for column, name in enumerate([*columns, "channel_shift", "brightness", "contrast"]):
        high = low.copy()
        high[0, column] = 0.8
        after = parameters(policy, high, height=45, width=68)
        assert [key for key in before if before[key] != after[key]] == [name]
        if column in (2, 4):  # the sign's
            assert after[name] == -before[name]


def test_ranges_are_filled_to_their_ends_and_not_left():
    values = drawn(ALL)
    limits = {"rotation": (-45, 45), "shift_x": (-6.8, 6.8), "shear": (-10, 10), "zoom_x": (0.9, 1.1)}
    limits |= {"zoom_y": (0.9, 1.1), "channel_shift": (-20, 20), "brightness": (0.8, 1.2)}
    for name, (low, high) in limits.items():
        slack = 0.01 * (high - low)
        assert low <= values[name].min() < low + slack and high - slack < values[name].max() <= high, name
    for name in ("flip_x", "flip_y"):
        assert abs(values[name].mean() - 0.5) < 0.04
    assert abs(np.corrcoef(values["zoom_x"], values["zoom_y"])[0, 1]) < 0.08  # one factor per axis
    assert set(drawn(Policy(zoom=(0.5, 0.5)))["zoom_x"]) == {0.5}


@pytest.mark.parametrize("amount", [0, 1, 2, 3, 0.1])
def test_shifts_come_as_often_as_the_legacy_ones_with_its_axes_put_right(amount):
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(width_shift_range=amount, height_shift_range=0)
    np.random.seed(0)
    legacy = np.array([generator.get_random_transform((45, 68, 3))["ty"] for _ in range(2000)], dtype=float)
    values = drawn(Policy(width_shift=amount))
    assert (values["shift_y"] == 0).all()
    ours = values["shift_x"]
    if isinstance(amount, int):
        assert set(ours) == set(legacy) == set(range(-max(amount - 1, 0), max(amount, 1)))
        for value in set(legacy):  # 5 standard errors of a share over 2,000 draws is at most 0.056
            assert abs((ours == value).mean() - (legacy == value).mean()) < 0.06
    else:
        np.testing.assert_allclose(np.quantile(ours, [0, 0.5, 1]), np.quantile(legacy, [0, 0.5, 1]), atol=0.6)


def test_a_class_gets_its_own_policy_and_the_others_do_not_notice():
    images, labels, positions = batch()
    where = {"seed": 1, "epoch": 0, "positions": positions}
    targeted = ClassTargeted(default=Policy(horizontal_flip=True), by_class={np.int64(2): STUDY, 3: Policy()})
    out = targeted.apply(images, labels, **where)
    for label, policy in {0: targeted.default, 1: targeted.default, 2: STUDY, 3: Policy()}.items():
        np.testing.assert_array_equal(out[labels == label], policy.apply(images, labels, **where)[labels == label])
    assert not np.array_equal(out[labels == 2], targeted.default.apply(images, labels, **where)[labels == 2])


def test_levels_change_after_the_warp():
    images = np.full((8, 20, 20, 3), 100, np.uint8)
    policy = Policy(width_shift=0.5, fill_mode="constant", cval=10, brightness=(2, 2))
    out = policy.apply(images, np.zeros(8, np.int32), seed=0, epoch=0, positions=np.arange(8))
    assert {20, 200} <= set(np.unique(out))
    assert ((out == 20) | (out == 200)).mean() > 0.9  # the rest is the blend at the edge


def test_policies_go_through_json():
    for policy in (Policy(), ALL, Policy(zoom=(0.5, 1.5))):
        assert Policy(**json.loads(json.dumps(dataclasses.asdict(policy)))) == policy
    targeted = ClassTargeted(default=ALL, by_class={np.int32(2): STUDY, 11: Policy()})
    assert ClassTargeted(**json.loads(json.dumps(dataclasses.asdict(targeted)))) == targeted


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"rotation": -1}, r"rotation must be in \[0, 180\] degrees, got -1"),
        ({"rotation": float("nan")}, "rotation must be .* got nan"),
        ({"rotation": "45"}, "rotation must be .* got '45'"),
        ({"width_shift": 3.0}, r"width_shift must be a float in \[0, 1\), a fraction, or an int, pixels; got 3.0"),
        ({"height_shift": -2}, "height_shift in pixels .* must be >= 0, got -2"),
        ({"shear": 90}, r"shear must be in \[0, 90\) degrees, got 90"),
        ({"zoom": 1.0}, r"zoom must be in \[0, 1\)"),
        ({"zoom": (0.0, 1.0)}, "zoom must have 0 < low <= high"),
        ({"zoom": (1.2, 0.8)}, "zoom must have 0 < low <= high"),
        ({"zoom": (0.8, 1.0, 1.2)}, r"zoom must be \(low, high\)"),
        ({"channel_shift": 256}, r"channel_shift must be in \[0, 255\] levels, got 256"),
        ({"brightness": (-0.1, 1)}, "brightness must have 0 <= low <= high"),
        ({"brightness": 0.5}, r"brightness must be \(low, high\), got 0.5"),
        ({"horizontal_flip": 1}, "horizontal_flip must be True or False, got 1"),
        ({"fill_mode": "mirror"}, "fill_mode must be one of nearest, constant, reflect, wrap, got 'mirror'"),
        ({"cval": -1}, r"cval must be in \[0, 255\] levels, got -1"),
    ],
)
def test_options_out_of_range_are_named(option, message):
    with pytest.raises(ValueError, match=message):
        Policy(**option)


def test_batches_of_the_wrong_kind_are_named():
    images, labels, positions = batch(4)
    where = {"seed": 0, "epoch": 0}
    with pytest.raises(ValueError, match=r"images must be uint8 .* got float32"):
        Policy().apply(images.astype(np.float32), labels, **where, positions=positions)
    with pytest.raises(ValueError, match=r"images must be .* got uint8 \(4, 45, 68, 1\)"):
        Policy().apply(images[..., :1], labels, **where, positions=positions)
    with pytest.raises(ValueError, match=r"labels must be \(4,\) .* got \(3,\)"):
        Policy().apply(images, labels[:3], **where, positions=positions)
    with pytest.raises(ValueError, match=r"positions must be \(4,\)"):
        ALL.apply(images, labels, **where, positions=positions[:2])
    for label in ("two", "-2", "", "2.0", -2, 2.0):
        with pytest.raises(ValueError, match=f"by_class: a label must be an int >= 0, got {label!r}"):
            ClassTargeted(default=ALL, by_class={label: ALL})
    with pytest.raises(ValueError, match="by_class: label 2 is given twice"):
        ClassTargeted(default=ALL, by_class={"2": ALL, 2: STUDY})
