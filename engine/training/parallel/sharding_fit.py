"""Models made fit for FSDP2: scalars, several types in one block, blocks that write to their inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_map_only

from ..errors import TrainingError
from ..optimizer import layers_with_sparse_gradients


class AsScalar(nn.Module):
    """A parameter of one element that a module sees as a scalar."""

    def forward(self, element: Tensor) -> Tensor:
        """Return the scalar."""
        return element.reshape(())

    def right_inverse(self, scalar: Tensor) -> Tensor:
        """Return the parameter that is kept in its place."""
        return scalar.reshape(1)


def give_scalars_a_dimension(model: nn.Module) -> None:
    """Keep each scalar parameter as a vector of one element, which can be sharded."""
    kept: dict[nn.Parameter, nn.Parameter] = {}
    scalars = [
        (module, name, parameter)
        for module in model.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if not parameter.dim()
    ]
    for module, name, parameter in scalars:
        trained = parameter.requires_grad
        parametrize.register_parametrization(module, name, AsScalar())
        parametrizations: Any = module.parametrizations
        holder = parametrizations[name]
        holder.original.requires_grad_(trained)
        # Modules that shared it still do.
        holder.original = kept.setdefault(parameter, holder.original)


def refuse_sparse_gradients(model: nn.Module) -> None:
    """Raise TrainingError if a layer makes sparse gradients, which FSDP cannot reduce."""
    for name in layers_with_sparse_gradients(model):
        raise TrainingError(
            f"fsdp cannot reduce sparse gradients, which the layer {name} makes: build it with "
            "sparse=False, or leave fsdp out"
        )


def parts_of_other_types(unit: nn.Module, units: Sequence[nn.Module]) -> list[nn.Module]:
    """Return the parts of a unit whose parameters are of another type than most of its own.

    FSDP gathers parameters of one type together. `units` are all that it will gather by themselves. Raises
    TrainingError where a single module holds trained parameters of several types.
    """
    elements: Counter[torch.dtype] = Counter()
    for parameter in _own_parameters(unit, units):
        elements[parameter.dtype] += parameter.numel()
    if len(elements) < 2:
        return []
    (most, _), *_ = elements.most_common()
    found = list(_uniform_parts(unit, most, units))
    rest = {parameter.dtype for parameter in _own_parameters(unit, [*units, *found])}
    if len(rest) > 1:
        names = " and ".join(sorted(str(dtype).removeprefix("torch.") for dtype in rest))
        raise TrainingError(
            f"fsdp gathers parameters of one type together, and {type(unit).__name__} has {names} itself: "
            "put those of one type into a module of their own, or give all the same type"
        )
    return found


def _own_parameters(unit: nn.Module, units: Sequence[nn.Module]) -> Iterator[nn.Parameter]:
    """Yield the parameters of a unit that belong to none of the others within it."""
    yield from unit.parameters(recurse=False)
    for child in unit.children():
        if not any(child is other for other in units):
            yield from _own_parameters(child, units)


def _uniform_parts(module: nn.Module, most: torch.dtype, units: Sequence[nn.Module]) -> Iterator[nn.Module]:
    for child in module.children():
        types = {parameter.dtype for parameter in _own_parameters(child, units)}
        if any(child is other for other in units) or types <= {most}:
            continue
        if len(types) == 1:
            yield child
        else:
            yield from _uniform_parts(child, most, units)


class _Alias(torch.autograd.Function):
    """The same memory as a tensor that autograd does not take for a view of it."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:  # noqa: ARG004 (passed by torch)
        return tensor.detach()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004
        return gradient


class WrittenInputs:
    """Lets a block write to its inputs, which FSDP passes to it as views that must not be changed.

    A block whose first pass changes none of them goes without from then on.
    """

    def __init__(self, block: nn.Module) -> None:
        """Register the hooks; those of FSDP must be there already."""
        self._seen: list[tuple[Tensor, int]] | None = []
        """Inputs of the first pass with their versions; None once it is over."""
        self._before = block.register_forward_pre_hook(self._give_aliases, with_kwargs=True)
        self._after = block.register_forward_hook(self._look)

    def _give_aliases(self, _: nn.Module, inputs: Any, named: Any) -> Any:
        return tree_map_only(Tensor, self._alias, (inputs, named)) if torch.is_grad_enabled() else None

    def _alias(self, tensor: Tensor) -> Tensor:
        if not tensor.requires_grad:
            return tensor
        if self._seen is not None:
            self._seen.append((tensor, tensor._version))
        alias: Tensor = _Alias.apply(tensor)  # type: ignore[no-untyped-call]
        return alias

    def _look(self, *_: object) -> None:
        if not torch.is_grad_enabled() or self._seen is None:
            return
        if all(tensor._version == version for tensor, version in self._seen):
            self._before.remove()
        self._after.remove()
        self._seen = None


def reduce_unused_parameters(model: nn.Module) -> None:
    """Have FSDP reduce zeros for parameters that a rank has not used, where torch can: others may have."""
    for module in model.modules():
        reduce = getattr(module, "set_reduce_scatter_unused_params", None)
        if isinstance(module, FSDPModule) and reduce is None:
            print(f"torch {torch.__version__} trains with fsdp only if all ranks use the same parameters")
            return
        if reduce is not None:
            reduce(True)
