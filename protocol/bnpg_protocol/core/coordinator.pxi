# The coordinator in the steps of a round: what `bnpg_coordinator.machine` and `rounds` do of an agent's actions.


cdef class CoordinatorCore(Ends):
    """Takes the next actions of an agent in order, and announces the next turn if everybody has acted.

    Parameters
    ----------
    machine : CoordinatorMachine
    kinds : (type, type, *types)
        The rounds with a relay; the plays of worlds that it lets go on: those that cannot fail, and where
        everybody sees the state; and the transitions of games whose next states it draws, as of a `Kernel`.
    part : int
        Number of the steps among the parts of a round.
    warned_every : float
        Seconds without progress after which the machine warns.
    send, history, quarantine
        Of the loop.
    """

    cdef object machine, attested_rounds, plays
    cdef Steps steps
    cdef int part
    cdef double warned_every

    def __init__(self, machine, tuple kinds, int part, double warned_every, send, history, quarantine):
        self.attach(machine._links, send, history, quarantine)
        self.machine = machine
        self.attested_rounds, self.plays = kinds[:2]
        self.steps = Steps(kinds[2:])
        self.part = part
        self.warned_every = warned_every

    cdef bint handle(self, bytes frame, object origin, double now) except -1:
        cdef Header header
        machine = self.machine
        if machine._phase != "running" or not read(frame, &header) or self.quarantined(origin):
            return False
        rounds = machine._rounds
        cdef bint attests = type(rounds) is self.attested_rounds
        if header.kind != (ATTESTED if attests else ACTIONS):
            return False
        if <int64_t>rounds.round != header.scalars[0] or rounds._part != "steps":
            return False
        member = (<dict>machine._membership.members).get(header.sender)
        if member is None or <int64_t>member.incarnation != header.incarnation or member.route != origin:
            return False
        if not all_below(&header, (<tuple>machine._setup.world.actions)[header.sender]):
            return False
        cdef list said = (<dict>rounds._said)[header.sender]
        if len(said) != header.scalars[1]:
            return False
        cdef list attested = None
        if attests:
            attested = attested_by(rounds._attestations, &header)
            if attested is None:
                return False
        episodes = rounds._sampled.episodes
        cdef list turns = episodes.turns
        if header.scalars[1] >= len(turns):
            return False
        seen = turns[header.scalars[1]].seen
        of = seen.of
        if type(of) is not ndarray or seen.legal or seen.alive or PyArray_DIM(of, 0) != header.lanes:
            return False
        link = self.admitted(&header, origin)
        if link is None:
            return False
        cdef list answers = rounds._answers
        cdef Py_ssize_t taken = episodes.taken
        agents = rounds._agents
        cdef bint everybody = header.scalars[1] == taken and <Py_ssize_t>answers[taken] + 1 == len(agents)
        if everybody and not self.goes_on(episodes, turns[taken], agents):
            return False
        self.take(&header, link, now)
        member.heard_at = now
        machine._progress_at = now
        machine._warn_at = now + self.warned_every
        array = array_in(frame, &header)
        if attests:
            digests = digests_in(frame, &header)
            message = ActionsAttested(header.scalars[0], header.scalars[1], array, digests)
            attested.append(digests.tobytes())
            self.ahead = True
        else:
            message = ActionsChosen(header.scalars[0], header.scalars[1], array)
        self.events.append((now, self.envelope(&header, message)))
        said.append(array)
        answers[header.scalars[1]] = <Py_ssize_t>answers[header.scalars[1]] + 1
        if everybody:
            self.announce(rounds, episodes, agents, now)
        return True

    cdef bint goes_on(self, object episodes, object turn, object agents) except -1:
        """Whether the lanes of a turn live on in a world that cannot fail, and all can be told."""
        if type(episodes.play) is not self.plays:
            return False
        cdef Py_ssize_t time = <Py_ssize_t>turn.time + 1
        if time >= <Py_ssize_t>episodes._steps:
            return False
        if <Py_ssize_t>(<list>episodes._alive)[time] <= <Py_ssize_t>turn.lane:
            return False
        cdef Py_ssize_t most = OVERHEAD_OF_MESSAGE + 4 * PyArray_DIM(turn.seen.of, 0)
        cdef dict ends = self.links._links
        for agent in agents:
            if not self.has_room(ends[agent], most):
                return False
        return True

    cdef void announce(self, object rounds, object episodes, object agents, double now) except *:
        """Take the actions of a turn, and announce the one that follows."""
        cdef dict said = rounds._said
        cdef Py_ssize_t taken = episodes.taken
        cdef list actions = [(<list>said[agent])[taken] for agent in agents]
        before = (<list>episodes.turns)[taken]
        cdef Py_ssize_t alive = <Py_ssize_t>(<list>episodes._alive)[<Py_ssize_t>before.time + 1]
        turn = self.steps.advance(episodes, before, actions, alive - <Py_ssize_t>before.lane)
        if turn is None:
            self.ahead = True
            turn = episodes.advance(actions)
        (<list>rounds._answers).append(0)
        states = turn.seen.of
        cdef int64_t[4] scalars
        scalars[0] = rounds.round
        scalars[1] = len(<list>episodes.turns) - 1
        scalars[2] = turn.time
        scalars[3] = turn.lane
        message = StatesAnnounced(scalars[0], scalars[1], scalars[2], scalars[3], states)
        cdef Content content = content_of(message, STATES, scalars, states.itemsize, states.tobytes())
        cdef list posted = [self.post(content, agent, now) for agent in agents]
        self.reach(self.machine._progress, (1, rounds.round, self.part, episodes.taken), now)
        self.carry_out(posted, now)
