"""What a run says at its end: figures that can be pasted into the README, violations in full."""


def table(operations):
    kinds = sorted(operations)
    rows = [f"    {kind:10} " + "  ".join(f"{outcome} {operations[kind].get(outcome, 0):6}"
                                          for outcome in ("ok", "fail", "unknown")) for kind in kinds]
    return "\n".join(rows)


def add(total, more):
    for key, value in more.items():
        if isinstance(value, dict):
            add(total.setdefault(key, {}), value)
        else:
            total[key] = total.get(key, 0) + value
    return total


def listed(counts):
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items())) or "none"


def slowest(recoveries):
    """The slowest recovery of each role."""
    worst = {}
    for name, seconds in recoveries:
        role = name.rstrip("0123456789")
        worst[role] = max(seconds, worst.get(role, 0.0))
    return f"{len(recoveries)} after kill -9, slowest: " + (
        ", ".join(f"{role} {seconds:.2f} s" for role, seconds in worst.items()) or "none")


def of_round(result):
    count = sum(number for kind in result.operations.values() for number in kind.values())
    lines = [f"round {result.seed}: {count} operations, {result.moved / 1e6:.0f} MB, faults: "
             f"{listed(result.injected)}; recovery {slowest(result.recoveries)}; {result.seconds:.0f} s"]
    lines += [f"  {fact}" for fact in result.facts]
    lines += [f"VIOLATION (seed {result.seed}): {one}" for one in result.violations]
    return "\n".join(lines)


def of_run(results, seconds):
    operations, injected = {}, {}
    for result in results:
        add(operations, result.operations)
        add(injected, result.injected)
    count = sum(number for kind in operations.values() for number in kind.values())
    wrong = sum(len(result.violations) for result in results)
    return "\n".join([
        f"== {len(results)} round(s), seeds {results[0].seed} to {results[-1].seed}, {seconds:.0f} s",
        f"  operations  {count}", table(operations),
        f"  bytes       {sum(result.moved for result in results) / 1e6:.0f} MB moved by clients",
        f"  faults      {sum(injected.values())}: {listed(injected)}",
        f"  recovery    {slowest([pair for result in results for pair in result.recoveries])}",
        f"  violations  {wrong}",
    ])
