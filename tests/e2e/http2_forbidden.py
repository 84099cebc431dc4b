"""Sends requests that RFC 9113 forbids, each on a connection of its own. Usage: http2_forbidden.py PORT

Prints what the server did with each, as JSON: "RST_STREAM CODE", "GOAWAY CODE", or the status of its response.
"""

import json
import socket
import struct
import sys

from hpack import Decoder, Encoder
from hyperframe.frame import Frame, HeadersFrame, SettingsFrame

USUAL = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/")]


def without(name):
    return [field for field in USUAL if field[0] != name]


CASES = {
    "connection": [*USUAL, ("connection", "close")],
    "keep-alive": [*USUAL, ("keep-alive", "timeout=5")],
    "proxy-connection": [*USUAL, ("proxy-connection", "close")],
    "transfer-encoding": [*USUAL, ("transfer-encoding", "chunked")],
    "upgrade": [*USUAL, ("upgrade", "websocket")],
    "te other than trailers": [*USUAL, ("te", "gzip")],
    "te with more than trailers": [*USUAL, ("te", "trailers, gzip")],
    "a name in upper case": [*USUAL, ("X-Upper", "1")],
    "a name with a space": [*USUAL, ("a b", "1")],
    "a value with a line feed": [*USUAL, ("x", "a\nb")],
    "a value with a carriage return": [*USUAL, ("x", "a\rb")],
    "a value with a zero byte": [*USUAL, ("x", "a\0b")],
    "no :method": without(":method"),
    "no :scheme": without(":scheme"),
    "no :path": without(":path"),
    "an empty :path": [*without(":path"), (":path", "")],
    "two :path": [*USUAL, (":path", "/other")],
    "two :method": [*USUAL, (":method", "POST")],
    "two :authority": [*USUAL, (":authority", "localhost")],
    "an unknown pseudo-header field": [*USUAL, (":unknown", "1")],
    "a pseudo-header field of responses": [*USUAL, (":status", "200")],
    "a pseudo-header field after a field": [("x", "1"), *USUAL],
    "extended CONNECT": [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "localhost"), (":path", "/")
    ],
    "content-length without content": [*USUAL, ("content-length", "5")],
    "content-length that is no number": [*USUAL, ("content-length", "five")],
}  # fmt: skip


def outcome(port, fields):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        block = Encoder().encode(fields)
        head = HeadersFrame(1, data=block, flags=("END_HEADERS", "END_STREAM"))
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize() + head.serialize())
        reader = client.makefile("rb")
        while header := reader.read(9):
            frame, length = Frame.parse_frame_header(memoryview(header))
            payload = reader.read(length)
            if isinstance(frame, HeadersFrame):
                return dict(Decoder().decode(payload))[":status"]
            if type(frame).__name__ == "RstStreamFrame":
                return f"RST_STREAM {struct.unpack('>L', payload)[0]}"
            if type(frame).__name__ == "GoAwayFrame":
                return f"GOAWAY {struct.unpack('>LL', payload[:8])[1]}"
    return "closed"


if __name__ == "__main__":
    print(json.dumps({name: outcome(int(sys.argv[1]), fields) for name, fields in CASES.items()}))
