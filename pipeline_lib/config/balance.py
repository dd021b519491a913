"""What is asked of data sets whose classes are unequal."""

from typing import Annotated

from pydantic import Field

from pipeline_lib.config.experiment import InnerShare
from pipeline_lib.config.section import Section


class PruningImbalanced(Section):
    """Does pruning starve small classes? Drawn from the sweeps of prune_easiest, which must have `balanced: [false, true]`."""

    share: Annotated[InnerShare, Field(description="pruned; at which the figure shows what is kept of every class")] = 0.5
