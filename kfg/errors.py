"""The one exception for wrong input from the user."""


class InputError(ValueError):
    """Wrong input: printed as one line that names the path or argument, exit code 2."""
