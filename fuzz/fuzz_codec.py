"""Fuzz the decoder, guided by coverage: `make fuzz`.

The input is a header and, behind it, the bytes of the arrays. Length and checksum are put before them, as
liars would do, as no fuzzer would ever get past them. Only `MalformedMessage` may come out. Anything else is
a finding, which libFuzzer writes to a file: put it into `fuzz/corpus/`, and `make test` will try it for ever.
"""

import sys
from zlib import crc32

import atheris

with atheris.instrument_imports(include=["bnpg_protocol", "msgpack", "msgspec"]):
    from bnpg_protocol.core import compiled
    from bnpg_protocol.wire.codec import decode, encode
    from bnpg_protocol.wire.errors import MalformedMessage


CORE = compiled()
"""The compiled core, which must read nothing that the decoder would refuse; None where it is not compiled."""


def one_input(data: bytes) -> None:
    """Decode one input, whole and cut into frames."""
    for tensor, inline in ((0, True), (8, True), (8, False), (len(data) // 2, True)):
        cut = len(data) - tensor
        if cut < 0:
            continue
        rest = cut.to_bytes(4, "little") + (data if inline else data[:cut])
        frames = [] if inline else [data[cut:]]
        value = 0 if inline else crc32(data[cut:])
        first = crc32(rest, value).to_bytes(4, "little") + rest
        read = None if CORE is None or frames else CORE.header_of(first)
        try:
            envelope = decode([first, *frames])
        except MalformedMessage:
            # The core compares the run with its own, and so need not know what a text may be.
            assert read is None or not read[0].isascii(), f"the core read {read}"
            continue
        if read is not None:
            assert read[1][4:] == (envelope.seq, envelope.ack, envelope.lamport)
            assert read[2] == type(envelope.message).__name__
        # What is taken for a message must be one: it can be said again, and means the same.
        again = decode([bytes(frame) for frame in encode(envelope)])
        assert type(again.message) is type(envelope.message)


if __name__ == "__main__":
    # The limit is well above what a decoder may need: beyond it, libFuzzer reports a finding.
    atheris.Setup([*sys.argv, "-rss_limit_mb=1024", "-max_len=4096", "-timeout=10"], one_input)
    atheris.Fuzz()
