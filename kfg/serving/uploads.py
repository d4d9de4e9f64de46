"""Read the photographs in a request. They are kept in memory only."""

import dataclasses

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from kfg.names import printable
from kfg.web.limits import MB, Limits, receive
from kfg.web.refusals import Refusal

HEADERS_BYTES = 8_000  # for the headers of one part
FIELD_BYTES = 4_000  # for a field that is not a photograph
FIELDS = 16
LONGEST_NAME = 100  # characters of a file name that are shown
UNNAMED = "photograph"
BARE = ("application/octet-stream", "")  # types of a body that is a single photograph, besides image/*


@dataclasses.dataclass(frozen=True)
class Upload:
    """A photograph as it was sent. `name` is for readers only and never becomes part of a path."""

    name: str
    data: bytes


async def of(request: Request, limits: Limits) -> tuple[list[Upload], dict[str, str]]:
    """Return the photographs of a request and its other fields.

    The body is a form (multipart/form-data), in which every field with a file name is a photograph; or it is a single
    photograph (image/* or application/octet-stream).

    Raises:
        Refusal: the body is something else, empty or too large.
    """
    given = request.headers.get("content-type", "")
    kind, options = parse_options_header(given)
    kind = kind.decode("latin-1")
    if kind == "multipart/form-data":
        form = Form(options.get(b"boundary", b""), limits)
        await receive(request, form.write, most=limits.request_bytes, seconds=limits.sending)
        return form.ended()
    if not (kind.startswith("image/") or kind in BARE):
        raise Refusal(
            415,
            f"expected a photograph, got {printable(kind)[:80]}; send a form with photographs, or one photograph as "
            "image/jpeg",
        )
    body, most = bytearray(), min(limits.request_bytes, limits.photograph_bytes)
    await receive(request, body.extend, most=most, seconds=limits.sending)
    if not body:
        raise Refusal(400, "the request holds no photograph")
    return [Upload(shown_name(request.query_params.get("name", "")), bytes(body))], {}


class Form:
    """A form that arrives in pieces.

    Args:
        boundary: text between the parts of the form.
        limits: limits on its photographs.
    Raises:
        Refusal: 400 or 413, as soon as a limit is exceeded or the form is broken.
    """

    def __init__(self, boundary: bytes, limits: Limits):
        if not boundary:
            raise Refusal(400, "this form gives no boundary between its parts")
        self.limits, self.uploads, self.fields, self.whole = limits, [], {}, False
        names = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end",
                 "headers_finished", "end")  # fmt: skip
        try:
            self._parser = MultipartParser(boundary, {f"on_{name}": getattr(self, f"_{name}") for name in names})
        except FormParserError as error:
            raise Refusal(400, "this form's boundary is too long") from error

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise Refusal(400, "this form is broken; send it as a browser does", close=True) from error

    def ended(self) -> tuple[list[Upload], dict[str, str]]:
        """Return the photographs and fields of the complete form."""
        if not self.whole:
            raise Refusal(400, "this form ends early")
        if not self.uploads:
            raise Refusal(400, "the form holds no photograph; send each as a file")
        return self.uploads, self.fields

    def _part_begin(self):
        self._headers, self._name, self._value, self._size = {}, bytearray(), bytearray(), 0

    def _header_field(self, data, start, end):
        self._name += self._measured(data[start:end])

    def _header_value(self, data, start, end):
        self._value += self._measured(data[start:end])

    def _measured(self, piece):
        self._size += len(piece)
        if self._size > HEADERS_BYTES:
            raise Refusal(400, "the headers of this form are too long", close=True)
        return piece

    def _header_end(self):
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()

    def _headers_finished(self):
        _, self._options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._content, self._is_file = bytearray(), b"filename" in self._options
        if self._is_file and len(self.uploads) >= self.limits.photographs:
            raise Refusal(
                413, f"too many photographs: a request may have at most {self.limits.photographs}", close=True
            )
        if not self._is_file and len(self.fields) >= FIELDS:
            raise Refusal(400, f"this form has more than {FIELDS} fields", close=True)

    def _part_data(self, data, start, end):
        most = self.limits.photograph_bytes if self._is_file else FIELD_BYTES
        if len(self._content) + end - start > most:
            what = (
                f"a photograph may have at most {most / MB:,.0f} MB"
                if self._is_file
                else f"a field may have at most {most} bytes"
            )
            raise Refusal(413, f"too large: {what}", close=True)
        self._content += data[start:end]

    def _part_end(self):
        if self._is_file:
            name = self._options[b"filename"].decode("utf-8", "replace")
            self.uploads.append(Upload(shown_name(name), bytes(self._content)))
        else:
            name = self._options.get(b"name", b"").decode("utf-8", "replace")
            self.fields[name] = self._content.decode("utf-8", "replace")

    def _end(self):
        self.whole = True


def shown_name(name: str) -> str:
    r"""Return a file name for readers: without folders, and without characters that garble a screen.

    Example:
        >>> shown_name("../../etc/passwd"), shown_name("C:\\photos\\a.jpg"), shown_name("..")
        ('passwd', 'a.jpg', 'photograph')
    """
    last = printable(name.replace("\\", "/").rpartition("/")[2]).strip()
    return last[:LONGEST_NAME] if last.strip(". ") else UNNAMED
