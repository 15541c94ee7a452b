from __future__ import annotations

import re
from urllib.parse import parse_qs, quote_from_bytes, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timetracer_otel.redaction import Redactor, find_markers
from timetracer_otel.redaction.names import NAMES

CANARY = "C4naryC4naryC4nary"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
PEM = "-----BEGIN {0}PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n+/=\n-----END {0}PRIVATE KEY-----"

# What stands in «...» goes, all else stays.
HITS = {
    "CDATA": "<password><![CDATA[«se]c<r»]]></password>",
    "an element with attributes": "<p:Token a='1'>«abc»</p:Token>",
    "a hidden field": '<input type="hidden" name="csrf_token" value="«abc»">',
    "a hidden field, value first": "<input value='«abc»' type=hidden name=password>",
    "a meta tag": '<meta name="csrf-token" content="«abc»" />',
    "an option and its value": "python app.py --password «hunter2» --port 1",
    "an option with quotes": 'run --api-key="«a b»" x',
    "a key of an error": "DETAIL:  Key (name, token)=(ann, «abc») already exists.",
    "a key of an error with commas": "Key (a, token)=(«x, y, z») is not present in table",
    "an access key id": "key «AKIAIOSFODNN7EXAMPLE».",
    "a key of Google": "GET /geo?key=«AIzaSyA1234567890abcdefghijklmnopqrstuv»&q=1",
    "a temporary access key id": "«ASIAIOSFODNN7EXAMPLE»/20130524/us-east-1",
    "an access key id after an escape": "Credential%3D«AKIAIOSFODNN7EXAMPLE»%2F2013",
    "a secret access key": "aws_secret_access_key=«wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY»",
    "a secret access key in XML": "<SecretAccessKey>«wJalrXUtnFEMI/K7MDENG»</SecretAccessKey>",
    "a session token in XML": "<SessionToken>«FwoGZXIvYXdzEXAMPLE»</SessionToken>",
    "a JWT": f"got «{JWT}», sorry",
    "a JWT without signature": "«eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.»",
    "a PEM block": f"«{PEM.format('')}»\ntail",
    "an RSA PEM block": f"a «{PEM.format('RSA ')}» b",
    "a PEM block that is cut off": "«-----BEGIN PRIVATE KEY-----\nMIIE»",
    "a bearer token": "Authorization: Bearer «mF_9.B5f-4.1JqM»",
    "a bearer token in capitals": "AUTHORIZATION: BEARER «abcdefghijkl»",
    "basic credentials": "Authorization: Basic «QWxhZGRpbjpvcGVuIHNlc2FtZQ==»",
    "a password in conninfo": "host=db password=«C4nary&,;#x» user=app",
    "a quoted password in conninfo": r"host=db password='«C4n\'ary x»' user=app",
    "a password in SQL": "ALTER ROLE bob PASSWORD '«it''s»' VALID UNTIL 'infinity'",
    "an encrypted password in SQL": "create user x encrypted password E'«a\\'b»'",
    "a password in dollar quotes": "ALTER ROLE bob PASSWORD $x$«it's»$x$ VALID UNTIL 'infinity'",
    "a password that is cut off": "ALTER ROLE bob PASSWORD '«hunt»",
    "a literal in SQL": "SELECT id FROM users WHERE api_key = '«abc»' AND id = 1",
    "a repr": "{'user': 'bob', 'password': '«hunter2»', 'n': 1}",
    "a repr of bytes": "{b'password': b'«hunter2»'}",
    "JSON inside JSON": r"{\"token\": \"«abc»\", \"n\": 1}",
    "a keyword argument": "connect(user=bob, password=«hunter2», db=x)",
    "an option": "prog --password=«hunter2» --verbose",
    "a connection string of another world": "Server=x;Password=«hunter2»;Database=y",
    "a line after an escaped line break": r"'a\npassword=«hunter2» x'",
    "a dotted name": "user.password=«hunter2»",
    "a sentence": "Your password: «hunter2»",
    "a sentence with signs": "ValueError: bad password: «Tr0ub4dor&3».",
    "a line of YAML": "user: bob\napi_key: «9f8e7d6c5b»\nport: 1",
    "a word of letters and signs": "the secret is: «s-v@lue-x», they say",
}
URL_HITS = {
    "a DSN": ("postgresql://app:", "C4nary", "@db:5432/shop"),
    "a DSN without user": ("redis://:", "C4nary", "@cache"),
    "a DSN whose password has an at sign": ("postgresql://app:", "C4n@ary", "@db/shop?x=a@b"),
    "a DSN whose password has a slash": ("postgresql://app:", "C4n/a?r#y", "@db/shop"),
    "a DSN with several hosts": ("mongodb://app:", "C4nary", "@h1:27017,h2:27017/x"),
    "a query": ("https://h/p?a=1&api_key=", "C4nary", "&b=2#f"),
    "the first parameter": ("/p?token=", "C4nary", "&b=2"),
    "a form": ("user=bob&password=", "C4nary", "&x=1"),
    "a bracketed parameter": ("/p?user%5Bpassword%5D=", "C4nary", ""),
}
MISSES = (
    *("-- token is read here", "--token", "use --password-file x", "Key (name)=(ann) already exists.", "--tokens 5"),
    *('<input name="user" value="bob"><input name="token_count" value="1">', "<token></token>", "<input name=token>"),
    *("AKIASHORT", "xAKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLEX", "Asia/Tokyo", "ASIA AND EUROPE"),
    *(
        "eyJpZCI6MTJ9",
        "eyJ.eyJ.eyJ",
        "monkeyJungle.a.b",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
    ),
    *("Bearer authentication is required", 'WWW-Authenticate: Bearer realm="api"', "the bearer of news", "Bearer x"),
    *("Basic understanding of things", "basic plan", "Basic YWJjZGVmZ2g="),
    *("http://host:80/path?email=a@b.c", "http://host:8080?x=a@b", "postgresql://app@db:5432/shop", "mail a@b.c://x"),
    *("SELECT * FROM t WHERE token = $1 AND secret=$2", "password=%s, token=%(token)s", "password=:password AND pwd=?"),
    *(
        "WHERE u.token = s.token AND u.token=s.token",
        "SET password=crypt($1, gen_salt('bf'))",
        "login(password=password)",
    ),
    *("password=NULL, secret=default", "ALTER ROLE bob PASSWORD NULL", "token=''", 'password="" x'),
    *("Password: must be at least 8 characters", "token_count=5", "next_token='abc'", "secretary=bob", "page-token=x"),
    *("?next_token=abc&page_token=x&cursor=y", "{'NextToken': 'abc', 'token': None, 'secret': True}", "mytoken=x"),
    *(
        "<NextToken>abc</NextToken>",
        "<Token/>",
        "<token></token>",
        "INSERT INTO users (name, password) VALUES ($1, $2)",
    ),
    *(
        "password: required",
        "Password: 8-64 characters",
        "Unexpected token: }",
        "Invalid token: expected ')' in line 3",
    ),
    *(
        "password: https://x.example/a1b2c3",
        "token: None",
        "def f(password: str, token: int = 3)",
        "password: ********",
    ),
    *("secret: see docs/a1.md for it", "token: user_name", "token: 123456789", "password:hunter22", "token: {token1}"),
    *(
        "next_token: abc123def",
        "token: $1",
        "password: %s",
        "f(token: Optional[Token2] = None)",
        "SELECT token::text4x",
    ),
)


@pytest.mark.parametrize("text", HITS.values(), ids=HITS.keys())
def test_a_secret_is_masked_and_what_is_around_it_stays(text: str) -> None:
    before, secret, after = re.split("[«»]", text)
    masked = Redactor().text(before + secret + after)
    assert masked.startswith(before)
    assert masked.endswith(after)
    assert [masked[len(before) : len(masked) - len(after)]] == find_markers(masked)


@pytest.mark.parametrize(("before", "secret", "after"), URL_HITS.values(), ids=URL_HITS.keys())
def test_a_marker_in_a_url_is_percent_encoded(before: str, secret: str, after: str) -> None:
    masked = Redactor().text(before + secret + after)
    assert masked.startswith(before + "%5Bredacted%3A")
    assert masked.endswith("%5D" + after)
    assert len(find_markers(masked)) == 1


@pytest.mark.parametrize("text", MISSES)
def test_a_near_miss_is_given_back_as_the_same_object(text: str) -> None:
    data = text.encode()
    assert Redactor().text(text) is text
    assert Redactor().data(data) is data


def test_a_number_under_a_quoted_name_becomes_a_quoted_marker() -> None:
    redactor = Redactor(b"key")
    assert redactor.text('{"pwd": 1234, "n": 1}') == f'{{"pwd": "{redactor.marker("pwd", "1234")}", "n": 1}}'


def test_equal_secrets_get_equal_digests_whatever_holds_them() -> None:
    redactor = Redactor(b"key")
    texts = ("postgresql://app:p%40ss@db", "password='p@ss'", "/?password=p%40ss", "PASSWORD 'p@ss'")
    assert {marker for text in texts for marker in find_markers(redactor.text(text))} == {
        redactor.marker("password", "p@ss")
    }


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252"])
def test_bytes_are_masked_in_any_encoding_and_all_others_stay(encoding: str) -> None:
    before, after = "père ".encode(encoding) + b"\x00\xff\xfe ", b" \x80\x81 " + "Müller".encode(encoding)
    masked = Redactor().data(before + b"Bearer C4naryC4nary" + after)
    assert masked.startswith(before + b"Bearer [redacted:bearer#")
    assert masked.endswith(b"]" + after)


def texts() -> st.SearchStrategy[str]:
    """Text made of what rules look for, markers, and anything."""
    words = [
        *NAMES[::4],
        *NAMES[::7],
        "NextToken",
        "PASSWORD",
        "user",
        "http",
        JWT,
        "AKIAIOSFODNN7EXAMPLE",
        PEM.format(""),
    ]
    signs = [
        *"=:'\"@/?&;,<>()[]{}$#%\\- \n\0\u00e9\ud800",
        "://",
        "</",
        " = ",
        ": ",
        "\\n",
        "\\'",
        '\\"',
        "$1",
        "$x$",
        "''",
    ]
    tokens = ["Bearer ", "Basic ", "dXNlcjpwYXNz", CANARY, "eyJ", "-----BEGIN PRIVATE KEY-----", "-----END ", "5432"]
    markers = ["[redacted:password#0a1b2c]", "%5Bredacted%3Atoken%23aabbcc%5D", "[redacted:", "#0a1b2c]"]
    return st.lists(st.sampled_from(words + signs + tokens + markers) | st.text(max_size=5), max_size=25).map("".join)


@given(texts())
@example("PASSWORD 'postgres://u:p@h'")
@example("x://AKIAIOSFODNN7EXAMPLE@h")
@example("?token=abc#frag")
def test_redaction_is_idempotent_whoever_redacts_again(text: str) -> None:
    once = Redactor().text(text)
    assert Redactor().text(once) == once


@given(texts())
def test_text_and_its_bytes_are_masked_alike(text: str) -> None:
    redactor = Redactor()
    assert redactor.data(text.encode("utf-8", "surrogatepass")) == redactor.text(text).encode("utf-8", "surrogatepass")


@given(st.binary())
def test_any_bytes_are_given_back(data: bytes) -> None:
    redactor = Redactor()
    masked = redactor.data(data)
    assert masked is data or b"redacted" in masked


@given(texts())
def test_what_is_not_suspicious_holds_nothing_to_mask(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    redactor = Redactor()
    assert redactor.suspicious(data) or redactor.data(data) is data


HOSTILE = (
    *(
        b"eyJ",
        b"eyJaaaaa",
        b"eyJaaaaa.",
        b"://a:",
        b"://a:b",
        b"://",
        b"password",
        b"password ",
        b"password='",
        b'"token":"',
    ),
    *(
        b"-----BEGIN PRIVATE KEY-----",
        b"-----BEGIN ",
        b"bearer ",
        b"basic AAAA",
        b"?token=",
        b"&a=",
        b"<token ",
        b"<token>",
    ),
    *(b"token=a;", b"token=a&", b"token=,", b'\\"token\\":\\"', b"PASSWORD $a$", b"'\\", b"%41AKIA", b"[redacted:"),
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_text_takes_no_more_than_linear_time(piece: bytes) -> None:
    """A megabyte: with anything quadratic in it this test would not end."""
    redactor = Redactor()
    data = piece * (1_000_000 // len(piece))
    assert isinstance(redactor.data(data), bytes)
    assert isinstance(redactor.data(b"password='x' =://@" + data), bytes)


def test_a_secret_in_a_url_inside_a_url_is_masked() -> None:
    redactor = Redactor(b"key")
    text = "https://shop.example/?next=%2Flogin%3Ftoken%3Dabc%26x%3D1&page=2"
    masked = redactor.text(text)
    inner = unquote(parse_qs(urlsplit(masked).query)["next"][0])
    assert inner == f"/login?token={redactor.marker('token', 'abc')}&x=1"
    assert masked.endswith("%26x%3D1&page=2")
    assert redactor.text(masked) == masked


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"<a><password><![CDATA[C4nary ]] x", "password"),
        (b"<a><password>C4nary", "password"),
        (b"<input name=password value=C4nary>", "password"),
        (b"<input value=C4nary name=password>", "password"),
        (b"Authorization: Bearer\tC4nary123", "bearer"),
        (b"bad form {'password': ['C4nary']}", "password"),
        (b"bad form {'token': ('a', 'C4nary', \"C4nary\")}", "token"),
        (b"[(b'host', b'x'), (b'cookie', b'sid=C4nary; b=C4nary')]", "cookie"),
        (b"[(b'authorization', b'Bearer C4nary')]", "authorization"),
        (b"[('password', 'C4nary')]", "password"),
        (b"GET /?next=%252Fcb%253Ftoken%253DC4nary", "token"),
    ],
)
def test_a_secret_is_found_in_its_surroundings(data: bytes, rule: str) -> None:
    masked = Redactor().data(data)
    assert b"C4nary" not in masked
    assert b"redacted" in masked
    assert rule.encode() in masked
    assert Redactor().data(masked) == masked


def test_a_cookie_of_a_repr_carries_the_marker_of_the_header() -> None:
    redactor = Redactor(b"key")
    marker = redactor.marker("cookie", "C4nary").encode()
    assert redactor.data(b"(b'cookie', b'sid=C4nary')") == b"(b'cookie', b'sid=" + marker + b"')"


@pytest.mark.parametrize(
    "text",
    ["Usage: <user>:<password>@<host>", "usage: login <token> [<password>] <x>", "missing <token> in it", "('token',)"],
)
def test_a_placeholder_is_no_element(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize("depth", [9, 100, 400])
def test_a_url_in_a_url_is_followed_to_a_bounded_depth(depth: int) -> None:
    url = b"/cb?token=C4nary"
    data = b"".join(b"?a=%" + b"25" * at + b"3D" for at in range(depth)) + url
    assert b"C4nary" not in Redactor().data(data)
    nested = url
    for _ in range(min(depth, 12)):
        nested = b"/x?u=" + quote_from_bytes(nested, safe="").encode()
    assert b"C4nary" not in Redactor().data(nested)


def test_large_data_is_remembered_as_clean_only_while_it_is_the_same() -> None:
    redactor, clean = Redactor(), bytes(range(128, 256)) * 5000
    assert redactor.data(clean) is clean
    assert redactor.data(clean) is clean
    middle, secret = len(clean) // 2, b" password=" + CANARY.encode() + b" "
    dirty = clean[:middle] + secret + clean[middle + len(secret) :]
    for _ in range(2):
        assert CANARY.encode() not in redactor.data(dirty)
    assert CANARY.encode() not in redactor.of_trace().data(dirty)
