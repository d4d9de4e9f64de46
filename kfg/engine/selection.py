"""Which rows of a recipe an order runs, and with what settings."""

import dataclasses

from kfg.engine import lenders
from kfg.engine.options import epochs, replaced
from kfg.engine.orders import Order
from kfg.engine.recipe import Recipe, Row
from kfg.errors import InputError
from kfg.names import suggestion


def configured(recipe: Recipe, order: Order) -> dict[str, Row]:
    """Return the rows to run, in order, after applying `quick`, `smoke`, `settings` and `epochs`, in this order.

    A row whose own `epochs` are 0 keeps them unless `settings` have others.
    """
    changes = {**(recipe.quick if order.quick else {}), **(recipe.smoke if order.smoke else {}), **order.settings}
    fields = recipe.setting_names()
    if order.weights is not None and "weights" not in fields:
        raise InputError(f"--weights: {recipe.name} has no pretrained trunk")
    if order.init_from is not None:
        if "init_from" not in fields:
            raise InputError(
                f"--init-from: cannot be used with {recipe.name}, whose rows start from ImageNet weights or from none"
            )
        changes["init_from"] = order.init_from
    if "init_from" in changes:  # also if set by --set
        changes["init_from"] = lenders.resolved(str(changes["init_from"]))
    if changes.get("net_of"):
        changes["net_of"] = lenders.resolved(str(changes["net_of"]), option="net_of")
    rows = {}
    for name in ordered(recipe.rows, recipe.default_rows if order.rows is None else order.rows):
        row = recipe.rows[name]
        trains = getattr(row.config, "epochs", None) != 0  # if not, only --set lets this row train for epochs
        config = replaced(row.config, changes if trains else {**changes, "epochs": order.settings.get("epochs", 0)})
        if order.weights is not None and row.config.weights != "none":  # the row's own: --smoke has none
            config = dataclasses.replace(config, weights=order.weights)
        if order.epochs is not None and trains:
            config = replaced(config, {"epochs": epochs(order.epochs, config.epochs)})
        rows[name] = dataclasses.replace(row, config=config)
    return rows


def ordered(rows, names) -> list[str]:
    """Return `names` and the rows that they depend on, each row after those that it depends on."""
    order = []

    def visit(name):
        if name not in rows:
            raise InputError(f"--rows: unknown row {name!r}; {suggestion(name, rows)}")
        for earlier in rows[name].after:
            visit(earlier)
        if name not in order:
            order.append(name)

    for name in names:
        visit(name)
    return order
