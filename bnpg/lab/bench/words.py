"""Numbers of benchmarks in words, for the terminal and for pages."""

from bnpg.durations import duration
from bnpg.lab.bench.document import Benchmark, Case, Messages, Spread, Target


def size(count: float) -> str:
    """Bytes, in decimal units."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= factor:
            return f"{three_digits(count / factor)} {unit}"
    return f"{count:.0f} B"


def three_digits(value: float) -> str:
    """Three significant digits, without an exponent; three decimals of what is below 1."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def rate(value: float) -> str:
    """A number a second, with three digits and a unit."""
    for factor, unit in ((1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{three_digits(value / factor)}{unit}"
    return three_digits(value)


def counted(count: int, what: str) -> str:
    """A number and what it counts, in the plural where it is one."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def with_quartiles(spread: Spread) -> str:
    """Median and quartiles of a ratio."""
    return f"{three_digits(spread.median)} ({three_digits(spread.low)} to {three_digits(spread.high)})"


def verdict(target: Target, ratio: Spread) -> str:
    """Whether a target is met, by the median."""
    return f"{target.sense} {target.ratio:.3g}: {'met' if target.met(ratio.median) else 'missed'}"


LIMITS = {"seconds": "the time is meant to be", "agent_resident_bytes": "an agent's memory is meant to be"}


def limit_verdict(field: str, limit: float, found: float) -> str:
    """Whether a limit is kept."""
    shown = duration(limit) if field == "seconds" else size(limit)
    return f"at most {shown}: {'met' if found <= limit else 'missed'}"


def benchmark_lines(found: Benchmark) -> list[str]:
    """One benchmark, for the terminal."""
    lines = [f"{found.letter}. {found.title}, time {found.unit}: median (quartiles)"]
    return lines + [line for case in found.cases for line in case_lines(case)]


def case_lines(case: Case) -> list[str]:
    """One case, for the terminal."""
    lines = [f"  {case.name}"]
    if case.messages is not None:
        lines[0] += f": {travels(case.messages)} a step"
    for side in case.samples:
        spread = case.spread(side)
        times = f"{duration(spread.median):>8} ({duration(spread.low)} to {duration(spread.high)})"
        lines.append(f"    {side:<32} {times:<30} {', '.join(resources(case, side).values())}")
        if side != case.ours:
            line = f"      {case.ours} takes {with_quartiles(case.ratio(side))} times as long"
            if side in case.targets:
                line += f", {verdict(case.targets[side], case.ratio(side))}"
            lines.append(line)
    for field, limit in case.limits.items():
        found = case.median(case.ours, field)
        if found is not None:
            lines.append(f"    {LIMITS[field]} {limit_verdict(field, limit, found)}")
    lines += [f"    {side:<32} not measured: {why}" for side, why in case.left_out.items()]
    return lines


def travels(messages: Messages) -> str:
    """Messages and bytes."""
    return f"{messages.count:.4g} messages, {size(messages.bytes)}"


def resources(case: Case, side: str) -> dict[str, str]:
    """What a side did and used, medians: rate, CPU time, wake-ups, steal, memory; by the name of a column."""
    shown = {}
    if case.lanes > 1:
        shown["transitions"] = f"{case.lanes / case.spread(side).median / 1e6:.2f} M transitions/s"
    cpu, switched, steal, own, resident = (
        case.median(side, field)
        for field in ("cpu_seconds", "switches", "steal", "agent_bytes", "agent_resident_bytes")
    )
    if cpu:
        shown["CPU"] = f"{duration(cpu)} of CPU"
    if switched is not None:
        shown["wake-ups"] = f"{three_digits(switched)} wake-ups"
    if steal is not None:
        shown["steal"] = f"{100 * steal:.1f} % steal"
    if own and resident:
        shown["memory"] = f"{size(resident)} resident, {size(own)} own"
    return shown
