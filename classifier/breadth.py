"""Breadth: short messages made by grammars with slots, and noisy copies of messages that were written by hand.

In: what a grammar can say that a person would tire of writing: the same sentence for every nationality, place,
direction and tense; and the slips of typing that folding does not undo. Not in: anything that must be understood.
`python -m classifier.breadth` writes both files of the corpus anew; the same seed gives the same files.
"""

import json
import random
import re
from collections.abc import Iterator
from typing import Any

from classifier.data import CORPUS, read_records
from classifier.text import fold

SEED = 20261128
PER_GRAMMAR = 26
NOISY = 400

PERU = (
    "Piura Cusco Huánuco Lima Tacna Puno Iquitos Chimbote Trujillo Ica Arequipa Jaén Juliaca Tumbes".split()
)
ABROAD = [
    "Madrid",
    "Milán",
    "Santiago de Chile",
    "Toronto",
    "Tokio",
    "São Paulo",
    "Nueva Jersey",
    "Berlín",
    "Quito",
]
FOREIGN = [
    ("venezolano", "Maracaibo"),
    ("colombiana", "Cali"),
    ("ecuatoriano", "Loja"),
    ("boliviana", "Oruro"),
    ("argentino", "Rosario"),
    ("española", "Vigo"),
    ("cubano", "Holguín"),
    ("brasileña", "Manaos"),
    ("francés", "Lyon"),
    ("chilena", "Temuco"),
]
TRADES = [
    "soldador",
    "enfermera",
    "cocinero",
    "chofer",
    "profesora",
    "albañil",
    "contador",
    "costurera",
    "minero",
]
GREETINGS = ["Buenas tardes, ", "", "señores ", "Hola, ", "Estimados: ", "buen día, "]

# Line, topic, and sentences; {peru}, {abroad}, {they} (a foreign nationality), {from_} (a foreign town), {trade}.
GRAMMARS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "go": (
        "abroad",
        "work-visa",
        (
            "soy peruano, de {peru}, {trade}, y quiero trabajar en {abroad}. ¿Qué necesito?",
            "soy de {peru} y me ofrecen un puesto de {trade} en {abroad}, ¿qué visa saco?",
            "mi hija vive en {peru} y quiere irse a {abroad} a trabajar de {trade}, ¿por dónde empieza?",
            "nunca he salido del Perú. Un amigo de {abroad} me llama para trabajar de {trade}. ¿Qué papeles llevo?",
        ),
    ),
    "stay": (
        "resident_abroad",
        "rights-abroad",
        (
            "soy peruano, de {peru}, trabajo de {trade} en {abroad} y no me pagan las horas extras",
            "soy de {peru} y hace años que trabajo en {abroad}; mi jefe no me da contrato, ¿quién me ayuda aquí?",
            "mi hijo, {trade}, trabaja en {abroad} y lo despidieron. Él piensa seguir allá. ¿A quién reclama?",
            "trabajo en {abroad} de {trade}. En diciembre voy a {peru} de visita y vuelvo. ¿Pierdo mi permiso?",
        ),
    ),
    "back": (
        "return",
        "returnee-card",
        (
            "soy peruano, vivo en {abroad} y me regreso a {peru} para siempre. ¿Cómo saco la tarjeta?",
            "después de años de {trade} en {abroad} ya volví a {peru}. ¿Todavía puedo pedir la tarjeta del retornante?",
            "mi hermano deja {abroad} en marzo y se queda en {peru}. ¿Qué beneficios tiene?",
            "vendimos todo en {abroad} y nos instalamos en {peru}, ¿hay plazo para el trámite de la tarjeta?",
        ),
    ),
    "come": (
        "foreigner",
        "contract-registration",
        (
            "soy {they} y quiero trabajar de {trade} en {peru}. ¿Qué necesito?",
            "soy de {from_} y me ofrecen un puesto de {trade} en {peru}, ¿qué visa saco?",
            "tengo un taller en {peru} y quiero contratar a un {trade} de {from_}, ¿cómo registro su contrato?",
            "mi esposo es {they}, vivimos en {peru} y busca trabajo de {trade}. ¿Qué papeles le piden?",
        ),
    ),
    "pass": (
        "none",
        "third-country",
        (
            "soy {they}, vivo en {peru} y quiero irme a trabajar a {abroad}. ¿Qué visa necesito?",
            "soy de {from_} y me ofrecen trabajo de {trade} en {abroad}, ¿ustedes dan esa visa?",
            "un amigo {they} que está en {peru} se va a {abroad} a trabajar, ¿qué le piden allá?",
        ),
    ),
    "home": (
        "none",
        "local-labour",
        (
            "soy peruano, {trade} en {peru}, y no me pagan mi liquidación. ¿Dónde denuncio?",
            "trabajo en {peru} de {trade} y mi jefe no me da vacaciones, nunca he trabajado fuera",
            "quiero saber cuánto me toca de CTS, soy {trade} y trabajo en {peru}",
        ),
    ),
}


def made() -> Iterator[dict[str, Any]]:
    """Yield the rows of all grammars."""
    chance = random.Random(SEED)  # noqa: S311 - what is drawn is published
    for name, (line, topic, sentences) in GRAMMARS.items():
        seen: set[str] = set()
        while len(seen) < PER_GRAMMAR:
            they, from_ = chance.choice(FOREIGN)
            slots = {
                "peru": chance.choice(PERU),
                "abroad": chance.choice(ABROAD),
                "trade": chance.choice(TRADES),
            }
            said = chance.choice(GREETINGS) + chance.choice(sentences).format(they=they, from_=from_, **slots)
            if said not in seen:
                seen.add(said)
                yield _row(
                    f"grammar-{name}-{len(seen):03}", said, line, topic, f"grammar:{name}", f"grammar-{name}"
                )


def _row(id_: str, body: str, line: str, topic: str, source: str, story: str) -> dict[str, Any]:
    labels = {"line": line, "topic": topic, "kind": "consulta", "urgency": "no", "language": "es"}
    return {"id": id_, "subject": None, "body": body, **labels, "source": source, "story": story}


def noisy() -> Iterator[dict[str, Any]]:
    """Yield noisy copies of messages in Spanish; each belongs to the story of the message that it was made from."""
    chance = random.Random(SEED)  # noqa: S311 - what is drawn is published
    files = sorted(file for file in CORPUS.glob("*.jsonl") if file.stem not in ("grammar", "noise"))
    rows = [record.fields for file in files for record in read_records(file)]
    plain = [row for row in rows if row["language"] == "es" and 60 < len(row["body"]) < 500]
    written = {str(row["body"]) for row in rows}
    for number, row in enumerate(chance.sample(plain, NOISY), 1):
        body = chance.choice((_slips, _spelling, _telephone))(str(row["body"]), chance)
        if body in written or fold(body) == fold(str(row["body"])):
            continue  # the slip did not happen, or is one that folding undoes
        written.add(body)
        yield {**row, "id": f"noise-{number:04}", "body": body, "source": "noise"}


def _slips(text: str, chance: random.Random) -> str:
    """Typing slips: in one word of six two letters change places, or one is lost or doubled."""

    def slip(word: re.Match[str]) -> str:
        said = word[0]
        if len(said) < 5 or chance.random() > 0.17:
            return said
        at = chance.randrange(1, len(said) - 2)
        kind = chance.randrange(3)
        if kind == 0:
            return said[:at] + said[at + 1] + said[at] + said[at + 2 :]
        return said[:at] + said[at + 1 :] if kind == 1 else said[: at + 1] + said[at:]

    return re.sub(r"[^\W\d_]+", slip, text)


_CONFUSED = (
    ("v", "b"),
    ("b", "v"),
    ("ll", "y"),
    ("ce", "se"),
    ("ci", "si"),
    ("z", "s"),
    ("h", ""),
    ("qu", "k"),
)


def _spelling(text: str, chance: random.Random) -> str:
    """Spelling by ear: two of the usual confusions, all in lower case without accents."""
    plain = " ".join(fold(word) for word in text.split())
    for wrong, written in chance.sample(_CONFUSED, 2):
        plain = plain.replace(wrong, written)
    return plain


_SHORT = (
    ("que", "q"),
    ("por", "x"),
    ("para", "pa"),
    ("de", "d"),
    ("también", "tmb"),
    ("estoy", "toy"),
    ("porque", "xq"),
)


def _telephone(text: str, chance: random.Random) -> str:
    """As on a telephone: short forms, no punctuation, sometimes in capitals."""
    said = re.sub(r"[.,;:¿?¡!]", "", text)
    for word, short in _SHORT:
        said = re.sub(rf"\b{word}\b", short, said)
    return said.upper() if chance.random() < 0.3 else said.lower()


def main() -> None:
    """Write both files."""
    for name, rows in (("grammar", made()), ("noise", noisy())):
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        (CORPUS / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
