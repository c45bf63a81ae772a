"""The files of static/: named with a hash of their content, a browser may keep them for ever."""

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.paths import STATIC
from app.web.site.downloads import FOR_EVER, etag, unless_known
from app.web.site.sheets import content, is_own_script


class Statics(StaticFiles):
    """Static files with a lifetime; style sheets and scripts as `sheets` makes them."""

    def file_response(
        self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file; see `urls.static` for the query."""
        name = Path(full_path).relative_to(STATIC.resolve()).as_posix()
        if name.endswith(".css") or is_own_script(name):
            made, kind = content(name), "text/css" if name.endswith(".css") else "text/javascript"
            response = unless_known(Request(scope), etag(made), made, kind)
        else:
            response = super().file_response(full_path, stat_result, scope, status_code)
        if b"v=" in scope["query_string"]:
            response.headers["Cache-Control"] = FOR_EVER
        return response
