"""Adapting: which columns feed a stranger's graph, and what its outputs mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from onnx import helper

from plumbline.bundle.array import FloatArray
from plumbline.bundle.policies.side import SIDES
from plumbline.bundle.spec import InputSpec, OutputSpec
from plumbline.training.errors import ConfigError, ExportError
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.packing.graph import (
    DYNAMIC,
    FLOATS,
    Graph,
    GraphInput,
    GraphOutput,
    looks_like_probabilities,
)
from plumbline.training.packing.rows import LABEL, Rows
from plumbline.training.packing.spec import PackedInput, PackedOutput, PackSpec
from plumbline.training.packing.windows import Windows, whole_rows

_LOOK = 256
_TOLERANCE, _SHARE, _LEAST = 1e-5, 1e-3, 1e-9
"""How far apart two answers to a row may be; of small numbers, as returns are, a share of them."""


@dataclass(frozen=True)
class Adapted:
    """A graph in the form of a bundle's, with what it takes and gives.

    Attributes
    ----------
    graph
        ONNX.
    inputs, outputs
        For the manifest.
    opset
        Of the graph.
    """

    graph: bytes
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    opset: int


def adapt(data: bytes, spec: PackSpec, rows: Rows) -> Adapted:
    """Bring a graph into a bundle's form, and check that it still says the same.

    Parameters
    ----------
    data
        ONNX as its exporter wrote it.
    spec, rows
        What its owner says of it, and rows to see what it gives.

    Raises
    ------
    ConfigError, DataError, ExportError
        If description, columns and graph do not fit each other, or its batch is not really open;
        the message says what to change.
    """
    graph = Graph(data)
    reserved = {output.label or output.name for output in spec.outputs}
    if any(not output.label and not rows.has(output.name) for output in spec.outputs):
        reserved.add(LABEL)  # where its truth is looked for then
    described = {each.name: each for each in spec.inputs}
    if unknown := sorted(set(described) - {each.name for each in graph.inputs}):
        have = [each.name for each in graph.inputs]
        raise ConfigError(f"inputs: the graph takes {have}, it has no {unknown}")
    inputs = tuple(
        _input_spec(each, described.get(each.name), rows, reserved, alone=len(graph.inputs) == 1)
        for each in graph.inputs
    )
    some = Windows(inputs, rows).at(_first_rows(inputs, rows))
    plans = [_plan(graph, output, some, inputs) for output in spec.outputs]
    for given, made in zip(graph.inputs, inputs, strict=True):
        graph.take(given, made.name, made.shape, made.dtype)
    outputs = tuple(output for output, _ in plans)
    graph.give([(out.name, tensor, out.numbers) for out, tensor in plans])
    adapted = Adapted(graph.to_bytes(), inputs, outputs, graph.opset)
    _check_batch(adapted, some, rows_are_alone=not spec.is_cross_section)
    return adapted


def _first_rows(inputs: Sequence[InputSpec], rows: Rows) -> np.ndarray:
    """Return a few rows spread over all, whole moments first where that is the unit."""
    whole = whole_rows(inputs, rows)
    places = np.unique(np.linspace(0, len(whole) - 1, _LOOK).round().astype(int))
    return np.asarray(whole[places])


def _input_spec(
    given: GraphInput, said: PackedInput | None, rows: Rows, reserved: set[str], *, alone: bool
) -> InputSpec:
    *steps, width = given.shape
    columns = said.columns if said else ()
    if not columns:
        free = tuple(name for name in rows.names if name not in reserved)
        columns = free if alone else (given.name,)
    if width is not None and len(columns) != width:
        raise ConfigError(
            f"input {given.name!r} takes {width} columns, {len(columns)} are named: "
            f"{', '.join(columns[:12])}; name them in [[inputs]] columns, in the model's order"
        )
    if said and said.steps and steps[:1] not in ([], [None], [said.steps]):
        raise ConfigError(
            f"input {given.name!r} takes {steps[0]} steps, [[inputs]] steps says {said.steps}"
        )
    if said and said.steps and not steps:
        raise ConfigError(
            f"input {given.name!r} takes one row and no window: leave [[inputs]] steps out"
        )
    length = steps[0] if steps else None
    if steps and length is None:
        length = said.steps if said else None
        if length is None:
            raise ConfigError(
                f"input {given.name!r} leaves its number of steps open: say [[inputs]] steps"
            )
    shape = (len(columns),) if not steps else (int(length or 1), len(columns))
    return InputSpec(
        name=identifier(given.name),
        shape=shape,
        names=columns,
        source=said.source if said else "features",
        dtype="float64" if FLOATS.get(given.dtype) == "float64" else "float32",
        value=said.value if said else None,
    )


def identifier(name: str) -> str:
    """Return a graph's name as a manifest may hold it: ``input.1`` as ``input_1``."""
    plain = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:32]
    return plain if plain and plain[0].isalpha() else f"x_{plain}"[:32]


def _plan(
    graph: Graph,
    said: PackedOutput,
    some: Mapping[str, FloatArray],
    inputs: Sequence[InputSpec],
) -> tuple[OutputSpec, str]:
    """Decide what an output is, and return its specification and the tensor that holds it."""
    sources = [graph.output(name) for name in said.of] or [_only(graph, said, some, inputs)]
    values = _look(graph, [each.tensor for each in sources], some, inputs)
    rows = len(next(iter(some.values())))
    width = values[0].size // rows
    if said.kind == "choice":
        return _choice(graph, said, sources[0], values[0].reshape(rows, width))
    if said.kind == "value" and (len(sources) == 2 or width == 2 * said.members):
        return _spec(said, width=2), _pair(graph, said, [each.tensor for each in sources], values)
    if len(sources) != 1:
        raise ConfigError(
            f"output {said.name!r}: a {said.kind} is made of one graph output"
            + (", or of mean and deviation" if said.kind == "value" else "")
        )
    if width % said.members:
        raise ConfigError(
            f"output {said.name!r}: {width} numbers do not make {said.members} members"
        )
    return _spec(said, width=width // said.members), sources[0].tensor


def _pair(graph: Graph, said: PackedOutput, tensors: list[str], values: list[FloatArray]) -> str:
    """Return the tensor of means and standard deviations, given as two outputs or as one."""
    rows = len(values[0])
    sizes = [each.size // rows for each in values]
    if len(tensors) == 2 and sizes != [said.members] * 2:
        raise ConfigError(
            f"output {said.name!r}: {sizes[0]} means and {sizes[1]} deviations a row, expected "
            f"{said.members} of each, one for each member; make an output of each horizon"
        )
    spread = values[1] if len(values) == 2 else values[0].reshape(rows, said.members, 2)[..., 1]
    if not said.deviation.startswith("log") and (spread < 0).any():
        raise ConfigError(
            f"output {said.name!r}: its second number falls to {spread.min():.3g}, which is no "
            f"{said.deviation}: say deviation = 'log_std' or 'log_variance'"
        )
    name = f"pack.{said.name}"
    mean, deviation = tensors if len(tensors) == 2 else graph.halves(tensors[0], name)
    return graph.beside(mean, deviation, said.deviation, name)


def _choice(
    graph: Graph, said: PackedOutput, source: GraphOutput, values: FloatArray
) -> tuple[OutputSpec, str]:
    tensor, choices = source.tensor, said.choices or source.choices
    if set(choices) == set(source.choices) and choices != source.choices:
        raise ConfigError(
            f"output {said.name!r}: the graph names its choices {list(source.choices)}, the "
            f"specification {list(choices)}: name them in the graph's order, and positions so, too"
        )
    width = values.shape[1] // said.members
    single = width == 1 and said.members == 1
    if single:
        odds = said.form == "logits"
        if len(choices) not in {0, 2} or not (odds or ((values >= 0) & (values <= 1)).all()):
            raise ConfigError(
                f"output {said.name!r}: one number a row, which is no probability of one of two "
                f"choices (choices = {list(choices)}): say form = 'logits' if it is the log-odds "
                "of the second, or export probabilities or logits of each"
            )
        make = graph.against_zero if odds else graph.both_of
        tensor, width = make(tensor, f"pack.{said.name}"), 2
    if not choices:
        raise ConfigError(f"output {said.name!r}: name its {width} choices, in the graph's order")
    if len(choices) != width:
        raise ConfigError(
            f"output {said.name!r}: the graph gives {values.shape[1]} numbers a row, for "
            f"{said.members} members of {len(choices)} choices: {list(choices)}"
        )
    each = values.reshape(-1, max(width, 1)) if not single else values
    probable = single or looks_like_probabilities(each)
    if said.form == "probabilities" and not probable:
        raise ConfigError(
            f"output {said.name!r}: its rows are no probabilities: say form = 'logits'"
        )
    if probable and said.form != "logits":
        tensor = graph.log_of(tensor, f"pack.{said.name}.log")
    return _spec(said, width=width, choices=choices), tensor


def _spec(said: PackedOutput, *, width: int, choices: tuple[str, ...] = ()) -> OutputSpec:
    positions = said.positions
    if choices and not positions:
        positions = positions_of(choices, said.name)
    return OutputSpec(
        name=said.name,
        kind=said.kind,
        horizon_seconds=said.horizon,
        width=width,
        members=said.members,
        choices=choices,
        positions=positions,
    )


def positions_of(choices: Sequence[str], output: str) -> tuple[float, ...]:
    """Return what choices bet on, by their names if these say it, else evenly in their order.

    Exporters sort classes by name: BUY stands before SELL then.

    Raises
    ------
    ConfigError
        If a name says one thing and its place another.
    """
    named = [SIDES.get(choice.lower()) for choice in choices]
    if all(bet is not None for bet in named):
        return tuple(float(bet or 0) for bet in named)
    even = tuple(np.linspace(-1.0, 1.0, len(choices)).tolist())
    hints = [{SIDES[w] for w in re.split(r"[\W_]+", c.lower()) if w in SIDES} for c in choices]
    for choice, position, hint in zip(choices, even, hints, strict=True):
        if any(bet * position < 0 for bet in hint):
            raise ConfigError(
                f"output {output!r}: choice {choice!r} would bet on {position:+g} by its place "
                f"among {list(choices)}: say positions, what each bets on from -1 to 1"
            )
    return even


def _only(
    graph: Graph, said: PackedOutput, some: Mapping[str, FloatArray], inputs: Sequence[InputSpec]
) -> GraphOutput:
    """Return the one graph output this can be: of a classifier not the label, but what it is of."""
    if len(graph.outputs) == 1:
        return graph.outputs[0]
    by_name = [each for each in graph.outputs if each.name == said.name]
    if by_name:
        return by_name[0]
    values = _look(graph, [each.tensor for each in graph.outputs], some, inputs)
    fitting = [
        each
        for each, value in zip(graph.outputs, values, strict=True)
        if value.dtype.kind == "f" and (said.kind != "choice" or value.ndim > 1)
    ]
    if len(fitting) != 1:
        names = [each.name for each in graph.outputs]
        raise ConfigError(f"output {said.name!r}: say which of the graph's it is, from = {names}")
    return fitting[0]


def _look(
    graph: Graph,
    tensors: Sequence[str],
    some: Mapping[str, FloatArray],
    inputs: Sequence[InputSpec],
) -> list[Any]:
    """Run the graph as it came and return these tensors."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    given = {}
    for each, made in zip(graph.inputs, inputs, strict=True):
        values = some.get(made.name)
        if values is None:
            rows = len(next(iter(some.values())))
            values = np.tile(
                np.reshape(made.value or (), (1, *made.shape)), (rows, *[1] * len(made.shape))
            )
        given[each.name] = np.asarray(values).astype(_numpy(each.dtype))
    try:
        session = onnxruntime.InferenceSession(
            graph.tapped(tensors), options, providers=["CPUExecutionProvider"]
        )
        found: list[Any] = session.run(list(tensors), given)
    except Exception as error:
        raise ExportError(
            f"the graph cannot answer {len(next(iter(given.values())))} rows at once ({error}): "
            f"is its batch fixed at 1? {DYNAMIC}"
        ) from error
    return [np.asarray(each) for each in found]


def _numpy(dtype: int) -> Any:
    return helper.tensor_dtype_to_np_dtype(dtype)


def _check_batch(adapted: Adapted, some: Mapping[str, FloatArray], *, rows_are_alone: bool) -> None:
    """Refuse a graph whose rows see each other, or that answers one row alone otherwise.

    Raises
    ------
    ExportError
        With what to change in the export.
    """
    model = OnnxModel(adapted.graph, adapted.inputs, adapted.outputs)
    rows = min(5, len(next(iter(some.values()))))
    try:
        together = model({name: array[:rows] for name, array in some.items()})
        alone = [
            model({name: array[i : i + 1] for name, array in some.items()}) for i in range(rows)
        ]
    except Exception as error:
        raise ExportError(
            f"the graph answers one row and not {rows} ({error}): its batch is fixed; {DYNAMIC}"
        ) from error
    if not np.isfinite(together).all():
        raise ExportError("the graph gives numbers that are not finite for the reference rows")
    if not rows_are_alone:
        return
    apart = np.abs(together - np.concatenate(alone))
    begin = 0
    for made in adapted.outputs:
        own = slice(begin, begin := begin + made.numbers)
        worst = float(apart[:, own].max())
        largest = max(float(np.abs(together[:, own]).max()), _LEAST)
        if worst > min(_TOLERANCE * max(1.0, largest), _SHARE * largest):
            raise ExportError(
                f"output {made.name!r}: a row is answered otherwise alone than among others (by "
                f"{worst:.2g}): the batch is not open, or the model is in training mode; {DYNAMIC}"
            )
