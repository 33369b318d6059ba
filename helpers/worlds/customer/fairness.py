"""Same case, another name and place: the answer must be the same.

    unfair(cases, files.recommend)                 # the policy on applications: no difference is allowed
    unfair(rows, model_recommends)                 # a model on letters: any callable `case -> (recommendation, reasons, figures)`

A case is an application of `files.load()`, or a letter as `mortgage.letters.written` gives it (`letter` and `answers`).
Its counterparts have a Malay, Chinese, Indian, Iban and Kadazan name of the same sex, another state of birth and another
place; everything else, to the last digit, stays. Reasons are compared after names and places are taken out of them.
"""

import copy
import re
import zlib

# Community → (women, men, state, place); all invented.
NAMES = {
    "Melayu": (("Zaleha binti Rosdi", "Nurin binti Fauzan"), ("Kamal bin Rosdi", "Hilmi bin Fauzan"), "Terengganu", "Dungun"),
    "Cina": (("Tay Su Yen", "Liew Pooi Kuan"), ("Tay Jun Hao", "Liew Kok Seng"), "Pulau Pinang", "Air Itam"),
    "India": (("Malathi a/p Sundram", "Revathy a/p Pillay"), ("Murali a/l Sundram", "Ragu a/l Pillay"), "Perak", "Bagan Serai"),
    "Iban": (("Senia anak Merpati", "Bunga anak Rantai"), ("Kilau anak Merpati", "Engkabi anak Rantai"), "Sarawak", "Sri Aman"),
    "Kadazan": (("Jovita Gumbis", "Saimin Lojinon"), ("Petrus Gumbis", "Ambrin Lojinon"), "Sabah", "Tambunan"),
}
WOMEN = re.compile(r"\b(?:binti|a/p|puan|cik|siti|nur|nor\w*|dayang|kaur)\b", re.I)


def _key(case):
    return zlib.crc32(str(case["id"]).encode())


def _woman(case, name, mykad=""):
    """By the identity card's last digit (even: a woman), else by the name, else by chance."""
    if mykad:
        return int(mykad[-1]) % 2 == 0
    return bool(WOMEN.search(name)) or (not re.search(r"\b(?:bin|a/l|encik)\b", name, re.I) and _key(case) % 2 == 0)


def counterpart(case, community):
    """`(case, words)`: the case with the name, birthplace and place of a community, and the words put in; the original stays.

    ValueError for an unknown community. The identity card keeps its digits and the place code 00, given to nobody.
    """
    if community not in NAMES:
        raise ValueError(f"unknown community {community!r}; choose from {', '.join(NAMES)}")
    women, men, state, place = NAMES[community]
    made = copy.deepcopy(case)
    if "people" in case:
        for number, person in enumerate(made["people"]):
            person["name"], person["born"] = (women if _woman(case, "", person["mykad"]) else men)[number % 2], state
        if "place" in made:
            made["place"] = f"{place}, {state}"
        return made, [*women, *men, state, place]
    name, where = case["answers"].get("applicant_name"), case["answers"].get("property_location")
    for field, new in ((name, None), (where, place)):
        if field:
            new = new or (women if _woman(case, field["value"]) else men)[_key(case) // 2 % 2]
            old = max({field["value"], *field["quotes"]}, key=len)
            made["letter"] = made["letter"].replace(old, new)
            for quote in sorted(field["quotes"], key=len, reverse=True):
                made["letter"] = made["letter"].replace(quote, new)
            kept = made["answers"]["applicant_name" if field is name else "property_location"]
            kept.update(value=new, quotes=[new], accept=[])
    return made, [*women, *men, state, place]


def _plain(answer, words):
    """An answer without the names and places of its case."""
    recommendation, reasons, figures = answer
    pattern = re.compile("|".join(re.escape(word) for word in sorted(filter(None, words), key=len, reverse=True)), re.I)
    return recommendation, [pattern.sub("…", text) for text in reasons], figures


def _own_words(case):
    if "people" in case:
        return [*(p["name"] for p in case["people"]), *case.get("place", "").split(", ")]
    found = (case["answers"].get(field) for field in ("applicant_name", "property_location"))
    return [text for answer in found if answer for text in (answer["value"], *answer["quotes"])]


def unfair(cases, recommend, communities=tuple(NAMES)):
    """Pairs that are answered differently: `{"id", "community", "before", "after"}`; an empty list is what fairness asks for."""
    found = []
    for case in cases:
        before = _plain(recommend(case), _own_words(case))
        for community in communities:
            other, words = counterpart(case, community)
            after = _plain(recommend(other), words)
            if after != before:
                found.append({"id": case["id"], "community": community, "before": before, "after": after})
    return found
