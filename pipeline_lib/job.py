"""What every rule script has around it: a log file, and errors in words."""

import contextlib
import gc
import logging
import sys
from collections.abc import Iterator

from pipeline_lib.errors import PipelineError


@contextlib.contextmanager
def job(log_file: str) -> Iterator[logging.Logger]:
    """Log to the rule's file; end with a message, not a traceback, where the user can act.

    Args:
        log_file: the rule's `log`.

    Raises:
        SystemExit: status 1 after a `PipelineError`.
    """
    log = logging.getLogger("pipeline")
    log.setLevel(logging.INFO)
    handler = logging.FileHandler(log_file, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        yield log
        log.info("done")
    except PipelineError as error:
        log.error("%s", error)
        print(f"\nerror: {error}\n", file=sys.stderr)
        sys.exit(1)
    except Exception:
        log.exception("unexpected error; unless it is in a file of yours, please report it")
        raise
    finally:
        log.removeHandler(handler)
        handler.close()
        if "triton" not in sys.modules:  # its bindings would report everything that is left as a leak
            gc.freeze()  # the process ends here: collecting what torch has made, object by object, takes half a second
