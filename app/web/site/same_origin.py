"""Forms are taken from the site's own pages only: another site cannot make a visitor's browser send one."""

from urllib.parse import urlsplit

from starlette.requests import Request

from app.errors import UserError


def require_same_origin(request: Request, base_url: str = "") -> None:
    """Refuse a request that a browser sent from another site's page.

    Every current browser says where a request comes from (Sec-Fetch-Site), older ones send Origin; scripts
    and command-line clients send neither, hold no visitor's rights, and are let through.

    Raises:
        UserError: it comes from elsewhere (HTTP 403).
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    elif origin := request.headers.get("origin"):
        own = {request.headers.get("host", ""), urlsplit(base_url).netloc}
        allowed = urlsplit(origin).netloc in own - {""}
    else:
        allowed = True
    if not allowed:
        raise UserError(
            "This form was sent from another site.", remedy="Use this site's own upload page.", status=403
        )
