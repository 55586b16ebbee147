# ZeroMQ sockets: what `bnpg_protocol.process.transport.zeromq` does of small messages of one frame where there are
# no keys, by functions of the library that pyzmq has loaded.
#
# The descriptor of such a socket shows that something has changed, and only once: whatever looks at a socket, as
# sending does too, may use that up. So a socket is *stale* after that, and is looked at before anybody waits.

cdef extern from "<poll.h>":
    struct pollfd:
        int fd
        short events
        short revents
    int poll_them "poll"(pollfd*, unsigned long, int) nogil
    enum: POLLIN

cdef enum:
    MOST_SOCKETS = 1024
    NOT_WAITING = 1       # ZMQ_DONTWAIT
    MORE_FOLLOWS = 2      # ZMQ_SNDMORE

cdef Py_ssize_t LENT = ZERO_COPY
cdef int MOST_AT_ONCE = BURST

cdef struct Part:
    uint64_t content[8]   # zmq_msg_t

ctypedef int (*OfPart)(Part*) noexcept nogil
ctypedef void* (*DataOfPart)(Part*) noexcept nogil
ctypedef size_t (*SizeOfPart)(Part*) noexcept nogil
ctypedef int (*ReceivePart)(Part*, void*, int) noexcept nogil
ctypedef int (*SendBytes)(void*, const void*, size_t, int) noexcept nogil
ctypedef int (*LastError)() noexcept nogil


cdef class ZeroMQExchange(Exchange):
    """Of a `ZeroMQTransport` without keys, on its sockets.

    Parameters
    ----------
    functions : dict of str to int
        Addresses of the library's functions, `FUNCTIONS` of `bnpg_protocol.process.transport.zeromq`.
    core, transport, machine_takes, prepare, clock
        As of every exchange.
    """

    cdef OfPart begin, end, more
    cdef DataOfPart data
    cdef SizeOfPart size
    cdef ReceivePart receive
    cdef SendBytes put
    cdef LastError last_error
    cdef list known, routes
    cdef dict places, stash, knocking
    cdef object poller
    cdef int many, front
    cdef pollfd polled[MOST_SOCKETS]
    cdef void* sockets[MOST_SOCKETS]
    cdef bint stale[MOST_SOCKETS]

    def __init__(self, functions, core, transport, machine_takes, prepare, clock):
        Exchange.__init__(self, core, transport, machine_takes, prepare, clock)
        self.begin = <OfPart><size_t>functions["zmq_msg_init"]
        self.end = <OfPart><size_t>functions["zmq_msg_close"]
        self.more = <OfPart><size_t>functions["zmq_msg_more"]
        self.data = <DataOfPart><size_t>functions["zmq_msg_data"]
        self.size = <SizeOfPart><size_t>functions["zmq_msg_size"]
        self.receive = <ReceivePart><size_t>functions["zmq_msg_recv"]
        self.put = <SendBytes><size_t>functions["zmq_send"]
        self.last_error = <LastError><size_t>functions["zmq_errno"]
        self.stash = transport._stash
        self.knocking = transport._knock_at
        self.poller = transport._poller
        self.known = []
        self.many = 0

    def run(self, double due):
        """Exchange messages until it is time to look around; return when that is."""
        self.transport.attend()
        # What was done since may have used up what the descriptors show.
        self.disturbed = True
        return Exchange.run(self, due)

    cdef bint plain(self) except -1:
        """Whether every route is connected, and nothing waits for its connection."""
        if self.stash or self.knocking:
            return False
        cdef int place
        if self.known != self.poller.sockets:
            self.know()
        if self.disturbed:
            self.disturbed = False
            for place in range(self.many):
                self.stale[place] = self.sockets[place] is not NULL
        return self.many > 0

    cdef void know(self) except *:
        """Find the sockets and descriptors that are waited for."""
        self.known = list(self.poller.sockets)
        self.disturbed = True
        self.routes = []
        self.places = {}
        self.many = 0
        self.front = -1
        if len(self.known) > MOST_SOCKETS:
            return
        cdef int place = 0
        for socket, _ in self.known:
            if isinstance(socket, int):
                self.sockets[place] = NULL
                self.polled[place].fd = socket
                route = None
            else:
                self.sockets[place] = <void*><size_t>socket.underlying
                self.polled[place].fd = socket.fileno()
                route = self.transport._route_of.get(socket)
                if route is None:
                    self.front = place
                else:
                    self.places[route] = place
            self.polled[place].events = POLLIN
            self.routes.append(route)
            place += 1
        self.many = place

    cdef int turn(self, double seconds) except -1:
        cdef int place, count, wait
        cdef bint came = False
        cdef double until = self.time() + seconds
        while True:
            for place in range(self.many):
                if self.stale[place]:
                    self.stale[place] = False
                    self.take(place, &came)
                    if self.stop is not None or self.left or self.disturbed:
                        return came
            if came:
                return True
            wait = milliseconds(until - self.time())
            with nogil:
                count = poll_them(self.polled, self.many, wait)
            if count < 0:
                if errno == EINTR:
                    PyErr_CheckSignals()
                else:
                    self.left = True
            if count <= 0:
                return False
            for place in range(self.many):
                if self.polled[place].revents:
                    if self.sockets[place] is NULL:
                        return False  # somebody wants us to look around
                    self.stale[place] = True

    cdef void take(self, int place, bint* came) except *:
        """Deal with what has come in at a socket, up to some messages; the rest makes it stale again."""
        cdef int taken
        cdef bint more = False
        cdef bytes part
        cdef list frames
        for taken in range(MOST_AT_ONCE):
            route = self.routes[place]
            part = self.part(place, &more)
            if part is None:
                # What was sent meanwhile has used nothing up: it was looked for after that.
                self.stale[place] = False
                return
            if route is None:
                route = part.decode("latin-1") + CALLED_IN
                part = self.part(place, &more)
                if part is None:
                    return
            came[0] = True
            if not more:
                if not self.deliver(part, route):
                    return
            else:
                frames = [part]
                while more:
                    part = self.part(place, &more)
                    if part is None:
                        return
                    frames.append(part)
                self.received += sum(map(len, frames))
                if not self.leave(Arrival(route, frames)):
                    return
            if self.disturbed or self.left:
                return
        self.stale[place] = True

    cdef bytes part(self, int place, bint* more):
        """Return a part of a message, if there is one."""
        cdef Part part
        cdef int error
        self.begin(&part)
        while self.receive(&part, self.sockets[place], NOT_WAITING) < 0:
            error = self.last_error()
            if error == EINTR:
                PyErr_CheckSignals()
                continue
            self.end(&part)
            if error != EAGAIN:
                self.left = True  # whatever it is, the transport finds it too
            return None
        frame = PyBytes_FromStringAndSize(<const char*>self.data(&part), self.size(&part))
        more[0] = self.more(&part)
        self.end(&part)
        return frame

    cdef bint send(self, object route, bytes frame) except -1:
        cdef Py_ssize_t length = PyBytes_GET_SIZE(frame)
        cdef bytes name
        cdef int place
        known = self.places.get(route)
        if length >= LENT or route in self.stash:
            return self.leave_sending(route, frame)
        if known is not None:
            place = known
        else:
            place = self.front
            if place < 0 or not route.endswith(CALLED_IN):
                return self.leave_sending(route, frame)
            name = route[:-len(CALLED_IN)].encode("latin-1")
            if self.put(
                self.sockets[place], PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name), NOT_WAITING | MORE_FOLLOWS
            ) < 0:
                return self.leave_sending(route, frame)
            self.sent += PyBytes_GET_SIZE(name)
        # A child acknowledges what it is sent, and nobody waits for that: it is looked at every `BUSY` seconds.
        if known is None or route == "coordinator":
            self.stale[place] = True
        while self.put(self.sockets[place], PyBytes_AS_STRING(frame), length, NOT_WAITING) < 0:
            if known is not None:
                return self.leave_sending(route, frame)
            if self.last_error() != EINTR:
                # As the transport does it: what could not be answered is lost.
                self.sent -= PyBytes_GET_SIZE(name)
                self.transport.lost += 1
                return False
        self.sent += length
        return True

    cdef bint leave_sending(self, object route, bytes frame) except -1:
        """Leave a message to the transport, which may use up what descriptors show."""
        self.disturbed = True
        return self.transport.send(route, [frame])
