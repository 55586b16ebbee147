# Stream sockets: what `bnpg_protocol.process.transport.unix` and `stream` do of small messages of one frame.

cdef extern from *:
    """
    #include <sys/socket.h>
    #ifdef __linux__
    #include <sys/epoll.h>
    #else
    #define EPOLLIN 1
    #define MSG_NOSIGNAL 0
    struct epoll_event { uint32_t events; struct { int fd; } data; };
    static int epoll_wait(int epoll, struct epoll_event* events, int most, int timeout) { return -1; }
    #endif
    """
    ctypedef union epoll_data:
        int fd
    struct epoll_event:
        uint32_t events
        epoll_data data
    int epoll_wait(int, epoll_event*, int, int) nogil
    ssize_t recv_from "recv"(int, void*, size_t, int)
    ssize_t send_to "send"(int, const void*, size_t, int)
    enum: EPOLLIN, EINTR, EAGAIN, MSG_DONTWAIT, MSG_NOSIGNAL

cdef enum:
    EVENTS = 64           # connections that are looked at in one turn
    WORDS = 8             # bytes of the number of frames and of the length of the only one

cdef Py_ssize_t ROOM_TO_READ = READ
cdef Py_ssize_t LONG_FRAME = LONG


cdef class UnixExchange(Exchange):
    """Of a `UnixTransport`, on its connections and queues."""

    cdef dict streams, route_of, routes, again, strangers
    cdef int epoll
    cdef uint8_t* buffer
    cdef uint8_t* outgoing
    cdef epoll_event events[EVENTS]

    def __cinit__(self):
        self.buffer = <uint8_t*>PyMem_Malloc(ROOM_TO_READ)
        self.outgoing = <uint8_t*>PyMem_Malloc(WORDS + LONG_FRAME)
        if self.buffer is NULL or self.outgoing is NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.buffer)
        PyMem_Free(self.outgoing)

    def __init__(self, core, transport, machine_takes, prepare, clock):
        Exchange.__init__(self, core, transport, machine_takes, prepare, clock)
        self.streams = transport._streams
        self.route_of = transport._route_of
        self.routes = transport._routes
        self.again = transport._again
        self.strangers = transport._strangers
        self.epoll = transport._epoll.fileno()

    cdef bint plain(self) except -1:
        """Whether every route is connected, and everybody has said who they are."""
        return not self.again and not self.strangers and not self.transport._resume_at

    cdef int turn(self, double seconds) except -1:
        cdef int count, place, wait = milliseconds(seconds)
        cdef bint came = False
        with nogil:
            count = epoll_wait(self.epoll, self.events, EVENTS, wait)
        if count < 0:
            if errno == EINTR:
                PyErr_CheckSignals()
            else:
                self.left = True
            return False
        for place in range(count):
            if self.events[place].events != EPOLLIN:
                self.left = True
            elif self.take(self.events[place].data.fd, &came):
                return came
        return came

    cdef bint take(self, int fd, bint* came) except -1:
        """Read once from a connection, and deal with what came; return whether the process ends."""
        # Of this moment: what came before it may have closed connections, or made others.
        stream = self.streams.get(fd)
        route = self.route_of.get(fd)
        if stream is None or route is None or stream._into is not None:
            self.left = True
            return False
        cdef ssize_t size = recv_from(fd, self.buffer, ROOM_TO_READ, MSG_DONTWAIT)
        if size <= 0:
            # The end of a stream stays: the transport finds it again.
            self.left = self.left or size == 0 or (errno != EAGAIN and errno != EINTR)
            return False
        cdef bytes kept = stream._kept, frame
        cdef const uint8_t* data = self.buffer
        if kept:
            kept = kept + PyBytes_FromStringAndSize(<char*>self.buffer, size)
            data = <const uint8_t*>PyBytes_AS_STRING(kept)
            size = PyBytes_GET_SIZE(kept)
            stream._kept = b""
        cdef Py_ssize_t start = 0, largest = stream.largest
        cdef uint32_t words[2]
        while size - start >= WORDS:
            memcpy(words, data + start, WORDS)
            if words[0] != 1 or words[1] >= LONG_FRAME or words[1] > largest:
                break
            if start + WORDS + <Py_ssize_t>words[1] > size:
                break
            frame = PyBytes_FromStringAndSize(<const char*>data + start + WORDS, words[1])
            start += WORDS + <Py_ssize_t>words[1]
            came[0] = True
            if not self.deliver(frame, route):
                return True
        if start == size:
            return False
        # The beginning of a message, a long one, one of several frames, or none: for the transport to cut.
        rest = PyBytes_FromStringAndSize(<const char*>data + start, size - start)
        for arrival in self.transport.cut(stream, route, rest):
            came[0] = True
            if not self.leave(arrival):
                return True
        return False

    cdef bint send(self, object route, bytes frame) except -1:
        cdef uint8_t* together = self.outgoing
        cdef Py_ssize_t length = PyBytes_GET_SIZE(frame)
        cdef uint32_t words[2]
        cdef ssize_t size
        stream = self.routes.get(route)
        if stream is None or length > LONG_FRAME or stream._outgoing or stream._held:
            return self.transport.send(route, [frame])
        words[0] = 1
        words[1] = <uint32_t>length
        memcpy(together, words, WORDS)
        memcpy(together + WORDS, PyBytes_AS_STRING(frame), length)
        size = send_to(<int>stream.socket.fileno(), together, WORDS + length, MSG_DONTWAIT | MSG_NOSIGNAL)
        if size == WORDS + length:
            self.sent += length
            return True
        if size <= 0:
            # Full, or gone: the transport finds the same.
            return self.transport.send(route, [frame])
        rest = PyBytes_FromStringAndSize(<const char*>together + size, WORDS + length - size)
        self.transport.queue(stream, rest)
        self.sent += length
        return True
