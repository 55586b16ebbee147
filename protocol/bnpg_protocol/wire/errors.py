"""Errors of the protocol.

::

    ProtocolError
    ├── MalformedMessage   bytes that are no message of this protocol: refused, counted, the run goes on
    ├── OrderViolation     a well-formed message at a time or from a peer the protocol excludes
    ├── Equivocation       one peer said two different things under one key: fatal, the peer is named
    └── WindowFull         a peer acknowledges nothing and the bounded window is full: back-pressure

    InsecureSetup          a process may not start like this: a key, a roster or an endpoint is wrong
    StorageFailed          a shell could not make a checkpoint or a record durable, for example: disk full
"""


class ProtocolError(Exception):
    """A peer, or the network, did what the protocol does not allow."""


class MalformedMessage(ProtocolError):
    """Bytes that are no message of this protocol."""


class OrderViolation(ProtocolError):
    """A well-formed message at a time, or from a peer, that the protocol excludes."""


class Equivocation(ProtocolError):
    """One peer said two different things under the same key."""


class WindowFull(ProtocolError):
    """A peer acknowledges nothing and the window of unacknowledged messages is full."""


class InsecureSetup(Exception):
    """A key file, a roster or an endpoint with which a process may not start."""


class StorageFailed(Exception):
    """A checkpoint or a record could not be made durable."""
