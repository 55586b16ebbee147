# Loops over all lanes, written so that compilers turn them into code for several lanes at once, and without a
# branch that depends on a draw: of many lanes such a branch is mistaken half of the time.

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>

    #define BNPG_LARGEST(TYPE) \\
        for (lane = 0; lane < lanes; lane++) { \\
            TYPE value; \\
            memcpy(&value, data + lane * sizeof(TYPE), sizeof(TYPE)); \\
            most_##TYPE = value > most_##TYPE ? value : most_##TYPE; \\
        }

    static uint32_t bnpg_largest(const uint8_t* data, int width, Py_ssize_t lanes) {
        uint8_t most_uint8_t = 0;
        uint16_t most_uint16_t = 0;
        uint32_t most_uint32_t = 0;
        Py_ssize_t lane;
        if (width == 1) { BNPG_LARGEST(uint8_t) return most_uint8_t; }
        if (width == 2) { BNPG_LARGEST(uint16_t) return most_uint16_t; }
        BNPG_LARGEST(uint32_t)
        return most_uint32_t;
    }

    #define BNPG_FURTHER(TYPE) \\
        for (lane = 0; lane < lanes; lane++) { \\
            TYPE value; \\
            memcpy(&value, data + lane * sizeof(TYPE), sizeof(TYPE)); \\
            rows[lane] = rows[lane] * length + value; \\
        }

    static void bnpg_further(uint32_t* rows, uint32_t length, const uint8_t* data, int width, Py_ssize_t lanes) {
        Py_ssize_t lane;
        if (width == 1) { BNPG_FURTHER(uint8_t) }
        else if (width == 2) { BNPG_FURTHER(uint16_t) }
        else { BNPG_FURTHER(uint32_t) }
    }

    static uint32_t bnpg_outcome(const double* sums, uint32_t outcomes, double uniform) {
        uint32_t low = 0, left = outcomes, half;
        if (outcomes <= 8) {
            /* Sums do not fall and end in 1: as many as are not above the uniform are passed. */
            for (half = 0; half < outcomes - 1; half++) low += sums[half] <= uniform;
            return low;
        }
        /* The outcome is one of `left` from `low` on; whether half of them are passed is a mask. */
        while (left > 1) {
            half = left / 2;
            low += half & (0u - (uint32_t)(sums[low + half - 1] <= uniform));
            left -= half;
        }
        return low;
    }

    static void bnpg_draw(
        const double* table, uint32_t outcomes, const uint32_t* rows, const double* uniforms,
        Py_ssize_t lanes, uint8_t* to, int width
    ) {
        Py_ssize_t lane;
        uint16_t two;
        if (outcomes == 2 && width == 1) {
            for (lane = 0; lane < lanes; lane++) to[lane] = table[2 * (size_t)rows[lane]] <= uniforms[lane];
        } else if (width == 1) {
            for (lane = 0; lane < lanes; lane++)
                to[lane] = (uint8_t)bnpg_outcome(table + (size_t)rows[lane] * outcomes, outcomes, uniforms[lane]);
        } else {
            for (lane = 0; lane < lanes; lane++) {
                two = (uint16_t)bnpg_outcome(table + (size_t)rows[lane] * outcomes, outcomes, uniforms[lane]);
                memcpy(to + 2 * lane, &two, 2);
            }
        }
    }
    """
    uint32_t largest "bnpg_largest"(const uint8_t*, int, Py_ssize_t) noexcept nogil
    void further "bnpg_further"(uint32_t*, uint32_t, const uint8_t*, int, Py_ssize_t) noexcept nogil
    void draw_lanes "bnpg_draw"(
        const double*, uint32_t, const uint32_t*, const double*, Py_ssize_t, uint8_t*, int
    ) noexcept nogil
    uint32_t outcome_of "bnpg_outcome"(const double*, uint32_t, double) noexcept nogil


cdef bint rows_of(ndarray table, list inputs, Py_ssize_t lanes, uint32_t* rows, Py_ssize_t more=0) except -1:
    """Find each lane's row of a table, but for `more` axes that follow; return False if anything does not fit."""
    if table.descr.type_num != NPY_DOUBLE or not PyArray_IS_C_CONTIGUOUS(table) or not PyArray_ISALIGNED(table):
        return False
    if PyArray_NDIM(table) != len(inputs) + more + 1 or PyArray_SIZE(table) > 0xFFFFFFFF:
        return False
    return places_of(inputs, PyArray_DIMS(table), lanes, rows)


cdef bint places_of(list inputs, const npy_intp* lengths, Py_ssize_t lanes, uint32_t* rows) except -1:
    """Find each lane's flat position among axes of less than 2^32 places; return False if anything does not fit."""
    cdef ndarray one
    cdef Py_ssize_t length
    cdef int axis = 0, width
    cdef const uint8_t* data
    memset(rows, 0, lanes * sizeof(uint32_t))
    for given in inputs:
        if type(given) is not ndarray:
            return False
        one = given
        width = <int>PyArray_ITEMSIZE(one)
        if PyArray_NDIM(one) != 1 or PyArray_DIM(one, 0) != lanes or not PyArray_IS_C_CONTIGUOUS(one):
            return False
        if one.descr.kind != b"u" or not PyArray_ISNOTSWAPPED(one) or width not in (1, 2, 4):
            return False
        length = lengths[axis]
        data = <const uint8_t*>PyArray_DATA(one)
        if largest(data, width, lanes) >= length:
            return False
        further(rows, <uint32_t>length, data, width, lanes)
        axis += 1
    return True


cdef void draw(
    ndarray table, const uint32_t* rows, const double* uniforms, Py_ssize_t lanes, uint8_t* to, int width
) noexcept:
    """Draw an action a lane, the smallest k with ``table[row, k] > u``, as `sample_actions` does."""
    draw_lanes(
        <const double*>PyArray_DATA(table), <uint32_t>PyArray_DIM(table, PyArray_NDIM(table) - 1), rows,
        uniforms, lanes, to, width,
    )


cdef const double* row_of_uniforms(ndarray uniforms, Py_ssize_t lanes) except NULL:
    assert PyArray_NDIM(uniforms) == 2 and PyArray_DIM(uniforms, 1) == lanes
    return <const double*>PyArray_DATA(uniforms)


def drawn(ndarray table not None, list inputs not None, ndarray uniforms not None, int width):
    """Return what the core draws, for tests: None if it leaves that to numpy."""
    cdef Py_ssize_t lanes = PyArray_DIM(uniforms, 1)
    cdef bytes kept = PyBytes_FromStringAndSize(NULL, lanes * sizeof(uint32_t))
    cdef uint32_t* rows = <uint32_t*>PyBytes_AS_STRING(kept)
    if not rows_of(table, inputs, lanes, rows):
        return None
    cdef bytes raw = PyBytes_FromStringAndSize(NULL, lanes * width)
    draw(table, rows, row_of_uniforms(uniforms, lanes), lanes, <uint8_t*>PyBytes_AS_STRING(raw), width)
    return raw
