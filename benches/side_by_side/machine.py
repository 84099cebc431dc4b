"""What the machine offers: cores, free ports, open files."""
import os, pathlib, platform, random, resource, socket

OPEN_FILES = 32000  # HAProxy wants two for each of 10,500 clients
EPHEMERAL_PORTS = '/proc/sys/net/ipv4/ip_local_port_range'


class Cores:
    """Which cores the proxies get, and which the load and the API."""

    def __init__(self):
        self.all = sorted(os.sched_getaffinity(0))
        if len(self.all) < 2:
            raise SystemExit('benches/sidebyside: this process may use only one core. The proxy needs one for itself, and '
                             'the load another: run it on a machine with two, or widen its CPU set.')
        self.proxy = self.all[-1:]
        self.proxy_pair = self.all[-2:]
        self.load = self.all[:-1]
        # With only two cores, the load has to share them with a proxy that uses both.
        self.load_beside_pair = self.all[:-2] or self.all


def raise_open_files():
    """Lets this process and its children open as many files as 10,000 clients need; returns how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < OPEN_FILES:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
            return OPEN_FILES
        except (ValueError, PermissionError):
            pass
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_port():
    """A port that nothing listens on, below those that the kernel gives to outgoing connections."""
    end = int(pathlib.Path(EPHEMERAL_PORTS).read_text().split()[0])
    while True:
        port = random.randrange(10000, max(end, 11000))
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue


def description():
    model = next((line.split(':')[1].strip() for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines()
                  if line.startswith('model name')), platform.machine())
    return f'{model}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release()}'


def busy_warning():
    load = os.getloadavg()[0]
    if load > 0.5:
        return f'The machine is busy (load average {load:.1f}), so these figures say little: repeat the run on an idle one.'
    return None
