"""The file of a filing as programs and people look it up: a JSON Schema, and the page docs/certificate-filing.md.

Both are made from what the reading and the rules go by (`fields.py`, `rules.py`); `python -m
helpdesk.certificates.schema` prints the page, `--json` the schema. In: shapes. What a schema cannot say (which
districts there are, what the rules ask) stands on the page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from helpdesk.certificates import contract_file, fields
from helpdesk.certificates.fields import DETAILS, Field, Kind
from helpdesk.certificates.rules import RULES, Effect

JSON = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SHAPES: Mapping[Kind, JSON] = {
    Kind.TEXT: {"type": "string"},
    Kind.EMAIL: {"type": "string", "format": "email", "pattern": f"^{fields.ADDRESS.pattern}$"},
    Kind.PHONE: {"type": "string", "pattern": f"^{fields.PHONE.pattern}$"},
    Kind.CHOICE: {"type": "string"},
    Kind.DATE: {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    Kind.NUMBER: {"type": "number", "exclusiveMinimum": -fields.MOST, "exclusiveMaximum": fields.MOST},
    Kind.YES: {"type": "boolean"},
    Kind.DISTRICT: {"type": "string", "pattern": "^[0-9]{6}$"},
    Kind.CURRENCY: {"type": "string", "pattern": "^[A-Za-z]{3}$"},
    Kind.COUNTRY: {"type": "string"},
}
_FREE = (Kind.TEXT, Kind.EMAIL, Kind.PHONE)  # those of any length, up to a longest


def json_schema() -> JSON:
    """The JSON Schema (2020-12) of a filing. What it accepts can be read, but for districts and currencies."""
    parts = {
        "employer": _object(fields.EMPLOYER, representative=_object(fields.REPRESENTATIVE)),
        "workers": {
            "type": "array",
            "minItems": 1,
            "maxItems": fields.MOST_WORKERS,
            "items": _object(fields.WORKER),
        },
        **{question.name: _shape(question) for question in fields.CATEGORY},
        "category_details": {"type": ["object", "null"]},
        "contract": _object(fields.CONTRACT),
        "declarations": _object(fields.DECLARATIONS),
        contract_file.KEY: {"type": "string", "minLength": 1, "pattern": r"\S"},
    }
    return {
        "$schema": DIALECT,
        "title": "Contract filing",
        "description": "What `helpdesk certificate file` reads. Keys and rules: docs/certificate-filing.md.",
        "type": "object",
        "properties": parts,
        "required": [name for name in parts if name != "category_details"],
        "additionalProperties": False,
        "allOf": [_details_of(category, asked) for category, asked in DETAILS.items()],
    }


def _object(asked: Iterable[Field], **parts: JSON) -> JSON:
    questions = tuple(asked)
    return {
        "type": "object",
        "properties": {question.name: _shape(question) for question in questions} | parts,
        "required": [*(question.name for question in questions if question.required), *parts],
        "additionalProperties": False,
    }


def _details_of(category: str, asked: tuple[Field, ...]) -> JSON:
    """The category's own questions; where there are none, the key may be left out."""
    shape = _object(asked)
    then: JSON = {"properties": {"category_details": shape}}
    if asked:
        then["required"] = ["category_details"]
    else:
        shape["type"] = ["object", "null"]
    known = {"properties": {"category": {"const": category}}, "required": ["category"]}
    return {"if": known, "then": then}


def _shape(question: Field) -> JSON:
    shape: JSON = {"title": question.label, **_SHAPES[question.kind]}
    if question.hint:
        shape["description"] = question.hint
    if question.choices:
        shape["enum"] = list(question.choices)
    if question.kind in _FREE:
        shape["maxLength"] = question.longest
    if question.kind is Kind.TEXT and question.required:
        shape["pattern"] = r"\S"
    if not question.required:
        shape["type"] = [shape["type"], "null"]
    return shape


# The key that each rule names; `n` is a person's place, counted from nought.
KEYS: Mapping[str, str] = {
    "ruc": "employer.ruc",
    "representative_document": "employer.representative.document_number",
    "nationality": "workers[n].nationality",
    "document_type": "workers[n].document_type",
    "document_number": "workers[n].document_number",
    "worker_twice": "workers[n].document_number",
    "birth_date": "workers[n].birth_date",
    "signed": "contract.signed",
    "start": "contract.start",
    "end_missing": "contract.end",
    "end_not_asked": "contract.end",
    "end": "contract.end",
    "pay": "contract.pay",
    "hours": "contract.hours_per_week",
    "company_duration": "contract.end",
    "seasonal_dates": "contract.type",
    "seasonal_lodging": "category_details.lodging",
    "seasonal_travel": "category_details.travel",
    "same_employer": "employer.ruc",
    "extension": "contract.end",
    "true_data": "declarations.true_data",
    "not_public_administration": "declarations.not_public_administration",
    "privacy": "declarations.privacy",
    "minor": "workers[n].birth_date",
    "birth_date_unlikely": "workers[n].birth_date",
    "document_doubtful": "workers[n].document_number",
    "already_in_force": "workers[n].document_number",
    "other_people": "workers[n].document_number",
    "several_workers": "workers",
    "border_district": "category_details.border_district",
    "contract_over": "contract.end",
}
# What can be wrong with a file before any rule of the filing is asked.
SHAPE_FAULTS: Mapping[str, str] = {
    "unreadable": "the file, or the contract's file, is not there, or the file is not one JSON object in UTF-8",
    "required": "the key is missing, `null` or blank",
    "unknown_key": "no key of a filing is called so; the message lists those that are",
    "type": "another type of JSON value is wanted",
    "too_long": "longer than the key allows",
    "choice": "none of the key's values",
    "date": "no date `YYYY-MM-DD` from 1900 to 2100",
    "number": "no number, or one of eleven figures and more",
    "email": "no e-mail address",
    "phone": "no telephone number",
    "ubigeo": "no district of INEI's table",
    "currency": "no currency code of ISO 4217",
    "country": "no country code of three letters",
    "workers": f"not a list of 1 to {fields.MOST_WORKERS} people",
    "too_large": f"the contract's file is larger than {contract_file.MOST_BYTES // 1_000_000} MB",
    "file_type": "the contract's file is no PDF, JPEG, PNG or WebP, or its name says that it is something else",
    "file_content": "it is cut off, holds another file or a program, or has too many pixels",
    "virus": "ClamAV found something in it",
    "unavailable": "not the file's fault: a setting, the database, its clock",
}
EXAMPLE: JSON = {
    "employer": {
        "ruc": "20131312955",
        "name": "Agrícola de Prueba S.A.C.",
        "address": "Av. Ejemplo 100",
        "ubigeo": "150122",
        "activity": "Agricultura",
        "email": "rrhh@example.com",
        "phone": "01 000 0000",
        "representative": {
            "name": "Rosa Prueba Ejemplo",
            "document_type": "dni",
            "document_number": "00000001",
        },
    },
    "workers": [
        {
            "nationality": "COL",
            "document_type": "cc",
            "document_number": "1000000001",
            "surnames": "Ejemplo Prueba",
            "given_names": "Ana María",
            "birth_date": "1990-05-20",
            "sex": "female",
            "marital_status": "single",
            "address_abroad": "Calle de prueba 1, Bogotá",
            "address_peru": None,
            "email": "ana@example.com",
        }
    ],
    "category": "seasonal",
    "category_details": {"work": "Cosecha de uva de mesa", "lodging": True, "travel": True},
    "contract": {
        "type": "fixed",
        "signed": "2026-11-20",
        "start": "2026-12-01",
        "end": "2027-04-30",
        "occupation": "Operaria de cosecha",
        "workplace_address": "Fundo de prueba s/n",
        "workplace_ubigeo": "110101",
        "pay": 1800.5,
        "currency": "PEN",
        "hours_per_week": 48,
    },
    "declarations": {"true_data": True, "not_public_administration": True, "privacy": True},
    "contract_file": "contrato.pdf",
}
_PAGE = """# A filing as a file

Made by `make docs` from `helpdesk/certificates/schema.py`; do not edit by hand.

    helpdesk certificate file FILE.json [--pdf PATH]

files a contract as the [web form](certificates.md) does: the same rules, the same number series, the same notices. The
command always prints one JSON object on standard output, in one line. For programs that check a file first there is a
[JSON Schema](certificate-filing.schema.json) (2020-12); it knows neither the districts, nor the currencies, nor which
days there are.

## Outcomes

| Exit code | `outcome` | What happened | Further keys |
|---|---|---|---|
| 0 | `issued` | Every rule is met: the constancias are issued and mailed | `ticket`, `certificates` |
| 0 | `observed` | It is registered; a rule cannot decide, so a person looks at it | `ticket` |
| 1 | `rejected` | A condition is not met; nothing is registered | |
| 2 | `rejected` | The file cannot be read, or the desk cannot work (settings, database) | |

With 2, one sentence stands on standard error as well. What is observed can be put right within two working days, on the
page that the mail leads to.

`reasons` is a list of `{{"rule", "message", "source", "key"}}`, empty when it was issued. `certificates` holds one
`{{"worker", "number", "code", "pdf", "sha256"}}` for each person, in the file's order. `pdf` is the path of the written
document; `null` when it could not be written (it is issued all the same) or when its seal is still to come, and then
`sha256` is `null` as well. `helpdesk certificate verify PDF|CODE` says what a document is worth.

`--pdf` names the PDF. With several people it names a folder, or `constancia.pdf` becomes `constancia-NUMBER.pdf`.
Without it, `NUMBER.pdf` is written beside FILE.json. A file that is there is written over.

The same file filed twice is observed the second time (`already_in_force`): nobody gets two constancias for the same
days without a person's look at it.

## Example

Made-up people; the RUC is a well-known example. Beside it lies `contrato.pdf`.

```json
{example}
```

## Keys

The file is UTF-8. Spaces at both ends and line breaks in texts do not count, nor do spaces, dots and hyphens in numbers
of documents.

| Key | On the page | Value | Required | Rules that name it |
|---|---|---|---|---|
{keys}

| Key | Value | Meaning |
|---|---|---|
{values}

## What is wrong with a file's form

These are told before any rule is asked, all at once, with exit code 1 (2 where the file cannot be read).

| Rule | What is wrong |
|---|---|
{faults}

## Rules

All that are broken are told at once. Those that reject come first; only when none of them does can a filing be
observed. `n` is a person's place, counted from nought. `same_employer`, `extension` and `other_people` compare with the
constancia that a filing follows; a file follows none.

| Rule | Effect | Key | In words | Source |
|---|---|---|---|---|
{rules}
"""
_FILE_WORDS = "path of the signed contract, from FILE.json's folder: PDF, JPEG, PNG or WebP of at most 5 MB"


def reference() -> str:
    """The page that describes the file, in Markdown."""
    return _PAGE.format(
        example=json.dumps(EXAMPLE, ensure_ascii=False, indent=2),
        keys="\n".join(_key_rows()),
        values="\n".join(_value_rows()),
        faults="\n".join(_row(f"`{name}`", words) for name, words in SHAPE_FAULTS.items()),
        rules="\n".join(_rule_rows()),
    )


def schema_text() -> str:
    """The schema as a file holds it."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"


def _questions() -> Iterator[tuple[str, Field]]:
    """Every question with its key, in the file's order; a category's own once for each category."""
    groups: tuple[tuple[str, tuple[Field, ...]], ...] = (
        ("employer.", fields.EMPLOYER),
        ("employer.representative.", fields.REPRESENTATIVE),
        ("workers[n].", fields.WORKER),
        ("", fields.CATEGORY),
        *(("category_details.", asked) for asked in DETAILS.values()),
        ("contract.", fields.CONTRACT),
        ("declarations.", fields.DECLARATIONS),
    )
    for path, asked in groups:
        for question in asked:
            yield path + question.name, question


def _key_rows() -> Iterator[str]:
    own = {id(question): category for category, asked in DETAILS.items() for question in asked}
    for key, question in _questions():
        category = own.get(id(question))
        needed = "no" if not question.required else f"for `{category}`" if category else "yes"
        yield _row(f"`{key}`", question.label, _words(question), needed, _rules_of(key))
    words = f"a list of 1 to {fields.MOST_WORKERS} people"
    yield _row("`workers`", "Personas del contrato", words, "yes", _rules_of("workers"))
    yield _row(f"`{contract_file.KEY}`", "El contrato firmado", _FILE_WORDS, "yes", "")


def _words(question: Field) -> str:
    """What a key takes, in words."""
    if question.kind in _FREE:
        kinds = {Kind.TEXT: "text", Kind.EMAIL: "e-mail address", Kind.PHONE: "telephone number"}
        return f"{kinds[question.kind]}, at most {question.longest} characters"
    return {
        Kind.CHOICE: "one of the values below",
        Kind.COUNTRY: "country, ISO 3166 in three letters: one of the values below",
        Kind.DATE: "date `YYYY-MM-DD`",
        Kind.NUMBER: "number; rounded to two decimals",
        Kind.YES: "`true` or `false`",
        Kind.DISTRICT: "INEI's ubigeo of a district, six figures, as text",
        Kind.CURRENCY: "currency, ISO 4217",
    }[question.kind]


def _value_rows() -> Iterator[str]:
    for key, question in _questions():
        for value, meaning in question.choices.items():
            yield _row(f"`{key}`", f"`{value}`", meaning)


def _rules_of(key: str) -> str:
    return ", ".join(f"`{rule.name}`" for rule in RULES if KEYS[rule.name] == key)


def _rule_rows() -> Iterator[str]:
    effects = {Effect.REJECT: "rejects", Effect.OBSERVE: "observes"}
    for rule in RULES:
        yield _row(f"`{rule.name}`", effects[rule.effect], f"`{KEYS[rule.name]}`", rule.message, rule.source)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(schema_text() if "--json" in sys.argv[1:] else reference())
