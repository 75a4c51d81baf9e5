"""`plumbline pack`: a model that somebody else trained becomes a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli.output import JsonOption, StoreOption
from plumbline.cli.train import PromoteOption, finish, reporting


def pack(
    store: StoreOption,
    spec: Annotated[
        Path, typer.Option(help="What it takes and gives: a TOML file, see docs/bring-your-own.md.")
    ],
    reference: Annotated[
        Path,
        typer.Option(help="Rows it answers in health: .parquet or .csv with time and its columns."),
    ],
    onnx: Annotated[Path | None, typer.Option(help="The model as ONNX.")] = None,
    torchscript: Annotated[
        Path | None, typer.Option(help="Or as TorchScript, which is converted; it is run to do so.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="What came of the rows: time, symbol, and a column per output."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Name of the model; by default the specification's.")
    ] = None,
    promote: PromoteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a bundle of a model of any origin: calibrated, measured, judged by the same gate.

    With outcomes (a column of the reference, or --labels) it is calibrated on the older 40 % of the
    rows and judged on the rest. Exit 1 if the gate refuses it; the bundle is kept then.
    """
    from plumbline.store.objects import Objects
    from plumbline.training.packing.graph import read_graph
    from plumbline.training.packing.pack import pack as run
    from plumbline.training.packing.spec import PackSpec

    if (onnx is None) is (torchscript is None):
        raise typer.BadParameter("give the model: either --onnx or --torchscript")
    with reporting() as report:
        said = PackSpec.read(spec)
        graph = b""
        if torchscript is not None:
            from plumbline.training.packing.torchscript import convert_torchscript

            graph = convert_torchscript(torchscript, said, reference)
        elif onnx is not None:
            graph = read_graph(onnx)
        result = run(
            Objects(store),
            graph,
            said,
            reference=reference,
            labels=labels,
            model=model,
            promote=promote,
            progress=report,
        )
    finish(result, as_json, model=model or said.name)
