"""What a proxy is asked to do, and what is needed to start it."""
import dataclasses, pathlib, typing


@dataclasses.dataclass(frozen=True)
class Route:
    """Which protocols are spoken on either side. Clients speak without TLS."""
    client: str  # h1 or h2
    api: str  # plain or tls (HTTP/1.1), or h2 (with TLS)


PLAIN = Route('h1', 'plain')
TLS = Route('h1', 'tls')
HTTP2_IN = Route('h2', 'plain')
HTTP2_BOTH = Route('h2', 'h2')


@dataclasses.dataclass(frozen=True)
class Task:
    folder: pathlib.Path
    port: int
    route: Route
    api: typing.Any  # api.Api
    workers: int = 1
    # How many clients may connect. nginx and HAProxy reserve memory for each.
    connections: int = 1024

    @property
    def api_port(self):
        return getattr(self.api, self.route.api)

    @property
    def has_tls(self):
        return self.route.api != 'plain'


@dataclasses.dataclass(frozen=True)
class Launch:
    command: list
    files: dict = dataclasses.field(default_factory=dict)  # name in the task's folder: text
    environment: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Proxy:
    name: str
    program: str  # as in tools.py
    routes: tuple
    configure: typing.Callable  # (program's path, Task) -> Launch
    is_peer: bool = True
    # It attaches no token, so the client has to send one.
    needs_token: bool = False
