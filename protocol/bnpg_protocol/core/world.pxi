# The next states of few lanes in a game with tables: what `bnpg_coordinator.lanes`, `worlds.table` and the
# transitions of `bnpg_math.games` do of a turn whose lanes live on. Other games and turns are left to them.

cdef enum:
    MOST_BLOCKS = 16      # independent draws a state may be made of
    MOST_AGENTS = 64

cdef struct Block:
    const double* sums
    uint32_t outcomes
    const int64_t* of_states      # what a state adds to the row; NULL: `stride` times itself
    int64_t stride
    const int64_t* of_actions     # what a joint action adds; NULL: itself


cdef class Kernel:
    """The transition of a world, as few lanes are drawn from it.

    Parameters
    ----------
    world : TableWorld
    kinds : (type, type, type)
        Transitions it knows: stateless, dense and of independent blocks.
    """

    cdef object world
    cdef list kept
    cdef int blocks, agents
    cdef Block block[MOST_BLOCKS]
    cdef npy_intp lengths[MOST_AGENTS]
    cdef bint known
    """Whether it is one of those."""
    cdef int joint_type, state_type

    def __init__(self, world, tuple kinds):
        stateless, dense, product = kinds
        transition = world.model.transition
        actions = transition.actions
        self.world = world
        self.kept = []
        self.agents = len(actions)
        self.known = False
        kind = type(transition)
        if self.agents > MOST_AGENTS or kind not in kinds:
            return
        cdef int64_t joint = 1
        for place, many in enumerate(actions):
            self.lengths[place] = many
            joint *= <int64_t>many
            if joint > 0xFFFF:
                return
        if <int64_t>transition.states > 0x10000:
            return
        # As `cells` and `TableWorld` find them.
        self.joint_type = NPY_UINT8 if joint <= 0xFF else NPY_UINT16
        self.state_type = NPY_UINT8 if <int64_t>transition.states <= 0x100 else NPY_UINT16
        if kind is product:
            self.blocks = len(transition._blocks)
            if self.blocks > MOST_BLOCKS:
                return
            for number in range(self.blocks):
                of = transition._blocks[number]
                of_states, of_actions = transition._rows[number]
                self.describe(
                    number, transition._inverse_cdfs[number], 0, of_states if of.components else None,
                    None if len(of.agents) == self.agents else of_actions,
                )
        else:
            self.blocks = 1
            self.describe(0, transition._inverse_cdf, 0 if kind is stateless else joint, None, None)
        self.known = True

    cdef void describe(self, int number, inverse, int64_t stride, of_states, of_actions) except *:
        """Keep what a block is drawn from."""
        cdef Block* block = &self.block[number]
        cdef ndarray table = inverse._table
        assert table.descr.type_num == NPY_DOUBLE and PyArray_IS_C_CONTIGUOUS(table) and PyArray_ISALIGNED(table)
        self.kept.append(table)
        block.sums = <const double*>PyArray_DATA(table)
        block.outcomes = <uint32_t>PyArray_DIM(table, 1)
        block.stride = stride
        block.of_states = block.of_actions = NULL
        if of_states is not None:
            block.of_states = self.numbers(of_states)
        if of_actions is not None:
            block.of_actions = self.numbers(of_actions)

    cdef const int64_t* numbers(self, array) except NULL:
        cdef ndarray wide = ascontiguousarray(array, int64)
        self.kept.append(wide)
        return <const int64_t*>PyArray_DATA(wide)

    cdef void follow(
        self, const uint32_t* states, const uint32_t* joint, const double* uniforms, Py_ssize_t lanes,
        uint32_t* following
    ) noexcept nogil:
        """Draw the next state of every lane; `uniforms` are those of all lanes for each block."""
        cdef Py_ssize_t lane
        cdef int number
        cdef int64_t row
        cdef Block* block
        for lane in range(lanes):
            following[lane] = 0
            for number in range(self.blocks):
                block = &self.block[number]
                row = block.stride * states[lane] if block.of_states is NULL else block.of_states[states[lane]]
                row += joint[lane] if block.of_actions is NULL else block.of_actions[joint[lane]]
                following[lane] = following[lane] * block.outcomes + outcome_of(
                    block.sums + row * block.outcomes, block.outcomes, uniforms[number * lanes + lane]
                )


cdef ndarray narrowed(const uint32_t* values, Py_ssize_t lanes, int kind):
    """Return numbers as an array of bytes, or of two bytes each."""
    cdef npy_intp length = lanes
    cdef ndarray made = PyArray_SimpleNew(1, &length, kind)
    cdef uint8_t* bytes_ = <uint8_t*>PyArray_DATA(made)
    cdef uint16_t* words = <uint16_t*>PyArray_DATA(made)
    cdef Py_ssize_t lane
    for lane in range(lanes):
        if kind == NPY_UINT8:
            bytes_[lane] = <uint8_t>values[lane]
        else:
            words[lane] = <uint16_t>values[lane]
    return made


cdef class Steps:
    """Takes the actions of turns of few lanes.

    Parameters
    ----------
    kinds : tuple of types
        Of transitions, as a `Kernel` takes them.
    """

    cdef tuple kinds
    cdef Kernel kernel
    cdef Streams streams

    def __init__(self, tuple kinds):
        self.kinds = kinds
        self.kernel = None
        self.streams = Streams.__new__(Streams)

    cdef object advance(self, object episodes, object turn, list actions, Py_ssize_t alive):
        """Return the turn that follows, as `Episodes.advance` does where lanes live on; None: nothing was done."""
        cdef uint32_t[FEW_LANES] states
        cdef uint32_t[FEW_LANES] joint
        cdef uint32_t[FEW_LANES] following
        cdef double[MOST_BLOCKS * FEW_LANES] uniforms
        cdef int number
        cdef npy_intp many
        play, seen = episodes.play, turn.seen
        of = seen.of
        cdef Py_ssize_t lanes = PyArray_DIM(of, 0)
        world = play._world
        if self.kernel is None or self.kernel.world is not world:
            self.kernel = Kernel(world, self.kinds)
        cdef Kernel kernel = self.kernel
        if not kernel.known or lanes > FEW_LANES or len(actions) != kernel.agents or alive < 1:
            return None
        alive = min(alive, lanes)
        many = world.model.states
        if not places_of([of], &many, lanes, states) or not places_of(actions, kernel.lengths, lanes, joint):
            return None
        cdef int64_t time = turn.time, lane = turn.lane
        self.streams.of(play._uniforms)
        for number in range(kernel.blocks):
            self.streams.draw(number, play._round, time, lane, alive, uniforms + number * alive)
        kernel.follow(states, joint, uniforms, alive, following)
        (<list>play._taken).append((of, narrowed(joint, lanes, kernel.joint_type)))
        (<list>play._places).append((time, lane, alive))
        cdef ndarray found = narrowed(following, alive, kernel.state_type)
        PyArray_CLEARFLAGS(found, NPY_ARRAY_WRITEABLE)
        episodes.taken = <Py_ssize_t>episodes.taken + 1
        next_turn = type(turn)(time + 1, lane, type(seen)(found))
        (<list>episodes.turns).append(next_turn)
        return next_turn


def advanced(tuple kinds, episodes, list actions):
    """Take the next turn of episodes as the core does, for tests; return whether that was the core."""
    turn = (<list>episodes.turns)[episodes.taken]
    alive = episodes._alive[turn.time + 1] - turn.lane
    return Steps(kinds).advance(episodes, turn, actions, alive) is not None
