"""Signals: who the writer is, where, and which way (the relation that decides the line).

Keywords alone cannot sort this mail: "soy ecuatoriano y quiero trabajar en Perú" and "soy peruano y quiero
trabajar en Ecuador" hold the same words. So each word is rewritten as one letter for its grammatical part,
and short patterns over those letters name the relation. The patterns only emit features; the learner decides
what they are worth. Not in: learning, and any rule that sorts by itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from classifier.places import ABROAD, PERU
from classifier.text import Words

# One letter for each part. A word that is in two parts belongs to the later one.
PARTS = {
    # Small words a pattern may step over; "_" is any other word, "." any punctuation.
    "-": """
        en a al de del la las el los lo le les me te se nos y o que un una unos unas con por para hacia mi
        mis su sus aqui aca alla ya muy tan in to the of for from my our i we you il di da em no estado
        nom eu je suis et ciudad ciudades provincia distrito region nacionalidad ciudadano ciudadana
        origen nacimiento natural actualmente ahora currently hoy tambien solo sola citizen national
        regularmente legalmente nuevamente definitivamente
    """,
    # After these "trabajo" is a noun.
    "d": "el un una de del mi mis su sus al algun otro este ese buen nuevo cualquier",
    "E": "extranjero extranjera extranjeros extranjeras",
    "N": """
        peruano peruana peruanos peruanas peruanito peruanita peruvian peruvians peruviano peruviana
        peruviani peruviane peruvien peruvienne connacional connacionales compatriota compatriotas paisano
        paisanos
    """,
    "F": """
        venezolano colombiano ecuatoriano boliviano chileno argentino brasileno brasilero uruguayo
        paraguayo cubano haitiano dominicano mexicano hondureno salvadoreno guatemalteco nicaraguense
        panameno costarricense espanol italiano frances aleman ingles britanico estadounidense
        norteamericano americano canadiense chino japones coreano indio hindu ucraniano ruso polaco
        portugues suizo belga holandes sueco turco filipino australiano nigeriano marroqui libanes
        venezolana colombiana ecuatoriana boliviana chilena brasilena brasilera uruguaya paraguaya cubana
        haitiana mexicana hondurena salvadorena guatemalteca panamena espanola italiana francesa alemana
        inglesa britanica norteamericana americana japonesa coreana ucraniana rusa polaca portuguesa
        holandesa sueca turca filipina venezolanos venezolanas colombianos colombianas ecuatorianos
        ecuatorianas bolivianos bolivianas chilenos chilenas argentinos argentinas brasilenos brasileros
        uruguayos paraguayos cubanos haitianos dominicanos mexicanos espanoles italianos franceses
        alemanes ingleses estadounidenses chinos chinas japoneses coreanos rusos portugueses foreign
        foreigner foreigners venezuelan colombian ecuadorian bolivian chilean argentinian argentine
        brazilian cuban haitian mexican spanish italian french german british american canadian chinese
        japanese korean ukrainian russian brasileira brasileiro estrangeiro estrangeira straniero
        straniera etranger
    """,
    "s": "soy somos am are sono sou siendo ser naci nacido nacida",
    "l": """
        vivo vivimos resido residimos radico radicamos viviendo radicando residiendo residente residentes
        radicado radicada radicados encuentro encontramos estoy estamos live living moro vivendo abito
        habite
    """,
    "w": """
        trabajando trabajamos laboro laboramos laborando work working lavoro trabalho trabalhando empleada
    """,
    "t": "trabajo trabajos empleo labor chamba pega curro job",
    "v": "vive viven trabaja trabajan labora laboran reside residen esta estan radica lives works",
    "q": """
        quiero quisiera quisieramos deseo deseamos quiere quieren desea queremos pienso pensamos piensa
        planeo planeamos gustaria interesa interesado interesada pretendo voy vamos va want would like
        plan planning wish quero gostaria vorrei voglio voudrais decidi decidimos
    """,
    "g": """
        ir irme irnos irse viajar viajo viajamos migrar emigrar migro salir mudarme mudarnos mudo postular
        aplicar partir go move marcharme postulo voyme
    """,
    "k": "trabajar laborar emplearme emplearnos ejercer trabajarme lavorare trabalhar travailler",
    "r": """
        volver regresar retornar volvernos regresarnos regresarme volverme volverse retorno regreso vuelvo
        vuelta regresamos volvemos retornamos regresando volviendo retornando return returning back voltar
        tornare rentrer repatriar repatriarme repatriacion
    """,
    "R": """
        volvi regrese retorne volvimos retornado retornada retornados retornante vuelto regresado returned
        deportado deportada deportaron deportados repatriado repatriada
    """,
    "c": """
        venir vengo venimos llegar ingresar ingreso entrar vine vino llegue llego viene vienen traer come
        venirme
    """,
    "V": "visita vacaciones visitar paseo turismo turista holiday tourist fiestas",
    "m": "no nunca tampoco ni jamas sin not never non nao",
    "a": "trabaje vivi estuve labore trabajaba vivia estaba estuvimos worked lived residi",
    "h": """
        contratar contratamos contrate contrataron contratarlo contratarla contratando planilla empleador
        empleadora hire hiring contratacion incorporar
    """,
    "e": """
        trabajador trabajadora trabajadores trabajadoras empleado empleados colaborador colaboradora
        colaboradores personal ingeniero profesional profesor docente tecnico cocinero worker workers
        employee
    """,
    "p": """
        hijo hija hijos hijas hermano hermana hermanos esposo esposa marido mujer mama papa madre padre
        padres sobrino sobrina tio tia primo prima novio novia pareja conviviente amigo amiga cunado
        cunada suegro suegra husband wife son daughter brother sister yerno nuera nieto nieta
    """,
    "b": """
        busco buscar buscando conseguir encontrar oferta ofertas ofrecen ofrecieron ofrece visa visado
        agencia convocatoria vacante reclutan reclutador
    """,
    "y": "anos ano meses years months anni semanas",
    "D": "desde from dal",
}
LETTER = {
    **dict.fromkeys(PERU, "P"),
    **dict.fromkeys(ABROAD, "X"),
    **{word: letter for letter, listed in PARTS.items() for word in listed.split()},
}

# Names are what the learner sees; each pattern is a run of parts with short, bounded gaps, so it is linear.
PATTERNS = {
    "soy_peruano": r"s[-_]{0,3}N|N[-_]{0,2}[lD]-{0,2}X",
    "soy_extranjero": r"s[-_]{0,3}[FE]",
    "peruano": r"N",
    "otra_nacionalidad": r"F",
    "vivo_fuera": r"l[-_]{0,3}X|D-{0,3}X|l-{0,2}E",
    "vivo_peru": r"l[-_]{0,3}P|D-{0,3}P",
    "trabajo_fuera": r"[wt][-_]{0,3}X",
    "trabajo_peru": r"[wt][-_]{0,3}P",
    "tiempo_fuera": r"y[-l]{0,4}X|X[-_]{0,3}y",
    "tiempo_peru": r"y[-l]{0,4}P",
    "estuve_fuera": r"a[-_]{0,3}X",
    "quiero_volver": r"q[-_]{0,3}r",
    "no_volver": r"m[-q]{0,3}r",
    "volver_peru": r"r[-_]{0,2}P",
    "volver_fuera": r"r[-_]{0,2}X",
    "ya_volvi": r"R",
    "de_visita": r"[rcgR][-_P]{0,4}V|V[-_]{0,3}P",
    "ir_fuera": r"[gk][-_]{0,3}X|[gk]-{1,2}E",
    "quiero_ir": r"q-{0,2}[gk]",
    "ir_a_peru": r"[gkc][-_]{0,3}P",
    "busco_fuera": r"b[-n_]{0,4}X|n-{1,2}X",
    "contratar_extranjero": r"h[-_e]{0,4}[FE]|e-{0,2}[FE]|Fe",
    "pariente_fuera": r"p[-_]{0,3}v[-_]{0,2}X",
    "pariente_peru": r"p[-_]{0,3}v[-_]{0,2}P",
    "pariente_extranjero": r"p[-_s]{0,3}[FE]",
    "pariente_peruano": r"p[-_s]{0,2}N",
    "lugar_fuera": r"X",
    "lugar_peru": r"P",
}
_NOUN = re.compile(r"(?<=[db])t")
_COMPILED = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}

# Where / who / which way: the three questions whose joint answer is the relation, first match first.
_QUESTIONS: tuple[tuple[str, ...], ...] = (
    ("soy_extranjero", "soy_peruano", "contratar_extranjero", "peruano", "otra_nacionalidad"),
    ("vivo_fuera", "trabajo_fuera", "tiempo_fuera", "vivo_peru", "trabajo_peru", "lugar_fuera"),
    ("ya_volvi", "no_volver", "quiero_volver", "volver_peru", "ir_fuera", "ir_a_peru", "busco_fuera"),
)


@dataclass(frozen=True)
class Signal:
    """A named relation, and the words from first to last (exclusive) that say it."""

    name: str
    first: int
    last: int


def signals(words: Words) -> tuple[Signal, ...]:
    """Return the relations that the words state, each once, and their combination (which spans no words)."""
    letters = "".join(LETTER.get(word, "_" if word[0].isalnum() else ".") for word in words.folded)
    found = tuple(_first_of_each(_NOUN.sub("n", letters).replace("d", "-")))
    names = {signal.name for signal in found}
    answers = (next((name for name in question if name in names), "nada") for question in _QUESTIONS)
    return (*found, Signal("relacion:" + "+".join(answers), 0, 0))


def _first_of_each(letters: str) -> Iterator[Signal]:
    for name, pattern in _COMPILED.items():
        if match := pattern.search(letters):
            yield Signal(name, match.start(), match.end())
