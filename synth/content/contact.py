"""What stands on cards, parcels and forms: names, companies, addresses, phone numbers, e-mail and web addresses.

All of it is invented by Faker (MIT) from lists of its own; its e-mail addresses lie in reserved domains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from configs.errors import UserError
from synth.choice import choose_key
from synth.content.base import Content, ContentRequest, Text, both
from synth.language import CaptionLanguage, language_of

if TYPE_CHECKING:
    from faker import Faker

Form = Literal["name", "company", "address", "phone_number", "email", "url", "job"]
_LOCALES: dict[CaptionLanguage, str] = {"zh": "zh_CN", "en": "en_US"}


@dataclass(frozen=True, kw_only=True)
class Contact(Content):
    """One line of the kind that cards and forms carry."""

    kind: Literal["contact"]
    languages: dict[CaptionLanguage, float] = field(default_factory=both)
    forms: dict[Form, float] = field(
        default_factory=lambda: dict.fromkeys(
            ("name", "company", "address", "phone_number", "email", "url", "job"), 1.0
        )
    )

    @property
    def packages(self) -> tuple[str, ...]:
        return (*super().packages, "Faker")

    def draw(self, request: ContentRequest) -> Text:
        language = choose_key(request.rng, self.languages)
        fake = _faker(language)
        form = choose_key(request.rng, self.forms)
        fake.seed_instance(int(request.rng.integers(2**63)))
        text = _ADDRESSES[language](fake) if form == "address" else str(getattr(fake, form)())
        return Text(text, language_of(text), "line", "Faker")


def _american_address(fake: Faker) -> str:
    """One line; Faker's own addresses have postal codes of other states."""
    state = fake.state_abbr(include_territories=False, include_freely_associated_states=False)
    return f"{fake.street_address()}, {fake.city()}, {state} {fake.zipcode_in_state(state)}"


def _chinese_address(fake: Faker) -> str:
    """One line; Faker's own addresses have towns of other provinces."""
    code, city, districts = _CITIES[fake.random_int(0, len(_CITIES) - 1)]
    district = fake.random_element(districts.split())
    number, house, flat = fake.random_int(1, 300), fake.random_int(1, 20), 100 * fake.random_int(1, 18)
    street = f"{city}{district}区{fake.random_element(_STREETS.split())}路{number}号"
    within = fake.random_element(["", f"{house}号楼{flat + fake.random_int(1, 4)}室"])
    return f"{street}{within} {code}{fake.random_int(0, 99):02}"


_ADDRESSES: dict[CaptionLanguage, Callable[[Faker], str]] = {"zh": _chinese_address, "en": _american_address}
_STREETS = "人民 中山 解放 和平 建设 文化 青年 新华 光明 学府 长江 黄河 友谊 环城 滨河"
_CITIES = (
    ("1000", "北京市", "东城 西城 海淀 朝阳"),
    ("2000", "上海市", "黄浦 徐汇 静安 虹口"),
    ("3000", "天津市", "和平 河西 南开"),
    ("4000", "重庆市", "渝中 江北 沙坪坝"),
    ("0500", "河北省石家庄市", "长安 桥西 新华"),
    ("0300", "山西省太原市", "小店 迎泽 杏花岭"),
    ("1100", "辽宁省沈阳市", "和平 沈河 皇姑"),
    ("1300", "吉林省长春市", "南关 宽城 朝阳"),
    ("1500", "黑龙江省哈尔滨市", "道里 南岗 香坊"),
    ("2100", "江苏省南京市", "玄武 秦淮 鼓楼"),
    ("3100", "浙江省杭州市", "上城 拱墅 西湖"),
    ("2300", "安徽省合肥市", "庐阳 蜀山 包河"),
    ("3500", "福建省福州市", "鼓楼 台江 仓山"),
    ("3300", "江西省南昌市", "东湖 西湖 青云谱"),
    ("2500", "山东省济南市", "历下 市中 槐荫"),
    ("4500", "河南省郑州市", "中原 二七 金水"),
    ("4300", "湖北省武汉市", "江岸 武昌 洪山"),
    ("4100", "湖南省长沙市", "芙蓉 天心 岳麓"),
    ("5100", "广东省广州市", "越秀 海珠 天河"),
    ("5700", "海南省海口市", "秀英 龙华 美兰"),
    ("6100", "四川省成都市", "锦江 青羊 武侯"),
    ("5500", "贵州省贵阳市", "南明 云岩 观山湖"),
    ("6500", "云南省昆明市", "五华 盘龙 官渡"),
    ("7100", "陕西省西安市", "碑林 莲湖 雁塔"),
    ("7300", "甘肃省兰州市", "城关 七里河 安宁"),
    ("7500", "宁夏回族自治区银川市", "兴庆 金凤 西夏"),
)
"""The beginning of its postal codes, a city, and districts (区) of it; names of streets that every city has."""


@lru_cache(maxsize=2)
def _faker(language: CaptionLanguage) -> Faker:
    try:
        from faker import Faker
    except ImportError:
        raise UserError(
            "contents of kind contact are invented by the package Faker; install it: pip install Faker"
        ) from None
    return Faker(_LOCALES[language])
