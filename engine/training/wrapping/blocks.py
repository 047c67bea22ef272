"""The blocks of a model, called one after the other: they are sharded, and checkpointed, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import nn

CONTAINERS = (nn.ModuleList, nn.ModuleDict)
"""Modules that are never called themselves, only their children."""


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """Return the modules that are gathered one at a time: a chain's links, else the model's direct children.

    Of a child that holds a chain of composite modules further down, as the trunks of transformers do, only
    the chain's links are: the rest of it is gathered with the root.

    A parameter that a block shares with another module, or with the model itself, can only be gathered with
    the root: neither of them is a block then.
    """
    found = [link for part in parts_of(model) for link in (list(_links_within(part)) or [part])]
    holders: dict[int, set[int]] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            holders.setdefault(id(parameter), set()).add(id(module))
    return [part for part in found if _holds_alone(part, holders)]


def parts_of(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules that a model calls one after the other, as far as they have parameters."""
    return _parts(_innermost(model))


def _links_within(part: nn.Module) -> Iterator[nn.Module]:
    """Yield the links of the chains in a part: lists of modules of one kind with composite parts themselves.

    Experts are of simpler modules, and are not called one after the other: they remain in their part.
    """
    for child in part.children():
        links = list(child.children())
        alike = len(links) > 1 and len({type(link) for link in links}) == 1
        if alike and isinstance(child, nn.ModuleList | nn.Sequential) and all(map(_is_composite, links)):
            yield from links
        else:
            yield from _links_within(child)


def _is_composite(module: nn.Module) -> bool:
    """Return whether a module has children that have children."""
    return any(list(child.children()) for child in module.children())


def _holds_alone(part: nn.Module, holders: Mapping[int, set[int]]) -> bool:
    """Return whether all modules that hold a parameter of this part lie in it; `holders` are their ids."""
    inside = {id(module) for module in part.modules()}
    return all(holders[id(parameter)] <= inside for parameter in part.parameters())


def _innermost(model: nn.Module) -> nn.Module:
    """Return the model within wrappers that have a single child and no parameters."""
    children = list(model.children())
    alone = len(children) == 1 and not list(model.parameters(recurse=False))
    return _innermost(children[0]) if alone and list(children[0].children()) else model


def _parts(model: nn.Module) -> Iterator[nn.Module]:
    for child in model.children():
        own = [part for part in child.children() if list(part.parameters())]
        # The links of a chain of composite modules, such as residual blocks, are blocks of their own; a chain
        # of single layers is one block.
        chain = isinstance(child, nn.Sequential) and own and all(list(part.children()) for part in own)
        if chain or isinstance(child, CONTAINERS):
            yield from _parts(child)
        elif list(child.parameters()):
            yield child
