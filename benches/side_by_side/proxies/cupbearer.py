"""cupbearer, with a token endpoint like in real use."""
from .parts import HTTP2_BOTH, HTTP2_IN, PLAIN, TLS, Launch, Proxy

CONFIGURATION = """\
listen = "127.0.0.1:{port}"
upstream.url = "{scheme}://localhost:{api_port}"
token.url = "http://127.0.0.1:{token_port}/token"
token.client_id = "side-by-side"
token.client_secret = {{ env = "BENCH_SECRET" }}
# No other proxy here has such a listener.
admin.listen = "off"
# No other proxy here writes an access log.
log.access = "none"
# As many clients as the others may have, idle for as long.
limits.connections = {connections}
limits.keep_alive = "10m"
runtime.threads = {workers}
"""


def configure(program, task):
    text = CONFIGURATION.format(port=task.port, scheme='https' if task.has_tls else 'http', api_port=task.api_port,
                                token_port=task.api.token, connections=task.connections, workers=task.workers)
    if task.has_tls:
        text += f'network.ca_file = "{task.api.authority}"\n'
    return Launch([program, '--config', 'cupbearer.toml'], {'cupbearer.toml': text}, {'BENCH_SECRET': 'secret'})


# Whether it speaks HTTP/2 is found out by asking it.
PROXY = Proxy('cupbearer', 'cupbearer', (PLAIN, TLS, HTTP2_IN, HTTP2_BOTH), configure, is_peer=False)
