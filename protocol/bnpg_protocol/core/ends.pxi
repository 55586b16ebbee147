# The end of a link, as far as a running step needs it: what `bnpg_protocol.wire.link` and `links` do.

cdef enum:
    LARGEST = 0xFFFF0000  # numbers on the wire that are left to Python from here on


cdef class Ends:
    """Links, history and sockets of one process, whichever its machine."""

    cdef object links, send, events, run, records
    cdef Exchange exchange
    cdef bytes run_bytes
    cdef readonly int64_t handled
    """Messages that the core has taken; all others were left to the machine."""

    cdef bint ahead
    """Whether there may be something to do ahead, after what has come since that was done last."""

    cdef void reach(self, object progress, tuple place, double now) except *:
        """Note where the run is, as `Progress.reach` does within a part of a round."""
        cdef tuple furthest = progress._furthest
        if len(furthest) < 2 or furthest[0] != place[0] or furthest[1] != place[1] or progress._returns:
            progress.reach(place, now)
        elif place > furthest:
            progress._furthest = place
            progress._reached_at = now

    cdef void attach(self, object links, object send, object history, object quarantine):
        self.links = links
        self.send = send
        self.events = history._events
        self.records = quarantine._records
        self.run = None
        self.run_bytes = b""
        self.ahead = True

    def __call__(self, object arrival, double now):
        """Whether an arrival was a message of a step, and was dealt with; if not, nothing has changed."""
        cdef list frames = arrival.frames
        if len(frames) != 1 or type(frames[0]) is not bytes:
            return False
        return self.handle(frames[0], arrival.origin, now)

    cdef bint handle(self, bytes frame, object origin, double now) except -1:
        """Whether what came from somewhere was a message of a step, and was dealt with."""
        raise NotImplementedError

    cdef bint quarantined(self, object origin) except -1:
        """Whether the sender was refused before: then every message of it counts."""
        return len(self.records) != 0 and origin in self.records

    cdef object admitted(self, Header* header, object origin):
        """Return the link of an envelope that is the next in order of the present epoch; None if it is not.

        Nothing is held, nothing has to be acknowledged at once, and it comes on the connection that is known.
        """
        links = self.links
        if <int64_t>links.epoch != header.epoch or <int64_t>links.generation != header.generation:
            return None
        if links.run is not self.run:
            self.run = links.run
            self.run_bytes = (<str?>links.run).encode()
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.run_bytes)
        if (
            size != header.run_size or size > LONGEST_RUN
            or memcmp(PyBytes_AS_STRING(self.run_bytes), header.run, size) != 0
        ):
            return None
        neighbour = (<dict>links._neighbours).get(header.sender)
        if (
            neighbour is None or <int64_t>neighbour.incarnation != header.incarnation
            or neighbour.route != origin
        ):
            return None
        link = (<dict>links._links)[header.sender]
        if (
            <int64_t>link.expected != header.seq or link._held or header.ack >= <int64_t>link.next_seq
            or <int64_t>link.owed + 1 >= ACKNOWLEDGED_EVERY
        ):
            return None
        if (
            header.lamport >= LARGEST or header.seq >= LARGEST or <int64_t>links.lamport >= LARGEST
            or <int64_t>links.incarnation >= LARGEST or header.generation >= LARGEST
            or header.epoch >= LARGEST
        ):
            return None
        return link

    cdef void take(self, Header* header, object link, double now) except *:
        """Take a message in, as the next in order."""
        links = self.links
        cdef dict unacknowledged = link.unacknowledged
        while unacknowledged:
            oldest = next(iter(unacknowledged))
            if <int64_t>oldest > header.ack:
                break
            link._kept_bytes = <Py_ssize_t>link._kept_bytes - <Py_ssize_t>unacknowledged.pop(oldest).weight
            link._oldest_due = None
        link.owed = <int64_t>link.owed + 1
        if link.acknowledge_by is None:
            link.acknowledge_by = now + ACKNOWLEDGED_AFTER
        link.expected = header.seq + 1
        links.delivered = <int64_t>links.delivered + 1
        cdef int64_t lamport = links.lamport
        links.lamport = (header.lamport if header.lamport > lamport else lamport) + 1
        self.handled += 1

    cdef object envelope(self, Header* header, object message):
        return Envelope(
            self.links.run, header.generation, header.epoch, header.sender, header.incarnation,
            header.seq, header.ack, header.lamport, message,
        )

    cdef bint has_room(self, object link, Py_ssize_t weight) except -1:
        """Whether a message can be kept until it is acknowledged."""
        cdef dict unacknowledged = link.unacknowledged
        if len(unacknowledged) >= <Py_ssize_t>link._window or <int64_t>link.next_seq >= LARGEST:
            return False
        return not unacknowledged or <Py_ssize_t>link._kept_bytes + weight <= MOST_UNACKNOWLEDGED

    cdef tuple post(self, Content content, object peer, double now):
        """Number a message and keep it; return what is to be done, and the frame."""
        links = self.links
        link = (<dict>links._links)[peer]
        cdef dict unacknowledged = link.unacknowledged
        cdef int64_t lamport = <int64_t>links.lamport + 1
        cdef int64_t seq = link.next_seq
        cdef double due = now + PATIENCE_OF_SENDER
        link._kept_bytes = <Py_ssize_t>link._kept_bytes + content.weight
        link.next_seq = seq + 1
        oldest = link._oldest_due
        if not unacknowledged or (oldest is not None and due < <double>oldest):
            link._oldest_due = due
        unacknowledged[seq] = Unacknowledged(content.message, lamport, due, content.weight)
        links.lamport = lamport
        link.owed = 0
        link.acknowledge_by = None
        cdef int64_t[7] counters
        counters[0] = links.generation
        counters[1] = links.epoch
        counters[2] = links.me
        counters[3] = links.incarnation
        counters[4] = seq
        counters[5] = <int64_t>link.expected - 1
        counters[6] = lamport
        envelope = Envelope(
            links.run, counters[0], counters[1], counters[2], counters[3],
            seq, counters[5], lamport, content.message,
        )
        route = (<dict>links._neighbours)[peer].route
        return Transmit(route, envelope, peer), write(content, self.run_bytes, counters)

    cdef void carry_out(self, list posted, double now) except *:
        """Send what was posted, in its order."""
        self.events.append((now, [effect for effect, _ in posted]))
        for effect, frame in posted:
            if self.exchange is None:
                self.send(effect.route, [frame])
            else:
                self.exchange.send(effect.route, frame)


cdef object array_in(bytes frame, Header* header):
    """Return the elements as an array that nobody can write to."""
    dtype = ONE_BYTE if header.width == 1 else TWO_BYTES if header.width == 2 else FOUR_BYTES
    array = frombuffer(frame, dtype, header.count, header.start)
    return array.reshape(header.rows, header.lanes) if header.kind == RELAYED else array
