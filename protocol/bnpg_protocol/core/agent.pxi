# An agent in a running round: what `bnpg_agents.machine`, `rounds` and `round_buffer` do of a message of a step.


cdef class AgentCore(Ends):
    """Takes the next states or parent's actions in order, and acts if everything is there.

    Parameters
    ----------
    machine : AgentMachine
    kinds : (type, type, type)
        Of the buffers that it knows, without and with a relay, and of the policy: of tables.
    send, history, quarantine
        Of the loop.
    """

    cdef object machine, buffers, buffers_of_rows, policies
    cdef Streams streams
    cdef ndarray drawn_ahead

    def __init__(self, machine, kinds, send, history, quarantine):
        self.attach(machine._links, send, history, quarantine)
        self.machine = machine
        self.buffers, self.buffers_of_rows, self.policies = kinds
        self.streams = Streams.__new__(Streams)

    cdef const double* uniforms(
        self, object learner, int64_t round_, tuple place, Py_ssize_t lanes, double* few
    ) except NULL:
        """Return the uniforms of a turn: in `few`, or where Python has drawn those of many lanes ahead."""
        if lanes > FEW_LANES:
            self.ahead = True
            self.drawn_ahead = learner._uniforms.take(round_, place[0], place[1], lanes)
            return row_of_uniforms(self.drawn_ahead, lanes)
        self.streams.of(learner._uniforms)
        self.streams.draw(0, round_, place[0], place[1], lanes, few)
        return few

    cdef bint handle(self, bytes frame, object origin, double now) except -1:
        cdef Header header
        machine = self.machine
        if machine._phase != "running" or not read(frame, &header) or self.quarantined(origin):
            return False
        rounds = machine._rounds
        buffer = rounds._now
        cdef bint relayed = type(buffer) is self.buffers_of_rows
        if not relayed and type(buffer) is not self.buffers or rounds._update is not None:
            return False
        if <int64_t>buffer.round != header.scalars[0]:
            return False
        cdef dict heard = buffer.heard
        cdef list chosen = buffer.chosen, seen = buffer.seen, known
        cdef Py_ssize_t turn = len(chosen)
        if header.kind == STATES:
            if header.sender != COORDINATOR_ADDRESS or origin != "coordinator":
                return False
            if not all_below(&header, machine._welcome.states):
                return False
            known = seen
        elif header.kind != (RELAYED if relayed else ACTIONS):
            return False
        else:
            around = machine._around
            of_parent = heard.get(header.sender)
            if of_parent is None or origin == "coordinator":
                return False
            if origin in around._child_routes or header.sender in around.children:
                return False
            known = of_parent
            # A parent that is ahead may be too far ahead: that is counted in Python.
            if len(known) > turn:
                return False
            if relayed:
                if not fits(machine._relaying, &header):
                    return False
            elif not all_below(&header, (<dict>machine._choices)[header.sender]):
                return False
        if len(known) != header.scalars[1]:
            return False
        link = self.admitted(&header, origin)
        if link is None:
            return False
        array = array_in(frame, &header)
        cdef bint acts = self.completes(buffer, known, turn)
        if not acts:
            self.keep(&header, buffer, known, array, link, now)
            return True
        return self.act(&header, buffer, known, array, link, now)

    cdef bint completes(self, object buffer, list known, Py_ssize_t turn) except -1:
        """Whether everything of the turn is there with what just came."""
        if len(known) != turn:
            return False
        if known is not buffer.seen and len(<list>buffer.seen) <= turn:
            return False
        for one in (<dict>buffer.heard).values():
            if one is not known and len(<list>one) <= turn:
                return False
        return True

    cdef void keep(
        self, Header* header, object buffer, list known, object array, object link, double now
    ) except *:
        """Take a message in: from here on nothing is left to Python."""
        self.take(header, link, now)
        self.machine._progress_at = now
        cdef int64_t* scalars = header.scalars
        if header.kind == STATES:
            message = StatesAnnounced(scalars[0], scalars[1], scalars[2], scalars[3], array)
        elif header.kind == ACTIONS:
            message = ActionsChosen(scalars[0], scalars[1], array)
        else:
            message = ActionsRelayed(scalars[0], scalars[1], array)
        self.events.append((now, self.envelope(header, message)))
        known.append(array)
        if header.kind == STATES:
            buffer.places.append((scalars[2], scalars[3]))
            buffer.limits.append(None)

    cdef ndarray table_at(self, object buffer, list known, Py_ssize_t turn):
        """Return the sums of the table that is drawn from in a turn where anything may be done; else None."""
        held = (<dict>self.machine._learner._rounds).get(buffer.round)
        if held is None or type(held.policy) is not self.policies:
            return None
        if known is not buffer.seen and (<list>buffer.limits)[turn] is not None:
            return None
        return held.policy._cumulative

    cdef bytes choose(
        self, object buffer, ndarray table, const uint32_t* rows, Py_ssize_t turn, Py_ssize_t lanes, narrow
    ):
        """Draw the actions of a turn from each lane's row, and note them; return their bytes."""
        cdef double[FEW_LANES] few
        cdef const double* uniforms = self.uniforms(
            self.machine._learner, buffer.round, (<list>buffer.places)[turn], lanes, few
        )
        cdef int width = narrow.itemsize
        cdef bytes raw = PyBytes_FromStringAndSize(NULL, lanes * width)
        draw(table, rows, uniforms, lanes, <uint8_t*>PyBytes_AS_STRING(raw), width)
        (<list>buffer.chosen).append(frombuffer(raw, narrow))
        return raw

    cdef bint act(
        self, Header* header, object buffer, list known, object array, object link, double now
    ) except -1:
        """Take the message in and act, or return False with nothing changed."""
        machine, links = self.machine, self.links
        cdef list seen = buffer.seen, inputs
        cdef Py_ssize_t turn = len(<list>buffer.chosen), lanes = header.count
        cdef ndarray table = self.table_at(buffer, known, turn)
        if table is None:
            return False
        inputs = [array if known is seen else seen[turn]]
        for one in (<dict>buffer.heard).values():
            inputs.append(array if one is known else (<list>one)[turn])
        narrow = machine._learner._narrow
        cdef int width = narrow.itemsize
        if lanes * width > MOST_IN_ONE_FRAME:
            return False
        cdef tuple children = machine._around.children
        for child in children:
            if not self.has_room((<dict>links._links)[child], OVERHEAD_OF_MESSAGE + lanes * width):
                return False
        if not self.has_room((<dict>links._links)[COORDINATOR_ADDRESS], OVERHEAD_OF_MESSAGE + lanes * width):
            return False
        # The rows are found first: that everything fits shows there, while nothing has changed yet.
        cdef bytes kept = PyBytes_FromStringAndSize(NULL, lanes * sizeof(uint32_t))
        cdef uint32_t* rows = <uint32_t*>PyBytes_AS_STRING(kept)
        if not rows_of(table, inputs, lanes, rows):
            return False
        self.keep(header, buffer, known, array, link, now)
        cdef bytes raw = self.choose(buffer, table, rows, turn, lanes, narrow)
        cdef int64_t[2] scalars
        scalars[0] = buffer.round
        scalars[1] = turn
        message = ActionsChosen(buffer.round, turn, (<list>buffer.chosen)[turn])
        cdef Content content = content_of(message, ACTIONS, scalars, width, raw)
        cdef list posted = [self.post(content, child, now) for child in children]
        posted.append(self.post(content, COORDINATOR_ADDRESS, now))
        self.reach(machine._progress, (1, buffer.round, turn + 1), now)
        self.carry_out(posted, now)
        return True
