"""What is put into mails to damage them: bits of syntax, rare characters, and values that parsers know by name.

In: tables only. Each stands for a fault that a mail parser has had; `mutate.py` decides where they go.
"""

from __future__ import annotations

SYNTAX = (
    *b"< > \" \\ ( ) , ; : @ =? ?= =?utf-8?q? = =3 -- % %00 '' * *0*= & &#x0; &#55296; <!-- --> <![CDATA[ ]]>".split(),
    *b"<svg> <math> <style> </style> <template> <select> <noscript> <plaintext> <table><a> <? </ >>".split(),
    *(b"=\r\n", b"\r\n\r\n", b"\n\n", b"\r", b"\n ", b"\r\n\t", b"> ", b"-- \r\n", b"From ", b"\r\nFrom "),
    *(b"<blockquote type=cite>", b"begin 644 x\r\n", b"\r\nend\r\n", b"-----BEGIN PGP MESSAGE-----\r\n"),
    *(
        b"BEGIN:VEVENT\r\n",
        b"\r\n\r\nEl lun, 16 nov 2026 a las 10:15, ",
        b"\r\n________________________________\r\nDe: ",
    ),
)
ODDITIES = (
    # Controls, byte order marks, broken UTF-8, escape sequences of other encodings.
    *(
        b"\x00",
        b"\x00\x00",
        b"\x0b",
        b"\x0c",
        b"\x1a",
        b"\x1c",
        b"\x7f",
        b"\x85",
        b"\xff",
        b"\xfe\xff",
        b"\xff\xfe",
    ),
    *(b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xf0\x9f"),
    *(b"\x1b$B", b"\x1b(J", b"+AD4-", b"\x00\xd8", b"=?utf-8?b?8J+YgA==?="),
    # Invisible, direction-changing and line-breaking characters; combining marks; joiners; non-characters.
    "\u202e\u2066\u200b\ufeff\u2028\u2029\u0085\u00ad\u180e\U000e0001".encode(),
    ("e" + "\u0301" * 120).encode(),
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\uffff\ufdd0\U0010ffff".encode(),
    # Letters whose case changes their length, and letters read in the wrong character set.
    "İıſKÅǰΐ Ã±Ã³â€œ ﷽ꧏ﹒﹒∕／".encode(),
)
_CHARSETS = b"""
    utf-7 utf-16 utf-32 utf-8-sig idna punycode unicode_escape raw_unicode_escape base64 rot13 zlib hz undefined mbcs
    iso-2022-kr iso2022_jp_2004 cp65001 cp1252 latin1 ascii x-unknown
""".split()
_ENCODINGS = b"base64 quoted-printable x-uuencode uuencode binary 8bit yenc base64;x=1".split()
_TYPES = b"""
    message/rfc822 message/partial message/delivery-status message/disposition-notification text/html text/plain
    text/rfc822-headers text/calendar multipart/mixed multipart/alternative multipart/related multipart/signed
    multipart/encrypted multipart/digest multipart/report multipart/appledouble application/ms-tnef
    application/pkcs7-mime application/pgp-encrypted image/svg+xml / text */*
""".split()
_NAMES = b"""
    filename*0*=utf-8''a;filename*2*=c filename*=utf-8'es'%ff%fe%00 filename*999999999999=x filename*='' name*0*=
    filename=../../con.pdf name=a;name=b;name=c filename="=?utf-8?q?=00?="
""".split()
_WORDS = b"""
    =?utf-8?b?////?= =?utf-16?b?2AA=?= =?utf-8*es?q?=ED=A0=80?= =?utf-8?q??= =?unicode_escape?q?=5Cud800?=
    =?utf-8?b?w7?==?utf-8?b?E=?= =?idna?q?xn--a?= =?utf-8?x?a?= =?utf-8?q?=0D=0ABcc:_x?= =?iso-2022-jp?b?GyRC?=
""".split()
TOKENS = (
    *(b"charset=" + name for name in (*_CHARSETS, b"", b'"', b"\x00", b"x" * 300)),
    *_ENCODINGS,
    *_TYPES,
    *_NAMES,
    b'filename="' + b"\\" * 41,
    *_WORDS,
)
