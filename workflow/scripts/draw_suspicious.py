"""List and draw the labels that the ensemble doubts most."""

from pipeline_lib import storage
from pipeline_lib.analyse.belief import read_beliefs, suspicious
from pipeline_lib.data.dataset import read
from pipeline_lib.draw import style
from pipeline_lib.draw import suspicious as drawing
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    dataset, _ = read(snakemake.input.dataset)
    if tested := bool(snakemake.wildcards.split):
        images, labels, ids = dataset.test_images, dataset.test_labels, dataset.test_source_id
    else:
        images, labels, ids = dataset.train_images, dataset.train_labels, dataset.source_id
    believed = read_beliefs(snakemake.input.belief, len(labels))
    table = suspicious(believed, labels, dataset.class_names, ids)
    style.save(drawing.draw(table, images, snakemake.wildcards.dataset, tested), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
