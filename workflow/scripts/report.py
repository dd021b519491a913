"""Write one page about a data set's study."""

from pathlib import Path

import pipeline_lib
from pipeline_lib import storage
from pipeline_lib.job import job
from pipeline_lib.report import provenance
from pipeline_lib.report.assemble import Drawn, Study, meta, sections
from pipeline_lib.report.build import build

REBUILD = "that draws it"

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, files = snakemake.params, snakemake.input
    facts = provenance.read_data(files.dataset)
    figures = {
        name: Drawn(storage.read_bytes(png, REBUILD), storage.read_csv(csv, (), REBUILD, empty=True), csv)
        for name, png, csv in zip(params.figures, files.figures, files.figure_tables, strict=True)
    }
    tables = {name: (storage.read_csv(csv, (), REBUILD), csv) for name, csv in zip(params.tables, files.tables, strict=True)}
    origin = {**provenance.read_training(files.dynamics, facts.fingerprint), **provenance.versions()}
    commit = provenance.commit(Path(pipeline_lib.__file__).parents[1])
    origin |= {"commit": commit} if commit else {}
    study = Study(snakemake.wildcards.dataset, facts, figures, tables, params.metrics, params.settings, origin)
    page = build(sections(study), meta(study))
    storage.write_bytes(snakemake.output[0], page.encode())
    log.info("%d figures, %d tables, %.1f MB", len(figures), len(tables), len(page) / 1e6)
