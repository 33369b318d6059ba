"""Personal data in Malaysian documents: found with Microsoft Presidio and recognisers of our own, and redacted.

    >>> personal.redact("Nama saya Siti binti Ahmad, no. KP 900101-00-1234")[0]
    'Nama saya [NAMA], no. KP [MYKAD]'

Presidio brings the frame: recognisers, scores, and words of context that lift a doubtful find over the
threshold. The readers behind them are rules (`helpers.malay.identifiers`, `helpers.malay.addresses`,
`helpers.corpus.person_names`), so that nothing is downloaded and every find can be explained. Rules miss what they
do not know: whoever publishes data reads a sample after redacting.

Presidio: github.com/microsoft/presidio (MIT).
"""

import functools
import re
from dataclasses import dataclass

from helpers.corpus import person_names
from helpers.malay import addresses, identifiers

KINDS = {  # kind: what it is, in rank order: where two finds overlap, the earlier kind stands
    "EMEL": "e-mail address",
    "MYKAD": "identity card",
    "KAD": "payment card",
    "AKAUN": "bank account",
    "SSM": "company or sole trader's registration",
    "TELEFON": "telephone",
    "PASPORT": "passport",
    "ALAMAT": "address",
    "PLAT": "vehicle plate",
    "NAMA": "name of a person",
}
MAIN = ("NAMA", "MYKAD", "TELEFON", "ALAMAT", "SSM", "AKAUN", "EMEL")
THRESHOLD = 0.5
DOUBTFUL = 0.3

# Words that lift a doubtful find of this kind (Presidio compares them with the words around it).
CONTEXT = {
    "AKAUN": ["akaun", "bank", "acc", "account", "duitnow", "pindahan", "deposit", "simpanan", "semasa", "kreditkan", "bayar", "transfer", "masukkan"],
    "PASPORT": ["pasport", "paspot", "passport", "imigresen", "visa", "permit", "warga"],
    "PLAT": ["plat", "kereta", "motosikal", "kenderaan", "lori", "van", "bas", "jpj", "saman", "parkir", "memandu", "dipandu", "pemandu", "motor", "nombor"],
    "NAMA": ["pemohon", "penghutang", "waris", "penjamin", "pesakit", "pelapor", "saksi", "mangsa", "pelajar", "murid", "penyewa", "pembeli", "anak", "isteri",
             "suami", "ibu", "bapa", "adik", "kakak", "abang", "jumpa", "hubungi", "nama", "bernama", "cikgu", "guru", "kawan", "jiran", "penerima"],
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """One piece of personal data: `text[start:end]`, its kind (a key of `KINDS`) and a score of 0–1."""

    start: int
    end: int
    text: str
    kind: str
    score: float


def _readers():
    """For each kind, what finds it: a function from a text to `(start, end, score)`."""

    def sure(find, score):
        return lambda text: [(item.start, item.end, score) for item in find(text)]

    def doubtful(find, score):
        return lambda text: [(item.start, item.end, score if item.certain else DOUBTFUL) for item in find(text, uncertain=True)]

    return {
        "EMEL": sure(identifiers.find_emails, 0.95),
        "MYKAD": sure(identifiers.find_mykads, 0.95),
        "KAD": sure(identifiers.find_cards, 0.85),
        "AKAUN": doubtful(identifiers.find_accounts, 0.8),
        "SSM": sure(identifiers.find_registrations, 0.85),
        # the hotlines of firms and agencies (1-300, 1-800) are nobody's own
        "TELEFON": lambda text: [(item.start, item.end, 0.9) for item in identifiers.find_phones(text) if item.line != "service"],
        "PASPORT": doubtful(identifiers.find_passports, 0.85),
        "ALAMAT": sure(addresses.find_addresses, 0.8),
        "PLAT": doubtful(identifiers.find_plates, 0.8),
        "NAMA": _names,
    }


_WIDE = re.compile(r"(?<=\S)  (?=\S)")


def _names(text):
    """Names, also where a scan set two blanks between words; wider gaps are columns of a table and stay."""
    places, single = list(range(len(text) + 1)), text
    if wide := [match.start() for match in _WIDE.finditer(text)]:
        gone = set(wide)
        places = [place for place in places if place not in gone]
        single = "".join(text[place] for place in places[:-1])
    return [(places[item.start], places[item.end - 1] + 1, item.score) for item in person_names.find_names(single)]


@functools.cache
def engine():
    """Presidio's `AnalyzerEngine` for `language="ms"`, loaded once: a blank spaCy tokenizer and our recognisers.

    Raises ImportError with what to install where Presidio is missing.
    """
    try:
        from presidio_analyzer import AnalysisExplanation, AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
        from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
        from presidio_analyzer.nlp_engine import NlpArtifacts, SlimSpacyNlpEngine
    except ImportError as error:
        raise ImportError(f"personal data needs presidio-analyzer and spacy ({error}): run `pip install presidio-analyzer`") from error

    class MalayWords(SlimSpacyNlpEngine):
        """Words only, no model: a word's small letters stand for its lemma, which Presidio compares with the context."""

        def load(self):
            super().load()
            self.nlp["ms"].max_length = 100_000_000  # spaCy's own limit guards the memory of models

        def _doc_to_nlp_artifact(self, doc, language):
            return NlpArtifacts([], doc, [token.idx for token in doc], [token.lower_ for token in doc], self, language, [])

    class LiftDoubtful(LemmaContextAwareEnhancer):
        """Presidio's words of context, spent on doubtful finds only: the sure ones need no lift."""

        def enhance_using_context(self, text, raw_results, nlp_artifacts, recognizers, context=None):
            doubtful = [result for result in raw_results if result.score < THRESHOLD]
            lifted = super().enhance_using_context(text, doubtful, nlp_artifacts, recognizers, context) if doubtful else []
            return [result for result in raw_results if result.score >= THRESHOLD] + lifted

    class Reader(EntityRecognizer):
        """One of our readers in Presidio's dress."""

        def __init__(self, kind, read):
            self.read = read
            super().__init__([kind], name=f"Malaysia_{kind}", supported_language="ms", context=CONTEXT.get(kind))

        def load(self):
            """Nothing to load."""

        def analyze(self, text, entities, nlp_artifacts):
            kind, found = self.supported_entities[0], []
            for start, end, score in self.read(text) if kind in entities else ():
                why = AnalysisExplanation(self.name, score, textual_explanation=KINDS[kind])  # context words are noted here
                found.append(RecognizerResult(kind, start, end, score, why))
            return found

    words = MalayWords(supported_languages=["ms"], generic_tokenizer="blank", auto_download=False)
    registry = RecognizerRegistry([Reader(kind, read) for kind, read in _readers().items()], supported_languages=["ms"])
    lift = LiftDoubtful(
        context_similarity_factor=0.35,
        min_score_with_context_similarity=0.55,
        context_prefix_count=5,
        context_suffix_count=2,
        context_matching_mode="whole_word",
    )
    return AnalyzerEngine(registry, words, supported_languages=["ms"], context_aware_enhancer=lift)


def _resolved(found):
    """Finds without overlaps: the higher kind stands, of one kind the longer; an address gives way at its ends."""
    rank = {kind: place for place, kind in enumerate(KINDS)}
    kept = []
    for item in sorted(found, key=lambda f: (rank[f.kind], f.start - f.end, f.start)):
        if not any(item.start < other.end and other.start < item.end for other in kept):
            kept.append(item)
    return sorted(kept, key=lambda f: f.start)


def find(text, kinds=None):
    """Find personal data in a text.

    `kinds`: the kinds wanted (keys of `KINDS`), all by default. Returns `Found`s without overlaps, left to right.
    Overlaps are settled before the kinds are chosen, so a name inside an address stays part of the address.
    """
    wanted = set(KINDS if kinds is None else kinds)
    if wanted - KINDS.keys():
        raise ValueError(f"unknown kind {sorted(wanted - KINDS.keys())}: choose from {', '.join(KINDS)}")
    if not text.strip():
        return []
    with engine().nlp_engine.nlp["ms"].memory_zone():  # spaCy forgets the words of this text again: a stream needs no more memory
        results = engine().analyze(text, language="ms", score_threshold=THRESHOLD)
    found = [Found(r.start, r.end, text[r.start : r.end], r.entity_type, round(r.score, 2)) for r in results]
    return [item for item in _resolved(found) if item.kind in wanted]


def _same(item):
    """The value under which two finds are one and the same."""
    if item.kind == "TELEFON":
        return re.sub(r"^(?:00)?60?(?=[1-9])|^0", "", re.sub(r"\D", "", item.text))
    if item.kind in ("NAMA", "ALAMAT"):
        return " ".join(re.findall(r"[\w@/]+", item.text.lower()))
    return re.sub(r"[^\w@]", "", item.text.lower())


def redact(text, found=None, consistent=False):
    """Replace personal data by its kind: `[NAMA]`, `[TELEFON]` …

    `found`: what to replace, from `find` (run here when None). `consistent=True` numbers each person and number
    within the text (`[NAMA 1]`), so that who did what can still be read; a part of a full name keeps its number.
    Returns `(new_text, found)`.
    """
    found = find(text) if found is None else sorted(found, key=lambda f: f.start)
    numbers, out, position = {}, [], 0
    for item in found:
        if item.start < position:
            raise ValueError(f"finds overlap at {item.start}: pass what `find` gives")
        placeholder = item.kind
        if consistent:
            seen, value = numbers.setdefault(item.kind, {}), _same(item)
            if item.kind == "NAMA" and value not in seen:
                whole = next((key for key in seen if set(value.split()) <= set(key.split())), None)
                if whole:
                    seen[value] = seen[whole]
            placeholder = f"{item.kind} {seen.setdefault(value, len(set(seen.values())) + 1)}"
        out += [text[position : item.start], f"[{placeholder}]"]
        position = item.end
    return "".join([*out, text[position:]]), found


_MARK = re.compile(rf"<(/?)({'|'.join(KINDS)})>")


def unmark(text):
    """Read a marked text: `"Puan <NAMA>Siti</NAMA>"` gives `("Puan Siti", [Found(5, 9, "Siti", "NAMA", 1.0)])`.

    Raises ValueError where a mark is not closed, not opened, or stands inside another.
    """
    plain, spans, position, opened, length = [], [], 0, None, 0
    for match in _MARK.finditer(text):
        piece = text[position : match.start()]
        plain.append(piece)
        length, position = length + len(piece), match.end()
        closing, kind = match.groups()
        if bool(closing) != (opened is not None) or closing and opened[0] != kind:
            raise ValueError(f"mark {match.group()} at {match.start()} does not fit: marks must be closed and not nested")
        if closing:
            body = "".join(plain)[opened[1] :]
            spans.append(Found(opened[1], length, body, kind, 1.0))
            opened = None
        else:
            opened = (kind, length)
    if opened:
        raise ValueError(f"mark <{opened[0]}> is not closed")
    return "".join([*plain, text[position:]]), spans


def _core(item):
    """The span to compare. Writers differ on whether a title belongs to a name, and it tells nobody apart: it is left out."""
    start = item.start
    if item.kind == "NAMA":
        while title := person_names.leading_title(item.text[start - item.start :]):
            start += title
    return start, item.end


def _matches(one, other):
    (a, b), (c, d) = _core(one), _core(other)
    shared = min(b, d) - max(a, c)
    return one.kind == other.kind and shared > 0 and shared >= 0.5 * (b - a) and shared >= 0.5 * (d - c)


def score_cases(rows, kinds=None, finder=find):
    """Score a finder on marked cases.

    `rows`: dicts with `id` and marked `text`. `kinds`: which kinds count (by default the seven of `MAIN` and
    whatever else the rows mark). A find is right if one marked span of its kind shares at least half of the
    characters of both. Returns `n`, `recall`, `precision`, `f1`, `kinds` (the same per kind, with counts),
    `misses` and `false_alarms` (dicts with id, kind, text).
    """
    cases = [(row["id"], *unmark(row["text"])) for row in rows]
    counted = set(kinds) if kinds else {*MAIN, *(span.kind for _, _, spans in cases for span in spans)}
    tally = {kind: [0, 0, 0] for kind in KINDS if kind in counted}  # marked, found, right
    misses, false_alarms = [], []
    for name, plain, gold in cases:
        gold = [span for span in gold if span.kind in counted]
        found = [item for item in finder(plain) if item.kind in counted]
        free = list(found)
        for span in gold:
            tally[span.kind][0] += 1
            match = next((item for item in free if _matches(span, item)), None)
            if match:
                free.remove(match)
                tally[span.kind][2] += 1
            else:
                misses.append({"id": name, "kind": span.kind, "text": span.text})
        for item in found:
            tally[item.kind][1] += 1
        false_alarms += [{"id": name, "kind": item.kind, "text": item.text} for item in free]

    def shares(marked, found, right):
        recall, precision = (right / marked if marked else 1.0), (right / found if found else 1.0)
        f1 = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
        return {"recall": recall, "precision": precision, "f1": f1, "marked": marked, "found": found, "right": right}

    total = [sum(column) for column in zip(*tally.values())]
    return {
        "n": len(cases),
        **shares(*total),
        "kinds": {kind: shares(*counts) for kind, counts in tally.items() if any(counts)},
        "misses": misses,
        "false_alarms": false_alarms,
    }
