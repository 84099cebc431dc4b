"""Resident memory while many clients are connected and idle."""
import dataclasses, socket

from ..proxies.parts import PLAIN
from ..rounds import in_turns
from .outcome import Outcome, Sample

# Memory varies little between rounds.
MOST_ROUNDS = 3
ANSWER_TIMEOUT = 30  # s
REQUEST = b'GET /items HTTP/1.1\r\nHost: localhost:%d\r\n\r\n'


@dataclasses.dataclass(frozen=True)
class Idle:
    name: str
    clients: int
    programs: tuple = ()

    @property
    def title(self):
        return f'{self.clients:,} idle clients'

    def run(self, bench):
        # cupbearer reserves a second file for each client, and some for other purposes.
        count = min(self.clients, (bench.open_files - 1000) // 2)
        detail = f', of which the limit of open files allows {count:,}' if count < self.clients else ''
        proxies = {proxy.name: proxy for proxy in bench.candidates(PLAIN)}
        outcome = Outcome(self.name, self.title, 'resident MiB', {name: [] for name in proxies}, detail=detail)
        for name in in_turns(proxies, min(bench.rounds, MOST_ROUNDS)):
            # A new process each time, because memory that a load has taken is not always given back. It may have more
            # clients than there are: nginx closes idle ones when it has nearly as many as it may have.
            running = bench.start(proxies[name], PLAIN, connections=count * 5 // 4)
            try:
                memory = self.measure(running, count)
            finally:
                bench.stop(running)
            outcome.samples[name].append(Sample(memory))
        return outcome

    def measure(self, running, count):
        """Each client in turn sends one request and stays connected."""
        clients = []
        try:
            for _ in range(count):
                clients.append(socket.create_connection(('127.0.0.1', running.port), ANSWER_TIMEOUT))
                clients[-1].sendall(REQUEST % running.port)
                read_answer(clients[-1])
            memory = running.program.resident_mib()
            check_connected(clients)
            return memory
        except (OSError, ValueError) as error:
            raise SystemExit(f'benches/sidebyside: {self.name}, {running.proxy.name}, client {len(clients)}: {error}\n'
                             + running.program.last_words())
        finally:
            for client in clients:
                client.close()


def read_answer(client):
    received = b''
    while b'\r\n\r\n' not in received:
        received += receive(client)
    head, _, body = received.partition(b'\r\n\r\n')
    if not head.startswith(b'HTTP/1.1 200'):
        raise ValueError(f'a request failed: {head[:200]!r}')
    length = next(int(line.split(b':')[1]) for line in head.lower().split(b'\r\n') if line.startswith(b'content-length:'))
    while len(body) < length:
        body += receive(client)


def check_connected(clients):
    for client in clients:
        client.setblocking(False)
        try:
            client.recv(1)
            raise ValueError('an idle client was disconnected')
        except BlockingIOError:
            pass


def receive(client):
    received = client.recv(1 << 16)
    if not received:
        raise ValueError('the connection was closed')
    return received


SCENARIOS = [Idle('idle', 2000), Idle('idle-10k', 10000)]
