"""What a script asks for and we do not know is refused by name: a misspelt filter would be a wrong answer.

Pages for people are lenient: links are shared with what other sites hang onto them.
"""

from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from app.errors import UserError
from app.store.showing import KEY  # opens what is shown to those who have the link, at any address
from app.web.site.respond import wants_json


async def known_parameters(request: Request) -> None:
    """Refuse what the route has no parameter for.

    Raises:
        UserError: there is no such parameter; `field` names it.
    """
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute) or not wants_json(request):
        return
    known = {field.alias for field in get_flat_params(route.dependant)} - route.param_convertors.keys() | {
        KEY
    }
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, 1)
            listed = f"Use {', '.join(sorted(known))}." if known else "This address takes none."
            raise UserError(
                f"There is no parameter “{name[:80]}” here.",
                remedy=f"Did you mean {near[0]}?" if near else listed,
                field=name[:80],
            )
