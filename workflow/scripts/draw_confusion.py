"""Average the confusion matrices of the trainings on all data and draw them."""

from pipeline_lib import storage
from pipeline_lib.analyse.classes import confusions
from pipeline_lib.draw import confusion, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    table = confusions(storage.read_csv(snakemake.input[0], ("confusion", "balanced_accuracy"), "sweep"))
    style.save(confusion.draw(table, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
