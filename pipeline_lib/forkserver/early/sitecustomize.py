"""Python imports a module of this name as it starts. For a job of the workflow this is early enough to hand it over: the lines that
Snakemake puts before its script import Snakemake, which takes three times as long as all else that the job's own process does.
"""

import os
import sys

OF_SNAKEMAKE = os.path.join(".snakemake", "scripts")


def _run_the_next() -> None:
    """Run the module of this name that would have been imported if this one were not there, say of the system."""
    from importlib import machinery

    sys.path.remove(os.path.dirname(__file__))
    if spec := machinery.PathFinder.find_spec(__name__):
        from importlib.util import module_from_spec

        sys.modules[__name__] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[__name__])


_run_the_next()
if os.path.dirname(sys.argv[0]).endswith(OF_SNAKEMAKE):
    import pipeline_lib  # noqa: F401 (hands over, if there is a server)
