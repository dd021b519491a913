"""Measure, print one table, write docs/performance.md and benchmarks/history.csv."""

import argparse
import datetime
import os
import sys
import traceback
from pathlib import Path

from benchmarks import machine, report
from benchmarks.ensemble import GROUP as ENSEMBLE
from benchmarks.features import GROUP as FEATURES
from benchmarks.gradients import GROUP as GRADIENTS
from benchmarks.inputs import ROOT
from benchmarks.loader import GROUP as LOADER
from benchmarks.peak import GROUP as PEAK
from benchmarks.result import Group, Result, failed
from benchmarks.scoring import CLUSTERS, SCORES, SCORES_CIFAR100
from benchmarks.steps import GROUP as STEPS
from benchmarks.studies import GROUP as STUDIES
from benchmarks.thesis import GROUP as THESIS
from benchmarks.training import GROUP as TRAINING
from benchmarks.workflow import ALONE, FROM_NOTHING, UNCHANGED, WHOLE_PAGE

GROUPS = (
    *(TRAINING, STEPS, LOADER, THESIS, SCORES, SCORES_CIFAR100, FEATURES, CLUSTERS, GRADIENTS),
    *(ENSEMBLE, STUDIES, ALONE, UNCHANGED, FROM_NOTHING, WHOLE_PAGE, PEAK),
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [group.name for group in GROUPS]
    parser.add_argument(
        "--rows", nargs="+", choices=names, default=names, metavar="NAME", help=f"of {', '.join(names)}; default: all"
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to try the program out; writes nothing unless --output is given"
    )
    parser.add_argument("--no-write", action="store_true", help="print the table only")
    parser.add_argument(
        "--output", type=Path, help="folder for docs/performance.md and benchmarks/history.csv; default: the repository"
    )
    options = parser.parse_args(arguments)
    if options.output is None and not options.quick:
        options.output = ROOT
    if options.no_write:
        options.output = None
    return options


def measure(groups: list[Group], quick: bool) -> tuple[dict[str, Result], bool]:
    """Return the results by row, and whether every group could be measured to its end."""
    results, whole = {}, True
    for group in groups:
        print(f"measuring {group.name} ...", file=sys.stderr, flush=True)
        try:
            for result in group.measure(quick):
                results[result.key] = result
        except Exception as error:  # an hour of other figures is not lost over one
            traceback.print_exc()
            whole = False
            missing = [row for row in group.rows if row.key not in results]
            results |= {result.key: result for result in failed(missing, error)}
    return results, whole


def main() -> int:
    """Run the program and return its exit status."""
    options = parse()
    load = machine.load()
    if load > report.BUSY:
        print(f"warning: this machine is busy (load {load:.1f}); the figures will be off", file=sys.stderr)
    run = report.Run(
        date=datetime.date.today().isoformat(),
        commit=machine.commit(),
        sizes=report.QUICK if options.quick else report.FULL,
        load=f"{load:.1f}",
        machine=machine.describe(),
        versions=machine.versions(),
    )
    os.environ.pop("PYTHONPATH", None)  # what is measured finds its modules as a user's commands do
    chosen = [group for group in GROUPS if group.name in options.rows]
    results, whole = measure(chosen, options.quick)
    print(report.terminal(chosen, results))
    if options.output:
        report.write(options.output, run, GROUPS, results)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
