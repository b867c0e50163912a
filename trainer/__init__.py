"""Curriculum order and training of Qwen-Image on a packed dataset.

For notebooks: ``from trainer import Order; Order.load("configs/train/quickstart.yaml", dataset).batch(step)``.
"""

from typing import Any

__all__ = ["Order"]


def __getattr__(name: str) -> Any:
    if name == "Order":
        from trainer.order.order import Order

        return Order
    raise AttributeError(f"module 'trainer' has no attribute '{name}'")
