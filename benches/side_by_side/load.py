"""The load generators. Each function returns a `Load`; a request that fails ends the measurement."""
import dataclasses, json, pathlib, re, subprocess

from . import api, processes

WRK_SCRIPT = """
wrk.method = "{method}"
{body}
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\nRESULT {{"requests": %d, "bytes": %d, "seconds": %f, "p50": %d, "p99": %d, "failed": %d}}\\n',
    summary.requests, summary.bytes, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class Failed(Exception):
    """A request failed. A proxy that refuses requests looks cheap, so nothing that was measured counts."""


@dataclasses.dataclass
class Load:
    requests: int
    seconds: float
    received: int = 0  # bytes, those of unfinished responses included
    p50: float = None  # µs
    p99: float = None  # µs

    @property
    def rate(self):
        return self.requests / self.seconds


@dataclasses.dataclass
class Generators:
    """Where the programs are, and which cores they use."""
    wrk: str
    h2load: str
    paced: str
    cores: list
    folder: pathlib.Path

    def closed_loop(self, port, path, clients, seconds, is_new_connection=False, upload_mib=0, sends_token=False):
        """wrk: each client sends its next request as soon as it has the answer to the last one."""
        script = self.folder / 'wrk.lua'
        script.write_text(WRK_SCRIPT.format(method='POST' if upload_mib else 'GET',
                                            body=f'wrk.body = string.rep("x", {upload_mib << 20})' if upload_mib else ''))
        command = [self.wrk, '-t', '1', '-c', clients, '-d', f'{seconds}s', '--timeout', '60s', '-s', script]
        command += ['-H', 'Connection: close'] if is_new_connection else []
        command += ['-H', f'Authorization: Bearer {api.TOKEN}'] if sends_token else []
        printed = self._run([*command, f'http://127.0.0.1:{port}{path}'], seconds)
        result = json.loads(re.search(r'RESULT (.*)', printed)[1])
        if result['failed']:
            raise Failed(f'{result["failed"]} of {result["requests"]} requests failed')
        if not result['bytes']:
            raise Failed('not one byte of a response arrived')
        has_latencies = result['requests'] > 0  # not if every download was cut off at the end
        return Load(result['requests'], result['seconds'], result['bytes'], result['p50'] if has_latencies else None,
                    result['p99'] if has_latencies else None)

    def http2(self, port, path, connections, streams, seconds):
        """h2load, with HTTP/2 from the first byte, as there is no TLS in which to agree on it."""
        printed = self._run([self.h2load, '-t', '1', '-c', connections, '-m', streams, '-D', seconds,
                             f'http://127.0.0.1:{port}{path}'], seconds)
        counts = re.search(r'requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored', printed)
        duration = re.search(r'finished in ([\d.]+)(ms|s)', printed)
        statuses = re.search(r'status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx', printed)
        if not (counts and duration and statuses):
            raise Failed(f'h2load printed something else than expected: {printed[-500:]}')
        succeeded, bad = int(statuses[1]), int(counts[3]) + int(counts[4]) + sum(int(count) for count in statuses.groups()[1:])
        if bad or not succeeded:
            raise Failed(f'{bad} requests failed, {succeeded} succeeded')
        return Load(succeeded, float(duration[1]) / (1000 if duration[2] == 'ms' else 1))

    def answers_http2(self, port):
        """Whether the server answers a request in HTTP/2."""
        command = [self.h2load, '-t', '1', '-c', '1', '-m', '1', '-n', '1', f'http://127.0.0.1:{port}/items']
        try:
            printed = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
        except subprocess.TimeoutExpired:
            return False
        return '1 succeeded' in printed

    def fixed_rate(self, port, path, rate, connections, seconds):
        """benches/paced.rs: the rate does not fall while the server is slow."""
        printed = self._run([self.paced, port, path, f'{rate:.1f}', connections, seconds], seconds)
        result = json.loads(printed)
        return Load(result['requests'], result['seconds'], p50=result['p50'], p99=result['p99'])

    def _run(self, command, seconds):
        with processes.on_cores(self.cores):
            try:
                ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds + 120)
            except subprocess.TimeoutExpired:
                raise Failed(f'{command[0]} did not end')
        if ended.returncode:
            raise Failed((ended.stderr or ended.stdout).strip()[-500:])
        return ended.stdout
