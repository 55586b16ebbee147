"""A roster file is read again when an unknown key knocks: an agent that moves brings a new key."""

import os
from pathlib import Path

import pytest
from bnpg_coordinator.membership import Membership
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.security.admission import Admission
from bnpg_protocol.process.security.credentials import coordinator_security, write_bindings
from bnpg_protocol.process.security.keys import KeyFile, write_key_file
from bnpg_protocol.process.security.roster import KeyRoster, write_roster
from bnpg_protocol.process.transport.curve import new_key_pair
from bnpg_protocol.wire.addresses import UNASSIGNED
from bnpg_protocol.wire.messages import Reject

from bnpg_math.dag import Dag


@pytest.fixture
def deployed(tmp_path: Path) -> tuple[Path, Path]:
    own = new_key_pair()
    write_key_file(tmp_path / "coordinator.key", KeyFile("coordinator", own.public, own.secret))
    return tmp_path / "coordinator.key", tmp_path / "roster.toml"


def test_the_new_key_is_let_in_and_the_old_one_no_more(deployed: tuple[Path, Path], tmp_path: Path) -> None:
    key, roster = deployed
    old, new = new_key_pair().public, new_key_pair().public
    write_roster(roster, KeyRoster("", {"0": old}))
    security = coordinator_security(key, roster, tmp_path / "bindings")
    assert security is not None
    admission = security.admission
    assert admission.allows(old)
    assert not admission.allows(new)
    write_roster(roster, KeyRoster("", {"0": new}))
    assert admission.owner(old) == 0, "nobody has knocked yet"
    assert admission.allows(new)
    assert admission.owner(new) == 0
    assert not admission.allows(old)
    assert admission.owner(old) is None


@pytest.mark.parametrize("broken", [True, False])
def test_a_roster_that_is_broken_or_gone_changes_nothing(
    deployed: tuple[Path, Path], tmp_path: Path, broken: bool
) -> None:
    key, roster = deployed
    old, new = new_key_pair().public, new_key_pair().public
    write_roster(roster, KeyRoster("", {"0": old}))
    security = coordinator_security(key, roster, tmp_path / "bindings")
    assert security is not None
    if broken:
        roster.write_text("[agents\n")
    else:
        os.unlink(roster)
    assert not security.admission.allows(new)
    assert security.admission.allows(old)


def test_the_first_id_a_key_is_given_stays_its_own_whenever_the_coordinator_is_started_again(
    deployed: tuple[Path, Path], tmp_path: Path
) -> None:
    key, _ = deployed
    folder, bindings = tmp_path / "enrolled", tmp_path / "bindings"
    folder.mkdir()
    first, second = new_key_pair().public, new_key_pair().public
    for name, public in (("first", first), ("second", second)):
        (folder / f"{name}.pub").write_text(f"{public}\n")

    def admission() -> Admission:
        security = coordinator_security(key, folder, bindings)
        assert security is not None
        return security.admission

    before = admission()
    assert [before.owner(one) for one in (first, second)] == [UNASSIGNED, UNASSIGNED]
    assert before.bind(first, 1)
    write_bindings(bindings, before.owners, Fence.raise_in(tmp_path))
    after = admission()
    assert [after.owner(one) for one in (first, second)] == [1, UNASSIGNED]
    membership = Membership(Dag(2, ((0, 1),)), "E", "F", after)
    assert membership.identify(UNASSIGNED, "route", first) == 1
    assert membership.identify(0, "route", first) == Reject(
        "key", "the Hello of agent 1, who owns the key", "that of agent 0"
    )
    assert membership.identify(UNASSIGNED, "another", second) == 0
    (folder / "first.pub").unlink()
    assert admission().owner(first) is None, "whoever is taken out of the folder is revoked"
