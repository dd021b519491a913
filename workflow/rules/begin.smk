# What is done as a workflow begins, and when it has ended well.

# in the order in which a study needs them; what is trained on a GPU is made of torchvision's parts
IMPORTED_BY_JOBS = (
    *("snakemake.script", "h5py", "pipeline_lib.config", "torch"),
    *(["torchvision.models.resnet"] if DEVICE == "gpu" else []),
    *("pandas", "matplotlib.pyplot", "scipy.stats"),
)


def lift_default_rate_limit():
    """Switch off Snakemake's default limit of 100 jobs a second, which no study comes near.

    With the limit, every pass of the scheduler queues another one a second later as long as jobs wait, and every job that ends
    begins a chain of its own: after hundreds of jobs hundreds of passes a second. Without queues as inputs, nothing but the end of
    a job changes what can begin. A limit other than the default was asked for, and stays.
    """
    limit = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def keep_settings_for_jobs():
    """Write this workflow's settings where the jobs that it submits find them, under a name made from their content."""
    path = Path(f".snakemake/configs/{fingerprint.value(config)}.json")
    if not path.exists():
        from pipeline_lib.storage import atomic

        with atomic(path) as part:
            part.write_text(json.dumps(config, sort_keys=True))
    os.environ[SUBMITTED] = str(path.resolve())


def places_for_helpers(jobs):
    offered = {name: resource.value for name, resource in workflow.global_resources.items()}
    return demand.places(DEVICE, workflow.cores, offered, max((job.threads for job in jobs), default=1))


def start_server_for_jobs():
    """Start the process that jobs are forked from, where it pays.

    Importing PyTorch takes longer than many a job of digits. For very few jobs, importing all for all takes longer still, unless one
    is a sweep, which idle cores can help.
    """
    jobs = list(workflow.dag.needrun_jobs())
    places = places_for_helpers(jobs)
    if len(jobs) > 3 or (places > 1 and any(job.rule.name == "sweep" for job in jobs)):
        forkserver.start(*IMPORTED_BY_JOBS, places=places)


onstart:
    lift_default_rate_limit()
    if workflow.is_main_process and workflow.local_exec:
        start_server_for_jobs()
    elif workflow.is_main_process:
        keep_settings_for_jobs()


# what was kept in case this workflow would not see its jobs end
onsuccess:
    for kept in Path("results").glob("*/*/.*.finished"):
        kept.unlink(missing_ok=True)
