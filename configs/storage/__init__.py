"""Files in object stores, ``s3://bucket/run/...``, under the same names and methods as files on a disk.

    location("s3://b/r") ──> ObjectPath, a Path ──obstore──> one request for each look, read or write
    location("runs/r")   ──> Path

This is the one place that knows what a URL is. ``paths``: the path; ``client``: the connection and what its errors
mean; ``ranges``, ``spans``, ``cache``: reading parts of objects; ``writing``: objects that appear whole; ``fence``: who may
replace what; ``arguments``: of command lines.
"""

from configs.storage.client import StorageFailed
from configs.storage.config import StorageConfig, use_storage
from configs.storage.paths import ObjectPath, location

__all__ = ["ObjectPath", "StorageConfig", "StorageFailed", "location", "use_storage"]
