"""CPU time for each request while every client sends as fast as it gets answers."""
import dataclasses, typing

from ..load import Failed
from ..proxies.parts import HTTP2_BOTH, HTTP2_IN, PLAIN, TLS, Route
from ..rounds import in_turns
from .outcome import Outcome, Sample

WARM_UP = 1  # s
PER_REQUEST = 'CPU µs per request'


def microseconds_per_request(cpu, load):
    return cpu * 1e6 / load.requests


def milliseconds_per_100_mib(cpu, load):
    # Bytes and not requests, as downloads are cut off at the end of a round.
    return cpu * 1e3 / (load.received / (100 << 20))


@dataclasses.dataclass(frozen=True)
class ClosedLoop:
    name: str
    title: str
    route: Route
    load: typing.Callable  # (generators, port, seconds, sends_token) -> Load
    unit: str = PER_REQUEST
    cost: typing.Callable = microseconds_per_request
    # With a new connection for each request, a relay would connect to the API each time.
    has_relay: bool = False
    programs: tuple = ('wrk',)

    def run(self, bench):
        with bench.started(self.route, self.has_relay) as (running, left_out):
            samples = {name: [] for name in running}
            for proxy in running.values():
                self.measure(bench, proxy, WARM_UP)
            for name in in_turns(running, bench.rounds):
                samples[name].append(self.measure(bench, running[name], bench.seconds))
        return Outcome(self.name, self.title, self.unit, samples, left_out)

    def measure(self, bench, running, seconds):
        before = running.program.cpu_seconds()
        try:
            load = self.load(bench.generators, running.port, seconds, running.proxy.needs_token)
        except Failed as failure:
            raise SystemExit(f'benches/sidebyside: {self.name}, {running.proxy.name}: {failure}\n{running.program.last_words()}')
        cpu = running.program.cpu_seconds() - before
        return Sample(self.cost(cpu, load), load.rate, load.p50, load.p99, running.program.resident_mib())


def wrk(path, clients, **more):
    return lambda generators, port, seconds, sends_token: generators.closed_loop(
        port, path, clients, seconds, sends_token=sends_token, **more)


def h2load(generators, port, seconds, _sends_token):
    return generators.http2(port, '/items', 4, 16, seconds)


SMALL = ClosedLoop('small', '64 clients, 0.9 kB responses, plain upstream', PLAIN, wrk('/items', 64), has_relay=True)
SCENARIOS = [
    SMALL,
    ClosedLoop('tls', 'the same with a TLS upstream', TLS, wrk('/items', 64), has_relay=True),
    ClosedLoop('one', '1 client, 0.9 kB responses, TLS upstream', TLS, wrk('/items', 1), has_relay=True),
    ClosedLoop('churn', 'a new client connection for each request, 64 clients, TLS upstream', TLS,
               wrk('/items', 64, is_new_connection=True)),
    ClosedLoop('churn-plain', 'the same with a plain upstream', PLAIN, wrk('/items', 64, is_new_connection=True)),
    ClosedLoop('down', '4 clients, 100 MiB downloads, TLS upstream', TLS, wrk('/blob', 4), 'CPU ms per 100 MiB',
               milliseconds_per_100_mib, has_relay=True),
    ClosedLoop('up', '8 clients, 1 MiB uploads, TLS upstream', TLS, wrk('/upload', 8, upload_mib=1), 'CPU µs per MiB',
               has_relay=True),
    ClosedLoop('h2', 'HTTP/2, 4 connections with 16 streams, 0.9 kB responses, plain HTTP/1.1 upstream', HTTP2_IN, h2load,
               programs=('h2load',)),
    ClosedLoop('h2-both', 'the same with an HTTP/2 upstream (TLS)', HTTP2_BOTH, h2load, programs=('h2load', 'nghttp')),
]
