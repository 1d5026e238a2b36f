"""Text: what a message says, masked and cut into words.

In: masking of personal data, folding of accents and case, and the cutting into words with the place of each
word in the message. Not in: quoted mail and signatures (the caller strips them), grammar (signals.py),
numbers for the learner (features.py). Everything here is linear in the length of the text.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

# A mail is sorted by its beginning; what follows is history, or an attack on our time.
MAX_CHARS = 6_000

NUMBER, MAIL, LINK, NAME = "xnumero", "xcorreo", "xenlace", "xnombre"

# Numbers of public law that tell the topic; every other number of five digits or more may name a person.
PUBLIC_NUMBERS = frozenset({"30001", "31827"})

_LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.I)
_MAIL = re.compile(r"[^\s@<>,;]{1,64}@[\w.-]{1,255}")
_NUMBER = re.compile(r"\d(?:[\s.,/\-_()·\u2010-\u2015]{0,3}\d){4,}")
_INTRODUCED = re.compile(
    r"(?i:\b(me llamo|mi nombre es|my name is|meu nome é|mi chiamo|je m'appelle))[:\s]+((?:[^\W\d_]+[ ]?){1,4})"
)
_WORD = re.compile(r"\w+|[.,;:?!\n]")
_WRITTEN_WORD = re.compile(r"[^\W\d_]+")

# The commonest given names and surnames of Peru, without those that are also words of the trade or places
# (Rosa, Flores, Cruz, León, Santa, Ángeles ...). Rare names never reach the vocabulary, because of min_df.
_NAMES = """
    abel adela adolfo adriana aguilar aguirre alarcon alberto alejandra alejandro alex alfredo alicia alonso
    alvarado alvarez alvaro amanda ana andrea andres angela angelica antonia antonio apaza arias armando
    arturo augusto ayala bautista beatriz benites benito betty bravo bruno caceres calderon camacho camila
    cardenas carla carlos carmen carolina carrasco carrillo castro catalina ccori cecilia cesar chambi
    chavez chura claudia condori cordova cornejo cristian cristina daniel daniela david delgado delia diana
    diaz diego dina dominguez doris edgar edith eduardo edwin elena elias elizabeth elsa emilio enrique
    erika ernesto escobar espinoza estela esther estrada eugenio eva fabiola felipe felix fernanda fernandez
    fernando figueroa fiorella francisca francisco freddy gabriel gabriela galvez garay garcia gerardo
    giovanna gladys gloria gomez gonzales gonzalez gonzalo gregorio guillermo gustavo gutierrez guzman
    hector henry hernandez herrera hilda huaman huamani huanca hugo hurtado ignacio ines inga irma isabel
    ivan jaime janet jara javier jenny jessica jesus jimenez jimmy joaquin joel jonathan jorge jose josefina
    juan juana judith julia julian juliana karen karina katherine kelly kevin laura lazo leonardo
    leonor leticia lidia liliana lopez lorena lourdes lucas lucia luis luisa machaca magaly mamani manuel
    manuela marcela marcelo marco marcos margarita maria mariana maribel marin mario maritza marta martha
    martin martinez mateo maximo medina mejia mendez mendoza meza miguel milagros miranda miriam molina
    monica morales moreno munoz nancy navarro nelly nelson nicolas noemi nunez ochoa olga olivera omar
    orellana orlando ortega ortiz oscar oswaldo pablo pacheco palomino pamela patricia paul paula pedro
    peralta percy perez poma ponce quinones quiroz quispe rafael ramirez ramiro ramon ramos raquel raul
    rebeca renato ricardo rita rivas rivera roberto rocio rodolfo rodrigo rodriguez rojas rolando romero
    rosales rosario roxana ruben ruiz ruth salas salazar salcedo saldana samuel sanchez sandoval sandra sara
    saul sebastian sergio silva silvia simon sofia solis sonia sotelo soto suarez susana tania tapia tello
    teofilo teresa ticona tito tomas torres valdez valentina vanessa vargas vasquez velasquez vera veronica
    vicente victor vilca villanueva violeta walter wilber wilfredo wilmer wilson yolanda yovana yupanqui
    zambrano zapata zavala zegarra zevallos zuniga
"""
NAMES = frozenset(_NAMES.split())


@dataclass(frozen=True)
class Text:
    """One message: its subject (may be empty) and what the sender wrote below it."""

    subject: str = ""
    body: str = ""

    def __str__(self) -> str:
        return f"{self.subject}\n{self.body}" if self.subject else self.body


@dataclass(frozen=True)
class Words:
    """The words and the punctuation of a masked text: folded, as written, and folded with common names in place.

    The last is for places ("San Juan"): what is learned and shown has stand-ins for names.
    """

    folded: tuple[str, ...]
    written: tuple[str, ...]
    named: tuple[str, ...]


def mask(text: str) -> str:
    """Return the text with addresses, links, long numbers and stated names replaced by stand-ins.

    A long number has five digits or more, however they are grouped ("900 000 000", "00.000.000-0").
    """
    # Decomposed accents (macOS, some phones) would cut a word in two.
    text = unicodedata.normalize("NFC", text)
    text = _LINK.sub(f" {LINK} ", text)
    if "@" in text:  # Few texts hold an address, and every word of the others would be tried as one.
        text = _MAIL.sub(f" {MAIL} ", text)
    text = _NUMBER.sub(lambda found: found[0] if found[0] in PUBLIC_NUMBERS else f" {NUMBER} ", text)
    return _INTRODUCED.sub(_mask_name, text)


def masked(text: str) -> str:
    """Return the text as it may be kept for learning: `mask`, and the names of the list hidden too."""
    return _WRITTEN_WORD.sub(lambda found: NAME if fold(found[0]) in NAMES else found[0], mask(text))


def _mask_name(found: re.Match[str]) -> str:
    # Half of the senders write no capitals: there only the first word is surely a name ("me llamo rosa y
    # vivo"). The names list takes care of the rest.
    kept, hidden = [], True
    for position, word in enumerate(found[2].split()):
        hidden = hidden and (position == 0 or (word[0].isupper() and not word.isupper()))
        kept.append(NAME if hidden else word)
    return f"{found[1]} {' '.join(kept)} "


@lru_cache(maxsize=50_000)
def fold(word: str) -> str:
    """Return the word in lower case without accents ("Señor" gives "senor"); never an empty one."""
    if word.isascii():
        return word.lower()
    marked = unicodedata.normalize("NFKD", word.casefold())
    # Of a sign that stands for several words, or for an accent alone, there is nothing else to compare.
    return "".join(char for char in marked if not (unicodedata.combining(char) or char.isspace())) or word


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return the Spanish stem of a folded word ("trabajos" and "trabajo" give "trabaj")."""
    # A stemmer keeps the word it is busy with, so threads must not share one; a new one costs next to nothing.
    return str(snowballstemmer.stemmer("spanish").stemWord(word))


def is_word(word: str) -> bool:
    """Say whether it is a word, and not punctuation."""
    return word[0].isalnum() or word[0] == "_"


def words(text: str) -> Words:
    """Return the words of a text after masking; personal names of the list become a stand-in.

    Only the first MAX_CHARS characters are read.
    """
    # Half a surrogate pair cannot be printed.
    written = tuple(_WORD.findall(mask(text[:MAX_CHARS].encode(errors="replace").decode())))
    folded = tuple(fold(word) for word in written)
    return Words(tuple(NAME if word in NAMES else word for word in folded), written, folded)
