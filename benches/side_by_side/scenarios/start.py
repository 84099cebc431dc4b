"""How long a start takes, and how much memory a proxy has then."""
import dataclasses, statistics

from ..proxies.parts import PLAIN
from ..rounds import in_turns
from .outcome import Outcome, Sample

TOKEN_REQUESTS = 20


@dataclasses.dataclass(frozen=True)
class Start:
    name: str = 'start'
    title: str = 'until the first request is answered 200, less the time of a token request'
    programs: tuple = ()

    def run(self, bench):
        proxies = {proxy.name: proxy for proxy in bench.candidates(PLAIN)}
        outcome = Outcome(self.name, self.title, 'ms', {name: [] for name in proxies})
        token_seconds = statistics.median(bench.api.token_seconds() for _ in range(TOKEN_REQUESTS))
        for name in in_turns(proxies, bench.rounds):
            running = bench.start(proxies[name], PLAIN)
            milliseconds = (running.start_seconds - token_seconds) * 1e3
            outcome.samples[name].append(Sample(milliseconds, memory=running.program.resident_mib()))
            bench.stop(running)
        return outcome


SCENARIOS = [Start()]
