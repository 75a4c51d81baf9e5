"""Objects by key on any backend: the one place that knows obstore.

Keys are `/`-separated. Objects are never changed: `create` refuses a key that exists, which is the
only atomic primitive that local disk, memory and S3 have in common (compare-and-set is not
implemented for local files, so nothing is built on it).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, from_url

from plumbline.bundle.suggestion import nearest
from plumbline.store.disk import DurableFolder
from plumbline.store.errors import ConflictError, NotFoundError, StoreError

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Backend
    from obstore.store import RetryConfig

_KEY = re.compile(r"[\w.=+@:-]+(/[\w.=+@:-]+)*", re.ASCII)
_READERS = 8
_RETRY: RetryConfig = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
_memory: dict[str, MemoryStore] = {}


class Objects:
    """The objects under one store URL.

    Parameters
    ----------
    url
        ``file:///path``, ``memory://name`` (one per process and name), ``s3://bucket/prefix``,
        ``gs://…`` or ``az://…``; credentials come from the environment, as each cloud expects.
    create
        Make the folder of a ``file://`` store that is not there; whoever only reads does not, so
        that a mistyped store is said instead of found empty.

    Raises
    ------
    NotFoundError
        If the folder is not there and ``create`` is off.
    StoreError
        If the URL cannot be opened.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self.url = url
        parsed = urlparse(url)
        root = Path(unquote(parsed.path)) if parsed.scheme == "file" else None
        if root is not None and not create and not root.is_dir():
            raise NotFoundError(f"there is no store at {url}{_meant(root)}")
        self._disk = DurableFolder(root) if root else None
        self._backend = self._open(parsed.scheme, root)

    def _open(self, scheme: str, root: Path | None) -> Backend:
        try:
            if root is not None:
                root.mkdir(parents=True, exist_ok=True)
                return LocalStore(root)
            if scheme == "memory":
                return _memory.setdefault(self.url, MemoryStore())
            return from_url(self.url, retry_config=_RETRY)
        except (BaseError, OSError, ValueError) as error:
            raise StoreError(
                f"cannot open the store {self.url!r}: {_reason(error)}; "
                "expected file://, memory://, s3://, gs:// or az://"
            ) from error

    def create(self, key: str, data: bytes) -> None:
        """Write a new object; durable on return.

        Raises
        ------
        ConflictError
            If the key exists.
        StoreError
            If the backend failed.
        """
        try:
            if self._disk is not None:
                self._disk.create(_checked(key), data)
            else:
                obstore.put(self._backend, _checked(key), data, mode="create")
        except (AlreadyExistsError, FileExistsError) as error:
            raise ConflictError(f"{key} exists already") from error
        except (BaseError, OSError) as error:
            raise StoreError(f"cannot write {key}: {_reason(error)}") from error

    def read(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises
        ------
        NotFoundError
            If there is no such key.
        StoreError
            If the backend failed.
        """
        try:
            return bytes(obstore.get(self._backend, _checked(key)).bytes())
        except FileNotFoundError as error:
            self._require_there()
            raise NotFoundError(f"there is no {key} in {self.url}") from error
        except (BaseError, OSError) as error:
            raise StoreError(f"cannot read {key}: {_reason(error)}") from error

    def read_many(self, keys: Sequence[str]) -> list[bytes]:
        """Return the bytes of several objects, in order, fetched side by side; as `read`."""
        if len(keys) < 2:
            return [self.read(key) for key in keys]
        with ThreadPoolExecutor(min(len(keys), _READERS)) as pool:
            return list(pool.map(self.read, keys))

    def keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        """Return the keys below a prefix in lexical order, those after ``after`` alone if given."""
        try:
            pages = obstore.list(self._backend, prefix, offset=after)
            found = sorted(entry["path"] for page in pages for entry in page)
        except FileNotFoundError:
            found = []
        except (BaseError, OSError) as error:
            raise StoreError(f"cannot list {prefix}: {_reason(error)}") from error
        if not found:
            self._require_there()
        return found

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly below a prefix, sorted."""
        try:
            found = list(obstore.list_with_delimiter(self._backend, prefix)["common_prefixes"])
        except FileNotFoundError:
            found = []
        except (BaseError, OSError) as error:
            raise StoreError(f"cannot list {prefix}: {_reason(error)}") from error
        if not found:
            self._require_there()
        return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in found)

    def delete(self, key: str) -> None:
        """Remove an object; used for retention alone."""
        try:
            obstore.delete(self._backend, key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise StoreError(f"cannot delete {key}: {_reason(error)}") from error

    def _require_there(self) -> None:
        """Tell a folder that holds nothing from one that is not there: a disk that was unmounted.

        Raises
        ------
        StoreError
            If the folder of a ``file://`` store is away.
        """
        if self._disk is not None and not self._disk.exists():
            raise StoreError(f"the store {self.url} is away: its folder is not there")


def _meant(root: Path) -> str:
    """Say which folder beside a missing one was probably meant, and what makes a store."""
    beside = [path.name for path in root.parent.glob("*/")] if root.parent.is_dir() else []
    near = nearest(root.name, beside)
    if near is not None:
        return f": did you mean {root.with_name(near).as_uri()}?"
    return "; `plumbline train` makes one, so does `plumbline pack`; --store names another"


def _reason(error: Exception) -> str:
    """Return what a backend said, without its dump of internals."""
    return str(error).partition("\n\nDebug source")[0]


def _checked(key: str) -> str:
    """Return a key that means the same on every backend; names never climb out of the store."""
    if not _KEY.fullmatch(key) or {".", ".."} & set(key.split("/")):
        raise StoreError(f"{key!r} is no key: expected letters, digits and ._=+@:- between slashes")
    return key
