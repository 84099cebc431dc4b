"""HAProxy with a fixed token, and as a relay that only passes bytes on."""
from .. import api
from .parts import HTTP2_BOTH, HTTP2_IN, PLAIN, TLS, Launch, Proxy

CONFIGURATION = """\
global
  nbthread {workers}
  # It reserves memory for each connection.
  maxconn {connections}
  # Otherwise it does not start unless it may open twice as many files, although idle clients have no connection to the
  # API.
  no strict-limits
  # Room to add a header to a buffer that is full of body: with the default, an upload with this token is answered 500.
  tune.maxrewrite 4096
defaults
  mode {mode}
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
frontend clients
  bind 127.0.0.1:{port} backlog 4096{bind}
  {authorization}
  default_backend api
backend api
  {reuse}
  server api 127.0.0.1:{api_port}{tls}
"""

AUTHORIZATION = 'http-request set-header Authorization "Bearer {token}"'
# HAProxy's guide for clients that may share connections, as all of these may.
REUSE = 'http-reuse always'


def configuration(task, mode):
    is_http = mode == 'http'
    # TLS sessions are resumed by default (there is only `no-ssl-reuse`).
    tls = f' ssl verify required ca-file {task.api.authority} sni str(localhost) verifyhost localhost' if task.has_tls else ''
    tls += ' alpn h2' if task.route.api == 'h2' else ''
    return CONFIGURATION.format(
        workers=task.workers, connections=task.connections, mode=mode, port=task.port, api_port=task.api_port, tls=tls,
        bind=' proto h2' if task.route.client == 'h2' else '', reuse=REUSE if is_http else '',
        authorization=AUTHORIZATION.format(token=api.TOKEN) if is_http else '')


def configure(program, task):
    return Launch([program, '-f', 'haproxy.cfg'], {'haproxy.cfg': configuration(task, 'http')})


def configure_relay(program, task):
    return Launch([program, '-f', 'relay.cfg'], {'relay.cfg': configuration(task, 'tcp')})


PROXY = Proxy('haproxy', 'haproxy', (PLAIN, TLS, HTTP2_IN, HTTP2_BOTH), configure)
# What it costs to pass the bytes on, unread: no proxy that reads them can be expected to cost less.
RELAY = Proxy('relay', 'haproxy', (PLAIN, TLS), configure_relay, is_peer=False, needs_token=True)
