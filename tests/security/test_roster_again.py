"""A roster file is read again when an unknown key knocks: an agent that moves brings a new key."""

import os
from pathlib import Path

import pytest
from bnpg_protocol.process.security.credentials import coordinator_security
from bnpg_protocol.process.security.keys import KeyFile, write_key_file
from bnpg_protocol.process.security.roster import KeyRoster, write_roster
from bnpg_protocol.process.transport.curve import new_key_pair


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
