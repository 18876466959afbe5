"""Whether roles that include each other are declared, and end somewhere."""

from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.names import known
from ringwall.blueprint.report import Report
from ringwall.blueprint.shape import At, Names


def check_roles(blueprint: Blueprint, report: Report) -> None:
    """Report roles that are not declared, and those that include themselves."""
    includes = {role.name.value: role.includes for role in blueprint.roles}
    done: set[str] = set()
    for role in blueprint.roles:
        known("role", role.includes, includes, report)
        cycle = _cycle(role.name.value, includes, done)
        if cycle:
            path = " → ".join(name.value for name in cycle)
            report.error("role-cycle", f"roles include each other: {path}", cycle[-1].span)


def _cycle(start: str, includes: dict[str, Names], done: set[str]) -> list[At[str]]:
    """Return the names of a cycle that is reachable from `start` and was not met before, else an empty list."""
    path: list[At[str]] = []
    on_path: set[str] = {start}
    stack = [(start, iter(includes.get(start, ())))]
    while stack:
        name, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            done.add(name)
            on_path.discard(name)
            stack.pop()
            if path:
                path.pop()
        elif following.value in on_path:
            names = [n.value for n in path]
            first = names.index(following.value) + 1 if following.value in names else 0
            for member in [n for n, _ in stack]:
                done.add(member)
            head = [path[first - 1]] if first else [At(start, following.span)]
            return [*head, *path[first:], following]
        elif following.value not in done:
            path.append(following)
            on_path.add(following.value)
            stack.append((following.value, iter(includes.get(following.value, ()))))
    return []
