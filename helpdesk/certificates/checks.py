"""What an application must be looked at for: one function a rule, which yields the keys that do not meet it.

In: the looking. Not in: what a rule does, its reason and its source (`rules.py`). Pure: whatever the register knows is
given (`Known`).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from helpdesk.certificates import identity
from helpdesk.certificates.application import Application
from helpdesk.certificates.fields import NATIONALITIES_ES
from helpdesk.certificates.identity import REPRESENTATIVE_DOCUMENTS, WORKER_DOCUMENTS, Verdict
from helpdesk.certificates.places import BORDER_DEPARTMENTS

ADULT_YEARS = 18
OLDEST_YEARS = 90
COMPANY_DAYS = 180
HOURS_IN_A_WEEK = 168

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


def _workers(application: Application, of: str, wrong: Callable[[int], bool]) -> Iterator[str]:
    places = range(len(application.workers))
    return (f"workers[{place}].{of}" for place in places if wrong(place))


def ruc_is_one(application: Application, _known: Known) -> Iterator[str]:
    """RUC, by prefix and check figure."""
    if not identity.is_ruc(application.employer.ruc):
        yield "employer.ruc"


def representative(application: Application, _known: Known) -> Iterator[str]:
    """The representative's document, by its form."""
    person = application.employer.representative
    if not REPRESENTATIVE_DOCUMENTS[person["document_type"]].must.fullmatch(person["document_number"]):
        yield "employer.representative.document_number"


def nationality(application: Application, _known: Known) -> Iterator[str]:
    """Workers of other countries."""
    workers = application.workers
    return _workers(
        application, "nationality", lambda place: workers[place].nationality not in NATIONALITIES_ES
    )


def document_kind(application: Application, _known: Known) -> Iterator[str]:
    """Documents of another country than the worker's."""

    def is_of_another_country(place: int) -> bool:
        worker = application.workers[place]
        return WORKER_DOCUMENTS[worker.document_type].nationality not in (None, worker.nationality)

    return _workers(application, "document_type", is_of_another_country)


def _verdicts(application: Application, verdict: Verdict) -> Iterator[str]:
    def is_so(place: int) -> bool:
        worker = application.workers[place]
        return identity.judge(worker.document_type, worker.document_number) is verdict

    return _workers(application, "document_number", is_so)


def document_wrong(application: Application, _known: Known) -> Iterator[str]:
    """Numbers that cannot be of such a document."""
    return _verdicts(application, Verdict.WRONG)


def document_doubtful(application: Application, _known: Known) -> Iterator[str]:
    """Numbers that are unusual for such a document."""
    return _verdicts(application, Verdict.DOUBTFUL)


def worker_twice(application: Application, _known: Known) -> Iterator[str]:
    """Workers who stand there a second time."""
    counted = Counter(worker.document for worker in application.workers)
    seen: set[tuple[str, str, str]] = set()
    for place, worker in enumerate(application.workers):
        if counted[worker.document] > 1 and worker.document in seen:
            yield f"workers[{place}].document_number"
        seen.add(worker.document)


def born_before(application: Application, known: Known) -> Iterator[str]:
    """Births that are still to come."""
    workers = application.workers
    return _workers(application, "birth_date", lambda place: workers[place].birth_date >= known.today)


def age_on(born: dt.date, day: dt.date) -> int:
    """Full years of age on a day."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def is_minor(application: Application, known: Known) -> Iterator[str]:
    """Workers who were not yet adults on the day of the signature."""

    def is_minor(place: int) -> bool:
        born = application.workers[place].birth_date
        return (
            born < known.today and age_on(born, min(known.today, application.contract.signed)) < ADULT_YEARS
        )

    return _workers(application, "birth_date", is_minor)


def is_very_old(application: Application, known: Known) -> Iterator[str]:
    """Workers of an age that is more likely a slip."""
    workers = application.workers
    return _workers(
        application, "birth_date", lambda place: age_on(workers[place].birth_date, known.today) > OLDEST_YEARS
    )


def already_in_force(application: Application, known: Known) -> Iterator[str]:
    """Workers who have a constancia for some of these days."""
    workers = application.workers
    return _workers(
        application, "document_number", lambda place: bool(known.in_force.get(workers[place].document))
    )


def signed_already(application: Application, known: Known) -> Iterator[str]:
    """A signature that is still to come."""
    if application.contract.signed > known.today:
        yield "contract.signed"


def start_after_signature(application: Application, _known: Known) -> Iterator[str]:
    """A contract that begins before it was signed."""
    if application.contract.start < application.contract.signed:
        yield "contract.start"


def end_missing(application: Application, _known: Known) -> Iterator[str]:
    """A fixed term without an end."""
    if application.contract.type == "fixed" and application.contract.end is None:
        yield "contract.end"


def end_too_many(application: Application, _known: Known) -> Iterator[str]:
    """An indefinite term with an end."""
    if application.contract.type == "indefinite" and application.contract.end is not None:
        yield "contract.end"


def end_after_start(application: Application, _known: Known) -> Iterator[str]:
    """An end that is no later than the beginning."""
    contract = application.contract
    if contract.end is not None and contract.end <= contract.start:
        yield "contract.end"


def contract_is_over(application: Application, known: Known) -> Iterator[str]:
    """A contract that ended before it was filed."""
    contract = application.contract
    if contract.end is not None and contract.start < contract.end < known.today:
        yield "contract.end"


def pay_above_nothing(application: Application, _known: Known) -> Iterator[str]:
    """Pay of nothing or less."""
    if application.contract.pay <= 0:
        yield "contract.pay"


def hours_of_a_week(application: Application, _known: Known) -> Iterator[str]:
    """More hours than a week has, or none."""
    hours = application.contract.hours_per_week
    if hours is not None and not 0 < hours <= HOURS_IN_A_WEEK:
        yield "contract.hours_per_week"


def company_days(application: Application, _known: Known) -> Iterator[str]:
    """A transfer by a company that is too short."""
    contract = application.contract
    if application.category != "company" or contract.end is None:
        return
    # A term leaves its first day out and takes its last one in (Código Civil, art. 183).
    if (contract.end - contract.start).days <= COMPANY_DAYS:
        yield "contract.end"


def seasonal_dates(application: Application, _known: Known) -> Iterator[str]:
    """Seasonal work without its dates."""
    if application.category == "seasonal" and application.contract.type != "fixed":
        yield "contract.type"


def seasonal(name: str) -> Check:
    """What an employer of seasonal workers must declare."""

    def check(application: Application, _known: Known) -> Iterator[str]:
        if application.category == "seasonal" and not application.details.get(name):
            yield f"category_details.{name}"

    return check


def several_workers(application: Application, _known: Known) -> Iterator[str]:
    """Several workers on a contract that is not seasonal."""
    if application.category != "seasonal" and len(application.workers) > 1:
        yield "workers"


def border_district(application: Application, _known: Known) -> Iterator[str]:
    """A district that does not lie at the workers' border."""
    if application.category != "border":
        return
    department = application.details["border_district"][:2]
    near = (BORDER_DEPARTMENTS.get(worker.nationality, frozenset()) for worker in application.workers)
    if any(department not in departments for departments in near):
        yield "category_details.border_district"


def same_employer(application: Application, known: Known) -> Iterator[str]:
    """Another employer than that of the filing which is followed."""
    if known.followed is not None and application.employer.ruc != known.followed.ruc:
        yield "employer.ruc"


def same_people(application: Application, known: Known) -> Iterator[str]:
    """Other people than those of the filing which is followed."""
    if known.followed is None:
        return iter(())
    workers, documents = application.workers, known.followed.documents
    return _workers(application, "document_number", lambda place: workers[place].document not in documents)


def ends_later(application: Application, known: Known) -> Iterator[str]:
    """An extension that ends no later than what it extends."""
    followed, end = known.followed, application.contract.end
    if followed is None or not followed.extends:
        return
    if followed.ends is None or (end is not None and end <= followed.ends):
        yield "contract.end"


def declared(name: str) -> Check:
    """What must be declared."""

    def check(application: Application, _known: Known) -> Iterator[str]:
        if not application.declarations[name]:
            yield f"declarations.{name}"

    return check
