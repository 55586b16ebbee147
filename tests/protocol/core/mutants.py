"""Ways of breaking the compiled core, as text, and what shows that the tests beside this see each of them.

`make mutants` compiles each into a copy of the package and runs the differential tests with it: about half a
minute each. `test_mutants.py` only checks that every text is still there, once.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from bnpg_protocol.core.sources import HERE

TESTS = Path(__file__).parent
SEEN_BY = ("test_lanes.py", "test_chance.py", "test_differential.py", "test_exchange.py")


class Mutant(NamedTuple):
    """One way of being wrong."""

    name: str
    file: str
    old: str
    new: str


MUTANTS = (
    Mutant(
        "a frame whose checksum is wrong is taken",
        "frames.pxi",
        "    return checksum(frame) == expected\n",
        "    return True\n",
    ),
    Mutant(
        "a parent's action that does not exist is taken",
        "agent.pxi",
        "            elif not all_below(&header, (<dict>machine._choices)[header.sender]):\n",
        "            elif False:\n",
    ),
    Mutant(
        "all lanes draw with the uniform of the first",
        "lanes.pxi",
        "to[lane] = table[2 * (size_t)rows[lane]] <= uniforms[lane]",
        "to[lane] = table[2 * (size_t)rows[lane]] <= uniforms[0]",
    ),
    Mutant(
        "a uniform that is a sum of many outcomes is not passed on",
        "lanes.pxi",
        "sums[low + half - 1] <= uniform",
        "sums[low + half - 1] < uniform",
    ),
    Mutant(
        "an agent acts on states before the action of a parent",
        "agent.pxi",
        "            if one is not known and len(<list>one) <= turn:\n                return False\n",
        "            pass\n",
    ),
    Mutant(
        "a message behind a gap is taken",
        "ends.pxi",
        "<int64_t>link.expected != header.seq",
        "<int64_t>link.expected > header.seq",
    ),
    Mutant(
        "a message of another life is taken",
        "ends.pxi",
        " or <int64_t>neighbour.incarnation != header.incarnation\n",
        "\n",
    ),
    # One that reads what `unix.pxi` has kept of a message once more is none: cutting forgets it in any case.
    Mutant(
        "what is held is overtaken",
        "ends.pxi",
        " or link._held or",
        " or",
    ),
    Mutant(
        "an acknowledgement of what was never sent is taken",
        "ends.pxi",
        " or header.ack >= <int64_t>link.next_seq\n",
        "\n",
    ),
    Mutant(
        "a message of another connection is taken as one of the known connection",
        "ends.pxi",
        "            or neighbour.route != origin\n",
        "",
    ),
    Mutant(
        "an acknowledgement is owed to nobody",
        "ends.pxi",
        "        link.owed = <int64_t>link.owed + 1\n",
        "",
    ),
    Mutant(
        "an acknowledgement that went along is sent once more",
        "ends.pxi",
        "        link.acknowledge_by = None\n",
        "",
    ),
    Mutant(
        "the clock of a process does not hear of others",
        "ends.pxi",
        "(header.lamport if header.lamport > lamport else lamport) + 1",
        "lamport + 1",
    ),
    Mutant(
        "who was refused before is accepted uncounted",
        "ends.pxi",
        "        return len(self.records) != 0 and origin in self.records\n",
        "        return False\n",
    ),
    Mutant(
        "the coordinator warns though a run goes on",
        "coordinator.pxi",
        "        machine._warn_at = now + self.warned_every\n",
        "",
    ),
    Mutant(
        "what takes a frame of its own goes out in one",
        "agent.pxi",
        "        if lanes * width > MOST_IN_ONE_FRAME:\n            return False\n",
        "",
    ),
    Mutant(
        "rows of a relay are taken though there are too many",
        "relay.pxi",
        "    if choices is None or len(choices) != header.rows:\n",
        "    if choices is None:\n",
    ),
    Mutant(
        "an action that a relay hands on and that does not exist is taken",
        "relay.pxi",
        "        return all_below(header, alike)\n",
        "        return True\n",
    ),
    Mutant(
        "who hears over several links takes the parents in the order they came in",
        "relay.pxi",
        "parent if order is None else <Py_ssize_t>order[parent]",
        "parent",
    ),
    Mutant(
        "a child is handed the first rows and not its own",
        "relay.pxi",
        "place if wanted is NULL else wanted[place]",
        "place",
    ),
    Mutant(
        "digests of a turn forget those before",
        "relay.pxi",
        "        running = digest._hash\n",
        "        running = type(digest)()._hash\n",
    ),
    Mutant(
        "digests of the wrong number are taken",
        "relay.pxi",
        "    if header.digested != SIZE_OF_DIGEST * len((<tuple>attestations._hears)[header.sender]):\n",
        "    if header.digested < 0:\n",
    ),
    Mutant(
        "actions without digests are taken in a run with a relay",
        "coordinator.pxi",
        "        if header.kind != (ATTESTED if attests else ACTIONS):\n            return False\n",
        "        if header.kind != ACTIONS and header.kind != ATTESTED:\n            return False\n"
        "        attests = header.kind == ATTESTED\n",
    ),
    Mutant(
        "the fifth lane draws the number of the first",
        "chance.pxi",
        "                address[0] += 1\n",
        "",
    ),
    Mutant(
        "the next state does not depend on the state",
        "world.pxi",
        "row = block.stride * states[lane] if",
        "row = 0 * states[lane] if",
    ),
    Mutant(
        "all blocks of a state draw with the numbers of the first",
        "world.pxi",
        "uniforms[number * lanes + lane]",
        "uniforms[lane]",
    ),
    Mutant(
        "a run that goes on seems to stand still",
        "ends.pxi",
        "            progress._furthest = place\n",
        "            pass\n",
    ),
    Mutant(
        "the rest of what was read is forgotten",
        "unix.pxi",
        "        if start == size:\n",
        "        if start <= size:\n",
    ),
    Mutant(
        "what the kernel did not take is lost",
        "unix.pxi",
        "        self.transport.queue(stream, rest)\n",
        "",
    ),
    Mutant(
        "bytes received are not counted",
        "exchange.pxi",
        "            self.transport.received_bytes += self.received\n",
        "",
    ),
    Mutant(
        "of a message of several frames the last is passed on",
        "zeromq.pxi",
        "self.leave(Arrival(route, frames))",
        "self.leave(Arrival(route, frames[-1:]))",
    ),
    Mutant(
        "over ZeroMQ everybody seems to be the coordinator",
        "zeromq.pxi",
        '                route = part.decode("latin-1") + CALLED_IN\n',
        '                route = "coordinator"\n',
    ),
)


def seen(mutant: Mutant) -> bool:
    """Whether the tests fail with a mutant.

    Raises
    ------
    AssertionError
        If it cannot be compiled.
    """
    with tempfile.TemporaryDirectory(prefix="bnpg-mutant-") as folder:
        package = Path(folder, HERE.parent.name)
        shutil.copytree(
            HERE.parent, package, ignore=shutil.ignore_patterns("*.so", "*.digest", "__pycache__")
        )
        place = package / HERE.name
        source = place / mutant.file
        source.write_text(source.read_text().replace(mutant.old, mutant.new))
        built = subprocess.run(
            [sys.executable, str(place / "build.py")], capture_output=True, text=True, check=False
        )
        assert not built.returncode, built.stderr
        where = os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
        tests = [str(TESTS / name) for name in SEEN_BY]
        ran = subprocess.run(
            [*command, *tests], env=os.environ | {"PYTHONPATH": where}, capture_output=True, check=False
        )
        # A process that crashes is seen as well.
        assert ran.returncode < 2, ran.stdout.decode()
        return ran.returncode != 0


def main() -> int:
    """Try every mutant, or those whose names contain a word; exit with 1 if one is not seen."""
    chosen = [one for one in MUTANTS if all(word in one.name for word in sys.argv[1:])]
    missed = 0
    for mutant in chosen:
        found = seen(mutant)
        missed += not found
        print(f"{'seen' if found else 'MISSED'}: {mutant.name}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} seen")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
