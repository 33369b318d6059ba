"""The Malay room: everything about the language that needs no model.

| module | what it does | ask it for |
|---|---|---|
| `shortforms` | short forms and bahasa pasar to standard words, and back | `normalise(text).restore()` |
| `affixes` | prefixes, suffixes, reduplication: make and take apart | `attach("sapu", "meN")`, `analyse("pentadbiran")` |
| `classifiers` | penjodoh bilangan, and where a text has the wrong one | `classifier_for("pisau")`, `check(text)` |
| `register` | names, titles, forms of address; how formal a text is | `parse_name(...)`, `greeting(...)`, `register.register(text)` |
| `purity` | how Malaysian a text is, against Indonesian | `purity.purity(text)` |
| `jawi` | Rumi to Jawi, with what is certain and what is a guess | `to_jawi(text)` |
| `quantities` | ringgit, lengths of time, years | `find_amounts(text)`, `find_durations(text)`, `find_years(text)` |
| `dates` | dates and percentages | `find_dates(text)`, `find_percentages(text)` |
| `identifiers`, `addresses` | MyKad, telephone, registration and account numbers; postal addresses | `identifiers.find_mykads(text)`, … |

The words stand in `data/`, written for the kit: roots, short forms, nouns with their classifiers, titles, cues of registers, Jawi
spellings, contrasts with Indonesian. The functions in the last column can be imported from here (`from helpers.malay import
normalise`); those with the name of their module (`purity`, `register`) come from it. Importing this package loads nothing.
"""

import importlib

# name → module; looked up when it is asked for
_HOMES = {
    "normalise": "shortforms",
    "attach": "affixes",
    "analyse": "affixes",
    "is_root": "affixes",
    "classifier_for": "classifiers",
    "check": "classifiers",
    "parse_name": "register",
    "greeting": "register",
    "to_jawi": "jawi",
    "find_amounts": "quantities",
    "find_durations": "quantities",
    "find_years": "quantities",
    "find_dates": "dates",
    "find_percentages": "dates",
}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"helpers.malay has no {name!r}; its docstring is a map of the room")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    return sorted([*globals(), *_HOMES])
