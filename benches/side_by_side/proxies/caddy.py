"""Caddy with a fixed token."""
from .. import api
from .parts import HTTP2_BOTH, HTTP2_IN, PLAIN, TLS, Launch, Proxy

CONFIGURATION = """\
{{
  admin off
  auto_https off
  servers {{
    protocols {protocols}
    timeouts {{
      idle 10m
    }}
  }}
}}
http://127.0.0.1:{port} {{
  bind 127.0.0.1
  reverse_proxy {scheme}://localhost:{api_port} {{
    header_up Host localhost
    header_up Authorization "Bearer {token}"
    transport http {{
      # The default of 32 idle connections is less than there are clients: the others would be closed after each
      # request.
      keepalive 10m
      keepalive_idle_conns_per_host 256
      # Otherwise Caddy asks the API to compress its responses.
      compression off
      versions {versions}
      {tls}
    }}
  }}
}}
"""


def configure(program, task):
    tls = f'tls_trusted_ca_certs {task.api.authority}' if task.has_tls else ''
    text = CONFIGURATION.format(
        protocols='h1 h2c' if task.route.client == 'h2' else 'h1', port=task.port, scheme='https' if task.has_tls else 'http',
        api_port=task.api_port, token=api.TOKEN, versions='2' if task.route.api == 'h2' else '1.1', tls=tls)
    # Go has no setting for workers; this is how many threads execute its code at a time.
    return Launch([program, 'run', '--config', 'Caddyfile', '--adapter', 'caddyfile'], {'Caddyfile': text},
                  {'GOMAXPROCS': str(task.workers)})


PROXY = Proxy('caddy', 'caddy', (PLAIN, TLS, HTTP2_IN, HTTP2_BOTH), configure)
