"""The proxies that are compared, in the order in which they are shown."""
from . import caddy, cupbearer, envoy, haproxy, nghttpx, nginx

ALL = [cupbearer.PROXY, nginx.PROXY, haproxy.PROXY, envoy.PROXY, caddy.PROXY, nghttpx.PROXY, haproxy.RELAY]
PEERS = [proxy.name for proxy in ALL if proxy.is_peer]
