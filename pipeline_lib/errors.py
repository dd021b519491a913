"""The one exception meant for the person at the keyboard."""


class PipelineError(Exception):
    """Something the user can act on: the message names the file or key, what was expected, and the cure.

    Rule scripts print it without a traceback; every other exception is a defect of the pipeline and keeps its traceback.
    """


class Diverged(PipelineError):
    """A training whose numbers are no longer numbers: a mistake, unless it was tried how far one can go."""


def one_of(names) -> str:
    """Join accepted names for an error message: "a, b, c"."""
    return ", ".join(str(name) for name in names)
