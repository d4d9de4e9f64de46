"""The answers of `kfg serve` at each of its addresses."""

import asyncio
import hashlib

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kfg.names import printable, shortened
from kfg.serving import openapi, uploads
from kfg.serving.batcher import Batcher
from kfg.serving.figures import Figures
from kfg.serving.kept import Kept
from kfg.serving.model import Model
from kfg.serving.nearest import Nearest
from kfg.serving.uploads import Upload
from kfg.web.limits import Gate, Limits, answered_within
from kfg.web.refusals import FRESH, Refusal


class Service:
    """Answers requests about one model.

    Args:
        model: the model, perhaps not loaded yet.
        kept: the corrected photographs.
        limits: limits on requests.
        title: title of the pages.
        token: whether requests need a token.
    """

    def __init__(self, model: Model, kept: Kept, limits: Limits, *, title: str, token: bool):
        self.model, self.kept, self.limits, self.title = model, kept, limits, title
        self.figures, self.gate = Figures(), Gate(limits.requests)
        self.nearest = Nearest(model)
        self.answer = Batcher(model.answers, model.thread, told=self.figures.passes.observe)
        self.described = openapi.description(title, limits, token=token)
        self.figures.inside.set_function(lambda: self.gate.inside)
        self.figures.ready.set_function(lambda: int(self._ready))

    async def health(self, _) -> JSONResponse:
        """Say only whether the model is loaded: this address needs no token."""
        return JSONResponse({"ready": self._ready}, headers=FRESH)

    async def state(self, _) -> JSONResponse:
        said = {"ready": self._ready, "heat_maps": self.model.has_heat, "nearest": self.nearest.said}
        return JSONResponse(said, headers=FRESH)

    @property
    def _ready(self) -> bool:
        return self.model.classifier is not None

    async def classes(self, _) -> JSONResponse:
        return JSONResponse({"classes": list(self.kept.classes)})

    async def metrics(self, _) -> Response:
        return self.figures.text()

    async def openapi(self, _) -> JSONResponse:
        return JSONResponse(self.described)

    async def predict(self, request: Request) -> JSONResponse:
        top = _number(request, "top", openapi.TOP, 1, openapi.MOST_TOP)
        near = _number(request, "nearest", 0, 0, openapi.MOST_NEAREST)
        with self.gate.entered():
            given, _ = await uploads.of(request, self.limits)
            async with answered_within(self.limits.answering):
                answers = await asyncio.gather(*(self._answered(one, top, near) for one in given))
        for one in answers:
            self.figures.photographs.labels("refused" if "error" in one else "classified").inc()
        listed = request.query_params.get("errors") == "listed"
        if not listed and all("error" in one for one in answers):
            said = answers[0]["error"] if len(answers) == 1 else "; ".join(one["error"] for one in answers[:3])
            raise Refusal(answers[0]["status"], said)
        return JSONResponse({"answers": answers}, headers=FRESH)

    async def _answered(self, upload: Upload, top: int, near: int) -> dict:
        """Return the answer on one photograph as JSON values, or its error."""
        try:
            image = await self._in_pool(self.model.seen, upload)
        except Refusal as refusal:
            if refusal.status == 503:
                raise
            return {"name": upload.name, "error": printable(refusal.line), "status": refusal.status}
        answer, sha = await self.answer(image), hashlib.sha256(upload.data).hexdigest()
        said = {
            "name": upload.name,
            "sha256": sha,
            "class": answer.class_name,
            "probability": round(answer.probability, 6),
            "verdict": answer.verdict,
            "top": [{"class": name, "probability": round(share, 6)} for name, share in answer.top(top)],
            "corrected": await self._in_pool(self.kept.label_of, sha),
        }
        if near:
            said["nearest"] = await self._in_thread(self.nearest.to, image, sha, near)
        return said

    async def heat(self, request: Request) -> Response:
        with self.gate.entered():
            upload, name = await self._one(request)
            async with answered_within(self.limits.answering):
                image = await self._in_pool(self.model.seen, upload)
                name = (await self.answer(image)).class_name if name is None else self._known(name)
                made = await self._in_pool(self.model.heat, upload, self.kept.classes.index(name))
        return Response(made, media_type="image/jpeg", headers=FRESH)

    async def correct(self, request: Request) -> JSONResponse:
        with self.gate.entered():
            upload, name = await self._one(request)
            label = self._known(name or "")
            async with answered_within(self.limits.answering):
                image = await self._in_pool(self.model.seen, upload)  # only readable photographs are kept
                answer = await self.answer(image)
            sha = hashlib.sha256(upload.data).hexdigest()
            said = {"answered": answer.class_name, "probability": answer.probability}
            row = await asyncio.to_thread(self.kept.add, upload, sha, label, **said)
        return JSONResponse(row, headers=FRESH)

    async def corrections(self, _) -> JSONResponse:
        rows = await asyncio.to_thread(self.kept.rows)
        return JSONResponse({"folder": str(self.kept.folder), "corrections": rows}, headers=FRESH)

    async def take_back(self, request: Request) -> JSONResponse:
        removed = await asyncio.to_thread(self.kept.remove, request.path_params["sha256"])
        return JSONResponse({"removed": removed}, headers=FRESH)

    async def training(self, request: Request) -> Response:
        made = await self._in_pool(self.nearest.thumbnail, request.path_params["number"])
        if made is None:
            raise Refusal(404, "this training photograph no longer exists")
        return Response(made, media_type="image/jpeg", headers=FRESH)  # another run has the same addresses

    async def _one(self, request) -> tuple[Upload, str | None]:
        """Return the only photograph of a request, and the class that the address or a field of the form names."""
        given, fields = await uploads.of(request, self.limits)
        if len(given) != 1:
            raise Refusal(400, f"expected one photograph, got {len(given)}")
        return given[0], request.query_params.get("class", fields.get("class"))

    def _known(self, name: str) -> str:
        if name not in self.kept.classes:
            raise Refusal(
                400, f"class: {printable(name)[:80]!r} is not one of {printable(shortened(self.kept.classes))}"
            )
        return name

    async def _in_pool(self, work, *args):
        return await asyncio.get_running_loop().run_in_executor(self.model.decoders, work, *args)

    async def _in_thread(self, work, *args):
        return await asyncio.get_running_loop().run_in_executor(self.model.thread, work, *args)


def _number(request, name, default, least, most) -> int:
    given = request.query_params.get(name, str(default))
    if not (given.isdecimal() and len(given) < 7 and least <= int(given) <= most):
        raise Refusal(400, f"{name}: expected a whole number from {least} to {most}, got {printable(given)[:20]!r}")
    return int(given)
