# What a result depends on, everything upstream included, as two short hashes:
#   lineage  settings and code: stands in the rules' params, so that a change of either reruns what follows
#   origin   settings alone: stands in the files, so that one of another data set, recipe or parameters is refused; a change of
#            code that is declared neutral (snakemake --touch) leaves it alone
from typing import NamedTuple


class Step(NamedTuple):
    lineage: str
    origin: str | None


def step(settings, code, files):
    """What comes of settings, code and files."""
    before = steps_of(files)
    return Step(
        fingerprint.value(settings, code, [earlier.lineage for earlier in before]),
        fingerprint.value(settings, [earlier.origin for earlier in before]),
    )


def table(code, files):
    """What comes of code and files as a table that does not say so itself; no settings, as Snakemake compares its content."""
    return Step(fingerprint.value(code, [earlier.lineage for earlier in steps_of(files)]), None)


# files that other rules read -> the step that makes them; the rules of each part add their own
STEPS = {}


@functools.cache
def step_of(path):
    """What made a file; None for the archives that a study starts from."""
    for pattern, made_by in STEPS.items():
        found = pattern.fullmatch(path)
        if found:
            return made_by(**found.groupdict())
    if path.startswith("data/archives/"):
        return None
    raise WorkflowError(f"{path}: no step in STEPS makes it, so what reads it would not follow its changes")


def steps_of(files):
    return list(filter(None, map(step_of, map(str, files))))


def upstream_of(wildcards, **job):
    """What a job's inputs were made by, code and settings.

    Not by an argument `input`: what a function returns that names `input`, `output`, `threads` or `resources` Snakemake neither
    records nor compares, so that no change would rerun anything. The price is that it evaluates the resources of every job.
    """
    return fingerprint.value([earlier.lineage for earlier in steps_of(job["input"])])


def own_origin(wildcards, output):
    """What a job's first output says that it was made by; that must be the one in STEPS."""
    return step_of(str(output[0])).origin


def origins_of(wildcards, input):
    """What the inputs of a job say that they were made by: file -> origin."""
    files = {str(path): step_of(str(path)) for path in input}
    return {path: made.origin for path, made in files.items() if made and made.origin}
