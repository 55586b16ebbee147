# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
# cython: binding=False
"""The steady step, compiled. What it is, and what it leaves alone, is in the README beside it."""

from cpython.exc cimport PyErr_CheckSignals
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from numpy cimport (
    NPY_DOUBLE, PyArray_CLEARFLAGS, PyArray_DATA, PyArray_DIM, PyArray_DIMS, PyArray_IS_C_CONTIGUOUS,
    PyArray_ISALIGNED, PyArray_ISNOTSWAPPED, PyArray_ITEMSIZE, PyArray_NDIM, PyArray_SIZE, PyArray_SimpleNew,
    NPY_ARRAY_WRITEABLE, NPY_UINT8, NPY_UINT16, import_array, ndarray, npy_intp,
)

from time import monotonic as _monotonic

from numpy import ascontiguousarray, dtype as _dtype, frombuffer, int64

from bnpg_protocol.core import BURST, LOOK_AROUND
from bnpg_protocol.process.transport.interface import CALLED_IN, Arrival
from bnpg_protocol.process.transport.stream import LONG, READ
from bnpg_protocol.wire import link as _link, weight as _weight
from bnpg_protocol.wire.addresses import COORDINATOR
from bnpg_protocol.wire.codec import WIRE_VERSION, ZERO_COPY, crc32
from bnpg_protocol.wire.effects import Transmit
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import (
    ActionsAttested, ActionsChosen, ActionsRelayed, StatesAnnounced,
)
from bnpg_protocol.wire.rows import SIZE

import_array()

cdef object Unacknowledged = _link._Unacknowledged
cdef double PATIENCE_OF_SENDER = _link.PATIENCE
cdef double ACKNOWLEDGED_AFTER = _link.ACKNOWLEDGE_AFTER
cdef int64_t ACKNOWLEDGED_EVERY = _link.ACKNOWLEDGE_EVERY
cdef Py_ssize_t OVERHEAD_OF_MESSAGE = _weight.OVERHEAD
cdef Py_ssize_t MOST_UNACKNOWLEDGED = _weight.WINDOW_BYTES
cdef int64_t COORDINATOR_ADDRESS = COORDINATOR
cdef uint8_t VERSION = WIRE_VERSION
cdef Py_ssize_t SIZE_OF_DIGEST = SIZE, MOST_IN_ONE_FRAME = ZERO_COPY - 1
cdef object ONE_BYTE = _dtype("|u1"), TWO_BYTES = _dtype("<u2"), FOUR_BYTES = _dtype("<u4")

assert 0 < WIRE_VERSION < 128


cdef class Exchange

include "lanes.pxi"
include "chance.pxi"
include "frames.pxi"
include "ends.pxi"
include "agent.pxi"
include "relay.pxi"
include "world.pxi"
include "coordinator.pxi"
include "exchange.pxi"
include "unix.pxi"
include "zeromq.pxi"
