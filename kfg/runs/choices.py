"""What a run of `kfg train` chose on its way, as its config.json keeps it."""

TUNING, SECOND, WEIGHT = "fine-tuning", "second opinion", "weight of the second opinion"  # names of choices
WHOLE_NET = "whole net"  # name of the choice TUNING in earlier versions, which trained all layers


def tuning(made: dict) -> dict:
    """Return the choice on fine-tuning among a run's choices; {} if there is none.

    Args:
        made: name -> choice, from the run's config.json.
    """
    return made.get(TUNING) or made.get(WHOLE_NET) or {}


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
