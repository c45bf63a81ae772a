"""A form of another site is refused; the site's own pages, old browsers and scripts are not."""

import pytest
from starlette.requests import Request

from app.errors import UserError
from app.web.site.same_origin import require_same_origin


def request(**headers: str) -> Request:
    raw = [(k.replace("_", "-").encode(), v.encode()) for k, v in {"host": "star.example", **headers}.items()]
    return Request({"type": "http", "method": "POST", "headers": raw})


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin", "origin": "null"},
        {"origin": "https://star.example"},
        {"origin": "https://public.example"},
        {},
    ],
)
def test_own_pages_and_scripts_may_send(headers: dict[str, str]) -> None:
    require_same_origin(request(**headers), "https://public.example/startrail")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_other_sites_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(UserError) as caught:
        require_same_origin(request(**headers))
    assert caught.value.status == 403
