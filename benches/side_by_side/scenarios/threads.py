"""How many requests two threads serve in a second of CPU time on each of two cores, compared with one thread."""
import dataclasses

from ..proxies.parts import PLAIN
from ..rounds import in_turns
from . import closed_loop
from .outcome import Outcome, Sample


@dataclasses.dataclass(frozen=True)
class Threads:
    name: str = 'threads'
    title: str = 'what two threads on two cores serve, as a multiple of what one serves (2 is the most)'
    programs: tuple = ('wrk',)

    def run(self, bench):
        # The load has the same cores in both cases, so that only the number of threads differs.
        before, bench.generators.cores = bench.generators.cores, bench.cores.load_beside_pair
        try:
            with bench.started(PLAIN, cores=bench.cores.proxy_pair) as (single, left_out), \
                    bench.started(PLAIN, workers=2, cores=bench.cores.proxy_pair) as (double, _):
                return self.compare(bench, single, double, left_out)
        finally:
            bench.generators.cores = before

    def compare(self, bench, single, double, left_out):
        samples = {name: [] for name in single}
        loop = closed_loop.SMALL
        for running in [*single.values(), *double.values()]:
            loop.measure(bench, running, closed_loop.WARM_UP)
        for name in in_turns(single, bench.rounds):
            one = loop.measure(bench, single[name], bench.seconds)
            two = loop.measure(bench, double[name], bench.seconds)
            samples[name].append(Sample(2 * one.figure / two.figure, two.rate, two.p50, two.p99, two.memory))
        return Outcome(self.name, self.title, 'times', samples, left_out, is_more_better=True)


SCENARIOS = [Threads()]
