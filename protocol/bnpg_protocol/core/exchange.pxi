# The sockets of a process in the steady state: receive, let the core deal with it, send; what the loop and the
# transports do of that. Whatever else there is to do ends a turn here, and is left to them as it was found.

cdef extern from *:
    """
    #include <errno.h>
    #include <math.h>
    #include <time.h>

    static double bnpg_monotonic(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        /* As time.monotonic() comes to it, to the last bit. */
        if (now.tv_nsec == 0) return (double)now.tv_sec;
        return (double)((int64_t)now.tv_sec * 1000000000 + now.tv_nsec) / 1e9;
    }

    static int bnpg_milliseconds(double seconds) {
        return seconds <= 0.0 ? 0 : (int)ceil(seconds * 1e3);
    }
    """
    double monotonic "bnpg_monotonic"() nogil
    int milliseconds "bnpg_milliseconds"(double) nogil
    int errno

cdef double BUSY = LOOK_AROUND


cdef class Exchange:
    """What carries the messages of a step between the sockets of one process and its core.

    Parameters
    ----------
    core : Ends
        Deals with messages of a step; sends through this from now on.
    transport
        Whose sockets they are.
    machine_takes
        Called with an arrival that the core left alone; returns the Stop that came of it, or None.
    prepare
        Called when everything that came was dealt with.
    clock
        Of the loop.
    """

    cdef Ends core
    cdef object transport, machine_takes, prepare, clock
    cdef int64_t received, sent
    cdef bint disturbed
    """Whether the machine or the transport have done something meanwhile."""
    cdef readonly object stop
    """How the process ends, once something that arrived said so."""
    cdef readonly bint left
    """Whether the transport has something to do that is left to it."""

    def __init__(self, Ends core not None, transport, machine_takes, prepare, clock):
        self.core = core
        self.transport = transport
        self.machine_takes = machine_takes
        self.prepare = prepare
        self.clock = None if clock is _monotonic else clock
        self.stop = None
        core.exchange = self

    def run(self, double due):
        """Exchange messages until it is time to look around; return when that is."""
        cdef double now
        cdef int came
        self.left = not self.plain()
        while not self.left:
            now = self.time()
            if now >= due:
                break
            came = self.turn(due - now)
            if self.stop is not None:
                break
            if came:
                if self.core.ahead:
                    self.core.ahead = False
                    self.prepare()
                due = min(due, now + BUSY)
            elif not self.left:
                # Time is up, or a signal came.
                due = now
            self.left = self.left or not self.plain()
        self.account()
        return due

    cdef double time(self) except? -1:
        """Seconds of the loop's clock."""
        return monotonic() if self.clock is None else self.clock()

    cdef bint plain(self) except -1:
        """Whether there is nothing to attend to but messages."""
        raise NotImplementedError

    cdef int turn(self, double seconds) except -1:
        """Wait for something to come in, and deal with it; return whether messages came."""
        raise NotImplementedError

    cdef bint send(self, object route, bytes frame) except -1:
        """Send a message of one frame, as the transport does."""
        raise NotImplementedError

    cdef int deliver(self, bytes frame, object route) except -1:
        """Deal with a message of one frame; return whether the process goes on."""
        self.received += PyBytes_GET_SIZE(frame)
        if self.core.handle(frame, route, self.time()):
            return True
        return self.leave(Arrival(route, [frame]))

    cdef int leave(self, object arrival) except -1:
        """Leave a message to the machine; return whether the process goes on."""
        self.account()
        self.disturbed = self.core.ahead = True
        self.stop = self.machine_takes(arrival)
        return self.stop is None

    cdef void account(self) except *:
        """Add to the transport's counters what went over its sockets."""
        if self.received:
            self.transport.received_bytes += self.received
            self.received = 0
        if self.sent:
            self.transport.sent_bytes += self.sent
            self.sent = 0
