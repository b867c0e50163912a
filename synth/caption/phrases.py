"""Phrases that captions and instructions share, in both languages."""

from __future__ import annotations

from synth.language import CaptionLanguage

EFFECTS: dict[str, tuple[str, str]] = {
    "stroke": ("an outline", "描边"),
    "hollow": ("hollow letters", "空心"),
    "shadow": ("a drop shadow", "阴影"),
    "glow": ("a glow", "发光"),
}
PLACES_ZH = {
    "top left": "左上角",
    "top": "顶部",
    "top right": "右上角",
    "left": "左侧",
    "center": "中央",
    "right": "右侧",
    "bottom left": "左下角",
    "bottom": "底部",
    "bottom right": "右下角",
}


def quoted(text: str | None, language: CaptionLanguage) -> str:
    """The text between quotation marks that it does not hold itself."""
    if text is None:
        return ""
    marks = ("“”", "「」", "《》") if language == "zh" else ('""', "“”", "«»")
    free = next((m for m in marks if not set(m) & set(text)), marks[0])
    return f"{free[0]}{text}{free[-1]}"


PLACES: dict[str, tuple[str, str, str]] = {
    "top left": ("in the upper left corner", "左上角", "图片左上角"),
    "top": ("at the top", "上方", "图片上方"),
    "top right": ("in the upper right corner", "右上角", "图片右上角"),
    "left": ("on the left", "左侧", "图片左侧"),
    "center": ("in the middle", "中央", "图片中央"),
    "right": ("on the right", "右侧", "图片右侧"),
    "bottom left": ("in the lower left corner", "左下角", "图片左下角"),
    "bottom": ("at the bottom", "下方", "图片下方"),
    "bottom right": ("in the lower right corner", "右下角", "图片右下角"),
}


WAYS = {"vertical": ("from top to bottom", "竖着"), "curved": ("along a curve", "沿弧线")}
FACES = {
    "handwriting": ("handwritten", "手写"),
    "serif": ("serif", "衬线"),
    "sans": ("sans-serif", "无衬线"),
    "mono": ("monospaced", "等宽"),
    "display": ("decorative", "装饰"),
}
SIZES = {"large": ("large", "大号"), "small": ("small", "小号")}
TONGUES = {"zh": ("Chinese", "中文"), "en": ("English", "英文")}
BODIES = {
    "paragraphs": ("column of paragraphs", "若干段落"),
    "bullets": ("bulleted list", "项目符号列表"),
    "numbers": ("numbered list", "编号列表"),
}
VERBS: dict[str, tuple[str, str]] = {
    "sheet of paper": ("written", "写着"),
    "sticky note": ("written", "写着"),
    "wooden board": ("painted", "漆着"),
    "chalkboard": ("chalked", "用粉笔写着"),
    "shop sign": ("painted", "写着"),
    "street sign": ("lettered", "标着"),
    "screen": ("displayed", "显示着"),
    "poster": ("printed", "印着"),
    "banner": ("printed", "印着"),
    "cardboard sign": ("written", "写着"),
}
CLASSIFIERS = {
    "screen": "一块",
    "shop sign": "一块",
    "street sign": "一块",
    "wooden board": "一块",
    "chalkboard": "一块",
}


NUMBERS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS_ZH = ("", "一", "两", "三", "四", "五", "六", "七", "八", "九", "十")
