"""The rules of a filing, as data: each with a name, what it does, the reason in words, and where it comes from.

`REJECT`: the condition is not met; nothing is registered until it is. `OBSERVE`: a rule cannot decide; the filing is
registered and a person looks at it. Not in: looking an application through (`checks.py`), the file of the contract
(`contract_file.py`), reading (`application.py`).

Employment of Andean nationals knows no share of the payroll, no degrees and no work certificates (Decisión 545): no
rule asks for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from helpdesk.certificates import checks
from helpdesk.certificates.application import Application, Fault
from helpdesk.certificates.checks import Check, Known
from helpdesk.desk.words import N_

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


REJECT, OBSERVE = Effect.REJECT, Effect.OBSERVE
NATIONALITY = Rule(
    "nationality",
    REJECT,
    N_(
        "La constancia es solo para personas de Bolivia, Colombia o Ecuador. El contrato de una persona de otro país "
        "se registra en el régimen general (SIVICE), y su calidad migratoria se ve en Migraciones."
    ),
    SIVITMA,
    checks.nationality,
)
RULES: tuple[Rule, ...] = (
    Rule("ruc", REJECT, N_("El RUC no es válido: revise sus once cifras."), SUNAT, checks.ruc_is_one),
    Rule(
        "representative_document",
        REJECT,
        N_(
            "El número no corresponde al tipo de documento: el DNI tiene ocho cifras; el carné, de 8 a 12 caracteres."
        ),
        FORMATS,
        checks.representative,
    ),
    NATIONALITY,
    Rule(
        "document_type",
        REJECT,
        N_("Ese documento no es del país de la persona: elija el de su nacionalidad o el pasaporte."),
        FORMATS,
        checks.document_kind,
    ),
    Rule(
        "document_number",
        REJECT,
        N_("El número no puede ser de ese documento: cópielo tal como está escrito en él."),
        FORMATS,
        checks.document_wrong,
    ),
    Rule(
        "worker_twice",
        REJECT,
        N_("Esta persona ya está en la solicitud: quítela una vez."),
        CONSISTENCY,
        checks.worker_twice,
    ),
    Rule(
        "birth_date",
        REJECT,
        N_("La fecha de nacimiento debe ser anterior a hoy."),
        FORMATS,
        checks.born_before,
    ),
    Rule(
        "signed",
        REJECT,
        N_("El contrato debe estar firmado: la fecha de la firma no puede ser posterior a hoy."),
        CONSISTENCY,
        checks.signed_already,
    ),
    Rule(
        "start",
        REJECT,
        N_("El contrato no puede empezar antes de su firma: revise las dos fechas."),
        CONSISTENCY,
        checks.start_after_signature,
    ),
    Rule(
        "end_missing",
        REJECT,
        N_("Un contrato a plazo fijo tiene fecha de término: escríbala."),
        CONSISTENCY,
        checks.end_missing,
    ),
    Rule(
        "end_not_asked",
        REJECT,
        N_("Un contrato a plazo indeterminado no tiene fecha de término: bórrela, o elija plazo fijo."),
        CONSISTENCY,
        checks.end_too_many,
    ),
    Rule("end", REJECT, N_("El término debe ser posterior al inicio."), CONSISTENCY, checks.end_after_start),
    Rule(
        "pay", REJECT, N_("La remuneración debe ser mayor que cero."), CONSISTENCY, checks.pay_above_nothing
    ),
    Rule(
        "hours",
        REJECT,
        N_("Las horas por semana deben ser más de 0 y no más de 168."),
        CONSISTENCY,
        checks.hours_of_a_week,
    ),
    Rule(
        "company_duration",
        REJECT,
        N_(
            "El traslado por la empresa debe durar más de 180 días. Si dura menos, elija otra categoría que "
            "corresponda al contrato."
        ),
        f"{DECISION_545}; {RM_279}",
        checks.company_days,
    ),
    Rule(
        "seasonal_dates",
        REJECT,
        N_("El contrato de temporada precisa el tiempo del trabajo: elija plazo fijo y escriba sus fechas."),
        DECISION_545,
        checks.seasonal_dates,
    ),
    Rule(
        "seasonal_lodging",
        REJECT,
        N_("En el trabajo de temporada el empleador da un alojamiento adecuado: debe declararlo."),
        DECISION_545,
        checks.seasonal("lodging"),
    ),
    Rule(
        "seasonal_travel",
        REJECT,
        N_("En el trabajo de temporada el empleador paga los viajes: debe declararlo."),
        DECISION_545,
        checks.seasonal("travel"),
    ),
    Rule(
        "same_employer",
        REJECT,
        N_(
            "El trámite sigue a una constancia de otro empleador: con otro RUC, presente una solicitud nueva."
        ),
        CONSISTENCY,
        checks.same_employer,
    ),
    Rule(
        "extension",
        REJECT,
        N_(
            "La prórroga termina después que el contrato anterior, que tenía fecha de término: revise la fecha."
        ),
        CONSISTENCY,
        checks.ends_later,
    ),
    Rule(
        "true_data",
        REJECT,
        N_("Para presentar la solicitud, declare que los datos y el contrato son verdaderos."),
        PRESUMPTION,
        checks.declared("true_data"),
    ),
    Rule(
        "not_public_administration",
        REJECT,
        N_(
            "El empleo en la Administración Pública está excluido: la constancia es solo para el sector privado."
        ),
        DECISION_545,
        checks.declared("not_public_administration"),
    ),
    Rule(
        "privacy",
        REJECT,
        N_("Lea cómo se usan los datos personales y marque la casilla."),
        "Ley 29733; DS 016-2024-JUS",
        checks.declared("privacy"),
    ),
    Rule(
        "minor",
        OBSERVE,
        N_("La persona es menor de 18 años: un contrato así no se aprueba automáticamente."),
        DESK,
        checks.is_minor,
    ),
    Rule(
        "birth_date_unlikely",
        OBSERVE,
        N_("Por la fecha de nacimiento, la persona tiene más de 90 años: confirme la fecha."),
        DESK,
        checks.is_very_old,
    ),
    Rule(
        "document_doubtful",
        OBSERVE,
        N_("El número no se parece a los de ese documento: confírmelo, o envíe una copia del documento."),
        DESK,
        checks.document_doubtful,
    ),
    Rule(
        "already_in_force",
        OBSERVE,
        N_("La persona ya tiene una constancia en vigor para esas fechas."),
        DESK,
        checks.already_in_force,
    ),
    Rule(
        "other_people",
        OBSERVE,
        N_(
            "El documento no es el de la constancia anterior: una persona de la mesa verá si es la misma persona."
        ),
        DESK,
        checks.same_people,
    ),
    Rule(
        "several_workers",
        OBSERVE,
        N_("Solo un contrato de temporada cubre a varias personas: una persona de la mesa verá este."),
        DECISION_545,
        checks.several_workers,
    ),
    Rule(
        "border_district",
        OBSERVE,
        N_("El distrito no está en un departamento que limite con el país de la persona: confírmelo."),
        DESK,
        checks.border_district,
    ),
    Rule(
        "contract_over",
        OBSERVE,
        N_("El contrato ya terminó: diga por qué se presenta ahora."),
        DESK,
        checks.contract_is_over,
    ),
)
REJECTING = tuple(rule for rule in RULES if rule.effect is REJECT)
OBSERVING = tuple(rule for rule in RULES if rule.effect is OBSERVE)
