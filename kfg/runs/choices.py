"""What a run of `kfg train` chose on its way, as its config.json keeps it."""

SECOND, WEIGHT = "second opinion", "weight of the second opinion"  # names of choices


def heard(settings: dict) -> str:
    """Return the trunk of a run's second opinion; "" if it has none, even if one was asked for.

    There is none if time was short, if the head makes too few errors, or if the validation images give it too little
    weight.

    Args:
        settings: content of the run's config.json.
    """
    choices = settings.get("choices", {})
    asked = settings.get("config", {}).get("second_opinion", "")
    return choices.get(SECOND, {}).get("trunk", asked) if choices.get(WEIGHT, {}).get("share", 1) else ""
