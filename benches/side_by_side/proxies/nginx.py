"""nginx with a fixed token. It speaks HTTP/2 to clients but not to the API."""
from .. import api
from .parts import HTTP2_IN, PLAIN, TLS, Launch, Proxy

CONFIGURATION = """\
{user}
worker_processes {workers};
daemon off;
pid {folder}/pid;
error_log stderr;
# It reserves memory for each connection; one to the API may belong to each client.
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  {temporary}
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_max_body_size 0;
  upstream api {{
    server 127.0.0.1:{api_port};
    # nginx's guide: without this, `proxy_http_version` and an empty `Connection`, each request has a new connection.
    keepalive 256;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen 127.0.0.1:{port}{listen} backlog=4096;
    location / {{
      proxy_pass {scheme}://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host localhost;
      proxy_set_header Authorization "Bearer {token}";
      # Uploads are passed on as they arrive, as by the others, and not stored in a file first.
      proxy_request_buffering off;
      # Neither are downloads. Larger buffers than the default (8 of 4 KiB) make them a third cheaper, and so does
      # buffering itself, compared with `proxy_buffering off`.
      proxy_max_temp_file_size 0;
      proxy_buffers 8 64k;
      proxy_buffer_size 8k;
      proxy_busy_buffers_size 128k;
      {tls}
    }}
  }}
}}
"""

# Sessions are resumed by default (proxy_ssl_session_reuse).
TLS_SETTINGS = """\
proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {authority};
      proxy_ssl_server_name on;
      proxy_ssl_name localhost;"""


def configure(program, task):
    listen = ' http2' if task.route.client == 'h2' else ''
    # nginx's guide for several workers: a queue of connections for each.
    listen += ' reuseport' if task.workers > 1 else ''
    tls = TLS_SETTINGS.format(authority=task.api.authority) if task.has_tls else ''
    text = CONFIGURATION.format(
        user=api.nginx_user(), temporary=api.nginx_temporary_folders(task.folder), folder=task.folder, workers=task.workers,
        connections=task.connections, port=task.port, listen=listen, scheme='https' if task.has_tls else 'http',
        api_port=task.api_port, token=api.TOKEN, tls=tls)
    return Launch([program, '-e', 'stderr', '-c', task.folder / 'nginx.conf'], {'nginx.conf': text})


PROXY = Proxy('nginx', 'nginx', (PLAIN, TLS, HTTP2_IN), configure)
