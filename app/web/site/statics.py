"""The files of static/: named with a hash of their content, a browser may keep them for ever."""

from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.web.site.downloads import FOR_EVER


class Statics(StaticFiles):
    """Static files with a lifetime."""

    def file_response(
        self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file; see `urls.static` for the query."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        if b"v=" in scope["query_string"]:
            response.headers["Cache-Control"] = FOR_EVER
        return response
