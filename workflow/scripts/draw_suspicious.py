"""List and draw the labels that the ensemble doubts most."""

from pipeline_lib import storage
from pipeline_lib.analyse.belief import read_beliefs, suspicious
from pipeline_lib.data.dataset import read
from pipeline_lib.draw import style
from pipeline_lib.draw import suspicious as drawing
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    dataset, _ = read(snakemake.input.dataset)
    believed = read_beliefs(snakemake.input.belief, len(dataset.train_labels))
    table = suspicious(believed, dataset.train_labels, dataset.class_names, dataset.source_id)
    style.save(drawing.draw(table, dataset.train_images, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
