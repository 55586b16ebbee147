"""The mutants of the core: that they still are ones. `make mutants` tries them."""

import pytest
from bnpg_protocol.core.sources import HERE

from tests.protocol.core.mutants import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_replaces_stands_in_the_core_once(mutant: Mutant) -> None:
    assert (HERE / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.new != mutant.old
