# Frames of the messages of a running step: read strictly, and written, byte for byte as the codec does.
#
# What is read here is a part of what `bnpg_protocol.wire.codec` takes: whatever is odd, but allowed, is left
# to it, and so is whatever is wrong, for it to refuse.

cdef enum:
    STATES = 1
    ACTIONS = 2
    RELAYED = 3           # with a relay, to a child: a row for every agent of the link
    ATTESTED = 4          # with a relay, to the coordinator: actions, and digests behind them
    HEAD = 512            # bytes that are enough for everything before the array
    LONGEST_RUN = 128     # bytes the identity of a run may have
    FEW_BYTES = 1024      # up to which a checksum of our own is not slower than a call

cdef const uint8_t* KIND_OF_STATES = b"StatesAnnounced"
cdef const uint8_t* KIND_OF_ACTIONS = b"ActionsChosen"
cdef const uint8_t* KIND_OF_RELAYED = b"ActionsRelayed"
cdef const uint8_t* KIND_OF_ATTESTED = b"ActionsAttested"
cdef const uint8_t* BYTES_1 = b"|u1"
cdef const uint8_t* BYTES_2 = b"<u2"
cdef const uint8_t* BYTES_4 = b"<u4"

cdef struct Header:
    const uint8_t* run
    Py_ssize_t run_size
    int64_t generation
    int64_t epoch
    int64_t sender
    int64_t incarnation
    int64_t seq
    int64_t ack
    int64_t lamport
    int kind
    int64_t scalars[4]    # round, turn; of states also time and lane
    int width             # bytes of an element
    Py_ssize_t rows       # one, but of what is relayed
    Py_ssize_t lanes
    Py_ssize_t count      # of elements: lanes of all rows
    Py_ssize_t digested   # bytes of digests, behind the elements
    Py_ssize_t start      # of the elements in the frame
    const uint8_t* data

cdef struct Reader:
    const uint8_t* at
    const uint8_t* end
    bint bad

cdef uint32_t TABLES[8][256]


cdef void fill_tables() noexcept:
    cdef uint32_t value
    cdef int byte, step
    for byte in range(256):
        value = <uint32_t>byte
        for step in range(8):
            value = (0xEDB88320u ^ (value >> 1)) if value & 1 else value >> 1
        TABLES[0][byte] = value
    for byte in range(256):
        value = TABLES[0][byte]
        for step in range(1, 8):
            value = TABLES[0][value & 0xFF] ^ (value >> 8)
            TABLES[step][byte] = value


fill_tables()


cdef uint32_t short_checksum(const uint8_t* data, Py_ssize_t size) noexcept nogil:
    """CRC-32 of few bytes, eight at a time."""
    cdef uint32_t value = 0xFFFFFFFFu, low, high
    while size >= 8:
        memcpy(&low, data, 4)
        memcpy(&high, data + 4, 4)
        low ^= value
        value = (
            TABLES[7][low & 0xFF] ^ TABLES[6][(low >> 8) & 0xFF]
            ^ TABLES[5][(low >> 16) & 0xFF] ^ TABLES[4][low >> 24]
            ^ TABLES[3][high & 0xFF] ^ TABLES[2][(high >> 8) & 0xFF]
            ^ TABLES[1][(high >> 16) & 0xFF] ^ TABLES[0][high >> 24]
        )
        data += 8
        size -= 8
    while size:
        value = TABLES[0][(value ^ data[0]) & 0xFF] ^ (value >> 8)
        data += 1
        size -= 1
    return value ^ 0xFFFFFFFFu


cdef uint32_t checksum(bytes frame) except? 0:
    """CRC-32 over everything behind the first four bytes."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(frame) - 4
    if size <= FEW_BYTES:
        return short_checksum(<const uint8_t*>PyBytes_AS_STRING(frame) + 4, size)
    return crc32(memoryview(frame)[4:])


cdef int64_t number(Reader* reader) noexcept nogil:
    """A number of MessagePack from -1 to 2^32 - 1."""
    cdef uint8_t first
    cdef int64_t value = 0
    cdef int size, byte
    if reader.at >= reader.end:
        reader.bad = True
        return 0
    first = reader.at[0]
    reader.at += 1
    if first < 0x80:
        return first
    if first == 0xFF:
        return -1
    if first < 0xCC or first > 0xCE:
        reader.bad = True
        return 0
    size = 1 << (first - 0xCC)
    if reader.end - reader.at < size:
        reader.bad = True
        return 0
    for byte in range(size):
        value = (value << 8) | reader.at[byte]
    reader.at += size
    return value


cdef Py_ssize_t text(Reader* reader, const uint8_t** where) noexcept nogil:
    """The size of a text of MessagePack of up to 255 bytes, and where it is."""
    cdef uint8_t first
    cdef Py_ssize_t size
    if reader.at >= reader.end:
        reader.bad = True
        return 0
    first = reader.at[0]
    reader.at += 1
    if 0xA0 <= first < 0xC0:
        size = first & 31
    elif first == 0xD9 and reader.at < reader.end:
        size = reader.at[0]
        reader.at += 1
    else:
        reader.bad = True
        return 0
    if reader.end - reader.at < size:
        reader.bad = True
        return 0
    where[0] = reader.at
    reader.at += size
    return size


cdef bint array_of(Reader* reader, uint8_t size) noexcept nogil:
    if reader.at >= reader.end or reader.at[0] != 0x90 + size:
        return False
    reader.at += 1
    return True


cdef bint read(bytes frame, Header* header) except -1:
    """Whether a frame is a message of a step, in the form that our own processes write."""
    cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(frame)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(frame)
    cdef uint32_t expected, length
    cdef Reader reader
    cdef const uint8_t* word = NULL
    cdef Py_ssize_t letters
    cdef int place, places
    if size <= 9:
        return False
    memcpy(&expected, data, 4)
    memcpy(&length, data + 4, 4)
    if length == 0 or length > HEAD - 8 or 8 + <Py_ssize_t>length > size:
        return False
    reader.at = data + 8
    reader.end = reader.at + length
    reader.bad = False
    if reader.at[0] != 0x9C:
        return False
    reader.at += 1
    if number(&reader) != VERSION:
        return False
    header.run_size = text(&reader, &header.run)
    header.generation = number(&reader)
    header.epoch = number(&reader)
    header.sender = number(&reader)
    header.incarnation = number(&reader)
    header.seq = number(&reader)
    header.ack = number(&reader)
    header.lamport = number(&reader)
    letters = text(&reader, &word)
    if reader.bad:
        return False
    if letters == 15 and memcmp(word, KIND_OF_STATES, 15) == 0:
        header.kind = STATES
        places = 4
    elif letters == 13 and memcmp(word, KIND_OF_ACTIONS, 13) == 0:
        header.kind = ACTIONS
        places = 2
    elif letters == 14 and memcmp(word, KIND_OF_RELAYED, 14) == 0:
        header.kind = RELAYED
        places = 2
    elif letters == 15 and memcmp(word, KIND_OF_ATTESTED, 15) == 0:
        header.kind = ATTESTED
        places = 2
    else:
        return False
    if (
        header.generation < 0 or header.epoch < 0 or header.incarnation < 0
        or header.seq < 1 or header.ack < 0 or header.lamport < 0
    ):
        return False
    if not array_of(&reader, places):
        return False
    for place in range(places):
        header.scalars[place] = number(&reader)
        if header.scalars[place] < 0:
            return False
    if header.kind == STATES and header.scalars[3] & 3:
        return False
    if not (array_of(&reader, 2 if header.kind == ATTESTED else 1) and array_of(&reader, 2)):
        return False
    letters = text(&reader, &word)
    if reader.bad or letters != 3:
        return False
    if memcmp(word, BYTES_1, 3) == 0:
        header.width = 1
    elif memcmp(word, BYTES_2, 3) == 0:
        header.width = 2
    elif header.kind == STATES and memcmp(word, BYTES_4, 3) == 0:
        header.width = 4
    else:
        return False
    if not array_of(&reader, 2 if header.kind == RELAYED else 1):
        return False
    header.rows = <Py_ssize_t>number(&reader) if header.kind == RELAYED else 1
    header.lanes = <Py_ssize_t>number(&reader)
    header.digested = 0
    if header.kind == ATTESTED:
        if not array_of(&reader, 2):
            return False
        letters = text(&reader, &word)
        if reader.bad or letters != 3 or memcmp(word, BYTES_1, 3) != 0 or not array_of(&reader, 1):
            return False
        header.digested = <Py_ssize_t>number(&reader)
    # No more than there are bytes, so that products fit too.
    if not (0 < header.rows <= size and 0 < header.lanes <= size and 0 <= header.digested <= size):
        return False
    if reader.bad or reader.at != reader.end:
        return False
    header.count = header.rows * header.lanes
    header.start = 8 + <Py_ssize_t>length
    header.data = data + header.start
    if header.count * header.width + header.digested != size - header.start:
        return False
    return checksum(frame) == expected


cdef inline uint32_t element(const uint8_t* data, int width, Py_ssize_t place) noexcept nogil:
    """An element of an array, wherever it lies."""
    cdef uint16_t two
    cdef uint32_t four
    if width == 1:
        return data[place]
    if width == 2:
        memcpy(&two, data + 2 * place, 2)
        return two
    memcpy(&four, data + 4 * place, 4)
    return four


cdef bint all_below(Header* header, int64_t bound) noexcept nogil:
    """Whether all elements are in the range of an axis."""
    return largest(header.data, header.width, header.count) < bound


cdef uint8_t* put(uint8_t* to, int64_t value) noexcept nogil:
    """Write a number from -1 to 2^32 - 1 as MessagePack does, in as few bytes as it takes."""
    if 0 <= value < 0x80:
        to[0] = <uint8_t>value
        return to + 1
    if value == -1:
        to[0] = 0xFF
        return to + 1
    if value < 0x100:
        to[0] = 0xCC
        to[1] = <uint8_t>value
        return to + 2
    if value < 0x10000:
        to[0] = 0xCD
        to[1] = <uint8_t>(value >> 8)
        to[2] = <uint8_t>(value & 0xFF)
        return to + 3
    to[0] = 0xCE
    to[1] = <uint8_t>(value >> 24)
    to[2] = <uint8_t>((value >> 16) & 0xFF)
    to[3] = <uint8_t>((value >> 8) & 0xFF)
    to[4] = <uint8_t>(value & 0xFF)
    return to + 5


cdef uint8_t* put_text(uint8_t* to, const uint8_t* letters, Py_ssize_t size) noexcept nogil:
    if size < 32:
        to[0] = <uint8_t>(0xA0 | size)
        to += 1
    else:
        to[0] = 0xD9
        to[1] = <uint8_t>size
        to += 2
    memcpy(to, letters, size)
    return to + size


cdef class Content:
    """What of a message is the same for everybody it goes to."""

    cdef object message
    cdef uint8_t described[64]
    cdef Py_ssize_t size
    cdef bytes raw
    cdef Py_ssize_t weight


cdef Content content_of(
    object message, int kind, int64_t* scalars, int width, bytes raw, Py_ssize_t rows=1, Py_ssize_t digested=0
):
    """What is sent of a message, whose elements, and digests behind them, are `raw`."""
    cdef Content content = Content.__new__(Content)
    cdef uint8_t* to = content.described
    cdef int place, places = 4 if kind == STATES else 2
    cdef Py_ssize_t elements = (PyBytes_GET_SIZE(raw) - digested) // width
    if kind == STATES:
        to = put_text(to, KIND_OF_STATES, 15)
    elif kind == ACTIONS:
        to = put_text(to, KIND_OF_ACTIONS, 13)
    elif kind == RELAYED:
        to = put_text(to, KIND_OF_RELAYED, 14)
    else:
        to = put_text(to, KIND_OF_ATTESTED, 15)
    to[0] = <uint8_t>(0x90 + places)
    to += 1
    for place in range(places):
        to = put(to, scalars[place])
    to[0] = 0x92 if kind == ATTESTED else 0x91
    to[1] = 0x92
    to += 2
    to = put_text(to, BYTES_1 if width == 1 else BYTES_2 if width == 2 else BYTES_4, 3)
    to[0] = 0x92 if kind == RELAYED else 0x91
    to += 1
    if kind == RELAYED:
        to = put(to, rows)
    to = put(to, elements // rows)
    if kind == ATTESTED:
        to[0] = 0x92
        to = put_text(to + 1, BYTES_1, 3)
        to[0] = 0x91
        to = put(to + 1, digested)
    content.size = to - content.described
    content.message = message
    content.raw = raw
    content.weight = OVERHEAD_OF_MESSAGE + PyBytes_GET_SIZE(raw)
    return content


cdef bytes write(Content content, bytes run, int64_t[7] counters):
    """The frame of a message: generation, epoch, sender, incarnation, seq, ack and lamport are `counters`."""
    cdef uint8_t head[HEAD]
    cdef uint8_t* to = head + 8
    cdef uint32_t word
    cdef int place
    cdef Py_ssize_t size, inline = PyBytes_GET_SIZE(content.raw)
    to[0] = 0x9C
    to[1] = VERSION
    to += 2
    to = put_text(to, <const uint8_t*>PyBytes_AS_STRING(run), PyBytes_GET_SIZE(run))
    for place in range(7):
        to = put(to, counters[place])
    memcpy(to, content.described, content.size)
    to += content.size
    size = to - head
    word = <uint32_t>(size - 8)
    memcpy(head + 4, &word, 4)
    memset(head, 0, 4)
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, size + inline)
    cdef uint8_t* data = <uint8_t*>PyBytes_AS_STRING(frame)
    memcpy(data, head, size)
    memcpy(data + size, PyBytes_AS_STRING(content.raw), inline)
    word = checksum(frame)
    memcpy(data, &word, 4)
    return frame


def header_of(bytes frame not None):
    """Return what the core reads of a frame, for tests and fuzzers: None if it leaves it to the codec."""
    cdef Header header
    if not read(frame, &header):
        return None
    places = 4 if header.kind == STATES else 2
    return (
        PyBytes_FromStringAndSize(<const char*>header.run, header.run_size),
        (
            header.generation, header.epoch, header.sender, header.incarnation,
            header.seq, header.ack, header.lamport,
        ),
        ("StatesAnnounced", "ActionsChosen", "ActionsRelayed", "ActionsAttested")[header.kind - 1],
        tuple(header.scalars[place] for place in range(places)),
        [array_in(frame, &header).tolist()]
        + ([digests_in(frame, &header).tolist()] if header.kind == ATTESTED else []),
    )
