"""The one promise, as a check: under faults a run comes to the very bits of its fault-free twin.

The twin has no relay, whether the run has one or not.
"""

import msgspec
from bnpg_protocol.process.faults.plan import FaultPlan
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.soak.schedule import Schedule
from bnpg.lab.soak.simulate import Result, simulate


def broken_promise(schedule: Schedule) -> str | None:
    """Simulate a schedule and its fault-free twin; return how they differ, or None."""
    reference = simulate(schedule.experiment)
    try:
        result = simulate(schedule.experiment, schedule.plan, schedule.order, relay=schedule.relay)
    except Exception as error:  # a machine that raises is a finding too
        return f"{type(error).__name__}: {error}"
    return difference(reference, result)


def difference(reference: Result, result: Result) -> str | None:
    """Return how a result differs from the fault-free one, or None."""
    for name, (code, why) in sorted(result.stops.items()):
        if code != ExitCode.DONE:
            return f"{name} ended with code {int(code)}: {why}"
    if set(result.stops) != set(reference.stops):
        return f"{sorted(set(reference.stops) - set(result.stops))} never ended"
    if result.digest != reference.digest:
        return "the thetas differ" if result.digest else "the agents are not all at the last round"
    if result.lines != reference.lines:
        return "the run record differs"
    if result.gathered != reference.gathered:
        return "the gathered policy differs"
    return None


def shrink(schedule: Schedule) -> Schedule:
    """Leave out faults, one after the other, as long as the promise stays broken."""
    plan = schedule.plan
    for section in FaultPlan.__struct_fields__[1:]:
        index = 0
        while index < len(getattr(plan, section)):
            faults = getattr(plan, section)
            smaller = msgspec.structs.replace(plan, **{section: faults[:index] + faults[index + 1 :]})
            if broken_promise(msgspec.structs.replace(schedule, plan=smaller)) is None:
                index += 1
            else:
                plan = smaller
    return msgspec.structs.replace(schedule, plan=plan)
