"""Topics, kinds and urgencies: the closed lists of the second reading of a message.

A topic belongs to one line; the suggestions use it. docs/labelling.md says how each label is chosen.
"""

KINDS = ("consulta", "reclamo", "queja", "informacion_publica", "datos_personales", "denuncia")
NOT_URGENT = "no"
URGENCIES = ("trafficking", "violence", "detention", "deadline")

_TOPICS = {
    "abroad": """
        work-visa seasonal-recruitment youth-mobility telework-abroad job-offer-check job-search-abroad
        degree-abroad papers-to-leave andean-abroad mercosur-abroad family-leaving ancestry seafarer
        preparation contract-before-leaving pension-before-leaving
    """,
    "return": """
        returnee-law returnee-card household-goods vehicle tools-and-business missed-deadline selling-goods
        deported degree-in-peru work-and-training support-on-return family-returning repatriation
        pension-on-return school-and-studies
    """,
    "resident_abroad": """
        pension-onp pension-afp social-security-abroad unpaid-or-exploited dismissal accident-or-health
        residence-permit labour-papers-abroad remittances-and-tax family-reunification consular-papers
        detained-or-emergency death-abroad rights-abroad degree-where-i-live next-country
    """,
    "foreigner": """
        contract-registration contract-exempt andean-contract andean-constancia hiring-limits
        tourist-and-work start-date mercosur-residence andean-residence temporary-permit refugee
        foreigner-card overstay contract-change spaniard degree-to-practise labour-rights investor-or-own
        artist-or-short-stay family-of-foreigner job-search-in-peru intra-company
    """,
    "none": """
        other-entity consular-other tourism local-labour local-employment local-pension third-country
        infomigra-chile spam seller press research transparency institutional thanks auto-reply
        empty-or-test opinion family-law studies personal-data
    """,
}

TOPICS: dict[str, tuple[str, ...]] = {line: tuple(names.split()) for line, names in _TOPICS.items()}
LINE_OF = {topic: line for line, topics in TOPICS.items() for topic in topics}
