"""Conditions of ``@when`` and ``self.wait()``.

A condition is an expression over ``self``, the names of the method's
parameters, and the globals of the module that defines the method.
"""

import ast
import builtins
import sys
from typing import Any, Dict, Sequence, Tuple


# kinds of conditions, as in src/when.c
_BY_TAG, _BY_STATE, _BY_ARGUMENTS = range(3)


class _Condition:
    """An expression; test(obj, args) evaluates it with the globals of now."""

    kind = _BY_ARGUMENTS
    attrib_name, arg_idx = "", -1

    def __init__(self, cond_str: str, module_name: str, func: Any) -> None:
        self.cond_str = cond_str
        self.module_name = module_name
        self.func = func

    def __repr__(self) -> str:
        return repr(self.cond_str)

    def test(self, obj: Any, args: Sequence[Any]) -> Any:
        return self.func(obj, args)

    def __reduce__(self) -> Any:
        return (_parse_again, (self.cond_str, self.module_name))


class MsgTagCond(_Condition):
    """``self.attrib_name == parameter``: messages are found by the parameter's value."""

    kind = _BY_TAG

    def __init__(self, cond_str: str, module_name: str, func: Any,
                 attrib_name: str, arg_idx: int) -> None:
        super().__init__(cond_str, module_name, func)
        self.attrib_name = attrib_name
        self.arg_idx = arg_idx


class ChareStateMsgCond(_Condition):
    """Depends on the chare and on arguments."""


class ChareStateCond(_Condition):
    """Depends on the chare only."""

    kind = _BY_STATE


def _parse_again(cond_str: str, module_name: str) -> _Condition:
    return parse_cond_str(cond_str, module_name)


class _Arguments(ast.NodeTransformer):
    """Replaces names of parameters by args[position]."""

    def __init__(self, positions: Dict[str, int]) -> None:
        self.positions = positions
        self.used = False

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == "args":
            self.used = True
        if node.id not in self.positions:
            return node
        self.used = True
        return ast.Subscript(ast.Name("args", ast.Load()),
                             ast.Constant(self.positions[node.id]), ast.Load())


def _tag(tree: ast.expr, positions: Dict[str, int]) -> Tuple[str, int]:
    """(attribute, position) of ``self.x == parameter`` or reversed; else ("", -1)."""
    if not (isinstance(tree, ast.Compare) and len(tree.ops) == 1
            and isinstance(tree.ops[0], ast.Eq)):
        return "", -1
    for one, other in ((tree.left, tree.comparators[0]), (tree.comparators[0], tree.left)):
        if (isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name)
                and one.value.id == "self" and isinstance(other, ast.Name)
                and other.id in positions):
            return one.attr, positions[other.id]
    return "", -1


_cache: Dict[Tuple[str, str, Tuple[Tuple[str, int], ...]], _Condition] = {}


def parse_cond_str(cond_str: str, module_name: str,
                   method_arguments: Dict[str, int] = {}) -> _Condition:
    """The condition object for cond_str; parameters are given with positions."""
    key = (cond_str, module_name, tuple(method_arguments.items()))
    cond = _cache.get(key)
    if cond is None:
        cond = _cache[key] = _parse(cond_str, module_name, dict(method_arguments))
    return cond


_BINDING = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda, ast.NamedExpr)


def _lambda(names: Sequence[str], body: ast.expr) -> ast.Lambda:
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg(name) for name in names],
                              kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.Lambda(arguments, body)


def _with_arguments(tree: ast.expr, positions: Dict[str, int]) -> Tuple[ast.expr, bool]:
    """(the expression over self and args, whether it uses arguments)."""
    replaced = _Arguments(positions)
    if not any(isinstance(node, _BINDING) for node in ast.walk(tree)):
        return replaced.visit(tree), replaced.used
    # it has variables of its own, which may have names of parameters
    names = [name for name in positions if any(
        isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))]
    values = [replaced.visit(ast.Name(name, ast.Load())) for name in names]
    used = bool(names) or any(isinstance(node, ast.Name) and node.id == "args"
                              for node in ast.walk(tree))
    return ast.Call(_lambda(names, tree), values, []), used


def _parse(cond_str: str, module_name: str, positions: Dict[str, int]) -> _Condition:
    tree = ast.parse(cond_str.strip(), "<condition>", "eval").body
    attrib, position = _tag(tree, positions)
    body, used = _with_arguments(tree, positions)
    expression = ast.fix_missing_locations(ast.Expression(_lambda(["self", "args"], body)))
    module = sys.modules.get(module_name)
    # the module's own dict, so that its globals are looked up when tested
    space = module.__dict__ if module is not None else {"__builtins__": builtins}
    func = eval(compile(expression, "<condition>", "eval"), space)
    if attrib:
        return MsgTagCond(cond_str, module_name, func, attrib, position)
    kind = ChareStateMsgCond if used else ChareStateCond
    return kind(cond_str, module_name, func)


def test(cond: _Condition, obj: Any, args: Sequence[Any]) -> Any:
    """Does cond hold?  Called by the extension."""
    return cond.test(obj, args)
