"""How agents are that the coordinator waits for: what its log, its status and every deadline say of them."""

from collections.abc import Iterable, Mapping

from bnpg_protocol.wire.addresses import COORDINATOR, name, names

from bnpg_coordinator.membership import Member

SILENT_AFTER = 3.0
"""Seconds without any message, beacons included, after which an agent no longer counts as merely slow."""


def described(members: Mapping[int, Member], agents: Iterable[int], now: float) -> str:
    """Name agents, each with its condition."""
    return ", ".join(f"{name(agent)} ({_condition(members[agent], now)})" for agent in agents)


def _condition(member: Member, now: float) -> str:
    """Tell a slow agent, which still gives signs of life from its work loop, from a silent one."""
    progress = member.progress
    silence = now - member.heard_at
    where = f"{progress.phase} at {progress.round}/{progress.turn}"
    if silence > SILENT_AFTER:
        return f"silent for {silence:.1f} s: dead, hung or cut off; last {where}"
    others = [peer for peer in progress.lacks if peer != COORDINATOR]
    lacks = f", lacks the message of {names(others)}" if others else ""
    return f"alive, heard {silence:.1f} s ago, {where}{lacks}"
