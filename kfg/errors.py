"""The one exception for wrong input from the user."""


class InputError(ValueError):
    """Wrong input: one line that names the path or argument. On the command line it is printed, with exit code 2."""

    def _render_traceback_(self) -> list[str]:
        """Show the line alone in a notebook: IPython asks an exception for this before it prints a traceback."""
        return [f"{type(self).__name__}: {self}"]
