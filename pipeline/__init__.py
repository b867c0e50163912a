"""From sources to balanced shards: the sample schema, annotators, decisions, packing, reports.

For notebooks: ``from pipeline import scan, Dataset``. Both come lazily, so that importing this
package costs nothing.
"""

from typing import Any

__all__ = ["Dataset", "scan"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from pipeline import dataset

        return getattr(dataset, name)
    raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
