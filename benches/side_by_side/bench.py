"""What every scenario needs: the API, the proxies that were chosen, and how to start them."""
import contextlib, dataclasses, http.client, itertools, pathlib, subprocess, time, typing

from . import api, load, machine, processes
from .proxies.parts import Proxy, Task

POLL_INTERVAL = 0.0002  # s, while a proxy starts


class Unsupported(Exception):
    """The proxy does not speak the protocol of a scenario."""


@dataclasses.dataclass
class Running:
    proxy: Proxy
    program: processes.Program
    port: int
    start_seconds: float  # until the first request was answered 200


@dataclasses.dataclass
class Bench:
    programs: processes.Programs
    paths: dict  # program: path
    proxies: list
    api: api.Api
    generators: load.Generators
    cores: machine.Cores
    folder: pathlib.Path
    rounds: int
    seconds: int
    open_files: int
    numbers: typing.Iterator = dataclasses.field(default_factory=itertools.count)

    def candidates(self, route, has_relay=False):
        return [proxy for proxy in self.proxies if route in proxy.routes and (has_relay or not proxy.needs_token)]

    @contextlib.contextmanager
    def started(self, route, has_relay=False, **settings):
        """Starts every proxy that was chosen and has this route. Yields those that run, and why others do not."""
        running, left_out = {}, {}
        try:
            for proxy in self.candidates(route, has_relay):
                try:
                    running[proxy.name] = self.start(proxy, route, **settings)
                except Unsupported as reason:
                    left_out[proxy.name] = str(reason)
            yield running, left_out
        finally:
            self.stop(*running.values())

    def start(self, proxy, route, workers=1, connections=1024, cores=None):
        folder = self.folder / f'{next(self.numbers)}-{proxy.name}'
        folder.mkdir()
        task = Task(folder, machine.free_port(), route, self.api, workers, connections)
        launch = proxy.configure(self.paths[proxy.program], task)
        for name, text in launch.files.items():
            (folder / name).write_text(text)
        program = self.programs.start(proxy.name, launch.command, cores or self.cores.proxy, folder, launch.environment)
        running = Running(proxy, program, task.port, 0)
        try:
            self._wait(running, route)
        except Unsupported:
            self.stop(running)
            raise
        running.start_seconds = time.perf_counter() - program.started
        return running

    def stop(self, *running):
        self.programs.stop(*(proxy.program for proxy in running))

    def _wait(self, running, route):
        """Waits until a request is answered 200, with a token attached."""
        deadline = time.monotonic() + processes.READY_TIMEOUT
        is_ready = self._answers_http2 if route.client == 'h2' else answers
        while not is_ready(running):
            if running.program.has_ended() or time.monotonic() > deadline:
                raise SystemExit(f'benches/sidebyside: {running.proxy.name} did not start; it printed:\n'
                                 + running.program.last_words())
            time.sleep(POLL_INTERVAL)
        if route.api == 'h2':
            self._check_protocol(running)

    def _answers_http2(self, running):
        if self.generators.answers_http2(running.port):
            return True
        # Asked again, since the token may have come in between.
        if answers(running) and not self.generators.answers_http2(running.port):
            raise Unsupported('answers in HTTP/1.1 only')
        return False

    def _check_protocol(self, running):
        url = f'http://127.0.0.1:{running.port}/protocol'
        printed = subprocess.run([self.paths['nghttp'], url], capture_output=True, text=True, timeout=10).stdout.strip()
        if printed != 'HTTP/2.0':
            raise Unsupported(f'speaks {printed or "no HTTP"} to the API')


def answers(running):
    """Whether a request in HTTP/1.1 is answered 200."""
    connection = http.client.HTTPConnection('127.0.0.1', running.port, timeout=processes.READY_TIMEOUT)
    headers = {'Authorization': f'Bearer {api.TOKEN}'} if running.proxy.needs_token else {}
    try:
        connection.request('GET', '/items', headers=headers)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
