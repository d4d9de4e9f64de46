"""Pages from templates, and the files that they need; all come from this package, none from other servers."""

import pathlib

import jinja2
from starlette.responses import HTMLResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from kfg.web.refusals import FRESH

HERE = pathlib.Path(__file__).parent


class Pages:
    """The templates and assets of one application, and those that all applications share.

    Args:
        package: folder with the application's own `templates` and `assets`.
    """

    def __init__(self, package: pathlib.Path):
        self._folders = [pathlib.Path(package), HERE]
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader([folder / "templates" for folder in self._folders]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, template: str, **values) -> HTMLResponse:
        """Return a page from a template; all values are escaped."""
        text = self._templates.get_template(template).render(**values)
        return HTMLResponse(text, headers=FRESH)

    def assets(self) -> list[Mount]:
        """Return the routes for style sheets and scripts: /assets, and /shared for those that all pages share."""
        places = zip(("/assets", "/shared"), self._folders, strict=True)
        return [Mount(path, StaticFiles(directory=folder / "assets")) for path, folder in places]
