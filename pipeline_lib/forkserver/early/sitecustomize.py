"""Python imports a module of this name as it starts. For a job of the workflow this is early enough to hand it over: the lines that
Snakemake puts before its script import Snakemake, which takes three times as long as all else that the job's own process does.

Any Python that the workflow starts finds this file, so it says nothing that an older one does not understand.
"""

import os
import sys

ADDRESS = "PIPELINE_FORKSERVER"  # as in pipeline_lib.forkserver.protocol, which most who come here need not import
OF_SNAKEMAKE = os.path.join(".snakemake", "scripts")


def _run_the_next():
    """Run the module of this name that would have been imported if this one were not there, say of the system."""
    from importlib import machinery

    sys.path.remove(os.path.dirname(__file__))
    spec = machinery.PathFinder.find_spec(__name__)
    if spec and spec.loader:
        from importlib.util import module_from_spec

        sys.modules[__name__] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[__name__])


def _run_the_users():
    """Run what Python imports after this, if it does."""
    import contextlib
    import site

    if site.ENABLE_USER_SITE:
        with contextlib.suppress(ImportError):
            import usercustomize  # noqa: F401


def _of_a_rule(script):
    """Whether a script is that of a rule, and uses this library."""
    if not os.path.dirname(script).endswith(OF_SNAKEMAKE):
        return False
    with open(script, "rb") as file:
        text = file.read()
    return b"\nfrom pipeline_lib" in text or b"\nimport pipeline_lib" in text


_run_the_next()
if sys.version_info >= (3, 11) and ADDRESS in os.environ and _of_a_rule(sys.argv[0]):
    _run_the_users()
    from pipeline_lib import forkserver

    forkserver.hand_over()
