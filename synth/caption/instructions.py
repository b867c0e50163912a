"""Instructions for edits, in both languages: each says what to do, quotes texts exactly and names what it means."""

from __future__ import annotations

import numpy as np

from synth.caption.phrases import EFFECTS, PLACES_ZH, quoted
from synth.drawing.colors import Ground
from synth.language import CaptionLanguage, language_of
from synth.strategies.base import Change

SHAPES: dict[str, dict[CaptionLanguage, tuple[str, ...]]] = {
    "replace": {
        "en": (
            "Replace the text {before} with {after}.",
            "Change {before} to {after} and keep everything else as it is.",
            "Make the text that says {before} read {after} instead.",
            "The words {before} should become {after}.",
            "Swap {before} for {after}, in the same style and place.",
            "Edit the text: {before} becomes {after}.",
            "Where it says {before}, write {after}.",
            "Rewrite {before} as {after} without changing the rest of the picture.",
        ),
        "zh": (
            "把文字{before}替换成{after}。",
            "将{before}改为{after}，其余保持不变。",
            "请把{before}几个字换成{after}。",
            "图中写着{before}的地方改写成{after}。",
            "用同样的样式把{before}改成{after}。",
            "修改文字：{before}变为{after}。",
            "把{before}改写为{after}，不要改动其他内容。",
            "让原来的{before}变成{after}。",
        ),
    },
    "add": {
        "en": (
            "Add the text {after}{at}.",
            "Write {after} in {color}{at}.",
            "Put the {color} words {after}{at}.",
            "Insert {color} text that reads {after}{at}.",
            "Place {after}{at}, in {color}.",
            "Please add {after} to the picture{at}.",
            "The picture needs the text {after}{at}; write it in {color}.",
            "Letter {after} in {color}{at} and leave the rest alone.",
        ),
        "zh": (
            "{at}添加文字{after}。",
            "{at}用{color}写上{after}。",
            "{at}加上{color}的文字{after}。",
            "请{at}写上{after}，颜色为{color}。",
            "{at}插入一行{color}的字：{after}。",
            "给图片{at}加上{after}。",
            "{at}补上{color}的{after}，其余不变。",
            "请{at}放置文字{after}。",
        ),
    },
    "remove": {
        "en": (
            "Remove the text {before}.",
            "Erase {before} from the picture.",
            "Delete the words {before} and leave the rest untouched.",
            "Take {before} away.",
            "Clean the picture of the text {before}.",
            "The text {before} should disappear.",
            "Get rid of the {old} text {before}.",
            "Wipe out {before} without changing anything else.",
        ),
        "zh": (
            "删除文字{before}。",
            "把{before}从图中去掉。",
            "擦除{before}，其余保持不变。",
            "请移除图中的{before}。",
            "去掉{old}的文字{before}。",
            "让{before}这段文字消失。",
            "清除图片上的{before}。",
            "不要{before}这几个字。",
        ),
    },
    "recolor": {
        "en": (
            "Change the color of {before} to {color}.",
            "Make the text {before} {color}.",
            "Turn {before} from {old} to {color}.",
            "Recolor {before} in {color}.",
            "The {old} text {before} should be {color}.",
            "Paint the letters of {before} {color}.",
            "Keep the words {before} but write them in {color}.",
            "Set {before} in {color} instead of {old}.",
        ),
        "zh": (
            "把{before}的颜色改成{color}。",
            "将文字{before}变为{color}。",
            "把{old}的{before}改为{color}。",
            "用{color}重新写{before}。",
            "请把{before}几个字涂成{color}。",
            "文字{before}不变，颜色换成{color}。",
            "让{before}从{old}变成{color}。",
            "将{before}由{old}改成{color}。",
        ),
    },
    "restyle": {
        "en": (
            "Give the text {before} {effect}.",
            "Draw {before} with {effect}.",
            "Restyle {before}: add {effect}.",
            "The text {before} should have {effect}.",
            "Keep the words {before} and their color, but give them {effect}.",
            "Make {before} stand out with {effect}.",
            "Add {effect} to {before}.",
            "Put {effect} on the letters of {before}.",
        ),
        "zh": (
            "给文字{before}加上{effect}。",
            "让{before}带有{effect}。",
            "把{before}改成{effect}的样式。",
            "为{before}添加{effect}。",
            "文字{before}和颜色不变，加上{effect}。",
            "用{effect}突出{before}。",
            "请为{before}几个字加{effect}。",
            "将{before}设为{effect}效果。",
        ),
    },
    "move": {
        "en": (
            "Move the text {before} to the {place}.",
            "Put {before} at the {place} instead.",
            "Shift {before} to the {place} of the picture.",
            "The words {before} should stand at the {place}.",
            "Place {before} at the {place} and leave everything else.",
            "Bring {before} to the {place}.",
            "Take {before} and set it at the {place}.",
            "Relocate the text {before} to the {place}.",
        ),
        "zh": (
            "把文字{before}移到{place}。",
            "将{before}放到{place}。",
            "请把{before}挪到图片的{place}。",
            "让{before}出现在{place}。",
            "把{before}移动至{place}，其余不变。",
            "{before}应当放在{place}。",
            "将{before}几个字换到{place}。",
            "调整{before}的位置，放在{place}。",
        ),
    },
    "translate": {
        "en": (
            "Translate {before} into {tongue}.",
            "Write {before} in {tongue}: {after}.",
            "Replace {before} by its {tongue} translation.",
            "Put the text {before} into {tongue}, in the same place.",
            "Make {before} read in {tongue}.",
            "The text {before} should be in {tongue}.",
            "Turn {before} into {tongue}: {after}.",
            "Show {before} in {tongue} instead.",
        ),
        "zh": (
            "把{before}翻译成{tongue}。",
            "将{before}改成{tongue}{after}。",
            "用{tongue}写出{before}。",
            "把文字{before}换成{tongue}，位置不变。",
            "请将{before}译为{tongue}。",
            "让{before}以{tongue}显示。",
            "将图中的{before}翻译为{tongue}：{after}。",
            "{before}请改用{tongue}。",
        ),
    },
    "background": {
        "en": (
            "Change the background to {ground}.",
            "Make the background {ground} and keep the text.",
            "Replace the background with {ground}.",
            "The background should be {ground}.",
            "Turn the background {ground}.",
            "Use {ground} as the background instead.",
            "Keep every letter, but make the ground {ground}.",
            "Set the text on a background of {ground}.",
        ),
        "zh": (
            "把背景改成{ground}。",
            "将背景换为{ground}，文字不变。",
            "背景改用{ground}。",
            "让背景变成{ground}。",
            "请用{ground}作背景。",
            "保留全部文字，把底色换成{ground}。",
            "将底色改为{ground}。",
            "把文字放在{ground}的背景上。",
        ),
    },
    "reconstruct": {
        "en": (
            "Reproduce the picture exactly.",
            "Keep the picture as it is.",
            "Return the same picture.",
            "Change nothing.",
            "Make an exact copy of this picture.",
            "Leave everything as it is, including the text {before}.",
            "Draw the same picture again.",
            "Copy the image without any change.",
        ),
        "zh": (
            "原样复现这张图片。",
            "保持图片不变。",
            "输出同一张图片。",
            "不做任何修改。",
            "请完全复制这张图。",
            "所有内容保持原样，包括文字{before}。",
            "重新画出同样的图片。",
            "不加改动地复制图像。",
        ),
    },
}


def instruct(change: Change, language: CaptionLanguage, rng: np.random.Generator) -> str:
    """One instruction for the change."""
    shapes = SHAPES[change.operation][language]
    sentence = shapes[int(rng.integers(len(shapes)))].format(**_words(change, language)).strip()
    return sentence[:1].upper() + sentence[1:]


def _words(change: Change, language: CaptionLanguage) -> dict[str, str]:
    chinese = language == "zh"
    name = lambda color: "" if color is None else color.zh if chinese else color.en  # noqa: E731
    effect = EFFECTS[change.effect][1 if chinese else 0] if change.effect else ""
    to_chinese = language_of(change.after or "") == "zh"
    tongue = ("中文" if to_chinese else "英文") if chinese else ("Chinese" if to_chinese else "English")
    return {
        "before": quoted(change.before, language),
        "after": quoted(change.after, language),
        "old": name(change.color_before),
        "color": name(change.color_after),
        "effect": effect,
        "tongue": tongue,
        "place": _place(change.place, chinese),
        "at": _at(change.place, chinese),
        "ground": _ground(change.ground, chinese),
    }


def _place(place: str | None, chinese: bool) -> str:
    return "" if place is None else PLACES_ZH[place] if chinese else place


def _at(place: str | None, chinese: bool) -> str:
    if place is None:
        return "在图上" if chinese else ""
    if chinese:
        return f"在图片{PLACES_ZH[place]}"
    return " in the center" if place == "center" else f" at the {place}"


def _ground(ground: Ground | None, chinese: bool) -> str:
    if ground is None:
        return ""
    names = [c.zh if chinese else c.en for c in ground.colors]
    what = (
        names[0]
        if len(names) == 1
        else f"{names[0]}到{names[1]}的渐变"
        if chinese
        else f"a gradient from {names[0]} to {names[1]}"
    )
    return f"{what}的纸张" if ground.paper and chinese else f"{what} paper" if ground.paper else what
