"""The API and the token endpoint, both served by one nginx."""
import json, os, pathlib, subprocess, time, http.client

from . import machine

# As long as a typical JWT.
TOKEN = 'eyJ' + 'a' * 1100
BLOB_MIB = 100
ITEMS = json.dumps({'items': [{'id': number, 'name': f'certificate-{number}', 'status': 'active',
                               'expires': '2027-01-01T00:00:00Z'} for number in range(10)]})

CONFIGURATION = """
{user}
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  {temporary}
  # The API never ends a connection, so that the proxies' pools are compared and not its limits.
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_max_body_size 0;
  client_body_buffer_size 2m;
  ssl_certificate {folder}/api.pem;
  ssl_certificate_key {folder}/api.key;
  # A proxy that supports it can resume TLS sessions.
  ssl_session_cache shared:sessions:10m;
  map $http_authorization $has_token {{ default 0; "~^Bearer eyJa+$" 1; }}
  server {{
    listen 127.0.0.1:{plain} backlog=4096;
    listen 127.0.0.1:{tls} ssl backlog=4096;
    listen 127.0.0.1:{h2} ssl http2 backlog=4096;
    if ($has_token = 0) {{ return 401; }}
    location = /items {{ default_type application/json; return 200 '{items}'; }}
    location = /protocol {{ default_type text/plain; return 200 $server_protocol; }}
    location = /blob {{ root {folder}; }}
    # `return` alone would answer before the body has arrived. Forwarding reads the body first, and then drops it.
    location = /upload {{
      proxy_pass http://unix:{folder}/done;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }}
  }}
  server {{
    listen unix:{folder}/done;
    return 204;
  }}
  server {{
    listen 127.0.0.1:{token} backlog=4096;
    location = /token {{ default_type application/json; return 200 '{grant}'; }}
  }}
}}
"""

# openssl's own file may add extensions that contradict those below.
OPENSSL = '[req]\ndistinguished_name = name\n[name]\n'


def nginx_user():
    """Workers of a root's nginx run as another user, who may not read this user's folder."""
    return 'user root;' if os.geteuid() == 0 else ''


def nginx_temporary_folders(folder):
    """Debian's nginx would put these into /var/lib/nginx."""
    names = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    return ' '.join(f'{name}_temp_path {folder}/{name};' for name in names)


class Api:
    """Its addresses, and the certificate authority that proxies have to trust."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.plain, self.tls, self.h2, self.token = (machine.free_port() for _ in range(4))
        self.authority = self.folder / 'ca.pem'

    def start(self, programs, nginx, cores):
        self.folder.mkdir()
        self._create_certificates()
        # Random, so that nothing on the way can make it smaller.
        (self.folder / 'blob').write_bytes(os.urandom(BLOB_MIB << 20))
        grant = json.dumps({'access_token': TOKEN, 'token_type': 'Bearer', 'expires_in': 3600})
        file = self.folder / 'nginx.conf'
        file.write_text(CONFIGURATION.format(
            user=nginx_user(), temporary=nginx_temporary_folders(self.folder), folder=self.folder, items=ITEMS, grant=grant,
            plain=self.plain, tls=self.tls, h2=self.h2, token=self.token))
        program = programs.start('the API', [nginx, '-e', 'stderr', '-c', file], cores, self.folder)
        self._wait(program)

    def token_seconds(self):
        """How long one token request takes."""
        begin = time.perf_counter()
        connection = http.client.HTTPConnection('127.0.0.1', self.token, timeout=5)
        connection.request('POST', '/token', 'grant_type=client_credentials')
        status = connection.getresponse().status
        connection.close()
        if status != 200:
            raise SystemExit(f'benches/sidebyside: the token endpoint answered {status}')
        return time.perf_counter() - begin

    def _wait(self, program):
        deadline = time.monotonic() + 10
        while True:
            try:
                self.token_seconds()
                return
            except OSError as error:
                if program.has_ended() or time.monotonic() > deadline:
                    raise SystemExit(f'benches/sidebyside: the API did not start ({error}): {program.last_words()}')
                time.sleep(0.05)

    def _create_certificates(self):
        (self.folder / 'openssl.conf').write_text(OPENSSL)
        self._create_certificate('ca', '/CN=side by side', ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'])
        self._create_certificate('api', '/CN=localhost', ['basicConstraints=critical,CA:FALSE', 'subjectAltName=DNS:localhost',
                                                          'extendedKeyUsage=serverAuth'], issuer='ca')

    def _create_certificate(self, name, subject, extensions, issuer=None):
        command = ['openssl', 'req', '-x509', '-config', 'openssl.conf', '-newkey', 'ec', '-pkeyopt',
                   'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', subject,
                   '-keyout', f'{name}.key', '-out', f'{name}.pem']
        command += [word for extension in extensions for word in ('-addext', extension)]
        command += ['-CA', f'{issuer}.pem', '-CAkey', f'{issuer}.key'] if issuer else []
        created = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        if created.returncode:
            raise SystemExit(f'benches/sidebyside: openssl could not create a certificate: {created.stderr}')
