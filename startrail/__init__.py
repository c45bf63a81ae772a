"""Startrail for notebooks and scripts: see which training passages made a language model say that.

`Home` works on a directory with models, indexes and a database; `Client` on a site that runs elsewhere. Both ask in
the same words, and what they give back shows itself in a notebook and becomes a data frame with `.frame()`::

    import startrail

    with startrail.Home("startrail-home") as home:
        answer = home.trace("The capital of Mali is")
        answer.proponents.frame()
        home.step(answer)

"""

from importlib.metadata import version

from app.errors import NotFound, UserError
from startrail.client import Client
from startrail.evidence import Answer, Passage, Passages, Steps, Table
from startrail.home import Home

__version__ = version("startrail")
__all__ = ["Answer", "Client", "Home", "NotFound", "Passage", "Passages", "Steps", "Table", "UserError"]
