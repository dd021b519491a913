"""What every rule script has around it: a log file, inputs that are what the workflow expects, and errors in words."""

import contextlib
import gc
import logging
import sys
from collections.abc import Iterator, Mapping

from pipeline_lib import forkserver
from pipeline_lib.errors import PipelineError

OF_A_GPU = ("CUDA error", "CUDA driver error", "cuDNN error", "CUBLAS_STATUS", "NCCL error", "No CUDA GPUs", "cudaGetDeviceCount")
LOWER = "Lower `batch` in the recipe (or the swav section) that this job trains with"


class Log(logging.LoggerAdapter):
    """The job's logger.

    Attributes:
        result: what the last line says when all went well.
    """

    result = ""


@contextlib.contextmanager
def job(log_file: str, origins: Mapping[str, str] | None = None) -> Iterator[Log]:
    """Log to the rule's file; end with a message, not a traceback, where the user can act.

    A helper appends to the log of the job that it helps; the job itself reports errors, and writes the last line.

    Args:
        log_file: the rule's `log`.
        origins: inputs that say what made them, and what that should have been.

    Raises:
        SystemExit: status 1 after a `PipelineError`, lack of memory, or a GPU that failed.
    """
    logger = logging.getLogger("pipeline")
    logger.setLevel(logging.INFO)
    log = Log(logger)
    helping = forkserver.helping()
    try:
        if not helping:
            open(log_file, "w").close()
        handler = logging.FileHandler(log_file, mode="a")
    except OSError as error:
        print(f"\nerror: {log_file}: cannot be written ({error.strerror}). Check who owns the folder\n", file=sys.stderr)
        sys.exit(1)
    handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {'a helper ' if helping else ''}%(message)s"))
    logger.addHandler(handler)
    try:
        _check(origins or {})
        yield log
        if not helping:
            log.info("%s", ": ".join(filter(None, ["done", log.result])))
    except KeyboardInterrupt:
        log.warning("interrupted")
        sys.excepthook = lambda *_: None  # a traceback would look like a defect
        raise
    except Exception as error:
        if helping:
            log.warning("ended: %s", in_words(error) or repr(error), exc_info=not isinstance(error, PipelineError))
            sys.exit(1)
        words = str(error) if isinstance(error, PipelineError) else in_words(error)
        if words is None:
            log.exception("unexpected error; unless it is in a file of yours, please report it")
            raise
        log.error("%s", words, exc_info=not isinstance(error, PipelineError))
        print(f"\nerror: {words}\n", file=sys.stderr)
        sys.exit(1)
    finally:
        logger.removeHandler(handler)
        handler.close()
        if "triton" not in sys.modules:  # its bindings would report everything that is left as a leak
            gc.freeze()  # the process ends here: collecting what torch has made, object by object, takes half a second


def _check(origins: Mapping[str, str]) -> None:
    if origins:
        from pipeline_lib.storage import check_origin  # brings h5py, which jobs without such inputs may not need

        for path, origin in origins.items():
            check_origin(path, origin)


def in_words(error: Exception) -> str | None:
    """Return what to tell a person about a machine that has reached its limits, or None if that is not what happened.

    torch has a class of its own for a GPU that is full, but not everywhere for one that fails, or for a full main memory.
    """
    text, kind = str(error), type(error).__name__
    if kind == "OutOfMemoryError" or "CUDA out of memory" in text or "STATUS_ALLOC_FAILED" in text:
        return f"the GPU's memory is full ({_first_line(text)}). {LOWER}, or leave the GPU to this job alone"
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return f"the main memory is full ({_first_line(text)}). Run fewer jobs at once (`--cores`). {LOWER}"
    if isinstance(error, RuntimeError) and (kind == "AcceleratorError" or any(word in text for word in OF_A_GPU)):
        return (
            f"the GPU failed ({_first_line(text)}). Every finished training is kept: run the same command again, after a look at "
            "`nvidia-smi` if it happens again"
        )
    return None


def _first_line(text: str) -> str:
    return text.splitlines()[0].rstrip(".") if text else "no details"
