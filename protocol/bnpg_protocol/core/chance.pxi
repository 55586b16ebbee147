# Random numbers of few lanes, drawn when they are wanted: what `bnpg_math.chance.streams` and `prefetch` come to.
#
# Philox-4x64 with ten rounds (Salmon et al., SC 2011), the generator of NumPy, at an address that the streams lay
# out: so nothing is drawn ahead. What is drawn ahead for many lanes is left to Python.

cdef extern from *:
    """
    #include <stdint.h>

    static void bnpg_philox(const uint64_t address[4], const uint64_t key[2], uint64_t drawn[4]) {
        uint64_t a = address[0], b = address[1], c = address[2], d = address[3], k = key[0], l = key[1];
        for (int round = 0; round < 10; round++) {
            unsigned __int128 first = (unsigned __int128)0xD2E7470EE14C6C93u * a;
            unsigned __int128 other = (unsigned __int128)0xCA5A826395121157u * c;
            uint64_t b_before = b, d_before = d;
            a = (uint64_t)(other >> 64) ^ b_before ^ k;
            b = (uint64_t)other;
            c = (uint64_t)(first >> 64) ^ d_before ^ l;
            d = (uint64_t)first;
            k += 0x9E3779B97F4A7C15u;
            l += 0xBB67AE8584CAA73Bu;
        }
        drawn[0] = a; drawn[1] = b; drawn[2] = c; drawn[3] = d;
    }
    """
    void bnpg_philox(const uint64_t*, const uint64_t*, uint64_t*) noexcept nogil

cdef enum:
    FEW_LANES = 256       # up to which numbers are drawn here
    WORDS_AT_ONCE = 4     # numbers that one value of the counter gives


cdef class Streams:
    """The streams of one `PrefetchedUniforms`."""

    cdef object drawn_ahead
    cdef uint64_t seed, purpose, first_index

    cdef bint of(self, object drawn_ahead) except -1:
        """Be those of these from now on."""
        if drawn_ahead is not self.drawn_ahead:
            self.seed = drawn_ahead._seed
            self.purpose = int(drawn_ahead._purpose)
            indices = drawn_ahead._indices
            self.first_index = indices.start
            self.drawn_ahead = drawn_ahead
        return True

    cdef void draw(
        self, int64_t number, int64_t round_, int64_t time, int64_t lane, Py_ssize_t lanes, double* to
    ) noexcept nogil:
        """Draw the uniforms of some lanes from the stream of a number."""
        cdef uint64_t[4] address
        cdef uint64_t[4] words
        cdef uint64_t[2] key
        cdef Py_ssize_t done
        key[0] = self.seed
        key[1] = (self.purpose << 32) + self.first_index + <uint64_t>number
        # The generator counts before it draws.
        address[0] = <uint64_t>lane // WORDS_AT_ONCE + 1
        address[1] = <uint64_t>time
        address[2] = <uint64_t>round_
        address[3] = 0
        for done in range(lanes):
            if done % WORDS_AT_ONCE == 0:
                bnpg_philox(address, key, words)
                address[0] += 1
            to[done] = <double>(words[done % WORDS_AT_ONCE] >> 11) * (1.0 / 9007199254740992.0)


def uniforms_of(drawn_ahead, int number, int64_t round_, int64_t time, int64_t lane, Py_ssize_t lanes):
    """Return what the core draws where `PrefetchedUniforms` would, for tests."""
    cdef Streams streams = Streams.__new__(Streams)
    cdef double[FEW_LANES] drawn
    assert 0 <= lanes <= FEW_LANES
    streams.of(drawn_ahead)
    streams.draw(number, round_, time, lane, lanes, drawn)
    return [drawn[place] for place in range(lanes)]
