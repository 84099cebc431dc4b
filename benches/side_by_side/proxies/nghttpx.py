"""nghttpx, the proxy of nghttp2, with a fixed token: a peer for HTTP/2."""
from .. import api
from .parts import HTTP2_BOTH, HTTP2_IN, Launch, Proxy

CONFIGURATION = """\
frontend=127.0.0.1,{port};no-tls
backend=127.0.0.1,{api_port};;{backend}
add-request-header=authorization: Bearer {token}
host-rewrite=yes
workers={workers}
# Otherwise a second process would only watch this one.
single-process=yes
# Connections to the API are kept as long as by the others; the default is 2 s.
backend-keep-alive-timeout=600s
errorlog-file=/dev/stderr
"""


def configure(program, task):
    backend = 'proto=h2;tls;sni=localhost' if task.route.api == 'h2' else 'proto=http/1.1'
    text = CONFIGURATION.format(port=task.port, api_port=task.api_port, backend=backend, token=api.TOKEN, workers=task.workers)
    if task.has_tls:
        text += f'cacert={task.api.authority}\n'
    return Launch([program, '--conf=nghttpx.conf'], {'nghttpx.conf': text})


PROXY = Proxy('nghttpx', 'nghttpx', (HTTP2_IN, HTTP2_BOTH), configure)
