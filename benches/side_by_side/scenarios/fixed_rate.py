"""Latency at a rate that is half of what nginx can serve."""
import dataclasses, statistics

from ..load import Failed
from ..proxies.parts import PLAIN, TLS, Route
from ..rounds import in_turns
from . import closed_loop
from .outcome import Outcome, Sample

CONNECTIONS = 64
REFERENCE = 'nginx'


@dataclasses.dataclass(frozen=True)
class FixedRate:
    name: str
    title: str
    route: Route
    saturated: closed_loop.ClosedLoop
    programs: tuple = ('wrk', 'paced')

    def run(self, bench):
        with bench.started(self.route) as (running, left_out):
            samples = {name: [] for name in running}
            for proxy in running.values():
                self.saturated.measure(bench, proxy, closed_loop.WARM_UP)
            # The same rate for all: a slower proxy must not be measured under less load.
            reference = running[REFERENCE if REFERENCE in running else next(iter(running))]
            rate = self.saturated.measure(bench, reference, max(bench.seconds, 2)).rate / 2
            for name in in_turns(running, bench.rounds):
                samples[name].append(self.measure(bench, running[name], rate))
        for name in [name for name, rounds in samples.items()
                     if statistics.median(sample.rate for sample in rounds) < rate * 0.95]:
            left_out[name] = 'could not serve this rate'
            del samples[name]
        detail = f', {rate:,.0f} requests per second, half of what {reference.proxy.name} serves'
        return Outcome(self.name, self.title, 'p99 in µs', samples, left_out, detail=detail)

    def measure(self, bench, running, rate):
        try:
            load = bench.generators.fixed_rate(running.port, '/items', rate, CONNECTIONS, bench.seconds)
        except Failed as failure:
            raise SystemExit(f'benches/sidebyside: {self.name}, {running.proxy.name}: {failure}\n{running.program.last_words()}')
        return Sample(load.p99, load.rate, load.p50, load.p99, running.program.resident_mib())


TLS_LOOP = next(scenario for scenario in closed_loop.SCENARIOS if scenario.name == 'tls')
SCENARIOS = [
    FixedRate('latency', f'{CONNECTIONS} clients, 0.9 kB responses, plain upstream', PLAIN, closed_loop.SMALL),
    FixedRate('latency-tls', f'{CONNECTIONS} clients, 0.9 kB responses, TLS upstream', TLS, TLS_LOOP),
]
