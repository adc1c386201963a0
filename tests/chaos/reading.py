"""From what a client got to what the history says: outcomes, and the value that a read saw."""

import bodies
from client import Broken
from history import ABSENT, PRESENT


def outcome_of_write(answer):
    """Of an Answer or a Broken: 4xx is certainly not applied, nor is what never arrived whole."""
    if isinstance(answer, Broken):
        return "unknown" if answer.is_sent else "fail"
    if answer.status < 300:
        return "ok" if answer.code is None else "unknown"
    return "fail" if answer.status < 500 else "unknown"


def detail_of(answer):
    """Status and code, or how it broke."""
    if isinstance(answer, Broken):
        return {"status": answer.status, "broken": str(answer)}
    return {"status": answer.status, "code": answer.code}


def judge_read(operation, history, answer, span=None):
    """Fills in what a GET, a range or a HEAD saw. What came of a broken body is looked at too."""
    operation.detail.update(detail_of(answer))
    operation.outcome = "fail"
    operation.bytes += len(answer.body)
    if answer.status == 404 and answer.code in (None, "NoSuchKey"):
        operation.read = ABSENT
    elif answer.status == 416:
        operation.read = PRESENT
    elif answer.status in (200, 206):
        operation.problem = compare(operation, history, answer, span)
        if not isinstance(answer, Broken):
            operation.outcome, operation.read = "ok", answer.headers.get("x-amz-meta-value")


def extent(answer, span, status):
    """(first byte, bytes, length of the whole object) that the headers promise; or what is wrong."""
    length = int(answer.headers.get("content-length", -1))
    if span is None:
        return (0, length, length) if status == 200 else "status 206 without a range"
    words = answer.headers.get("content-range", "").replace("bytes ", "").replace("/", "-").split("-")
    if status != 206 or len(words) != 3 or not all(word.isdigit() for word in words):
        return f"answer to a range: status {status}, content-range {answer.headers.get('content-range')}"
    first, last, whole = map(int, words)
    if (first, last) != (span[0], min(span[1], whole - 1)) or last - first + 1 != length:
        return f"range {span} of {whole} bytes gave {first}-{last}, {length} bytes"
    return first, length, whole


def compare(operation, history, answer, span):
    """Sets etag, length and content; what is wrong, or None."""
    headers = answer.headers
    where = extent(answer, span, answer.status)
    if isinstance(where, str):
        return where
    first, length, operation.length = where
    operation.etag = headers.get("etag", "").strip('"')
    if not headers.get("x-amz-meta-value"):
        return "an object without a value id"
    sent = history.contents(operation.etag)
    if not sent:
        return f"ETag {operation.etag} of nothing that was ever sent"
    fitting = [content for content in sent if content[2] == operation.length]
    if not fitting:
        return f"{operation.length} bytes, but what has this ETag is {sent[0][2]} bytes long ({sent[0][0]})"
    if operation.kind != "head":
        fitting = [content for content in fitting
                   if answer.body == bodies.piece(content[0], content[1], first, len(answer.body))]
        if not fitting:
            return str(bodies.verify(answer.body, sent[0][1], first, sent[0][0]))
    if not isinstance(answer, Broken) and operation.kind != "head" and len(answer.body) != length:
        return f"{len(answer.body)} bytes under a length of {length}"
    operation.content = sorted({content[0] for content in fitting})
    return None
