"""The package as a stranger gets it: built from a copy of the sources, installed elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tests.support.declared import ROOT

HEAD = ("pyproject.toml", "README.md", "LICENSE", "plumbline")


def copy_sources(target: Path) -> Path:
    """Copy what a build needs, links as links, so that it leaves nothing in the repository."""
    target.mkdir()
    rooms = [link.name for link in (ROOT / "plumbline").iterdir() if link.is_symlink()]
    manifest = [name for name in ("MANIFEST.in",) if (ROOT / name).exists()]
    for name in (*HEAD, *rooms, *manifest):
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(source, target / name)
    return target


def build(kind: str, sources: Path, target: Path) -> Path:
    """Build a ``wheel`` or an ``sdist`` with the backend that pyproject.toml names."""
    target.mkdir(exist_ok=True)
    code = (
        "import sys; from setuptools import build_meta; "
        f"print(build_meta.build_{kind}(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(target)],
        cwd=sources,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target / done.stdout.splitlines()[-1]


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel alone into a new environment that borrows our dependencies; return its bin.

    The libraries come by a ``.pth`` file, after everything of the new environment. Ours is an
    editable install, whose own ``.pth`` files are not read there: what the wheel lacks is missing.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    ours = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    borrowed = Path(ours["purelib"]) / "borrowed.pth"
    borrowed.write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin"
