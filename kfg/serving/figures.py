"""The server's counters, in Prometheus's text format."""

import time

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.responses import Response

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
PHOTOGRAPHS = (1, 2, 4, 8, 16, 32)


class Figures:
    """The counters of one server."""

    def __init__(self):
        self.registry = CollectorRegistry()
        of = {"registry": self.registry}
        self.requests = Counter("kfg_requests", "Requests answered.", ("path", "status"), **of)
        self.seconds = Histogram(
            "kfg_request_seconds", "Seconds from a request to its answer.", ("path",), buckets=SECONDS, **of
        )
        self.photographs = Counter("kfg_photographs", "Photographs classified or refused.", ("result",), **of)
        self.passes = Histogram("kfg_pass_photographs", "Photographs in a forward pass.", buckets=PHOTOGRAPHS, **of)
        self.inside = Gauge("kfg_requests_under_way", "Requests with photographs that are being processed.", **of)
        self.ready = Gauge("kfg_ready", "1 once the model is loaded.", **of)
        prometheus_client.ProcessCollector(registry=self.registry)

    def text(self) -> Response:
        kind = {"Content-Type": prometheus_client.CONTENT_TYPE_LATEST}
        return Response(prometheus_client.generate_latest(self.registry), headers=kind)


class Counted:
    """ASGI middleware that counts the requests to an application and measures how long they take.

    Args:
        app: the ASGI application.
        figures: the counters.
        paths: paths counted under their own names; all others count as "other", so that strangers cannot add names.
    """

    def __init__(self, app, figures: Figures, paths):
        self.app, self.figures, self.paths = app, figures, frozenset(paths)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status = time.perf_counter(), 500
        path = scope["path"] if scope["path"] in self.paths else "other"

        async def noted(message):
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            self.figures.requests.labels(path, status).inc()
            self.figures.seconds.labels(path).observe(time.perf_counter() - began)
