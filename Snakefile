from snakemake.utils import min_version

min_version("9.20")


configfile: "config.yaml"


# functions are called when all of these are read: they may use those of files further down
include: "workflow/rules/common.smk"
include: "workflow/rules/lineage.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/begin.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/learn.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/prune.smk"
include: "workflow/rules/draw.smk"
include: "workflow/rules/describe.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/balance.smk"
include: "workflow/rules/variants.smk"
include: "workflow/rules/robustness.smk"
include: "workflow/rules/landscape.smk"
include: "workflow/rules/diet.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        "results/digits/report.html",
