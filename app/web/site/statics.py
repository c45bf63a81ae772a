"""The files of static/: named with a hash of their content, a browser may keep them for ever."""

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.paths import STATIC
from app.web.site.downloads import FOR_EVER, etag, unless_known
from app.web.site.sheets import content


class Statics(StaticFiles):
    """Static files with a lifetime; a style sheet with its parts in it."""

    def file_response(
        self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file; see `urls.static` for the query."""
        if str(full_path).endswith(".css"):
            sheet = content(Path(full_path).relative_to(STATIC.resolve()).as_posix())
            response = unless_known(Request(scope), etag(sheet), sheet, "text/css")
        else:
            response = super().file_response(full_path, stat_result, scope, status_code)
        if b"v=" in scope["query_string"]:
            response.headers["Cache-Control"] = FOR_EVER
        return response
