"""axe-core, which finds what keeps people with disabilities out of a page. Vendored: `tests/vendor/axe-core`."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

PROGRAM = (Path(__file__).parent.parent / "vendor" / "axe-core" / "axe.min.js").read_text("utf-8")
RULES = "wcag2a wcag2aa wcag21a wcag21aa wcag22aa best-practice".split()
RUN = """rules => axe.run(document, { runOnly: rules, resultTypes: ["violations"] }).then(found =>
  found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target} ${node.failureSummary}`)))"""


def barriers(page: Page) -> list[str]:
    """What axe finds on a page as it stands: the rule, where, and how to mend it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(PROGRAM)
    found: list[str] = page.evaluate(RUN, RULES)
    return found
