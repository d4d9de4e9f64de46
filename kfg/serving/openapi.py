"""The description of the JSON API in OpenAPI 3.1."""

from kfg import __version__
from kfg.web.limits import MB, Limits

JSON = "application/json"
TOP, MOST_TOP = 5, 1000  # classes in an answer: by default, and at most
MOST_NEAREST = 24  # training photographs in an answer
OPEN_TO_ALL = ("/health",)  # addresses that need no token


def _object(properties: dict, *, required=None) -> dict:
    wanted = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": wanted}


def _list(of: dict) -> dict:
    return {"type": "array", "items": of}


def _ref(name: str) -> dict:
    return {"$ref": f"#/components/schemas/{name}"}


TEXT, NUMBER, WHOLE, YES_OR_NO = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))
NAMED = _object({"class": TEXT, "probability": NUMBER})
SCHEMAS = {
    "Error": _object({"error": {**TEXT, "description": "what is wrong and what to do, one line"}}),
    "Answer": {
        "description": "The model's answer for one photograph, or why it could not be read.",
        "oneOf": [
            _object(
                {
                    "name": TEXT,
                    "sha256": {**TEXT, "description": "SHA-256 of the file"},
                    "class": TEXT,
                    "probability": NUMBER,
                    "verdict": {"enum": ["", "unsure", "none of these"]},
                    "top": _list(NAMED),
                    "corrected": {
                        "type": ["string", "null"],
                        "description": "the class to which it was corrected before",
                    },
                    "nearest": _list(_ref("Near")),
                },
                required=["name", "sha256", "class", "probability", "verdict", "top", "corrected"],
            ),
            _object({"name": TEXT, "error": TEXT, "status": {**WHOLE, "description": "the HTTP status"}}),
        ],
    },
    "Near": _object(
        {
            "path": TEXT,
            "class": TEXT,
            "alike": {**NUMBER, "description": "cosine similarity of the features, at most 1"},
            "picture": {**TEXT, "description": "address of the picture"},
            "same": {**YES_OR_NO, "description": "whether it is the same file"},
        }
    ),
    "Correction": _object(
        {"path": TEXT, "class": TEXT, "sha256": TEXT, "name": TEXT, "answered": TEXT, "probability": TEXT, "time": TEXT}
    ),
}
FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": _object({"photograph": _list({**TEXT, "format": "binary"})})},
        "image/*": {"schema": {**TEXT, "format": "binary"}},
    },
}


def _given(name, schema, said, *, place="query", required=False) -> dict:
    return {"name": name, "in": place, "required": required, "schema": schema, "description": said}


def _answered(said: str, schema: dict, kind: str = JSON) -> dict:
    return {"description": said, "content": {kind: {"schema": schema}}}


def _operation(summary: str, answer: dict, *, upload=False, parameters=(), errors=()) -> dict:
    made = {"summary": summary, "responses": {"200": answer}}
    for status, said in {**dict(errors), **(UPLOAD_ERRORS if upload else {})}.items():
        made["responses"][status] = _answered(said, _ref("Error"))
    if parameters:
        made["parameters"] = list(parameters)
    if upload:
        made["requestBody"] = FORM
    return made


NEAREST = _object(
    {
        "state": {"enum": ["waiting", "computing", "ready", "unavailable"]},
        "why": {**TEXT, "description": "why there are none"},
    },
    required=["state"],
)
UPLOAD_ERRORS = {
    "400": "the form is broken or empty",
    "408": "the request arrived too slowly",
    "413": "too large, too many photographs or too many pixels",
    "415": "this is not a photograph",
    "422": "the photograph is damaged",
    "503": "the model is being loaded, or too many requests are waiting; see Retry-After",
    "504": "no answer in time",
}
AS_FIELD = "it may be a field of the form instead"
DIGEST = _given("sha256", TEXT, "digest of the photograph", place="path", required=True)
PATHS = {
    "/predict": {
        "post": _operation(
            "Classify photographs. If one of several cannot be read, the others are still answered.",
            _answered("an answer for each, in order", _object({"answers": _list(_ref("Answer"))})),
            upload=True,
            parameters=[
                _given(
                    "top",
                    {**WHOLE, "minimum": 1, "maximum": MOST_TOP, "default": TOP},
                    "number of classes in each answer, the most likely first",
                ),
                _given(
                    "nearest",
                    {**WHOLE, "minimum": 0, "maximum": MOST_NEAREST, "default": 0},
                    "number of most similar training photographs to list",
                ),
                _given(
                    "errors", {"enum": ["listed"]}, "list errors among the answers, even if no photograph could be read"
                ),
                _given("name", TEXT, "name of a photograph that is sent without a form"),
            ],
        )
    },
    "/heat": {
        "post": _operation(
            "Show which parts of a photograph speak for a class (Grad-CAM).",
            _answered(
                "the photograph, red where it speaks most for the class", {**TEXT, "format": "binary"}, "image/jpeg"
            ),
            upload=True,
            parameters=[
                _given(
                    "class", TEXT, f"class for which the heat map is drawn; default: the most likely one; {AS_FIELD}"
                )
            ],
            errors={"404": "the model has no heat maps"},
        )
    },
    "/corrections": {
        "get": _operation(
            "List the photographs whose answers were corrected.",
            _answered("their rows", _object({"folder": TEXT, "corrections": _list(_ref("Correction"))})),
        ),
        "post": _operation(
            "Store a photograph with its correct class.",
            _answered("its row", _ref("Correction")),
            upload=True,
            parameters=[_given("class", TEXT, f"the correct class; {AS_FIELD}")],
        ),
    },
    "/corrections/{sha256}": {
        "delete": _operation(
            "Undo a correction.",
            _answered("whether there was a correction", _object({"removed": YES_OR_NO})),
            parameters=[DIGEST],
        )
    },
    "/classes": {
        "get": _operation("List the model's classes.", _answered("their names", _object({"classes": _list(TEXT)})))
    },
    "/health": {
        "get": _operation(
            "Say whether the model is loaded. Needs no token.", _answered("", _object({"ready": YES_OR_NO}))
        )
    },
    "/state": {
        "get": _operation(
            "Say what the server can do so far: answer, draw heat maps, list the nearest training photographs.",
            _answered("", _object({"ready": YES_OR_NO, "heat_maps": YES_OR_NO, "nearest": NEAREST})),
        )
    },
    "/metrics": {
        "get": _operation("Return counters for Prometheus.", _answered("the counters as text", TEXT, "text/plain"))
    },
    "/training/{number}": {
        "get": _operation(
            "Show a training photograph.",
            _answered("small", {**TEXT, "format": "binary"}, "image/jpeg"),
            parameters=[_given("number", WHOLE, "number from `nearest`", place="path", required=True)],
            errors={"404": "there is no such photograph, or it was removed"},
        )
    },
}


def _with_refusals(path: str, method: str, operation: dict, *, token: bool) -> dict:
    """Return an operation with the answers of kfg.web.guard besides its own."""
    said = {}
    if token and path not in OPEN_TO_ALL:
        said["401"] = "the token is missing or wrong"
    if method != "get":
        said["403"] = "the request comes from a page of another website"
    if not token:
        said["421"] = "the server was called by another name than localhost or 127.0.0.1"
    refusals = {status: _answered(line, _ref("Error")) for status, line in said.items()}
    return {**operation, "responses": dict(sorted({**operation["responses"], **refusals}.items()))}


def description(title: str, limits: Limits, *, token: bool) -> dict:
    """Return the description of a server's API.

    Args:
        title: title of its model.
        limits: limits on its requests.
        token: whether it asks for a token.
    """
    said = (
        f"Photographs of up to {limits.photograph_bytes / MB:,.0f} MB and {limits.pixels:,} pixels, "
        f"{limits.photographs} in a request. An error is one line, as JSON."
    )
    made = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__, "description": said},
        "paths": {
            path: {method: _with_refusals(path, method, one, token=token) for method, one in methods.items()}
            for path, methods in PATHS.items()
        },
        "components": {"schemas": SCHEMAS},
    }
    if token:
        made["components"] = {**made["components"], "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
        made["security"] = [{"token": []}]
    return made
