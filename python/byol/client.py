"""A client of runs: what a coordinator answers, as messages with types (byol.v1.operator_pb2).

    with Client(run_dir="runs/NAME") as run:                         # a run that this user started on this machine
        print(run.status().progress.step)
    with Client("a.example:7070", tls_dir="keys/ann") as run:        # with an operator's or observer's certificate
        for event in run.events(follow=True):
            print(event.type, event.text)
        run.wait()

A Client belongs to the thread that uses it.

When it fails: `Unreachable` when nobody answers, `Refused` when the coordinator says no, `TimedOut` when what is waited
for does not come in time, `RunFailed` when it cannot come any more. What a call has given before stays good.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
from google.protobuf import json_format

from byol.v1 import operator_pb2 as pb

_SERVICE = "/byol.coordinator.v1.Coordinator/"
_ENDED = (pb.RUN_STATE_COMPLETED, pb.RUN_STATE_STOPPED, pb.RUN_STATE_FAILED)
_GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
_PAGE = 1000


class Unreachable(ConnectionError):
    """Nobody answers, or who answers is no coordinator of the run."""


class Refused(PermissionError):
    """The coordinator does not do what it was asked; the text says why."""


class TimedOut(TimeoutError):
    """What was waited for did not come in time. `status` is the last that was heard."""

    def __init__(self, text: str, status: pb.Status):
        super().__init__(text)
        self.status = status


class RunFailed(RuntimeError):
    """The run has ended otherwise than was waited for. `status` is its last."""

    def __init__(self, text: str, status: pb.Status):
        super().__init__(text)
        self.status = status


class Client:
    """A line to the coordinator of a run.

    address: its HOST:PORT; without it, it is the one that runs in run_dir, or in the newest directory under runs.
    tls_dir: a directory with ca.pem, cert.pem and key.pem of `coordinator certs issue`; without it, the variable
    BYOL_TLS_DIR, or the keys that the coordinator has left in run_dir.
    timeout: how many seconds a call may take that answers at once.
    """

    def __init__(self, address: str | None = None, *, run_dir: str | os.PathLike[str] | None = None,
                 tls_dir: str | os.PathLike[str] | None = None, timeout: float = 10.0):
        self._timeout = timeout
        self._dir = Path(run_dir) if run_dir is not None else None
        if address is None:
            if self._dir is None:
                self._dir = _newest(Path("runs"))
            address = _card(self._dir)["address"]
        self.address = address
        keys = _keys(tls_dir, self._dir)
        options = [("grpc.enable_http_proxy", 0)]
        if keys is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            options.append(("grpc.ssl_target_name_override", _who(address, keys, timeout)))
            ca, cert, key = (text.encode() for text in keys)
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(ca, key, cert), options)
        self._status = self._call("GetStatus", pb.GetStatusRequest, pb.Status)
        self._events = self._call("ListEvents", pb.ListEventsRequest, pb.ListEventsResponse)
        self._watch = self._channel.unary_stream(
            _SERVICE + "WatchStatus", request_serializer=pb.WatchStatusRequest.SerializeToString,
            response_deserializer=pb.Status.FromString)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up."""
        self._channel.close()

    def status(self) -> pb.Status:
        """How the run is now."""
        return self._status(pb.GetStatusRequest())

    def watch(self, min_interval: float = 1.0) -> Iterator[pb.Status]:
        """How the run is now, and after each change, at most once in min_interval seconds. Ends with the run."""
        return self._follow(min_interval, None)

    def events(self, after: int = 0, *, follow: bool = False) -> Iterator[pb.Event]:
        """What has happened, oldest first: events with an id above after. With follow they go on as they come, until
        the run ends; those of its last moment are there when the run directory is."""
        for event in self._news(after):
            after = event.id
            yield event
        if not follow:
            return
        for status in self._follow(1.0, None):
            if status.state in _ENDED:
                break
            for event in self._news(after):
                after = event.id
                yield event
        yield from self._written(after)

    def wait(self, state: str = "completed", *, step: int | None = None, timeout: float | None = None) -> pb.Status:
        """Returns when the run is in a state (running, paused, completed, stopped, failed, …), or has committed so
        many steps. Raises TimedOut after timeout seconds, and RunFailed when the run ends otherwise."""
        want = pb.RunState.Value("RUN_STATE_" + state.upper().replace("-", "_")) if step is None else None
        deadline = None if timeout is None else time.monotonic() + timeout
        status, told = self.status(), f"step {step}" if step is not None else state
        try:
            for status in self._follow(0.2, deadline):
                if status.progress.step >= step if step is not None else status.state == want:
                    return status
        except TimedOut as late:
            raise TimedOut(f"waited {timeout} s for {told}; the run is {_word(status)}", status) from late
        raise RunFailed(f"the run is {_word(status)}, and was to be {told}", status)

    def _call(self, method, request, answer):
        call = self._channel.unary_unary(_SERVICE + method, request_serializer=request.SerializeToString,
                                         response_deserializer=answer.FromString)

        def bounded(message):
            try:
                return call(message, timeout=self._timeout)
            except grpc.RpcError as e:
                raise self._explain(e) from e

        return bounded

    def _explain(self, e: grpc.RpcError) -> Exception:
        if e.code() in _GONE:
            return Unreachable(f"no coordinator answers at {self.address}: {e.details()}")
        return Refused(e.details())

    def _follow(self, min_interval: float, deadline: float | None) -> Iterator[pb.Status]:
        request = pb.WatchStatusRequest()
        request.min_interval.FromNanoseconds(int(min_interval * 1e9))
        left = None if deadline is None else max(deadline - time.monotonic(), 0.001)
        stream, last = self._watch(request, timeout=left), None
        try:
            for last in stream:
                yield last
        except grpc.RpcError as e:
            if deadline is not None and time.monotonic() >= deadline:
                raise TimedOut("it did not come in time", last or pb.Status()) from e
            if last is None or last.state not in _ENDED:
                raise self._explain(e) from e
        finally:
            stream.cancel()

    def _news(self, after: int) -> Iterator[pb.Event]:
        while page := self._events(pb.ListEventsRequest(after_id=after, page_size=_PAGE)).events:
            yield from page
            after = page[-1].id

    def _written(self, after: int) -> Iterator[pb.Event]:
        """What the run directory has, once nobody answers any more."""
        if self._dir is None:
            return
        try:
            lines = (self._dir / "events.jsonl").read_text().splitlines()
        except OSError:
            return
        for line in lines:
            try:
                event = json_format.ParseDict(json.loads(line), pb.Event(), ignore_unknown_fields=True)
            except (ValueError, json_format.ParseError):
                continue  # a line that a coordinator was killed in
            if event.id > after:
                yield event


def _word(status: pb.Status) -> str:
    return pb.RunState.Name(status.state).removeprefix("RUN_STATE_").lower().replace("_", " ")


def _newest(runs: Path) -> Path:
    cards = sorted(runs.glob("*/coordinator.json"), key=lambda card: card.stat().st_mtime)
    if not cards:
        raise Unreachable(f"no run is going on here: there is no {runs}/*/coordinator.json; give an address or run_dir")
    return cards[-1].parent


def _card(run_dir: Path) -> dict:
    try:
        return json.loads((run_dir / "coordinator.json").read_text())
    except FileNotFoundError as e:
        raise Unreachable(f"no run is going on in {run_dir}: it has no coordinator.json") from e


_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n?", re.S)


def _keys(tls_dir: str | os.PathLike[str] | None, run_dir: Path | None) -> tuple[str, str, str] | None:
    """The authorities, the certificate and the key to use, as PEM, or None where the coordinator asks for none."""
    own = run_dir / "operator.pem" if run_dir is not None else None
    chosen = tls_dir or os.environ.get("BYOL_TLS_DIR")
    if tls_dir is None and own is not None and own.exists():
        blocks = [(m.group(1), m.group(0)) for m in _BLOCK.finditer(own.read_text())]
        certs = [text for kind, text in blocks if kind == "CERTIFICATE"]
        return "".join(certs[1:]), certs[0], next(text for kind, text in blocks if kind == "PRIVATE KEY")
    if not chosen:
        return None
    ca, cert, key = ((Path(chosen) / name).read_text() for name in ("ca.pem", "cert.pem", "key.pem"))
    return ca, cert, key


def _who(address: str, keys: tuple[str, str, str], timeout: float) -> str:
    """Looks at the certificate of whoever is at address, and returns the name in it by which gRPC is to know it again.

    A host's name proves nothing among byol's programs; what counts is an identity, spiffe://byol/RUN/coordinator/NAME,
    of an authority that is trusted. gRPC for Python compares only names, so the identity is looked at here first.
    """
    ca, cert, key = keys
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    context.load_verify_locations(cadata=ca)
    _load(context, cert, key)
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout) as raw, context.wrap_socket(raw) as line:
            shown = line.getpeercert() or {}
    except (OSError, ValueError) as e:
        raise Unreachable(f"no coordinator with a certificate answers at {address}: {e}") from e
    names = shown.get("subjectAltName", ())
    if not any(kind == "URI" and re.fullmatch(r"spiffe://byol/[^/]+/coordinator/[^/]+", name) for kind, name in names):
        raise Unreachable(f"who answers at {address} is no coordinator: its certificate is for {names}")
    common = [value for part in shown.get("subject", ()) for kind, value in part if kind == "commonName"]
    for name in [name for kind, name in names if kind == "DNS"] + common:
        return name
    raise Unreachable(f"the certificate at {address} has neither a host nor a common name: gRPC for Python wants one")


def _load(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Gives context a certificate; ssl takes it from a file alone, which is this user's and goes at once."""
    with tempfile.NamedTemporaryFile("w") as file:  # mode 0600
        file.write(cert + key)
        file.flush()
        context.load_cert_chain(file.name)
