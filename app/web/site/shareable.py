"""What a page says of itself where a link to it is shared: to sites that draw links, and to those that embed."""

from pydantic import BaseModel


class Shareable(BaseModel):
    """The part of a page's model that `partials/shared.html` shows; addresses are within this site.

    `embeds`: with `?embed=1` the page is its evidence alone, for a frame on another site's page.
    """

    og_title: str = ""
    og_text: str = ""
    og_image: str = ""
    og_url: str = ""
    embeds: bool = False
