"""Small changes of a module's source, one at a time: each a judge that is wrong, or one that is the same."""

from __future__ import annotations

import ast
import copy
import inspect
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dashboard_trust.verdicts import judge

OPPOSITE = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
TURN = "count_turn"
SWAPPED = {"any": "all", "all": "any", "min": "max", "max": "min"}


@dataclass(frozen=True)
class Mutant:
    """A module with one change: the function it is in, and the line before and after."""

    function: str
    before: str
    after: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return f"{self.function}: {self.before}  ->  {self.after}"

    def load(self, **replaced: object) -> types.ModuleType:
        module = sys.modules["mutant"] = types.ModuleType("mutant")  # where a dataclass looks its annotations up
        module.__dict__[TURN] = count_turns()
        exec(compile(self.tree, "mutant", "exec"), module.__dict__)
        for name, value in replaced.items():
            setattr(module, name, value)
        return module


def parse(source: str) -> Mutant:
    """Return a whole module as it is, or as somebody changed it by hand."""
    return Mutant("", "", "", parse_with_turns(source))


def load_judge(mutant: Mutant, module: types.ModuleType) -> types.ModuleType:
    """Return the judge with this change, which may be in a module that it uses."""
    changed = mutant.load()
    if module is judge:
        return changed
    names = [name for name in vars(judge) if getattr(vars(judge)[name], "__module__", "") == module.__name__]
    return parse(inspect.getsource(judge)).load(**{name: getattr(changed, name) for name in names})


def parse_with_turns(source: str) -> ast.Module:
    """Return what a module says, each turn of a loop that may never end being counted."""
    tree = ast.parse(source)
    for loop in [node for node in ast.walk(tree) if isinstance(node, ast.While)]:
        loop.body.insert(0, ast.Expr(ast.Call(ast.Name(TURN, ast.Load()), [], [])))
    return ast.fix_missing_locations(tree)


def count_turns() -> Callable[[], None]:
    """Return what raises after more turns than any case needs: a mutant that never ends is told by that."""
    turns = iter(range(1_000_000))

    def turn() -> None:
        if next(turns, None) is None:
            raise RuntimeError("it goes on and on")

    return turn


def mutate(source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    tree, names = parse_with_turns(source), Counter()
    for n, function in enumerate(tree.body):
        if isinstance(function, ast.FunctionDef):
            for changed, before, after in changes_of(function):
                body = [*tree.body[:n], changed, *tree.body[n + 1 :]]
                module = ast.fix_missing_locations(ast.Module(body, []))
                names[function.name, before, after] += 1
                which = names[function.name, before, after]
                yield Mutant(function.name, before, after if which == 1 else f"{after} ({which})", module)


def changes_of(function: ast.FunctionDef) -> Iterator[tuple[ast.FunctionDef, str, str]]:
    """Yield the function with each of its changes, and what was changed into what."""
    for n, node in enumerate(walk(function)):
        for change in list_changes(node):
            changed = copy.deepcopy(function)
            target = list(walk(changed))[n]
            before = line_of(target)
            new = change(target)
            replace_node(changed, target, new)
            yield changed, before, line_of(new)


def walk(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Everything but annotations, docstrings and words."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            continue
        if isinstance(node, ast.Expr) and TURN in line_of(node):
            continue
        yield node
        below = [c for name, c in children(node) if name not in ("annotation", "returns", "ctx", "op", "ops")]
        waiting.extend(reversed(below))


def children(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield name, child


def replace_node(root: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for node in ast.walk(root):
        for name, value in ast.iter_fields(node):
            if value is old:
                setattr(node, name, new)
            elif isinstance(value, list):
                setattr(node, name, [new if child is old else child for child in value])


def line_of(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node)).strip().splitlines()[0]


def list_changes(node: ast.AST) -> Iterator[Callable[[ast.AST], ast.AST]]:
    """Yield the changes this very node can suffer."""
    match node:
        case ast.Compare(ops=ops):
            for n, op in enumerate(ops):
                for other in OPPOSITE[type(op)]:
                    yield lambda it, n=n, other=other: ast.Compare(
                        it.left, [*it.ops[:n], other(), *it.ops[n + 1 :]], it.comparators
                    )
        case ast.BoolOp(values=values):
            yield lambda it: ast.BoolOp(ast.And() if isinstance(it.op, ast.Or) else ast.Or(), it.values)
            for n in range(len(values)):
                yield lambda it, n=n: one_or_all(it, [*it.values[:n], *it.values[n + 1 :]])
        case ast.UnaryOp(op=ast.Not()):
            yield lambda it: it.operand
        case ast.BinOp(op=ast.Add()):
            yield lambda it: ast.BinOp(it.left, ast.Sub(), it.right)
        case ast.BinOp(op=ast.Sub()):
            yield lambda it: ast.BinOp(it.left, ast.Add(), it.right)
        case ast.IfExp():
            yield lambda it: it.body
            yield lambda it: it.orelse
        case ast.If():
            yield lambda it: ast.If(ast.Constant(True), it.body, it.orelse)
            yield lambda it: ast.If(ast.Constant(False), it.body, it.orelse)
        case ast.For() if not isinstance(node.iter, ast.IfExp):
            yield lambda it: ast.For(it.target, cut(it.iter, 0, 1), it.body, it.orelse)
            yield lambda it: ast.For(it.target, cut(it.iter, 1, None), it.body, it.orelse)
        case ast.comprehension(ifs=ifs):
            yield lambda it: ast.comprehension(it.target, cut(it.iter, 0, 1), it.ifs, 0)
            yield lambda it: ast.comprehension(it.target, cut(it.iter, 1, None), it.ifs, 0)
            for n in range(len(ifs)):
                yield lambda it, n=n: ast.comprehension(it.target, it.iter, [*it.ifs[:n], *it.ifs[n + 1 :]], 0)
        case ast.Call(func=ast.Name(id=name)) if name in SWAPPED:
            yield lambda it: ast.Call(ast.Name(SWAPPED[it.func.id], ast.Load()), it.args, it.keywords)
        case ast.Call(args=args):
            for n, arg in enumerate(args):
                if line_of(arg).split(".")[-1] == "days":
                    yield lambda it, n=n: ast.Call(
                        it.func, [*it.args[:n], ast.Tuple([], ast.Load()), *it.args[n + 1 :]], it.keywords
                    )
        case ast.Return(value=value) if value is not None:
            if isinstance(value, ast.Constant) and isinstance(value.value, bool):
                yield lambda it: ast.Return(ast.Constant(not it.value.value))
            yield lambda it: ast.Pass()
        case ast.Return() | ast.Continue() | ast.Break():
            yield lambda it: ast.Pass()
        case ast.Expr():
            yield lambda it: ast.Pass()
        case ast.AugAssign():
            yield lambda it: ast.Pass()
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in {
            n.id for n in ast.walk(value) if isinstance(n, ast.Name)
        }:
            yield lambda it: ast.Pass()


def one_or_all(it: ast.BoolOp, values: list[ast.expr]) -> ast.expr:
    return values[0] if len(values) == 1 else ast.BoolOp(it.op, values)


def cut(of: ast.expr, first: int, last: int | None) -> ast.expr:
    """All but the first of something, or the first alone."""
    everything = ast.Call(ast.Name("list", ast.Load()), [of], [])
    return ast.Subscript(everything, ast.Slice(ast.Constant(first), ast.Constant(last)), ast.Load())
