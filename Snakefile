from snakemake.utils import min_version

min_version("9.20")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/lineage.smk"
include: "workflow/rules/resources.smk"
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


# importing PyTorch takes longer than many a job of digits; for very few jobs, importing all for all takes longer still, unless
# one is a sweep, which idle cores can help
onstart:
    lift_default_rate_limit()
    if workflow.is_main_process and workflow.local_exec:
        jobs = list(workflow.dag.needrun_jobs())
        places = places_for_helpers(jobs)
        if len(jobs) > 3 or (places > 1 and any(job.rule.name == "sweep" for job in jobs)):
            forkserver.start(*IMPORTED_BY_JOBS, places=places)


# what was kept in case this workflow would not see its jobs end
onsuccess:
    for kept in Path("results").glob("*/*/.*.finished"):
        kept.unlink(missing_ok=True)


rule all:
    default_target: True
    input:
        "results/digits/report.html",
