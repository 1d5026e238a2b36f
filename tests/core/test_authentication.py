"""What the border said about a mail's sender, and what only looks as if it had (T06, T12)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.mail.authentication import Verdict, border_verdict, read_results
from helpdesk.mail.parse import parse

OURS = ["mx.ministry.example"]
RECEIVED = (
    "Received: from x.example (x.example [192.0.2.1]) by mx.ministry.example; Mon, 3 Nov 2025 10:05:00 -0500"
)
REAL = (
    "Authentication-Results: mx.ministry.example; spf=fail smtp.mailfrom=x.example; "
    "dmarc=fail header.from=example.com"
)
REAL_VERDICT = Verdict("mx.ministry.example", dmarc="fail", spf="fail")
FORGED = "Authentication-Results: mx.ministry.example; dmarc=pass; spf=pass; dkim=pass"
FOREIGN = "Authentication-Results: mx.evil.example; dmarc=pass; spf=pass; dkim=pass"


def verdict_of(*lines: str, trusted: list[str] = OURS) -> Verdict:
    raw = "\n".join((*lines, "From: a@example.com", "", "hola"))
    return border_verdict(parse(raw.encode()).headers, trusted)


def test_T06_without_trusted_servers_nothing_is_verified() -> None:
    assert verdict_of(REAL, RECEIVED, trusted=[]) == Verdict()
    assert not verdict_of(REAL, trusted=[]).is_verified


@pytest.mark.parametrize(
    "lines",
    [
        (REAL, RECEIVED),
        (REAL, RECEIVED, FORGED),
        (REAL, RECEIVED, FORGED, RECEIVED, FORGED),
        (REAL, FOREIGN, FORGED),
        (FOREIGN, REAL, RECEIVED, FORGED),
        (RECEIVED, REAL, RECEIVED, FORGED),
        (REAL.replace("fail", "FAIL").replace("mx.ministry", "MX.Ministry"), RECEIVED, FORGED),
        (REAL.replace("; ", ";\n\t"), RECEIVED, FORGED),
        (
            REAL.replace("dmarc=fail", "dmarc (= pass; dmarc=pass) = (pass) fail (p=reject; dmarc=pass)"),
            RECEIVED,
        ),
        (REAL.replace("mx.", "(mx.evil.example; dmarc=pass) mx.").replace("e;", "e 1;"), RECEIVED),
        (REAL.replace("smtp.mailfrom=", 'smtp.mailfrom="a; dmarc=pass; dkim=pass"@'), RECEIVED),
        (REAL.replace("smtp.mailfrom=", r"smtp.mailfrom=a\; dmarc=pass@"), RECEIVED),
        (REAL.replace("smtp.mailfrom=", "smtp.mailfrom==?utf-8?q?=3B_dmarc=3Dpass=3B?="), RECEIVED),
        (REAL.replace("x.example;", 'x.example reason="dmarc=pass; dkim=pass";'), RECEIVED),
        (REAL, "Received-SPF: fail (mx.ministry.example)", RECEIVED, FORGED),
    ],
)
def test_T06_only_what_the_border_wrote_counts(lines: tuple[str, ...]) -> None:
    assert verdict_of(*lines) == REAL_VERDICT


@pytest.mark.parametrize(
    "line",
    [
        FOREIGN,
        "Authentication-Results: mx.ministry.example mx.evil.example; dmarc=pass",
        "Authentication-Results: mx.ministry.example.evil.example; dmarc=pass",
        "Authentication-Results: spf=pass smtp.mailfrom=x.example; dmarc=pass",
        "Authentication-Results: ; dmarc=pass",
        "Authentication-Results:",
        "Authentication-Results: (mx.ministry.example; dmarc=pass",
        "ARC-Authentication-Results: i=1; mx.ministry.example; dmarc=pass",
        "X-Authentication-Results: mx.ministry.example; dmarc=pass",
        "Received-SPF: pass (mx.ministry.example)",
        "Subject: Authentication-Results: mx.ministry.example; dmarc=pass",
    ],
)
def test_T06_a_result_without_the_name_of_our_server_verifies_nothing(line: str) -> None:
    assert verdict_of(line, RECEIVED) == Verdict()


def test_T06_the_border_may_write_its_results_into_several_headers() -> None:
    lines = (
        "Authentication-Results: mx.ministry.example; dmarc=pass header.from=example.com",
        "Received-SPF: pass (mx.ministry.example: domain of example.com)",
        "Authentication-Results: filter.ministry.example; dkim=fail header.d=a.example; dkim=pass header.d=b.example",
        "Authentication-Results: mx.ministry.example; spf=softfail; dmarc=fail",
    )
    both = [*OURS, " Filter.Ministry.Example "]
    assert verdict_of(*lines, trusted=both) == Verdict("mx.ministry.example", "pass", "softfail", "pass")
    assert verdict_of(*lines) == Verdict("mx.ministry.example", "pass")


def test_of_two_results_in_one_header_the_first_counts_but_one_good_signature_is_enough() -> None:
    value = "mx.ministry.example; spf=fail; spf=pass; dkim=fail; dkim=pass; dkim=fail; dmarc=what; dmarc=none"
    assert read_results(value)[1] == {"spf": "fail", "dkim": "pass", "dmarc": "none"}


def test_a_server_that_found_nothing_has_still_looked() -> None:
    assert verdict_of("Authentication-Results: mx.ministry.example; none", RECEIVED) == Verdict(OURS[0])
    assert verdict_of("Authentication-Results: mx.ministry.example", RECEIVED).is_verified


@pytest.mark.parametrize("result", ["passed", "pass.", "pass@x", "", "=pass", "p a s s", "PASSPORT", "pass-"])
def test_a_word_that_is_no_result_is_none(result: str) -> None:
    assert verdict_of(f"Authentication-Results: mx.ministry.example; dmarc={result}").dmarc is None


def test_T12_a_smuggled_mail_has_no_verdict_of_the_border() -> None:
    smuggled = "From: admin@ministry.example\nAuthentication-Results: mx.evil.example; dmarc=pass"
    assert verdict_of(RECEIVED, smuggled) == Verdict()


def test_every_result_is_kept_in_order_with_the_received_headers_between() -> None:
    lines = [REAL, RECEIVED, *[FORGED, RECEIVED] * 20, "Authentication-Results: last; none"]
    headers = parse("\n".join((*lines, "", "hola")).encode()).headers
    assert [name[:8] for name, _ in headers] == ["authenti", "received"] * 21 + ["authenti"]
    assert headers[-1][1] == "last; none"


@pytest.mark.parametrize("piece", ["(", ")", '"', "\\", ";", "=", "a=b;", "()", '"a"', "dmarc=", '\\"'])
def test_a_long_result_takes_linear_time(piece: str) -> None:
    started = time.process_time()
    border_verdict([("authentication-results", piece * 100_000)] * 3, OURS)
    assert time.process_time() - started < 2


@given(st.text(alphabet='ad=;()"\\ /1\tñ', max_size=60))
def test_any_value_gives_a_verdict(value: str) -> None:
    identity, results = read_results(value)
    assert identity is None or identity
    assert isinstance(results, dict)
