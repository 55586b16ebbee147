# A step with a relay: what `bnpg_agents.relaying`, `relayed_buffer` and `relayed_rounds` do of rows of actions, and what
# `bnpg_coordinator.attestations` does of digests.

cdef struct Row:
    const uint8_t* data   # an action a lane
    int width


cdef bint fits(object relaying, Header* header) except -1:
    """Whether rows are those of their link, in its type, and all actions exist."""
    choices = (<dict>relaying.choices).get(header.sender)
    if choices is None or len(choices) != header.rows:
        return False
    if <int>(<dict>relaying.types)[header.sender].itemsize != header.width:
        return False
    alike = (<dict>relaying._alike).get(header.sender)
    if alike is not None:
        return all_below(header, alike)
    cdef ndarray column = choices
    if PyArray_NDIM(column) != 2 or not PyArray_IS_C_CONTIGUOUS(column) or PyArray_ITEMSIZE(column) != 8:
        return False
    cdef const int64_t* most = <const int64_t*>PyArray_DATA(column)
    cdef Py_ssize_t place
    for place in range(header.count):
        if element(header.data, header.width, place) >= most[place // header.lanes]:
            return False
    return True


cdef list attested_by(object attestations, Header* header):
    """Return what an agent attested in the turns before; None if these digests are not the next of its."""
    if header.digested != SIZE_OF_DIGEST * len((<tuple>attestations._hears)[header.sender]):
        return None
    cdef list attested = (<list>attestations._attested)[header.sender]
    return attested if len(attested) == header.scalars[1] else None


cdef object digests_in(bytes frame, Header* header):
    """Return the digests of a message as an array that nobody can write to."""
    if not header.digested:
        return frombuffer(b"", ONE_BYTE)
    return frombuffer(frame, ONE_BYTE, header.digested, header.start + header.count * header.width)


cdef class RelayingCore(AgentCore):
    """An `AgentCore` that knows rounds with a relay as well."""

    cdef bint act(
        self, Header* header, object buffer, list known, object array, object link, double now
    ) except -1:
        if type(buffer) is not self.buffers_of_rows:
            return AgentCore.act(self, header, buffer, known, array, link, now)
        machine, links = self.machine, self.links
        cdef list seen = buffer.seen, heard = []
        cdef Py_ssize_t turn = len(<list>buffer.chosen), lanes = header.lanes, many = 0
        relaying = machine._relaying
        cdef ndarray table = self.table_at(buffer, known, turn)
        if table is None:
            return False
        for one in (<dict>buffer.heard).values():
            rows = array if one is known else (<list>one)[turn]
            if not plain_rows(rows, lanes):
                return False
            many += PyArray_DIM(rows, 0)
            heard.append(rows)
        narrow = machine._learner._narrow
        cdef int width = narrow.itemsize
        cdef dict ends = links._links
        cdef Py_ssize_t size
        for child, pick, dtype in relaying.outlets:
            size = (many + 1 if pick is None else len(pick)) * lanes * <Py_ssize_t>dtype.itemsize
            if size > MOST_IN_ONE_FRAME or not self.has_room(ends[child], OVERHEAD_OF_MESSAGE + size):
                return False
        size = lanes * width + SIZE_OF_DIGEST * len(heard)
        if size > MOST_IN_ONE_FRAME or not self.has_room(ends[COORDINATOR_ADDRESS], OVERHEAD_OF_MESSAGE + size):
            return False
        # All rows, the own one last; and where each lane is in the table: that everything fits shows there.
        cdef bytes kept = PyBytes_FromStringAndSize(NULL, (many + 1) * sizeof(Row))
        cdef Row* all_rows = <Row*>PyBytes_AS_STRING(kept)
        spread(heard, lanes, all_rows)
        cdef bytes found = PyBytes_FromStringAndSize(NULL, lanes * sizeof(uint32_t))
        cdef uint32_t* places = <uint32_t*>PyBytes_AS_STRING(found)
        if not rows_of(table, [array if known is seen else seen[turn]], lanes, places, many):
            return False
        if not moved_on(table, all_rows, relaying._in_order, many, lanes, places):
            return False
        self.keep(header, buffer, known, array, link, now)
        cdef bytes raw = self.choose(buffer, table, places, turn, lanes, narrow)
        all_rows[many].data = <const uint8_t*>PyBytes_AS_STRING(raw)
        all_rows[many].width = width
        cdef int64_t[2] scalars
        scalars[0] = buffer.round
        scalars[1] = turn
        cdef bytes digests = attested_now(buffer._digests, heard), out
        cdef list posted = []
        cdef Py_ssize_t count
        for child, pick, dtype in relaying.outlets:
            count = many + 1 if pick is None else len(pick)
            size = dtype.itemsize
            out = picked(all_rows, pick, count, lanes, <int>size)
            message = ActionsRelayed(buffer.round, turn, frombuffer(out, dtype).reshape(count, lanes))
            posted.append(self.post(content_of(message, RELAYED, scalars, <int>size, out, count), child, now))
        message = ActionsAttested(buffer.round, turn, (<list>buffer.chosen)[turn], frombuffer(digests, ONE_BYTE))
        size = PyBytes_GET_SIZE(digests)
        posted.append(
            self.post(
                content_of(message, ATTESTED, scalars, width, raw + digests, 1, size), COORDINATOR_ADDRESS, now
            )
        )
        self.reach(machine._progress, (1, buffer.round, turn + 1), now)
        self.carry_out(posted, now)
        return True


cdef bint plain_rows(object rows, Py_ssize_t lanes) except -1:
    """Whether an array is rows of so many lanes, as they lie in a message."""
    cdef ndarray array = rows
    if PyArray_NDIM(array) != 2 or PyArray_DIM(array, 1) != lanes or not PyArray_IS_C_CONTIGUOUS(array):
        return False
    return array.descr.kind == b"u" and PyArray_ISNOTSWAPPED(array) and PyArray_ITEMSIZE(array) <= 2


cdef void spread(list heard, Py_ssize_t lanes, Row* rows) except *:
    """Note where each row of every link lies."""
    cdef ndarray array
    cdef Py_ssize_t row, place = 0
    cdef int width
    for one in heard:
        array = one
        width = <int>PyArray_ITEMSIZE(array)
        for row in range(PyArray_DIM(array, 0)):
            rows[place].data = <const uint8_t*>PyArray_DATA(array) + row * lanes * width
            rows[place].width = width
            place += 1


cdef bint moved_on(
    ndarray table, Row* rows, list order, Py_ssize_t many, Py_ssize_t lanes, uint32_t* places
) except -1:
    """Go on from each lane's state to its row of a table, by the parents in their order; False if one is outside."""
    cdef Py_ssize_t parent, length
    cdef Row* row
    for parent in range(many):
        row = rows + (parent if order is None else <Py_ssize_t>order[parent])
        length = PyArray_DIM(table, <int>parent + 1)
        if largest(row.data, row.width, lanes) >= length:
            return False
        further(places, <uint32_t>length, row.data, row.width, lanes)
    return True


cdef bytes picked(Row* rows, object pick, Py_ssize_t count, Py_ssize_t lanes, int width):
    """The bytes of some rows, in the type of a link."""
    cdef bytes out = PyBytes_FromStringAndSize(NULL, count * lanes * width)
    cdef uint8_t* to = <uint8_t*>PyBytes_AS_STRING(out)
    cdef const Py_ssize_t* wanted = NULL if pick is None else <const Py_ssize_t*>PyArray_DATA(<ndarray?>pick)
    cdef Py_ssize_t place, lane
    cdef Row row
    cdef uint16_t two
    for place in range(count):
        row = rows[place if wanted is NULL else wanted[place]]
        if row.width == width:
            memcpy(to, row.data, lanes * width)
        else:
            for lane in range(lanes):
                two = <uint16_t>element(row.data, row.width, lane)
                if width == 1:
                    to[lane] = <uint8_t>two
                else:
                    memcpy(to + 2 * lane, &two, 2)
        to += lanes * width
    return out


cdef bytes attested_now(dict digests, list heard):
    """Take the rows of a turn into the digests of their links; return these, one behind the other."""
    cdef ndarray array
    cdef list values = []
    for digest, one in zip(digests.values(), heard):
        array = one
        running = digest._hash
        running.update(PyBytes_FromStringAndSize(<const char*>PyArray_DATA(array), array.nbytes))
        values.append(running.digest())
    return values[0] if len(values) == 1 else b"".join(values)
