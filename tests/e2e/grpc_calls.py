"""Calls a method of gRPC through cupbearer. Usage: grpc_calls.py PORT METHOD [KEY]

Prints, as JSON, what a unary call and a call that streams in both directions end with: the status code, the message, and
all metadata.
"""

import faulthandler
import json
import sys

import grpc


def ended(call, finish):
    try:
        finish(call)
    except grpc.RpcError:
        pass
    metadata = [*call.initial_metadata(), *call.trailing_metadata()]
    return {"code": call.code().name, "number": call.code().value[0], "details": call.details(), "metadata": dict(metadata)}


# Longer than both calls may take: says where it waits.
faulthandler.dump_traceback_later(90, exit=True)
_, port, method, *key = sys.argv
sent = [("x-cupbearer-key", key[0])] if key else []
with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
    unary = channel.unary_unary(method).future(b"request", timeout=30, metadata=sent)
    streams = channel.stream_stream(method)(iter([b"x" * 1000] * 100), timeout=30, metadata=sent)
    print(json.dumps([ended(unary, lambda call: call.result()), ended(streams, list)]))
