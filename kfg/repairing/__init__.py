"""Why classes are weak: photographs answered by heads that have not seen them, suspicious labels, causes by class."""
