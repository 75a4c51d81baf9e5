"""Plumbline serves trading-signal models and keeps them honest.

Each room is a package of its own below this name: `plumbline.bundle`, `plumbline.store`,
`plumbline.diagnosis`, `plumbline.training`, `plumbline.service`, `plumbline.monitoring`,
`plumbline.drills`, `plumbline.cli`. In the repository they stand at the top, and this folder links
to them.
"""

from importlib.metadata import version

__version__ = version("plumbline")
