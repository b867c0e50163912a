"""Pictures of text made from recipes: fonts, corpora, layout and painting with exact geometry.

    from synth import Recipe
    sample = Recipe.load("configs/synth/pure.yaml").render(7)

Names are loaded when first used, so that importing ``synth`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synth.recipe import Recipe, RecipeConfig
    from synth.sample import Caption, Region, Sample

__all__ = ["Caption", "Recipe", "RecipeConfig", "Region", "Sample"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'synth' has no attribute '{name}'")
    from synth import recipe, sample

    return getattr(recipe if name.startswith("Recipe") else sample, name)
