"""Which transport an endpoint asks for. Each is imported only where it is used."""

from bnpg_protocol.process.security.credentials import Security
from bnpg_protocol.process.transport.interface import Transport
from bnpg_protocol.wire.codec import MAX_TENSOR


def open_transport(
    identity: str, bind: str, security: Security | None = None, largest: int = MAX_TENSOR
) -> Transport:
    """Open the sockets of a process that listens on an endpoint.

    Parameters
    ----------
    identity : str
        Name of this process on the connections it makes.
    bind : str
        Where it listens: ``unix://PATH`` for stream sockets of one host, ``ipc://PATH`` or
        ``tcp://HOST:PORT`` for ZeroMQ.
    security : Security, optional
        Keys; ``unix://`` has none, as it never leaves the machine.
    largest : int
        Bytes a frame that comes in may have.

    Raises
    ------
    InsecureSetup
        If the endpoint cannot be bound, or leaves the machine and there is no key.
    """
    if bind.startswith("unix://"):
        from bnpg_protocol.process.transport.unix import UnixTransport

        return UnixTransport(identity, bind, largest)
    from bnpg_protocol.process.transport.zeromq import ZeroMQTransport

    return ZeroMQTransport(identity, bind, security, largest)
