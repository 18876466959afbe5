"""Raw requests that two HTTP parsers might read differently; none may reach a service unseen by the edge."""

from collections.abc import Iterator

_GET = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n"
_POST = b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\n"
_SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\nX-Smuggled: yes\r\n\r\n"


def corpus() -> Iterator[tuple[str, bytes]]:
    """Give a name and the bytes of each."""
    yield from _lengths()
    yield from _codings()
    yield from _chunks()
    yield from _lines()
    yield from _heads()
    yield from _odd_bytes()


def _lengths() -> Iterator[tuple[str, bytes]]:
    size = str(len(_SMUGGLED)).encode()
    for name, head in {
        "two lengths": b"Content-Length: 0\r\nContent-Length: " + size,
        "two equal lengths": b"Content-Length: " + size + b"\r\nContent-Length: " + size,
        "list of lengths": b"Content-Length: 0, " + size,
        "signed length": b"Content-Length: +" + size,
        "negative length": b"Content-Length: -1",
        "hex length": b"Content-Length: 0x10",
        "length with space": b"Content-Length: 1 0",
        "space before colon": b"Content-Length : " + size,
        "tab before colon": b"Content-Length\t: " + size,
        "huge length": b"Content-Length: 99999999999999999999999999",
        "empty length": b"Content-Length: ",
        "underscore length": b"Content_Length: " + size,
        "length on a folded line": b"Content-Length:\r\n " + size,
        "null in length": b"Content-Length: 1\x000",
        "length and junk": b"Content-Length: 5x",
        "decimal length": b"Content-Length: 5.0",
    }.items():
        yield name, _POST + head + b"\r\n\r\n" + _SMUGGLED


def _codings() -> Iterator[tuple[str, bytes]]:
    both = b"Content-Length: 4\r\n"
    for coding in (
        b"chunked",
        b" chunked",
        b"\tchunked",
        b"chunked ",
        b"CHUNKED",
        b"xchunked",
        b"chunkedx",
        b"identity",
        b"chunked, identity",
        b"identity, chunked",
        b"gzip, chunked",
        b"chunked, chunked",
        b'"chunked"',
        b"chunked\x0b",
        b"\x0bchunked",
        b"chunked\x00",
        b"chunk\xc3\xa9d",
        b",chunked",
        b"chunked,",
        b"chunked;q=1",
    ):
        for name, extra in (("alone", b""), ("and a length", both)):
            head = extra + b"Transfer-Encoding: " + coding
            yield f"coding {coding!r} {name}", _POST + head + b"\r\n\r\n0\r\n\r\n" + _SMUGGLED
    for name, head in {
        "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "two codings turned": b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "coding after a bare CR": b"X: y\rTransfer-Encoding: chunked",
        "coding after a bare LF": b"X: y\nTransfer-Encoding: chunked",
        "coding on a folded line": b"Transfer-Encoding:\r\n chunked",
        "coding folded into another": b"X: y\r\n Transfer-Encoding: chunked",
        "space before coding": b" Transfer-Encoding: chunked",
        "coding before colon space": b"Transfer-Encoding : chunked",
        "coding with underscore": b"Transfer_Encoding: chunked",
        "coding with a null": b"Transfer-Encoding\x00: chunked",
        "HTTP/1.0 coding": b"Connection: keep-alive\r\nTransfer-Encoding: chunked",
        "coding hidden by connection": b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked",
        "length hidden by connection": b"Connection: content-length\r\nContent-Length: 4",
    }.items():
        yield name, _POST + both + head + b"\r\n\r\n0\r\n\r\n" + _SMUGGLED
    yield "1.0 and chunked", _POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _SMUGGLED


def _chunks() -> Iterator[tuple[str, bytes]]:
    head = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
    for body in (
        b"0\n\n",
        b"0\r\n\n",
        b"0\n\r\n",
        b"0\r\r\n\r\n",
        b"-1\r\n\r\n",
        b"+0\r\n\r\n",
        b"0x0\r\n\r\n",
        b"00000000000000000\r\n\r\n",
        b"10000000000000000\r\nx\r\n0\r\n\r\n",
        b"ffffffffffffffff\r\nx\r\n0\r\n\r\n",
        b"1\r\nxy\r\n0\r\n\r\n",
        b"1\r\nx0\r\n\r\n",
        b"1;\r\nx\r\n0\r\n\r\n",
        b"1;a=b\r\nx\r\n0\r\n\r\n",
        b"1;a\nx\r\n0\r\n\r\n",
        b'1;a="\r\n0\r\n\r\n"\r\nx\r\n0\r\n\r\n',
        b"1 \r\nx\r\n0\r\n\r\n",
        b" 1\r\nx\r\n0\r\n\r\n",
        b"1\x0b\r\nx\r\n0\r\n\r\n",
        b"g\r\n\r\n",
        b"\r\n0\r\n\r\n",
        b"0\r\nX-Smuggled: yes\r\n\r\n",
        b"0\r\nContent-Length: 9\r\n\r\n",
        b"0\r\nHost: other\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\r\nX: y\n\r\n",
        b"0\r\n: y\r\n\r\n",
    ):
        yield f"chunk {body[:40]!r}", head + body + _SMUGGLED


def _lines() -> Iterator[tuple[str, bytes]]:
    rest = b"Host: localhost\r\n\r\n" + _SMUGGLED
    for line in (
        b"GET /api/health HTTP/1.1\n",
        b"GET /api/health HTTP/1.1\r",
        b"GET /api/health HTTP/1.1 \r\n",
        b"GET /api/health  HTTP/1.1\r\n",
        b"GET\t/api/health\tHTTP/1.1\r\n",
        b"GET /api/health\r\n",
        b"GET /api/health HTTP/0.9\r\n",
        b"GET /api/health HTTP/1.0\r\n",
        b"GET /api/health HTTP/1.2\r\n",
        b"GET /api/health HTTP/2.0\r\n",
        b"GET /api/health HTTP/3.0\r\n",
        b"GET /api/health HTTP/11.1\r\n",
        b"GET /api/health http/1.1\r\n",
        b"GET /api/health HTTP/1.1 HTTP/1.1\r\n",
        b"GET /api/health%0d%0aX:%20y HTTP/1.1\r\n",
        b"GET /api/health\x00 HTTP/1.1\r\n",
        b"GET /api/health\x7f HTTP/1.1\r\n",
        b"GET /api/h\xc3\xa9alth HTTP/1.1\r\n",
        b"GET api/health HTTP/1.1\r\n",
        b"GET * HTTP/1.1\r\n",
        b"OPTIONS * HTTP/1.1\r\n",
        b"CONNECT localhost:443 HTTP/1.1\r\n",
        b"CONNECT /api/health HTTP/1.1\r\n",
        b"GET http://localhost/api/health HTTP/1.1\r\n",
        b"GET http://evil.example/api/health HTTP/1.1\r\n",
        b"GET http://localhost@evil.example/api/health HTTP/1.1\r\n",
        b"GET http:///api/health HTTP/1.1\r\n",
        b"GET ftp://localhost/api/health HTTP/1.1\r\n",
        b"GET @evil.example/api/health HTTP/1.1\r\n",
        b" GET /api/health HTTP/1.1\r\n",
        b"\r\nGET /api/health HTTP/1.1\r\n",
        b"\r\n\r\n\r\nGET /api/health HTTP/1.1\r\n",
        b"GE\x00T /api/health HTTP/1.1\r\n",
        b"GET, /api/health HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"get /api/health HTTP/1.1\r\n",
        b"FOO /api/health HTTP/1.1\r\n",
        b"-x:y /api/health HTTP/1.1\r\n",
    ):
        yield f"line {line!r}", line + rest


def _heads() -> Iterator[tuple[str, bytes]]:
    for head in (
        b"Host: localhost\r\nHost: evil.example\r\n",
        b"Host: localhost, evil.example\r\n",
        b"Host: localhost\r\nhOST: localhost\r\n",
        b"Host : localhost\r\n",
        b" Host: localhost\r\n",
        b"X: y\r\nHost\r\n",
        b"",
        b"Host: localhost\r\nNoColon\r\n",
        b"Host: localhost\r\n: empty\r\n",
        b"Host: localhost\r\nX\x00: y\r\n",
        b"Host: localhost\r\nX: y\x00z\r\n",
        b"Host: localhost\r\nX: y\rX-Smuggled: yes\r\n",
        b"Host: localhost\r\nX: y\nX-Smuggled: yes\r\n",
        b"Host: localhost\r\nX: y\r\n X-Smuggled: yes\r\n",
        b"Host: localhost\r\nX(: y\r\n",
        b"Host: localhost\r\nX\xff: y\r\n",
        b"Host: localhost\r\nX-Ringwall-Subject: root\r\n",
        b"Host: localhost\r\nX-Ringwall-Subject : root\r\n",
        b"Host: localhost\r\nX-Request-Id: chosen\r\nX-Request-ID: twice\r\n",
        b"Host: localhost\r\nConnection: x-request-id\r\n",
        b"Host: localhost\r\nConnection: x-forwarded-for, x-request-id, close\r\n",
        b"Host: localhost\r\nConnection: Host\r\n",
        b"Host: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
        b"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        b"Host: localhost\r\nUpgrade: h2c\r\n",
        b"Host: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n",
        b"Host: localhost\r\nExpect: 200-ok\r\n",
        b"Host: localhost\r\n:path: /smuggled\r\n",
        b"Host: localhost\r\n:method: POST\r\n",
        b"Host: localhost\r\nTE: trailers\r\nTrailer: x-request-id\r\n",
        b"Host: localhost\r\nKeep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\n",
    ):
        yield f"head {head[:60]!r}", b"GET /api/health HTTP/1.1\r\n" + head + b"\r\n" + _SMUGGLED


def _odd_bytes() -> Iterator[tuple[str, bytes]]:
    for octet in (*range(32), 127, *range(128, 256, 16)):
        one = bytes([octet])
        yield f"byte {octet} in a name", _GET + b"X" + one + b"Y: z\r\n\r\n" + _SMUGGLED
        yield f"byte {octet} in a value", _GET + b"X: y" + one + b"z\r\n\r\n" + _SMUGGLED
        yield f"byte {octet} in the method", b"GE" + one + b"T" + _GET[3:] + b"\r\n" + _SMUGGLED
        yield f"byte {octet} in the path", b"GET /api/he" + one + b"alth" + _GET[15:] + b"\r\n" + _SMUGGLED
        yield f"byte {octet} before the colon", _GET + b"Content-Length" + one + b": 5\r\n\r\n" + _SMUGGLED
        yield (
            f"byte {octet} after the colon",
            _GET + b"Transfer-Encoding:" + one + b"chunked\r\n\r\n0\r\n\r\n" + _SMUGGLED,
        )
