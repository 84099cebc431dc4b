"""Starts programs on their cores, stops them, and reads what they have used from the kernel."""
import contextlib, ctypes, os, pathlib, re, signal, subprocess, time

READY_TIMEOUT = 30  # s
STOP_TIMEOUT = 5  # s

_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def on_cores(cores):
    """Programs that are started within have these cores. `taskset` would be one more program in the time of a start."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Program:
    """A running program and the processes that it has started, such as the workers of nginx."""

    def __init__(self, name, command, cores, folder, environment=None):
        self.name = name
        self.log = pathlib.Path(folder, 'log')
        # HOME is the folder too, so that nothing stays in the user's own.
        environment = {'PATH': os.environ['PATH'], 'HOME': str(folder), **(environment or {})}
        with on_cores(cores), self.log.open('wb') as log:
            self.started = time.perf_counter()
            # In a session of its own, Ctrl-C ends this process first, which then stops its programs.
            self.process = subprocess.Popen([str(word) for word in command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)

    def stop(self):
        """Ends the session: the program, and what it has started."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def has_ended(self):
        return self.process.poll() is not None

    def last_words(self):
        return self.log.read_text(errors='replace')[-2000:] or '(nothing)'

    def process_ids(self):
        parents = {}
        for status in pathlib.Path('/proc').glob('[0-9]*/stat'):
            with contextlib.suppress(OSError):
                # The name of a program, in parentheses, may contain anything.
                parents[int(status.parent.name)] = int(status.read_text().rpartition(')')[2].split()[1])
        family = [self.process.pid]
        for parent in family:
            family += [child for child, its_parent in parents.items() if its_parent == parent]
        return family

    def cpu_seconds(self):
        """The CPU time that all threads have used, those that have ended included.

        The kernel's clock for a process is what /proc/PID/stat counts in hundredths of a second, in nanoseconds.
        """
        return sum(time.clock_gettime(_cpu_clock(process_id)) for process_id in self.process_ids())

    def resident_mib(self):
        """The resident memory of the process that has most: nginx's master, which serves no client, is left out."""
        return max(_resident_kib(process_id) for process_id in self.process_ids()) / 1024


def _cpu_clock(process_id):
    clock = ctypes.c_int()
    if _libc.clock_getcpuclockid(process_id, ctypes.byref(clock)):
        raise SystemExit(f'benches/sidebyside: process {process_id} has ended in the middle of a measurement')
    return clock.value


def _resident_kib(process_id):
    status = pathlib.Path(f'/proc/{process_id}/status').read_text()
    found = re.search(r'VmRSS:\s+(\d+)', status)
    return int(found[1]) if found else 0


class Programs:
    """Every program that runs, so that all of them are stopped at the end, whatever the end is."""

    def __init__(self):
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(*self.running)

    def start(self, *arguments, **named):
        program = Program(*arguments, **named)
        self.running.append(program)
        return program

    def stop(self, *programs):
        for program in list(programs):
            program.stop()
            self.running.remove(program)
