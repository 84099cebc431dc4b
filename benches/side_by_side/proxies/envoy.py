"""Envoy, which obtains its token from the endpoint like cupbearer (the credential injector)."""
import json

from .parts import HTTP2_BOTH, HTTP2_IN, PLAIN, TLS, Launch, Proxy

EXTENSIONS = 'type.googleapis.com/envoy.extensions'
NETWORK_FILTER = f'{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager'
INJECTOR = f'{EXTENSIONS}.filters.http.credential_injector.v3.CredentialInjector'
OAUTH2 = f'{EXTENSIONS}.http.injected_credentials.oauth2.v3.OAuth2'
ROUTER = f'{EXTENSIONS}.filters.http.router.v3.Router'
UPSTREAM_TLS = f'{EXTENSIONS}.transport_sockets.tls.v3.UpstreamTlsContext'
HTTP_OPTIONS = f'{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions'


def address(port):
    return {'socket_address': {'address': '127.0.0.1', 'port_value': port}}


def cluster(name, port, **more):
    endpoint = {'endpoint': {'address': address(port)}}
    return {'name': name, 'type': 'STATIC', 'load_assignment': {'cluster_name': name, 'endpoints': [{'lb_endpoints': [endpoint]}]},
            **more}


def tls(task):
    """TLS to the API. As with the others, the certificate and its name are verified."""
    names = [{'san_type': 'DNS', 'matcher': {'exact': 'localhost'}}]
    common = {'validation_context': {'trusted_ca': {'filename': str(task.api.authority)}, 'match_typed_subject_alt_names': names}}
    if task.route.api == 'h2':
        common['alpn_protocols'] = ['h2']
    # With the default of one session, only one of several new connections could resume one.
    context = {'@type': UPSTREAM_TLS, 'sni': 'localhost', 'common_tls_context': common, 'max_session_keys': 64}
    more = {'transport_socket': {'name': 'tls', 'typed_config': context}}
    if task.route.api == 'h2':
        options = {'@type': HTTP_OPTIONS, 'explicit_http_config': {'http2_protocol_options': {}}}
        more['typed_extension_protocol_options'] = {'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': options}
    return more


def injector(task):
    client = {'client_id': 'side-by-side', 'client_secret': {'name': 'secret'}}
    endpoint = {'uri': f'http://127.0.0.1:{task.api.token}/token', 'cluster': 'token', 'timeout': '5s'}
    oauth2 = {'@type': OAUTH2, 'token_endpoint': endpoint, 'client_credentials': client}
    credential = {'name': 'envoy.http.injected_credentials.oauth2', 'typed_config': oauth2}
    return {'name': 'envoy.filters.http.credential_injector',
            'typed_config': {'@type': INJECTOR, 'overwrite': True, 'credential': credential}}


def configuration(task):
    # Without a limit in time, so that long downloads are not cut off.
    route = {'match': {'prefix': '/'}, 'route': {'cluster': 'api', 'host_rewrite_literal': 'localhost', 'timeout': '0s'}}
    manager = {
        '@type': NETWORK_FILTER,
        'stat_prefix': 'clients',
        # No other proxy here but cupbearer generates an id for each request.
        'generate_request_id': False,
        'route_config': {'virtual_hosts': [{'name': 'all', 'domains': ['*'], 'routes': [route]}]},
        'http_filters': [injector(task), {'name': 'envoy.filters.http.router', 'typed_config': {'@type': ROUTER}}],
    }
    filters = [{'name': 'envoy.filters.network.http_connection_manager', 'typed_config': manager}]
    listener = {'name': 'clients', 'address': address(task.port), 'filter_chains': [{'filters': filters}]}
    return {'static_resources': {
        'secrets': [{'name': 'secret', 'generic_secret': {'secret': {'inline_string': 'secret'}}}],
        'listeners': [listener],
        'clusters': [cluster('api', task.api_port, **(tls(task) if task.has_tls else {})), cluster('token', task.api.token)],
    }}


def configure(program, task):
    # Hot restarts would leave files in /dev/shm.
    command = [program, '-c', 'envoy.json', '--concurrency', task.workers, '--disable-hot-restart', '--log-level', 'error']
    return Launch(command, {'envoy.json': json.dumps(configuration(task), indent=1)})


PROXY = Proxy('envoy', 'envoy', (PLAIN, TLS, HTTP2_IN, HTTP2_BOTH), configure)
