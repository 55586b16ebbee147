"""Ways of breaking the protocol, as text: which file, what stands there, and what stands there instead."""

from typing import NamedTuple

LINK = "protocol/bnpg_protocol/wire/link.py"
LINKS = "protocol/bnpg_protocol/wire/links.py"
CODEC = "protocol/bnpg_protocol/wire/codec.py"
LEARNER = "agents/bnpg_agents/learner.py"
AGENT_ROUNDS = "agents/bnpg_agents/rounds.py"
BUFFER = "agents/bnpg_agents/round_buffer.py"
RELAYING = "agents/bnpg_agents/relaying.py"
RELAYED_BUFFER = "agents/bnpg_agents/relayed_buffer.py"
ROUTES = "bnpg_math/dag/routes.py"
ROUNDS = "coordinator/bnpg_coordinator/rounds.py"
ATTESTED_ROUNDS = "coordinator/bnpg_coordinator/attested_rounds.py"
ATTESTATIONS = "coordinator/bnpg_coordinator/attestations.py"
MEMBERSHIP = "coordinator/bnpg_coordinator/membership.py"


class Mutant(NamedTuple):
    """One way of being wrong."""

    name: str
    file: str
    edits: tuple[tuple[str, str], ...]
    """(old, new); every old text stands there exactly once."""


MUTANTS = (
    Mutant(
        "a message that was delivered before is delivered again",
        LINK,
        (
            (
                "        if seq < self.expected or seq in self._held:\n"
                "            return Receipt(duplicate=True, acknowledge=True)\n",
                "        if seq < self.expected:\n            return Receipt([(seq, lamport, message)])\n",
            ),
        ),
    ),
    Mutant(
        "a message ahead of a gap is delivered at once",
        LINK,
        (
            (
                "        if seq == self.expected:\n",
                "        if seq >= self.expected:\n            self.expected = seq\n",
            ),
        ),
    ),
    Mutant(
        "what is overdue is not sent again",
        LINK,
        (("                late.append((seq, kept.lamport, kept.message))\n", ""),),
    ),
    Mutant(
        "the acknowledgement runs one ahead of what was received",
        LINK,
        (("        return self.expected - 1\n", "        return self.expected\n"),),
    ),
    Mutant(
        "a replayed signal is applied on top of its own effect",
        AGENT_ROUNDS,
        (
            (
                "        if round_ == learner.latest:\n",
                "        if round_ < learner.latest:\n"
                "            learner._rounds[round_] = learner._rounds.pop(learner.latest)\n"
                "        if round_ == learner.latest:\n",
            ),
        ),
    ),
    Mutant(
        "an agent that has the states takes action 0 for a parent's",
        BUFFER,
        (
            (
                "            if len(heard) <= turn:\n                return False\n",
                "            if len(heard) <= turn:\n"
                "                heard.append(np.zeros(len(self.states[turn]), dtype=np.uint8))\n",
            ),
        ),
    ),
    Mutant(
        "a message of an older epoch counts as one of the present",
        LINKS,
        (
            (
                "                self._keep(envelope, origin)\n            else:\n"
                '                self.refused["stale epoch"] += 1\n            return [], []\n',
                "                self._keep(envelope, origin)\n                return [], []\n",
            ),
            ("link.acknowledged(envelope.ack)", "link.acknowledged(0 if at < here else envelope.ack)"),
        ),
    ),
    Mutant(
        "a replayed round is acted with the newest theta",
        LEARNER,
        (
            (
                "policy = self._rounds[round_].policy\n        if limits is None:\n            chosen",
                "policy = self._rounds[self.latest].policy\n        if limits is None:\n            chosen",
            ),
        ),
    ),
    Mutant(
        "actions come from a generator that runs on",
        LEARNER,
        (
            (
                "self._uniforms.take(round_, time, lane, len(seen))[0]",
                'vars(self).setdefault("_running", np.random.default_rng(0)).random(len(seen))',
            ),
        ),
    ),
    Mutant(
        "an agent keeps its newest theta only",
        LEARNER,
        (("self._rounds = {round_: now, round_ + 1:", "self._rounds = {round_ + 1:"),),
    ),
    Mutant(
        "the next round begins when the first agent has applied the signal",
        ROUNDS,
        ((' "digests") and self._all(self._applied):', ' "digests"):'),),
    ),
    Mutant(
        "an agent shows the table of the round that it has ended for that of the next",
        AGENT_ROUNDS,
        (("self._learner.table(round_ + 1))", "self._learner.table(round_))"),),
    ),
    Mutant(
        "tables of a round that was interrupted count in the next epoch",
        ROUNDS,
        (
            (
                "        self._ahead = {}\n        self.digests = ()\n",
                "        self.digests = ()\n",
            ),
        ),
    ),
    Mutant(
        "the environment takes the actions in the order in which they came",
        ROUNDS,
        (
            (
                "        chosen.append(message.actions)\n",
                "        chosen.append(message.actions)\n        self._said[agent] = self._said.pop(agent)\n",
            ),
            (
                "[self._said[agent][taken] for agent in self._agents]",
                "[actions[taken] for actions in self._said.values()]",
            ),
        ),
    ),
    Mutant(
        "a round's line is written after its signal went out",
        ROUNDS,
        (("return [ToRecord(self._line), ToAll(signal), ", "return [ToAll(signal), ToRecord(self._line), "),),
    ),
    Mutant(
        "after a crash the run goes on where the most advanced agent is",
        MEMBERSHIP,
        (("common = set.intersection(", "common = set.union("),),
    ),
    Mutant(
        "the checksum is not looked at",
        CODEC,
        (("if expected != crc32(first[4:], checksum):", "if False:"),),
    ),
    Mutant(
        "the first confirmation of edges counts for all",
        MEMBERSHIP,
        (("return len(self._confirmed) == self._dag.agents", "return True"),),
    ),
)

RELAY_MUTANTS = (
    Mutant(
        "a relay hands on its own actions as those of another",
        RELAYING,
        (
            (
                "whole = np.concatenate([*heard, own[None]])",
                "whole = np.concatenate([*(own[None].repeat(len(rows), 0) for rows in heard), own[None]])",
            ),
        ),
    ),
    Mutant(
        "a relay hands on its rows in another order than they are read in",
        RELAYING,
        (("rows = (whole if pick is None else whole[pick])", "rows = (whole[::-1])"),),
    ),
    Mutant(
        "parents' rows are read in the order in which links bring them",
        RELAYING,
        (
            (
                "self._in_order = None if in_order == list(range(len(in_order))) else in_order",
                "self._in_order = None",
            ),
        ),
    ),
    Mutant(
        "actions are handed on by who is no child of who chose them",
        ROUTES,
        (("(sender for sender in carried if sender in children[parent])", "(sender for sender in carried)"),),
    ),
    Mutant(
        "actions that are handed on are sent to nobody",
        ROUTES,
        (("                carried[relay].append(parent)\n", "                pass\n"),),
    ),
    Mutant(
        "an agent attests to nothing that it acted on",
        RELAYED_BUFFER,
        (("            self._digests[sender].add(heard[turn])\n", "            pass\n"),),
    ),
    Mutant(
        "the coordinator does not compare what agents acted on",
        ATTESTED_ROUNDS,
        (("            self._attestations.check(self.round)\n", "            pass\n"),),
    ),
    Mutant(
        "the coordinator looks at the first agent only",
        ATTESTATIONS,
        (("        for agent in self._order:\n", "        for agent in self._order[:1]:\n"),),
    ),
    Mutant(
        "digests begin anew in every turn",
        RELAYED_BUFFER,
        (
            (
                "        for sender, heard in self.heard.items():\n            self._digests[sender].add",
                "        self._digests = {sender: RowsDigest() for sender in self.heard}\n"
                "        for sender, heard in self.heard.items():\n            self._digests[sender].add",
            ),
        ),
    ),
    Mutant(
        "the digests of the round before count on",
        ATTESTATIONS,
        (
            (
                "        self._digests = [[RowsDigest() for _ in links] for links in self._links]\n",
                "        kept = vars(self).get('_digests')\n"
                "        self._digests = kept or [[RowsDigest() for _ in links] for links in self._links]\n",
            ),
        ),
    ),
)
"""Of runs with a relay."""

NO_GAP_REQUEST = Mutant(
    "a gap is not asked for",
    LINK,
    (("return Receipt(gap=(self.expected, min(self._held) - 1))", "return Receipt()"),),
)
