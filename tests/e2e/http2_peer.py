"""A client of HTTP/2 that sends whatever frames it is given, and says in a few words what the server did with them."""

import itertools
import socket
import struct
import time

from hpack import Decoder, Encoder, HeaderTuple
from hyperframe.frame import DataFrame, Frame, HeadersFrame, PingFrame, SettingsFrame, WindowUpdateFrame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CODES = (
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR "
    "REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED"
).split()
SECONDS = 10  # for what must happen at once; only a hang reaches it


def frame(kind, flags, stream, payload):
    """A frame as it is written, however wrong it is."""
    return struct.pack(">L", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">L", stream) + payload


class Peer:
    def __init__(self, port, settings=None, preface=PREFACE):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.encoder, self.decoder = Encoder(), Decoder()
        self.buffer = b""
        self.ended = None  # how the whole connection ended
        self.settings = {}  # of the server
        self.acks = 0
        self.pongs = []
        self.resets = {}
        self.heads = {}
        self.content = {}
        self.finished = set()
        self.names = []  # of the frames that have arrived
        self.largest = 0  # of their lengths
        self.opaque = itertools.count(1)
        if preface is not None:
            self.send(preface, SettingsFrame(0, settings=settings or {}))

    def send(self, *frames):
        parts = [each if isinstance(each, bytes) else each.serialize() for each in frames]
        try:
            self.socket.sendall(b"".join(parts))
        except OSError:
            pass  # the server has closed the connection; what it has sent before says why

    def block(self, method="GET", path="/", extra=(), fields=None):
        usual = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path), *extra]
        return self.encoder.encode([HeaderTuple(*field) for field in (usual if fields is None else fields)])

    def headers(self, stream=1, end=True, **request):
        return HeadersFrame(stream, data=self.block(**request), flags=["END_HEADERS"] + ["END_STREAM"] * end)

    def data(self, stream, content, end=True):
        return DataFrame(stream, data=content, flags=["END_STREAM"] * end)

    def window(self, stream, increment):
        return WindowUpdateFrame(stream, window_increment=increment)

    def read(self, until, seconds=SECONDS):
        """Takes frames until the condition holds, the connection ends, or it takes too long."""
        deadline = time.monotonic() + seconds
        while not (until() or self.ended):
            while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
                self.socket.settimeout(max(0.001, deadline - time.monotonic()))
                try:
                    received = self.socket.recv(1 << 16)
                except TimeoutError:
                    return False
                except OSError:
                    received = b""
                if not received:
                    self.ended = "closed"
                    return False
                self.buffer += received
            one, length = Frame.parse_frame_header(memoryview(self.buffer[:9]))
            payload, self.buffer = self.buffer[9 : 9 + length], self.buffer[9 + length :]
            self.take(one, payload)
        return until()

    def take(self, one, payload):
        name, stream = type(one).__name__, one.stream_id
        self.names.append(name)
        self.largest = max(self.largest, len(payload))
        if name == "GoAwayFrame":
            code = CODES[struct.unpack(">LL", payload[:8])[1]]
            self.ended = f"GOAWAY {code}"
            if code != "NO_ERROR" and not self.is_closed():
                self.ended += ", but the connection stays open"
            return
        one.parse_body(memoryview(payload))
        if name == "SettingsFrame":
            if "ACK" in one.flags:
                self.acks += 1
            else:
                self.settings.update(one.settings)
        elif name == "PingFrame" and "ACK" in one.flags:
            self.pongs.append(one.opaque_data)
        elif name == "RstStreamFrame":
            self.resets.setdefault(stream, CODES[one.error_code])
        elif name == "HeadersFrame":
            self.heads.setdefault(stream, dict(self.decoder.decode(one.data)))
        elif name == "DataFrame":
            self.content[stream] = self.content.get(stream, b"") + one.data
        if "END_STREAM" in one.flags:
            self.finished.add(stream)

    def is_closed(self):
        """Whether the server closes the connection, as it must after an error of the connection."""
        self.socket.settimeout(SECONDS)
        try:
            while self.socket.recv(1 << 16):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def ping(self):
        """Waits until the server has handled what was sent before. It may reset a stream after the first pong."""
        for _ in range(2):
            payload = struct.pack(">Q", next(self.opaque))
            self.send(PingFrame(0, opaque_data=payload))
            if not self.read(lambda payload=payload: payload in self.pongs):
                return False
        return True

    def started(self):
        """Waits until the server's settings have arrived and those of the client are acknowledged."""
        return self.read(lambda: self.acks and "SettingsFrame" in self.names)

    def outcome(self, stream=1, answer=True):
        """What became of a stream, unless the whole connection ended. Without `answer`, none is waited for."""
        if answer:
            if not self.read(lambda: stream in self.resets or stream in self.finished):
                return self.ended or "timeout"
        pinged = self.ping()
        if self.ended:
            return self.ended
        if not pinged:
            return "no pong"
        code = self.resets.get(stream, "NO_ERROR")
        if code != "NO_ERROR":
            return f"RST_STREAM {code}"
        return self.heads[stream][":status"] if stream in self.heads else "open"
