"""How object stores are reached: the field ``storage`` of a config, or the file behind ``--storage``.

One command has one of them. A path carries it to other processes when it is pickled (``paths.py``).
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class StorageConfig:
    """``endpoint``: URL of a store that is not Amazon's own; ``region``: of its buckets.

    ``credentials``: a file with the keys in the form of ``~/.aws/credentials``, ``profile``: which section of it; for
    ``gs://`` the JSON of a service account. Without one, the standard chain of the object-store library decides: the
    vendor's own variables, then the identity of the machine or pod. ``anonymous``: ask without signing. ``retry_s``:
    seconds for which a request that may yet go well is tried again. ``timeout_s``: without a byte after which a request
    counts as failed. ``requests``: at the same time, of one process. ``cache``, ``cache_gigabytes`` (10^9): where a
    training keeps pictures and texts that it read, and how many at most, all processes of a machine together; null is
    ``~/.cache/glyphmill/objects``, 0 keeps none.
    """

    endpoint: str | None = None
    region: str | None = None
    credentials: str | None = None
    profile: str = "default"
    anonymous: bool = False
    retry_s: float = 120.0  # chosen: longer than a store's usual throttling
    timeout_s: float = 60.0  # chosen
    requests: int = 16  # chosen
    cache: str | None = None
    cache_gigabytes: float = 20.0  # chosen

    def __post_init__(self) -> None:
        if self.endpoint is not None and not self.endpoint.startswith(("http://", "https://")):
            raise ValueError(f"field 'endpoint': expected http:// or https://, found '{self.endpoint}'")
        if self.anonymous and self.credentials:
            raise ValueError("field 'anonymous': asks without credentials, and 'credentials' names some")
        for name in ("retry_s", "timeout_s", "requests"):
            if not getattr(self, name) > 0:
                raise ValueError(f"field '{name}': must be above 0, found {getattr(self, name)}")
        if self.cache_gigabytes < 0:
            raise ValueError(f"field 'cache_gigabytes': must be at least 0, found {self.cache_gigabytes}")


_used = StorageConfig()


def use_storage(config: StorageConfig) -> None:
    """From now on this process reaches object stores so, and others to which it sends paths, whatever folder they are in."""
    global _used
    paths = {name: os.path.abspath(path) for name in ("credentials", "cache") if (path := getattr(config, name))}
    _used = dataclasses.replace(config, **paths)


def storage_in_use() -> StorageConfig:
    return _used
