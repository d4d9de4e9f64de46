"""The only exception that kfg raises for wrong input from the user."""


class InputError(ValueError):
    """Wrong input. Its message is one line that names the path or argument; the command line prints it, exit code 2."""

    def _render_traceback_(self) -> list[str]:
        """Return the message alone: IPython asks for this before it prints a traceback in a notebook."""
        return [f"{type(self).__name__}: {self}"]
