"""The rules of a filing, as data: each with a name, what it does, the reason in words, and where it comes from.

`REJECT`: the condition is not met; nothing is registered until it is. `OBSERVE`: a rule cannot decide; the filing is
registered and a person looks at it. In: rules over one application and what the registry knows of its workers. Not
in: the file of the contract (`contract_file.py`), reading (`application.py`).

Employment of Andean nationals knows no share of the payroll, no degrees and no work certificates (Decisión 545): no
rule asks for them.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from helpdesk.certificates import identity
from helpdesk.certificates.application import Application, Fault
from helpdesk.certificates.fields import NATIONALITIES_ES
from helpdesk.certificates.identity import REPRESENTATIVE_DOCUMENTS, WORKER_DOCUMENTS, Verdict
from helpdesk.certificates.places import BORDER_DEPARTMENTS
from helpdesk.desk.words import N_

ADULT_YEARS = 18
OLDEST_YEARS = 90
COMPANY_DAYS = 180
HOURS_IN_A_WEEK = 168

DECISION_545 = "Decisión 545 de la Comunidad Andina (Instrumento Andino de Migración Laboral)"
RM_279 = "RM 279-2004-TR"
SIVITMA = "RM 318-2010-TR y RM 291-2018-TR (SIVITMA: Bolivia, Colombia y Ecuador)"
SUNAT = N_("Dígito verificador del RUC (SUNAT)")
FORMATS = N_("Formato público del documento")
PRESUMPTION = N_("TUO de la Ley 27444 (DS 004-2019-JUS): presunción de veracidad y aprobación automática")
DESK = N_("Criterio de la mesa: una persona lo revisa")
CONSISTENCY = N_("Coherencia de los datos declarados")


class Effect(StrEnum):
    """What a rule that is not met does to a filing."""

    REJECT = "reject"
    OBSERVE = "observe"


Document = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Followed:
    """The filing that another one follows: what may not change, and what must."""

    extends: bool
    ruc: str
    documents: frozenset[Document]
    ends: dt.date | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the rules must know besides the application.

    `today` is the day of filing (Lima); `in_force` the numbers of the constancias that a worker, by `document`, has
    in force for some of the same days; `followed` what the filing follows, if it follows one.
    """

    today: dt.date
    in_force: Mapping[Document, tuple[str, ...]] = field(default_factory=dict)
    followed: Followed | None = None


Check = Callable[[Application, Known], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `check` yields the keys that do not meet it."""

    name: str
    effect: Effect
    message: str
    source: str
    check: Check

    def faults(self, application: Application, known: Known) -> Iterator[Fault]:
        """What does not meet it."""
        for key in self.check(application, known):
            yield Fault(key, self.name, self.message, self.source)


def broken(rules: Iterable[Rule], application: Application, known: Known) -> tuple[Fault, ...]:
    """Every fault by these rules, in their order."""
    return tuple(fault for rule in rules for fault in rule.faults(application, known))


def _workers(application: Application, of: str, wrong: Callable[[int], bool]) -> Iterator[str]:
    places = range(len(application.workers))
    return (f"workers[{place}].{of}" for place in places if wrong(place))


def _ruc(application: Application, _known: Known) -> Iterator[str]:
    if not identity.is_ruc(application.employer.ruc):
        yield "employer.ruc"


def _representative(application: Application, _known: Known) -> Iterator[str]:
    person = application.employer.representative
    if not REPRESENTATIVE_DOCUMENTS[person["document_type"]].must.fullmatch(person["document_number"]):
        yield "employer.representative.document_number"


def _nationality(application: Application, _known: Known) -> Iterator[str]:
    workers = application.workers
    return _workers(
        application, "nationality", lambda place: workers[place].nationality not in NATIONALITIES_ES
    )


def _document_kind(application: Application, _known: Known) -> Iterator[str]:
    def is_of_another_country(place: int) -> bool:
        worker = application.workers[place]
        return WORKER_DOCUMENTS[worker.document_type].nationality not in (None, worker.nationality)

    return _workers(application, "document_type", is_of_another_country)


def _verdicts(application: Application, verdict: Verdict) -> Iterator[str]:
    def is_so(place: int) -> bool:
        worker = application.workers[place]
        return identity.judge(worker.document_type, worker.document_number) is verdict

    return _workers(application, "document_number", is_so)


def _document_wrong(application: Application, _known: Known) -> Iterator[str]:
    return _verdicts(application, Verdict.WRONG)


def _document_doubtful(application: Application, _known: Known) -> Iterator[str]:
    return _verdicts(application, Verdict.DOUBTFUL)


def _twice(application: Application, _known: Known) -> Iterator[str]:
    counted = Counter(worker.document for worker in application.workers)
    seen: set[tuple[str, str, str]] = set()
    for place, worker in enumerate(application.workers):
        if counted[worker.document] > 1 and worker.document in seen:
            yield f"workers[{place}].document_number"
        seen.add(worker.document)


def _born(application: Application, known: Known) -> Iterator[str]:
    workers = application.workers
    return _workers(application, "birth_date", lambda place: workers[place].birth_date >= known.today)


def age_on(born: dt.date, day: dt.date) -> int:
    """Full years of age on a day."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _minor(application: Application, known: Known) -> Iterator[str]:
    def is_minor(place: int) -> bool:
        born = application.workers[place].birth_date
        return (
            born < known.today and age_on(born, min(known.today, application.contract.signed)) < ADULT_YEARS
        )

    return _workers(application, "birth_date", is_minor)


def _very_old(application: Application, known: Known) -> Iterator[str]:
    workers = application.workers
    return _workers(
        application, "birth_date", lambda place: age_on(workers[place].birth_date, known.today) > OLDEST_YEARS
    )


def _in_force(application: Application, known: Known) -> Iterator[str]:
    workers = application.workers
    return _workers(
        application, "document_number", lambda place: bool(known.in_force.get(workers[place].document))
    )


def _signed(application: Application, known: Known) -> Iterator[str]:
    if application.contract.signed > known.today:
        yield "contract.signed"


def _start(application: Application, _known: Known) -> Iterator[str]:
    if application.contract.start < application.contract.signed:
        yield "contract.start"


def _end_missing(application: Application, _known: Known) -> Iterator[str]:
    if application.contract.type == "fixed" and application.contract.end is None:
        yield "contract.end"


def _end_too_many(application: Application, _known: Known) -> Iterator[str]:
    if application.contract.type == "indefinite" and application.contract.end is not None:
        yield "contract.end"


def _end(application: Application, _known: Known) -> Iterator[str]:
    contract = application.contract
    if contract.end is not None and contract.end <= contract.start:
        yield "contract.end"


def _over(application: Application, known: Known) -> Iterator[str]:
    contract = application.contract
    if contract.end is not None and contract.start < contract.end < known.today:
        yield "contract.end"


def _pay(application: Application, _known: Known) -> Iterator[str]:
    if application.contract.pay <= 0:
        yield "contract.pay"


def _hours(application: Application, _known: Known) -> Iterator[str]:
    hours = application.contract.hours_per_week
    if hours is not None and not 0 < hours <= HOURS_IN_A_WEEK:
        yield "contract.hours_per_week"


def _company_days(application: Application, _known: Known) -> Iterator[str]:
    contract = application.contract
    if application.category != "company" or contract.end is None:
        return
    # A term leaves its first day out and takes its last one in (Código Civil, art. 183).
    if (contract.end - contract.start).days <= COMPANY_DAYS:
        yield "contract.end"


def _seasonal_dates(application: Application, _known: Known) -> Iterator[str]:
    if application.category == "seasonal" and application.contract.type != "fixed":
        yield "contract.type"


def _seasonal(name: str) -> Check:
    def check(application: Application, _known: Known) -> Iterator[str]:
        if application.category == "seasonal" and not application.details.get(name):
            yield f"category_details.{name}"

    return check


def _several(application: Application, _known: Known) -> Iterator[str]:
    if application.category != "seasonal" and len(application.workers) > 1:
        yield "workers"


def _border(application: Application, _known: Known) -> Iterator[str]:
    if application.category != "border":
        return
    department = application.details["border_district"][:2]
    near = (BORDER_DEPARTMENTS.get(worker.nationality, frozenset()) for worker in application.workers)
    if any(department not in departments for departments in near):
        yield "category_details.border_district"


def _same_employer(application: Application, known: Known) -> Iterator[str]:
    if known.followed is not None and application.employer.ruc != known.followed.ruc:
        yield "employer.ruc"


def _same_people(application: Application, known: Known) -> Iterator[str]:
    if known.followed is None:
        return iter(())
    workers, documents = application.workers, known.followed.documents
    return _workers(application, "document_number", lambda place: workers[place].document not in documents)


def _extends(application: Application, known: Known) -> Iterator[str]:
    followed, end = known.followed, application.contract.end
    if followed is None or not followed.extends:
        return
    if followed.ends is None or (end is not None and end <= followed.ends):
        yield "contract.end"


def _declared(name: str) -> Check:
    def check(application: Application, _known: Known) -> Iterator[str]:
        if not application.declarations[name]:
            yield f"declarations.{name}"

    return check


REJECT, OBSERVE = Effect.REJECT, Effect.OBSERVE
NATIONALITY = Rule(
    "nationality",
    REJECT,
    N_(
        "La constancia es solo para personas de Bolivia, Colombia o Ecuador. El contrato de una persona de otro país "
        "se registra en el régimen general (SIVICE), y su calidad migratoria se ve en Migraciones."
    ),
    SIVITMA,
    _nationality,
)
RULES: tuple[Rule, ...] = (
    Rule("ruc", REJECT, N_("El RUC no es válido: revise sus once cifras."), SUNAT, _ruc),
    Rule(
        "representative_document",
        REJECT,
        N_(
            "El número no corresponde al tipo de documento: el DNI tiene ocho cifras; el carné, de 8 a 12 caracteres."
        ),
        FORMATS,
        _representative,
    ),
    NATIONALITY,
    Rule(
        "document_type",
        REJECT,
        N_("Ese documento no es del país de la persona: elija el de su nacionalidad o el pasaporte."),
        FORMATS,
        _document_kind,
    ),
    Rule(
        "document_number",
        REJECT,
        N_("El número no puede ser de ese documento: cópielo tal como está escrito en él."),
        FORMATS,
        _document_wrong,
    ),
    Rule(
        "worker_twice",
        REJECT,
        N_("Esta persona ya está en la solicitud: quítela una vez."),
        CONSISTENCY,
        _twice,
    ),
    Rule("birth_date", REJECT, N_("La fecha de nacimiento debe ser anterior a hoy."), FORMATS, _born),
    Rule(
        "signed",
        REJECT,
        N_("El contrato debe estar firmado: la fecha de la firma no puede ser posterior a hoy."),
        CONSISTENCY,
        _signed,
    ),
    Rule(
        "start",
        REJECT,
        N_("El contrato no puede empezar antes de su firma: revise las dos fechas."),
        CONSISTENCY,
        _start,
    ),
    Rule(
        "end_missing",
        REJECT,
        N_("Un contrato a plazo fijo tiene fecha de término: escríbala."),
        CONSISTENCY,
        _end_missing,
    ),
    Rule(
        "end_not_asked",
        REJECT,
        N_("Un contrato a plazo indeterminado no tiene fecha de término: bórrela, o elija plazo fijo."),
        CONSISTENCY,
        _end_too_many,
    ),
    Rule("end", REJECT, N_("El término debe ser posterior al inicio."), CONSISTENCY, _end),
    Rule("pay", REJECT, N_("La remuneración debe ser mayor que cero."), CONSISTENCY, _pay),
    Rule(
        "hours", REJECT, N_("Las horas por semana deben ser más de 0 y no más de 168."), CONSISTENCY, _hours
    ),
    Rule(
        "company_duration",
        REJECT,
        N_(
            "El traslado por la empresa debe durar más de 180 días. Si dura menos, elija otra categoría que "
            "corresponda al contrato."
        ),
        f"{DECISION_545}; {RM_279}",
        _company_days,
    ),
    Rule(
        "seasonal_dates",
        REJECT,
        N_("El contrato de temporada precisa el tiempo del trabajo: elija plazo fijo y escriba sus fechas."),
        DECISION_545,
        _seasonal_dates,
    ),
    Rule(
        "seasonal_lodging",
        REJECT,
        N_("En el trabajo de temporada el empleador da un alojamiento adecuado: debe declararlo."),
        DECISION_545,
        _seasonal("lodging"),
    ),
    Rule(
        "seasonal_travel",
        REJECT,
        N_("En el trabajo de temporada el empleador paga los viajes: debe declararlo."),
        DECISION_545,
        _seasonal("travel"),
    ),
    Rule(
        "same_employer",
        REJECT,
        N_(
            "El trámite sigue a una constancia de otro empleador: con otro RUC, presente una solicitud nueva."
        ),
        CONSISTENCY,
        _same_employer,
    ),
    Rule(
        "extension",
        REJECT,
        N_(
            "La prórroga termina después que el contrato anterior, que tenía fecha de término: revise la fecha."
        ),
        CONSISTENCY,
        _extends,
    ),
    Rule(
        "true_data",
        REJECT,
        N_("Para presentar la solicitud, declare que los datos y el contrato son verdaderos."),
        PRESUMPTION,
        _declared("true_data"),
    ),
    Rule(
        "not_public_administration",
        REJECT,
        N_(
            "El empleo en la Administración Pública está excluido: la constancia es solo para el sector privado."
        ),
        DECISION_545,
        _declared("not_public_administration"),
    ),
    Rule(
        "privacy",
        REJECT,
        N_("Lea cómo se usan los datos personales y marque la casilla."),
        "Ley 29733; DS 016-2024-JUS",
        _declared("privacy"),
    ),
    Rule(
        "minor",
        OBSERVE,
        N_("La persona es menor de 18 años: un contrato así no se aprueba automáticamente."),
        DESK,
        _minor,
    ),
    Rule(
        "birth_date_unlikely",
        OBSERVE,
        N_("Por la fecha de nacimiento, la persona tiene más de 90 años: confirme la fecha."),
        DESK,
        _very_old,
    ),
    Rule(
        "document_doubtful",
        OBSERVE,
        N_("El número no se parece a los de ese documento: confírmelo, o envíe una copia del documento."),
        DESK,
        _document_doubtful,
    ),
    Rule(
        "already_in_force",
        OBSERVE,
        N_("La persona ya tiene una constancia en vigor para esas fechas."),
        DESK,
        _in_force,
    ),
    Rule(
        "other_people",
        OBSERVE,
        N_(
            "El documento no es el de la constancia anterior: una persona de la mesa verá si es la misma persona."
        ),
        DESK,
        _same_people,
    ),
    Rule(
        "several_workers",
        OBSERVE,
        N_("Solo un contrato de temporada cubre a varias personas: una persona de la mesa verá este."),
        DECISION_545,
        _several,
    ),
    Rule(
        "border_district",
        OBSERVE,
        N_("El distrito no está en un departamento que limite con el país de la persona: confírmelo."),
        DESK,
        _border,
    ),
    Rule(
        "contract_over",
        OBSERVE,
        N_("El contrato ya terminó: diga por qué se presenta ahora."),
        DESK,
        _over,
    ),
)
REJECTING = tuple(rule for rule in RULES if rule.effect is REJECT)
OBSERVING = tuple(rule for rule in RULES if rule.effect is OBSERVE)
