"""What is trained: a sample to condition, latents and target, one file a task."""

from trainer.tasks.base import Task
from trainer.tasks.i2i import ImageToImage
from trainer.tasks.t2i import TextToImage
from trainer.tasks.ti2i import TextImageToImage

TASKS: dict[str, Task] = {task.name: task for task in (TextToImage(), TextImageToImage(), ImageToImage())}
"""Every task by its name in the manifest and in a mixture."""
