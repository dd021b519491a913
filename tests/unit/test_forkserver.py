"""A job that runs as a fork of the server must look, from outside and from inside, like one that does not."""

import json
import os
import signal
import socket
import sys
import time

import pytest

from pipeline_lib import forkserver
from pipeline_lib.forkserver import protocol
from pipeline_lib.forkserver.server import Server
from tests.forks import PRELOADED, ROOT, alive, note_of, noted, wait_until

pytestmark = pytest.mark.skipif(not forkserver.possible(), reason="this system cannot fork jobs")


SAY_ALL = f"""
import json
umask = os.umask(0)
said = dict(
    arguments=sys.argv, folder=os.getcwd(), name=__name__, file=__file__, heard=sys.stdin.read(), path=sys.path, umask=umask,
    greeting=os.environ.get("GREETING"), address=os.environ.get({forkserver.ADDRESS!r}), parent=os.getppid(),
    files=sorted(os.listdir("/proc/self/fd"))[:-1], main=sys.modules["__main__"].__file__, preloaded={PRELOADED!r} in sys.modules,
)
print(json.dumps(said))
print("a warning", file=sys.stderr)
"""


def test_a_job_sees_what_it_would_see_in_its_own_process(server, script, tmp_path):
    path, before = script(SAY_ALL), os.umask(0o027)
    try:
        process = server.job(path, "--fast", "two words", folder=tmp_path, GREETING="grüß \udcff")
    finally:
        os.umask(before)
    out, err = process.communicate("from outside", timeout=60)
    said = json.loads(out)
    assert (process.returncode, err) == (0, "a warning\n")
    assert said["arguments"] == [str(path), "--fast", "two words"]
    assert (said["folder"], said["name"], said["file"], said["main"]) == (str(tmp_path), "__main__", str(path), str(path))
    assert (said["path"][:2], said["heard"]) == ([str(path.parent), str(ROOT)], "from outside")
    assert (said["greeting"], said["umask"], said["files"]) == ("grüß \udcff", 0o027, ["0", "1", "2"])
    assert said["address"] is None  # what the job starts is not handed over
    assert said["preloaded"]
    assert said["parent"] == server.pid


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('in words')", 1, "in words\n"),
        ("sys.exit('')", 1, "\n"),
        ("sys.exit(-1)", 255, ""),
        ("sys.exit(-9)", 247, ""),
        ("sys.exit(259)", 3, ""),
        ("os.kill(os.getpid(), 9)", -signal.SIGKILL, ""),
        ("os.abort()", -signal.SIGABRT, ""),
    ],
)
def test_a_job_ends_as_its_fork_does(server, script, body, status, said):
    assert server.answers(script(body)) == (status, "", said)


def test_an_error_is_told_with_the_frames_of_the_script_alone(server, script):
    path = script("def divide():\n    return 1 / 0\n\n\ndivide()\n")
    status, _, err = server.answers(path)
    assert status == 1
    assert err.startswith(f'Traceback (most recent call last):\n  File "{path}", line 7, in <module>')
    assert err.endswith("ZeroDivisionError: division by zero\n")
    assert "forkserver" not in err


LEFT_TO_THE_END = {
    "a file that nobody closed": "f = open(sys.argv[1], 'w'); f.write('x')",
    "an HDF5 file that nobody closed": "import h5py; f = h5py.File(sys.argv[1], 'w'); f['x'] = [1, 2]",
    "an object with a last word": "class A:\n    def __del__(self):\n        print(os.path.basename('a/b'))\na = [A()]",
    "a thread at work": "import threading\ndef work():\n    time.sleep(0.2); print('done')\nthreading.Thread(target=work).start()",
    "a pool at work": (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\n"
        "for n in range(3):\n    pool.submit(lambda n=n: (time.sleep(0.05), print(n)))"
    ),
    "another output": "print('to the first'); sys.stdout = open(sys.argv[1], 'w'); print('to the second')",
    "a temporary folder": (
        "import tempfile; t = tempfile.TemporaryDirectory(dir=os.path.dirname(sys.argv[0])); open(sys.argv[1], 'w').write(t.name)\n"
        "import atexit; atexit.register(lambda: print('at the end', os.path.exists(open(sys.argv[1]).read())))"
    ),
    "a child": (
        "import multiprocessing\nchild = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,), daemon=True)\n"
        "child.start(); print(child.pid > 0)"
    ),
    "an output that was closed": "sys.stdout.close()",
    "an output that cannot be written": "os.dup2(os.open('/dev/full', os.O_WRONLY), 1); print('lost')",
}


@pytest.mark.parametrize("what", LEFT_TO_THE_END)
def test_what_a_job_leaves_to_its_end_is_done(serve, script, tmp_path, what):
    import h5py

    server, path = serve("h5py"), script(LEFT_TO_THE_END[what])
    ends = {}
    for name, address in (("forked", server.address), ("own", "nowhere")):
        left = tmp_path / name
        begin = time.monotonic()
        status, out, err = server.answers(path, str(left), **{forkserver.ADDRESS: address})
        assert time.monotonic() - begin < 30
        content = left.exists() and left.read_bytes()
        if "HDF5" in what:
            with h5py.File(left) as file:
                content = file["x"][()].tolist()
        if "folder" in what:
            content = os.path.exists(content)
        ends[name] = status, out, content
        assert ("No space left on device" in err) if "cannot" in what else not err, err
    assert ends["forked"] == ends["own"]


def test_what_is_wanted_at_the_end_is_done_whoever_wanted_it(serve, script, tmp_path):
    (tmp_path / "tidy.py").write_text("import atexit\natexit.register(print, 'by the library')\n")
    server = serve("tidy", path=f"{ROOT}:{tmp_path}")
    path = script("import atexit, tidy\natexit.register(print, 'by the job')\nprint('work')")
    assert server.answers(path)[1] == "work\nby the job\nby the library\n"


def test_what_belongs_to_an_object_of_the_server_is_not_done_by_every_fork(serve, script, tmp_path):
    kept = "class Kept:\n    pass\n\n\nkept = Kept()\nweakref.finalize(kept, print, 'finalised')\n"
    (tmp_path / "keeper.py").write_text(f"import weakref\n\n{kept}")
    server = serve("keeper", path=f"{ROOT}:{tmp_path}")
    path = script("import keeper, weakref\nmine = keeper.Kept()\nweakref.finalize(mine, print, 'my own')\nprint('work')")
    assert server.answers(path)[1] == "work\nmy own\n"


SAY_WHERE = f"""
import json, os, sys
print(json.dumps([os.getppid(), sys.path, {PRELOADED!r} in sys.modules, os.environ.get("GREETING")]))
sys.exit(3)
"""
GREETER = "import os\nos.environ['GREETING'] = os.environ.get('GREETING', '') + 'hello'\n"


@pytest.fixture
def greeted(serve, tmp_path):
    """A server in an environment that has a `sitecustomize` of its own."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other/sitecustomize.py").write_text(GREETER)
    return serve(PRELOADED, path=os.pathsep.join([str(ROOT), str(tmp_path / "other")]))


def said_where(answer: tuple[int, str, str]) -> list:
    status, out, err = answer
    assert (status, err) == (3, "")
    return json.loads(out)


def test_a_script_is_handed_over_before_its_first_line(greeted, script):
    path = script(SAY_WHERE)
    path.write_text(f"print(file=__import__('sys').stderr)\n{path.read_text()}")
    status, out, err = greeted.answers(path)
    assert err == "\n"  # once
    parent, looked_in, preloaded, greeting = json.loads(out)
    assert (status, parent, preloaded) == (3, greeted.pid, True)
    assert greeting == "hello"  # what the environment's own module of that name does is done, once
    own = json.loads(greeted.answers(path, **{forkserver.ADDRESS: "nowhere"})[1])
    assert own == [os.getpid(), looked_in, False, "hello"]
    assert looked_in[:2] == [str(path.parent), str(ROOT)]


def test_what_users_customise_is_there_too(greeted, script, tmp_path):
    (tmp_path / "other/sitecustomize.py").write_text("import site\nsite.ENABLE_USER_SITE = True\n")
    (tmp_path / "other/usercustomize.py").write_text(GREETER)
    path = script(SAY_WHERE)
    for address, forked in ((greeted.address, True), ("nowhere", False)):
        *_, preloaded, greeting = said_where(greeted.answers(path, **{forkserver.ADDRESS: address}))
        assert (preloaded, greeting) == (forked, "hello")


@pytest.mark.parametrize("why", ["not of a rule", "without the library"])
def test_other_scripts_run_in_their_own_process(greeted, script, tmp_path, why):
    path = script(SAY_WHERE) if why == "without the library" else tmp_path / "job.py"
    path.write_text(f"import os, sys\n{'import pipeline_lib' if why == 'not of a rule' else ''}\n{SAY_WHERE}")
    parent, *_, preloaded, greeting = said_where(greeted.answers(path))
    assert (parent, preloaded, greeting) == (os.getpid(), False, "hello")


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("safe", [False, True])
def test_modules_are_looked_for_where_a_process_of_its_own_would(serve, script, tmp_path, linked, safe):
    path, surroundings = script(SAY_WHERE), {"PYTHONSAFEPATH": "1"} if safe else {}
    if linked:
        (tmp_path / "study").mkdir()
        (tmp_path / "study/.snakemake").symlink_to(tmp_path / ".snakemake")
        path = tmp_path / "study/.snakemake/scripts/job.py"
    server = serve(PRELOADED, **surroundings)
    forked, own = (
        said_where(server.answers(path, **surroundings, **{forkserver.ADDRESS: address})) for address in (server.address, "nowhere")
    )
    assert [forked[2], own[2]] == [True, False]
    assert forked[1] == own[1]
    assert (str(tmp_path / ".snakemake/scripts") in own[1]) != safe


def test_what_the_jobs_own_process_wants_at_its_end_is_done(serve, script, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os\nme = os.getpid()\natexit.register(lambda: os.getpid() == me and print('and the other'))\n"
    )
    server = serve(PRELOADED, path=f"{ROOT}:{tmp_path}")
    assert server.answers(script("print('work', flush=True)"))[:2] == (0, "work\nand the other\n")


def test_what_a_library_says_when_it_is_imported_is_said_once(serve, script, tmp_path):
    (tmp_path / "chatty.py").write_text("print('hello')\n")
    server = serve("chatty", path=f"{ROOT}:{tmp_path}")
    assert server.answers(script("print('chatty' in sys.modules)"))[1] == "True\n"


def test_a_library_that_cannot_be_imported_is_left_to_the_job_that_needs_it(serve, script, tmp_path):
    (tmp_path / "broken.py").write_text("raise OSError('a file is missing')\n")
    server = serve("no_such_library", "broken", PRELOADED, path=f"{ROOT}:{tmp_path}")
    path = script(f"print({PRELOADED!r} in sys.modules)\nimport broken")
    assert wait_until(lambda: server.answers(path)[1] == "True\n")  # jobs are served between imports
    assert server.answers(path)[2].endswith("OSError: a file is missing\n")


def test_jobs_do_not_draw_the_same_where_nobody_gives_a_seed(serve, script):
    server = serve("torch")
    path = script("import random, numpy, torch\nprint(random.random(), *numpy.random.rand(2), torch.rand(1).item())")
    one, other = (server.answers(path)[1].split() for _ in range(2))
    assert len(one) == 4
    assert not set(one) & set(other)


def test_the_folder_in_which_a_study_lies_hides_no_library(serve, script, tmp_path):
    (tmp_path / "pipeline_lib").mkdir()
    (tmp_path / "pipeline_lib/__init__.py").write_text("print('the wrong one')\n")
    (tmp_path / f"{PRELOADED}.py").write_text("wrong = True\n")
    path = script(f"print(pipeline_lib.__file__, hasattr(sys.modules[{PRELOADED!r}], 'wrong'))")
    server = serve(PRELOADED, folder=tmp_path)
    assert server.answers(path, folder=tmp_path) == (0, f"{ROOT}/pipeline_lib/__init__.py False\n", "")


def test_a_fork_ends_with_the_job_that_waits_for_it(server, script, tmp_path):
    process = server.job(script(f"{note_of(tmp_path)}time.sleep(60)"))
    worker = noted(tmp_path)
    assert worker != process.pid
    process.kill()
    process.communicate()
    assert wait_until(lambda: not alive(worker))
    assert server.answers(script(f"print({PRELOADED!r} in sys.modules)"))[1] == "True\n"  # others can still come


@pytest.mark.parametrize("whole_group", [True, False])
def test_a_job_that_is_interrupted_tidies_up_and_says_where(server, script, tmp_path, whole_group):
    """As by Ctrl-C, which reaches every process of the group that has the terminal; the fork is in that of the server."""
    body = f"try:\n    {note_of(tmp_path)}    time.sleep(60)\nfinally:\n    time.sleep(0.2); print('tidied up')"
    process = server.job(script(body), group=0)
    worker = noted(tmp_path, process)
    if whole_group:
        process.send_signal(signal.SIGINT)
    os.kill(worker, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (-signal.SIGINT, "tidied up\n")
    assert err.endswith("KeyboardInterrupt\n")
    assert "job.py" in err


def test_a_job_that_is_asked_to_end_may_answer(server, script, tmp_path):
    answer = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    process = server.job(script(f"{answer}{note_of(tmp_path)}time.sleep(60)"))
    noted(tmp_path, process)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 7


@pytest.mark.parametrize(
    ("end", "status"), [("kill(os.getpid(), 1)", -1), ("kill(os.getpid(), 9)", -9), ("_exit(0)", 0), ("_exit(1)", 1)]
)
def test_a_fork_that_ends_before_it_has_said_a_word_is_no_danger(serve, script, tmp_path, end, status):
    (tmp_path / "deadly.py").write_text(f"import os\nos.register_at_fork(after_in_child=lambda: os.{end})\n")
    kill = "os.kill = lambda *sent: print('sent', sent, flush=True) if sent[0] != os.getpid() else os.abort()\n"
    (tmp_path / "sitecustomize.py").write_text(f"import os\nif 'JOB' in os.environ:\n    {kill}")
    server = serve("deadly", path=f"{ROOT}:{tmp_path}")
    _, out, err = server.answers(script("print('in its own process')"), JOB="1")
    assert (out, "has ended" in err) == ("", False)
    assert server.answers(script(""))[0] == status


def test_a_job_whose_server_was_killed_says_so_and_leaves_no_fork(server, script, tmp_path):
    process = server.job(script(f"{note_of(tmp_path)}time.sleep(60)"))
    worker = noted(tmp_path)
    os.kill(server.pid, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "forked from has ended" in err
    assert wait_until(lambda: not alive(worker))


def test_jobs_at_work_are_finished_when_nobody_starts_more(server, script, tmp_path):
    process = server.job(script(f"{note_of(tmp_path)}sys.stdin.read()\nprint('finished')"))
    noted(tmp_path)
    server.end()
    assert alive(server.pid)
    out, _ = process.communicate("", timeout=60)
    assert (process.returncode, out) == (0, "finished\n")
    assert wait_until(lambda: not alive(server.pid))


def test_a_server_that_nobody_needs_any_more_imports_nothing_more(serve, tmp_path):
    (tmp_path / "slow.py").write_text(f"import time\nopen({str(tmp_path / 'begun')!r}, 'w')\ntime.sleep(1)\n")
    (tmp_path / "next.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    server = serve("slow", "next", path=f"{ROOT}:{tmp_path}")
    assert wait_until((tmp_path / "begun").exists)
    server.end()
    assert wait_until(lambda: not alive(server.pid))
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("why", ["no server", "other threads", "other flags", "an option"])
def test_a_job_that_no_fork_can_stand_for_runs_in_its_own_process(server, script, why):
    changed = {
        "no server": {forkserver.ADDRESS: "nowhere"},
        "other threads": {"OMP_NUM_THREADS": "2"},
        "other flags": {"PYTHONOPTIMIZE": "1"},
        "an option": {},
    }
    path = script(f"print(os.getpid(), {PRELOADED!r} in sys.modules)")
    process = server.job("-u" if why == "an option" else path, *([str(path)] if why == "an option" else []), **changed[why])
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, f"{process.pid} False\n", "")


def test_a_module_and_a_child_of_multiprocessing_run_in_their_own_process(server, script, tmp_path):
    (tmp_path / "module.py").write_text(f"import sys\nimport pipeline_lib\nprint({PRELOADED!r} in sys.modules)")
    starts = f"os.environ[{forkserver.ADDRESS!r}] = {server.address!r}\nimport subprocess, multiprocessing\n"
    module = "if __name__ == '__main__':\n    subprocess.run([sys.executable, '-m', 'module'], check=True)\n"
    child = "    c = multiprocessing.get_context('spawn').Process(target=print, args=('child',))\n"
    path = script(f"{starts}{module}{child}    c.start(); c.join()\n    print(c.exitcode)")
    assert server.answers(path, folder=tmp_path) == (0, "False\nchild\n0\n", "")


NONSENSE = (b"", b"abc", b"\xff\xff\xff\xff", b"\x02\x00\x00\x00{}", b"\x02\x00\x00\x00[]", b"\x01\x00\x00\x00\xff")


@pytest.mark.parametrize("said", NONSENSE)
@pytest.mark.parametrize("waits", [True, False])
def test_who_talks_nonsense_or_not_at_all_stops_nobody(server, script, said, waits):
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(f"\0{server.address}")
        stranger.sendall(said)
        if not waits:
            stranger.close()
        assert server.answers(script(f"print({PRELOADED!r} in sys.modules)")) == (0, "True\n", "")


@pytest.fixture
def listener():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0test-{os.urandom(8).hex()}")
        listener.listen()
        yield listener


@pytest.fixture
def asked(listener):
    """A server in this process, and the connection of one that asks it."""
    lifeline, end = os.pipe()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(listener.getsockname())
        yield Server(listener, lifeline), client
    os.close(end)
    os.close(lifeline)


def test_nothing_is_taken_from_another_user(asked, monkeypatch):
    """Not even read: who may not ask could keep the others waiting."""
    server, stranger = asked
    assert protocol.own(stranger)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert not protocol.own(stranger)
    monkeypatch.setattr(protocol, "receive", lambda client: pytest.fail("a stranger was listened to"))
    assert server.serve(wait=False) is None
    assert stranger.recv(1) == b""  # it is told to go


def test_a_job_hands_nothing_to_another_user(listener, monkeypatch):
    """Who squats at a name that has become free is told neither environment nor files."""
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, *sys.argv])
    monkeypatch.setenv(forkserver.ADDRESS, listener.getsockname()[1:].decode())
    forkserver.hand_over()
    squatter, _ = listener.accept()
    with squatter:
        assert squatter.recv(1) == b""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_job_for_which_there_is_no_room_runs_in_its_own_process(asked, monkeypatch):
    def full():
        raise OSError("Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", full)
    server, job = asked
    content = json.dumps({"surroundings": protocol._surroundings()}).encode()
    socket.send_fds(job, [protocol.NUMBER.pack(len(content))], [0, 1, 2])
    job.sendall(content)
    assert server.serve(wait=False) is None
    assert job.recv(1) == b""


def test_many_jobs_at_once_each_get_their_own_answer(server, script):
    path = script("time.sleep(0.05 * (int(sys.argv[1]) % 3))\nprint(sys.argv[1])\nsys.exit(int(sys.argv[1]))")
    jobs = [server.job(path, str(number)) for number in range(12)]
    answers = [(job.communicate(timeout=60)[0], job.returncode) for job in jobs]
    assert answers == [(f"{number}\n", number) for number in range(12)]


def test_where_the_system_lacks_what_it_takes_no_server_is_started(monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.delenv(forkserver.ADDRESS, raising=False)
    forkserver.start(PRELOADED)
    assert forkserver.ADDRESS not in os.environ
    assert forkserver._started is None
