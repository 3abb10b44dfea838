"""Structured logs: one JSON object a line on stderr, personal data masked before it is written."""

import asyncio
import json
import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

Level = Literal["debug", "info", "warning", "error"]
MASK: Final = "***"
FRAMES_MAX: Final = 30

# Defence in depth: nobody should log these at all, but a slip must not reach the disk.
PERSONAL_KEYS: Final = frozenset(
    {
        "mobile", "phone", "email", "e_mail", "name", "display_name", "full_name", "family_name",
        "given_name", "birthday", "address", "document_number", "card_number", "card", "pin",
        "password", "one_time_password", "otp", "token", "api_key", "authorization", "secret",
        "key", "payload", "request", "response", "recipient", "text", "body",
    },
)  # fmt: skip
_PERSONAL_TEXT: Final = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|\+?\d{7,}")

_request_log: "_RequestLog | None" = None
_OWN_PACKAGES: Final = ("chassis", "services", "gateway")
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure_logs(
    service: str, role: str, level: Level = "info", to: TextIO | None = None
) -> None:
    """Set up structlog and the standard library's loggers of this process; call once, in main."""
    stream = to or sys.stderr
    chain: list[Processor] = [
        structlog.processors.add_log_level,
        _name_process(service, role),
        _stamp,
        describe_exception,
        mask_personal,
        _render,
    ]
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,  # tests configure more than once; the hot line isn't here
    )
    global _request_log
    _request_log = _RequestLog(service, role, stream) if _LEVELS[level] <= logging.INFO else None
    root = logging.getLogger()
    root.handlers[:] = [_ForwardingHandler()]
    # Libraries talk at INFO about themselves (kafka, alembic); their warnings matter here.
    root.setLevel(max(_LEVELS[level], logging.WARNING))
    for own in _OWN_PACKAGES:
        logging.getLogger(own).setLevel(_LEVELS[level])


def log_request(
    method: str, caller: str, code: str, reason: str, milliseconds: float, trace: str
) -> None:
    """One line a call served, at level info; nothing before `configure_logs`.

    Every argument is a name of ours or a checked traceparent, so the line is written without the
    general machinery, which costs ten times as much.
    """
    if _request_log is not None:
        _request_log.write(method, caller, code, reason, milliseconds, trace)


def get_logger(area: str) -> FilteringBoundLogger:
    """A logger for one area of code ("rpc.server", "storage.executor"); cheap, make at import."""
    logger: FilteringBoundLogger = structlog.get_logger(area=area)
    return logger


def mask_personal(
    _logger: object,
    _method: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """A structlog processor: values under personal keys become ***, also in nested mappings."""
    for key, value in event.items():
        if key in PERSONAL_KEYS:
            event[key] = MASK
        elif type(value) is dict:
            event[key] = mask_personal(None, "", dict(value))
    return event


def describe_exception(
    _logger: object,
    _method: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """A structlog processor: `exc_info` becomes type, scrubbed text and frames without values."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__qualname__
        event["error_text"] = scrub(str(error))
        event["frames"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
        ]
    return event


def scrub(text: str) -> str:
    """`text` without what looks like an e-mail address or a number of seven digits or more.

    PostgreSQL's DETAIL lines, which quote row values, are left out altogether.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("DETAIL:")]
    return _PERSONAL_TEXT.sub(MASK, "\n".join(lines))[:2000]


_encode: Final = json.JSONEncoder(ensure_ascii=False, default=str).encode


def _render(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    return _encode(event)


def _stamp(
    _logger: object,
    _method: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    event["at"] = datetime.now(UTC).isoformat()
    return event


def _name_process(service: str, role: str) -> Processor:
    def add(
        _logger: object,
        _method: str,
        event: MutableMapping[str, Any],
    ) -> MutableMapping[str, Any]:
        event["service"] = service
        event["role"] = role
        return event

    return add


class _RequestLog:
    """Writes request lines as the JSON chain would; those of one turn of the loop at once.

    A write to the stream gives the interpreter away: once for the answers of a whole batch, not for
    each.
    """

    def __init__(self, service: str, role: str, stream: TextIO) -> None:
        process = _encode({"service": service, "role": role})[1:-1]
        self._head = f'{{"event": "rpc", "area": "rpc.server", "level": "info", {process}'
        self._stream = stream
        self._lines: list[str] = []
        self._turn_of: asyncio.AbstractEventLoop | None = None

    def write(
        self, method: str, caller: str, code: str, reason: str, milliseconds: float, trace: str
    ) -> None:
        self._lines.append(
            f'{self._head}, "method": "{method}", "caller": "{caller}", "code": "{code}", '
            f'"reason": "{reason}", "ms": {milliseconds:.3f}, "trace": "{trace}", '
            f'"at": "{datetime.now(UTC).isoformat()}"}}\n',
        )
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no loop, no turn to wait for
            self._flush()
            return
        if loop is not self._turn_of:
            self._turn_of = loop
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._turn_of = None
        lines, self._lines = self._lines, []
        self._stream.write("".join(lines))
        self._stream.flush()


class _ForwardingHandler(logging.Handler):
    """Sends the standard library's log records through structlog, scrubbed."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = get_logger(f"library.{record.name}")
        try:
            event = scrub(record.getMessage())
            logger.log(record.levelno, event, exc_info=record.exc_info or None)
        except Exception:  # noqa: BLE001 - logging must never break its caller; Python's own rule
            self.handleError(record)
