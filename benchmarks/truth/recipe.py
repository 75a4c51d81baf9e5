"""What each market is made of: which bars, which model."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from plumbline.training.config import Experiment

HOUR, DAY = 3_600, 86_400
_SMALL = {"width": 32, "heads": 2, "layers": 1, "hidden": 64, "dropout": 0.1}


@dataclass(frozen=True)
class Recipe:
    """One market, as a configuration.

    Attributes
    ----------
    name
        Of the market.
    says
        In words: bars and model.
    file
        Of the folder of data; none for the data set that comes with a package.
    symbols
        To be used.
    sections
        Of the experiment, beside those all have.
    adjusted
        Whether prices are multiplied with their factor first.
    """

    name: str
    says: str
    file: str | None
    symbols: tuple[str, ...]
    sections: dict[str, Any]
    seconds: int = HOUR
    adjusted: bool = False
    data: dict[str, Any] = field(default_factory=dict)

    def experiment(self, folder: Path | None, cache: Path) -> Experiment:
        """Return the experiment; raises `FileNotFoundError` if the bars are not there."""
        source: dict[str, Any] = {"source": "eurusd-1h"}
        if self.file is not None:
            path = (folder or Path("no-data")) / self.file
            if folder is None or not path.exists():
                raise FileNotFoundError(
                    f"{self.name}: expected bars at {path}: say where the data lie with --data "
                    "or PLUMBLINE_DATA, or choose other markets"
                )
            path = _adjusted(path, self.symbols, cache) if self.adjusted else path
            source = {"source": str(path)}
            source |= {"symbol": self.symbols[0]} if len(self.symbols) == 1 else {}
            source |= {"symbols": self.symbols} if len(self.symbols) > 1 else {}
        plain: dict[str, Any] = {
            "seed": 0,
            "window_length": 24,
            "data": source | self.data,
            "features": {"kind": "multi_scale", "parameters": {"widths": [4, 8, 16, 48]}},
            "split": {
                "train": 0.40,
                "calibration": 0.12,
                "validation": 0.16,
                "test": 0.32,
                "embargo_seconds": 24 * self.seconds,
            },
            "family": {"kind": "tfa", "parameters": _SMALL},
            "fit": {"epochs": 5, "patience": 3, "batch_size": 256, "threads": 1},
        }
        return Experiment.model_validate(plain | self.sections)


def data_folder(given: str | None) -> Path | None:
    """Return where the data lie: as given, or as ``PLUMBLINE_DATA`` says."""
    chosen = given or os.environ.get("PLUMBLINE_DATA")
    return Path(chosen) if chosen else None


def _adjusted(path: Path, symbols: tuple[str, ...], cache: Path) -> Path:
    """Write the bars of these symbols with adjusted prices, and return where."""
    made = cache / f"adjusted-{len(symbols) or 'plausible'}-{path.name}"
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        chosen = [("symbol", "in", list(symbols))] if symbols else None
        table = pq.read_table(path, filters=chosen)
        factor = table["adj_factor"]
        for name in ("open", "high", "low", "close"):
            moved = pc.multiply(table[name], factor)
            table = table.set_column(table.schema.get_field_index(name), name, moved)
        table = table.set_column(
            table.schema.get_field_index("volume"),
            "volume",
            pc.cast(table["volume"], pa.float64()),
        )
        table = table if symbols else _plausible(table)
        pq.write_table(table.drop_columns(["adj_factor"]), made)
    return made


def _plausible(table: pa.Table) -> pa.Table:
    """Leave out symbols with a price beyond twice, or below half, of the bar before.

    Among the shares of an index those are wrong factors and spikes, which training refuses.
    """
    bad = set()
    symbol = np.array(table["symbol"].to_pylist())
    logs = {name: np.log(table[name].to_numpy()) for name in ("high", "low", "close")}
    for one in np.unique(symbol):
        own = {name: values[symbol == one] for name, values in logs.items()}
        before = own["close"][:-1]
        step = max(float(np.abs(each[1:] - before).max(initial=0.0)) for each in own.values())
        if step > np.log(2.0):
            bad.add(str(one))
    return table.filter(pc.invert(pc.is_in(table["symbol"], pa.array(sorted(bad), pa.string()))))


def _forward(hours: float, threshold: float) -> dict[str, Any]:
    parameters = {"horizon_seconds": int(hours * HOUR), "threshold": threshold}
    return {"label": {"kind": "forward_return", "parameters": parameters}}


_WIDE = {"width": 64, "heads": 4, "layers": 1, "hidden": 128, "dropout": 0.2}
_COINS = "ADA APT AR ATOM BCH BNB BTC DOGE DOT ETH FIL ICP INJ LINK LTC NEAR OP SOL TRX XRP"
_PERPS = tuple(f"{coin}USDT" for coin in _COINS.split(" "))
_SHARES = (
    "AAPL AXP BA BAC CAT CL COST CSCO CVX DD DIS F FDX GE GILD HD HON IBM JNJ JPM KO LLY LOW MCD "
    "MMM MO MRK NKE ORCL PEP PFE PG PNC T TGT TRV VZ WFC WMT XOM"
)
NAMES_OF_INDEX = tuple(_SHARES.split(" "))

RECIPES = {
    each.name: each
    for each in (
        Recipe(
            "eurusd-1h",
            "EUR/USD, 1 h, of a package; three classes of 31 columns",
            None,
            ("EURUSD",),
            {
                **_forward(6, 0.00166),
                "window_length": 32,
                "features": {"kind": "intraday_31"},
                "family": {"kind": "tfa", "parameters": _WIDE},
                "fit": {"epochs": 8, "patience": 3, "batch_size": 256, "threads": 1},
                "policy": {"kind": "argmax", "parameters": {"tau": 1.0}},
            },
            data={"mirror": True},
        ),
        Recipe(
            "btc-1h",
            "BTC/USDT, 1 h; three classes of 31 columns",
            "btc_usdt_1h.parquet",
            ("BTC/USDT",),
            {
                **_forward(6, 0.01),
                "window_length": 32,
                "features": {"kind": "intraday_31"},
                "family": {"kind": "tfa", "parameters": _WIDE},
                "policy": {"kind": "argmax", "parameters": {"tau": 1.0}},
            },
            data={"mirror": True, "max_bars": 45_000},
        ),
        Recipe(
            "crypto-5min",
            "BTC/USDT, 5 min; returns over four horizons, mean and deviation",
            "crypto_spot_5min_2024.parquet",
            ("BTC/USDT",),
            {
                "label": {
                    "kind": "returns",
                    "parameters": {"horizons_seconds": [3_600, 900, 7_200, 14_400]},
                },
                "features": {"kind": "multi_scale", "parameters": {"widths": [5, 10, 20, 40, 80]}},
                "fit": {"epochs": 3, "patience": 3, "batch_size": 256, "threads": 1},
            },
            seconds=300,
            data={"max_bars": 50_000},
        ),
        Recipe(
            "spy-1min",
            "SPY, 1 min; three classes, an ensemble of two",
            "spy_1min.parquet",
            ("SPY",),
            {
                **_forward(1 / 6, 0.0006),
                "family": {"kind": "ensemble", "parameters": {"partners": 2, "each": _SMALL}},
                "fit": {"epochs": 3, "patience": 3, "batch_size": 256, "threads": 1},
                "policy": {"kind": "argmax", "parameters": {"tau": 1.0}},
            },
            seconds=60,
            data={"max_bars": 60_000},
        ),
        Recipe(
            "sp500-daily",
            "40 shares, 1 day, as one cross-section; a score",
            "sp500_daily_2001_2018.parquet",
            NAMES_OF_INDEX,
            {
                "label": {"kind": "cross_section", "parameters": {"horizon_bars": 5}},
                "window_length": 8,
                "fit": {"epochs": 3, "patience": 3, "batch_size": 240, "threads": 1},
            },
            seconds=DAY,
            adjusted=True,
        ),
        Recipe(
            "perps-1h",
            "20 perpetuals, 1 h, interleaved; three classes",
            "crypto_perp_1h_2023_2025.parquet",
            _PERPS,
            {
                **_forward(6, 0.012),
                "window_length": 16,
                "fit": {"epochs": 3, "patience": 3, "batch_size": 512, "threads": 1},
                "policy": {"kind": "argmax", "parameters": {"tau": 1.0}},
            },
            data={"max_bars": 9_000},
        ),
    )
}


def _long(name: str, says: str, file: str, symbols: tuple[str, ...], **rest: Any) -> Recipe:
    """Return a recipe that holds out nearly half of its bars."""
    seconds = rest.pop("seconds", HOUR)
    split = {
        "train": 0.34,
        "calibration": 0.08,
        "validation": 0.12,
        "test": 0.46,
        "embargo_seconds": 24 * seconds,
    }
    sections = {
        "window_length": 16,
        "split": split,
        "fit": {"epochs": 2, "patience": 2, "batch_size": 512, "threads": 1},
        "policy": {"kind": "argmax", "parameters": {"tau": 1.0}},
    } | rest.pop("sections")
    return Recipe(name, says, file, symbols, sections, seconds=seconds, **rest)


SOUND = (
    _long(
        "sound-btc-1h",
        "BTC/USDT, 1 h, 2017-2026",
        "btc_usdt_1h.parquet",
        ("BTC/USDT",),
        sections={**_forward(6, 0.01), "features": {"kind": "intraday_31"}},
    ),
    _long(
        "sound-perps-1h",
        "20 perpetuals, 1 h, 2023-2025",
        "crypto_perp_1h_2023_2025.parquet",
        _PERPS,
        sections=_forward(6, 0.012),
    ),
    _long(
        "sound-spot-1h",
        "60 pairs, 1 h, 2024",
        "crypto_spot_1h_2024.parquet",
        (),
        sections=_forward(6, 0.012),
    ),
    _long(
        "sound-spot-5min",
        "BTC, ETH and SOL, 5 min, 2024",
        "crypto_spot_5min_2024.parquet",
        (),
        seconds=300,
        sections=_forward(1, 0.004),
    ),
    _long(
        "sound-spy-1min",
        "SPY, 1 min, 2024-2025",
        "spy_1min.parquet",
        ("SPY",),
        seconds=60,
        sections=_forward(1 / 6, 0.0006),
    ),
    _long(
        "sound-etf-1min",
        "TQQQ, SQQQ, SSO and SDS, 1 min, 2025",
        "etf_1min_2025.parquet",
        (),
        seconds=60,
        sections=_forward(1 / 6, 0.0015),
    ),
    _long(
        "sound-shares-1h",
        "SPY, BAC and IBM, 1 h, 1998-2018 (the other two of the file have spikes)",
        "us_equity_1h_1998_2018.parquet",
        ("SPY", "BAC", "IBM"),
        adjusted=True,
        sections=_forward(3, 0.006),
    ),
    _long(
        "sound-sp500-daily",
        "the shares of an index, 1 day, as cross-sections, 2001-2018",
        "sp500_daily_2001_2018.parquet",
        (),
        seconds=DAY,
        adjusted=True,
        sections={
            "label": {"kind": "cross_section", "parameters": {"horizon_bars": 5}},
            "window_length": 8,
            "policy": {"kind": "rank", "parameters": {}},
        },
    ),
)
"""Sound streams, for counting false accusations."""
