"""A real SLURM of one node on this machine: its own munged, slurmctld and slurmd on loopback, with one scheduled fake GPU.

`python -m tests.slurm.cluster start` starts one to try things with, `python -m tests.slurm.cluster stop` removes it.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Three files in the one place that a job's inner `srun` looks: Snakemake's job step drops SLURM_CONF from the environment.
CONFIGURATION = Path("/etc/slurm")
NAMES = ("slurm.conf", "cgroup.conf", "gres.conf")
OURS = "# Written by tests/slurm/cluster.py, which removes it. State: "
PACKAGES = ("slurm-wlm", "munge", "slurm-wlm-basic-plugins")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
DAEMONS = ("slurmd", "slurmctld", "munged")  # in the order in which they are stopped
CPUS = 4  # scheduled, however many there are: jobs of this study mostly start up
MEMORY = 16000  # MB, scheduled
PATIENCE = 30  # seconds until the node is up, and until a daemon is gone

SLURM_CONF = """\
ClusterName=testing
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={state}/munge/socket
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation={state}/ctld
SlurmdSpoolDir={state}/spool
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
SlurmctldLogFile={state}/log/slurmctld.log
SlurmdLogFile={state}/log/slurmd.log
SlurmdParameters=config_overrides
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# without cgroups: what a job holds is looked at every second, and it is killed if that is too much
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={state}/log/jobcomp.txt
# that record has no GPUs without a database, so each job writes down its own
Prolog={state}/prolog
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
MinJobAge=300
KillWait=2
ReturnToService=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""
PROLOG = """\
#!/bin/sh
echo "$SLURM_JOB_ID $SLURM_JOB_GPUS" >> {state}/log/gpus.txt
"""
# never used: jobs are tracked by linuxproc, but slurmd does not start without a plugin that it can load
CGROUP_CONF = "CgroupPlugin=cgroup/v1\n"
# `File=` must be a character device; one that every machine has stands for the GPU
GRES_CONF = "NodeName={host} Name=gpu File=/dev/zero\n"


class Unavailable(Exception):
    """This machine cannot run a SLURM of its own; the message says why in one sentence."""


@dataclass(frozen=True)
class Finished:
    """A finished job by SLURM's own record.

    Attributes:
        id: SLURM's number.
        state: COMPLETED, TIMEOUT, CANCELLED, ...
        partition: that it ran in.
        minutes: its time limit.
        begin, end: seconds since 1970.
        memory: MB that it asked for.
        gpus: numbers of those that it had, as SLURM writes them: "", "0".
    """

    id: int
    state: str
    partition: str
    minutes: int
    begin: float
    end: float
    memory: int
    gpus: str


class Cluster:
    """A running SLURM.

    Attributes:
        state: folder of its keys, logs and records.
    """

    def __init__(self, state: Path):
        self.state = state

    def finished(self) -> list[Finished]:
        """Return the jobs of SLURM's own record, in the order in which they ended."""
        record, gpus = self.state / "log/jobcomp.txt", self.state / "log/gpus.txt"
        if not record.exists():
            return []
        had = dict(line.split(" ", 1) for line in gpus.read_text().splitlines())
        return [_finished(line, had) for line in record.read_text().splitlines()]

    def running(self, folder: Path) -> dict[int, str]:
        """Return the jobs that run now, submitted in a folder: number -> comment, which begins with the rule."""
        queued = self._queue("RUNNING")
        return {number: comment for number, (submitted, comment) in queued.items() if Path(submitted) == folder}

    def waiting_or_running(self, folder: Path | None = None) -> list[int]:
        """Return the numbers of the jobs that have not ended, of those submitted in a folder or of all."""
        queued = self._queue("PENDING,RUNNING,COMPLETING")
        return [number for number, (submitted, _) in queued.items() if folder in (None, Path(submitted))]

    def cancel(self, number: int) -> None:
        """Cancel a job as a user would."""
        subprocess.run(["scancel", str(number)], check=True)

    @contextlib.contextmanager
    def closed(self, partition: str) -> Iterator[None]:
        """Let the jobs of a partition wait."""
        change = ["scontrol", "update", f"partition={partition}"]
        subprocess.run([*change, "state=down"], check=True)
        try:
            yield
        finally:
            subprocess.run([*change, "state=up"], check=True)

    def _queue(self, states: str) -> dict[int, tuple[str, str]]:
        """Return job number -> (folder that it was submitted in, comment)."""
        done = subprocess.run(
            ["squeue", "-h", "-t", states, "-o", "%i|%Z|%k"], capture_output=True, text=True, check=True, timeout=PATIENCE
        )
        jobs = (line.split("|", 2) for line in done.stdout.splitlines())
        return {int(number): (folder, comment) for number, folder, comment in jobs}


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """Start a SLURM, and stop it whatever happens in between.

    Raises:
        Unavailable: this machine has a SLURM already, or cannot have one.
    """
    check()
    state = Path(tempfile.mkdtemp(prefix="slurm-test-"))
    try:
        yield start(state)
    finally:
        stop(state)


def check() -> None:
    """Refuse a machine that has a SLURM of its own, and install the packages where they are missing.

    Raises:
        Unavailable: with the reason.
    """
    for found in (CONFIGURATION / name for name in NAMES):
        if found.exists() and not found.read_text().startswith(OURS):
            raise Unavailable(f"{found} belongs to a SLURM of this machine; the tests start their own only where there is none")
    busy = _processes("slurmctld", "slurmd")
    if busy:
        cure = "if a killed test left it: `python -m tests.slurm.cluster stop`"
        raise Unavailable(f"a SLURM runs already (process {', '.join(map(str, busy))}); {cure}")
    if os.geteuid() != 0:
        raise Unavailable("starting slurmctld and slurmd needs root")
    _install()


def _install() -> None:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise Unavailable(f"{', '.join(missing)} not found, and there is no apt-get to install {' '.join(PACKAGES)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    for command in (install, ["apt-get", "update", "-qq"], install):  # often the lists are there already
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if command is install and done.returncode == 0:
            return
    reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    raise Unavailable(f"apt-get could not install {' '.join(PACKAGES)}: {reason}")


def start(state: Path) -> Cluster:
    """Start the three daemons with their state in a folder, and wait for the node.

    Raises:
        RuntimeError: the node does not come up; the ends of the logs are in the message.
    """
    host = socket.gethostname().split(".")[0]
    state.chmod(0o755)
    for folder in ("ctld", "spool", "log", "munge"):
        (state / folder).mkdir(mode=0o755)
    values = {"host": host, "state": state, "cpus": CPUS, "memory": MEMORY}
    CONFIGURATION.mkdir(exist_ok=True)
    for name, text in zip(NAMES, (SLURM_CONF, CGROUP_CONF, GRES_CONF), strict=True):
        (CONFIGURATION / name).write_text(f"{OURS}{state}\n{text.format(**values)}")
    prolog = state / "prolog"
    prolog.write_text(PROLOG.format(state=state))
    prolog.chmod(0o755)
    (state / "log/gpus.txt").touch()
    key, munge = state / "munge/key", state / "munge"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    files = {"key-file": key, "socket": munge / "socket", "pid-file": state / "munged.pid", "log-file": state / "log/munged.log"}
    options = [f"--{name}={path}" for name, path in {**files, "seed-file": munge / "seed"}.items()]
    for command in (["munged", "--force", *options], ["slurmctld"], ["slurmd", "-N", host]):
        with (state / f"log/{command[0]}.start").open("w") as output:
            subprocess.run(command, stdout=output, stderr=output, check=False, timeout=PATIENCE)
    _wait_for_node(state)
    return Cluster(state)


def _wait_for_node(state: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        done = subprocess.run(
            ["sinfo", "-h", "-p", "cpu", "-o", "%T"], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.1)
    logs = [f"{path.name}:\n{path.read_text()[-1000:]}" for path in sorted((state / "log").glob("*"))]
    raise RuntimeError("the node did not come up\n" + "\n".join(logs))


def stop(state: Path) -> None:
    """Stop what `start` started, jobs first, and remove every file of it."""
    if _processes("slurmctld"):
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            subprocess.run(["scancel", "--user", "root"], capture_output=True, timeout=PATIENCE, check=False)
            _until(lambda: not Cluster(state).waiting_or_running())
    for name in DAEMONS:
        file = state / f"{name}.pid"
        with contextlib.suppress(OSError, ValueError):
            _end(int(file.read_text()), name)
    for name in NAMES:
        file = CONFIGURATION / name
        if file.exists() and file.read_text().startswith(f"{OURS}{state}\n"):
            file.unlink()
    shutil.rmtree(state, ignore_errors=True)


def _end(pid: int, name: str) -> None:
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if pid not in _processes(name):
            return
        os.kill(pid, sent)
        _until(lambda: pid not in _processes(name))


def _until(condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def _processes(*names: str) -> list[int]:
    """Return the processes of these names; what is dead and waits for its parent does not count."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            number, name, condition = re.match(r"(\d+) \((.*)\) (\w)", status.read_text(), re.DOTALL).groups()
            if name in names and condition != "Z":
                found.append(int(number))
    return found


def _finished(line: str, gpus: dict[str, str]) -> Finished:
    values = dict(part.split("=", 1) for part in line.split() if "=" in part)
    resources = dict(part.split("=", 1) for part in values["Tres"].split(",") if "=" in part)
    begin, end = (time.mktime(time.strptime(values[key], "%Y-%m-%dT%H:%M:%S")) for key in ("StartTime", "EndTime"))
    memory, had = _megabytes(resources["mem"]), gpus.get(values["JobId"], "")
    return Finished(
        int(values["JobId"]), values["JobState"], values["Partition"], int(values["TimeLimit"]), begin, end, memory, had
    )


def _megabytes(text: str) -> int:
    return round(float(text[:-1]) * {"M": 1, "G": 1024}[text[-1]])


def main() -> None:
    """Start a cluster and leave it running, or stop that one."""
    match sys.argv[1:]:
        case ["start"]:
            check()
            state = Path(tempfile.mkdtemp(prefix="slurm-test-"))
            try:
                start(state)
            except BaseException:
                stop(state)
                raise
            print(f"SLURM runs: sinfo, squeue, `snakemake --profile profiles/slurm ...`. Its files are in {state}")
        case ["stop"]:
            first = (CONFIGURATION / "slurm.conf").read_text().splitlines()[0]
            if not first.startswith(OURS):
                sys.exit(f"{CONFIGURATION / 'slurm.conf'} was not written by this program")
            stop(Path(first.removeprefix(OURS)))
        case _:
            sys.exit("say `python -m tests.slurm.cluster start` or `python -m tests.slurm.cluster stop`")


if __name__ == "__main__":
    main()
