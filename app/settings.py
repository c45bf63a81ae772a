"""Every knob an operator can turn, read from the environment (`STARTRAIL_*`) or a `.env` file."""

import json
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _listed(value: object) -> object:
    """A list as JSON, or plainly with commas."""
    if isinstance(value, str):
        return (
            json.loads(value)
            if value.lstrip().startswith("[")
            else [n.strip() for n in value.split(",") if n.strip()]
        )
    return value


def _rate(value: str) -> str:
    """As the `limits` library writes it: `60/minute;600/hour`."""
    from limits import parse_many  # a command that counts nothing need not load it

    parse_many(value)
    return value


Rate = Annotated[str, AfterValidator(_rate)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """All settings with their defaults; `STARTRAIL_HOME=/srv/startrail` sets `home`, and so on."""

    model_config = SettingsConfigDict(env_prefix="STARTRAIL_", env_file=".env", extra="ignore")

    home: Path = Field(Path("startrail-home"), description="Where the database, models and indexes are kept.")
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite at HOME/startrail.db.")
    host: str = Field("127.0.0.1", description="Address that the site listens on; `serve --host` sets it.")
    base_url: str = Field(
        "", description="Public address, for permalinks outside a request; empty: the request's own."
    )
    root_path: str = Field(
        "", description="Path under which a proxy shows the site (/startrail); empty: that of BASE_URL."
    )
    allowed_hosts: Names = Field(
        (),
        description="Names the site is opened by, besides localhost, addresses and BASE_URL; *.lab.example, or *.",
    )
    trusted_proxies: Names = Field(
        ("127.0.0.1", "::1"), description="Addresses and networks of proxies whose X-Forwarded-* is believed."
    )
    access: Literal["open", "read", "private"] = Field(
        "open",
        description="open: everybody reads, asks and loads files; read: everybody reads, the rest needs a token; private:"
        " everything needs a token.",
    )
    signin_header: str = Field(
        "", description="Header in which a trusted proxy names the user that it signed in (X-Forwarded-User)."
    )
    signin_scopes: Names = Field(
        ("read", "ask"),
        description="What users whom the proxy signed in may do: read, ask, import, metrics, admin.",
    )
    admins: Names = Field((), description="Users whom the proxy signed in who may do everything.")
    read_origins: Names = Field(
        ("loopback",),
        description="Sites whose pages may read this one (CORS), as https://host; loopback: those that this machine serves to "
        "itself; * for all, where everything here is public anyway; empty for none.",
    )
    default_model: str = Field("demo", description="Model asked by /trace when none is named.")
    default_index: str = Field("demo", description="Index searched by /trace when none is named.")
    device: str = Field("auto", description="Torch device of the worker: auto, cpu, cuda, cuda:1, …")
    dtype: str = Field(
        "float32",
        description="What models compute in: float32, or bfloat16: half the memory, steps exact to within a point.",
    )
    worker_memory_gb: float = Field(
        0,
        ge=0,
        description="Memory in which a worker keeps models with their indexes, in GB; the one used least lately is let go for"
        " another. 0: half of what the machine or its container has.",
    )
    entailment_model: Path | None = Field(
        None, description="Entailment model for AIS scores (a Hugging Face directory)."
    )
    dense_model: Path | None = Field(
        None, description="Sentence-transformers model for dense retrieval (a directory)."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Logs for people, or one JSON object a line."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("warning", description="What is logged.")
    access_log: bool = Field(False, description="Whether every request is written to the log, with its id.")
    limit_questions: Rate = Field(
        "60/minute;600/hour",
        description="Questions that one client may ask; whoever sits at the machine is not counted.",
    )
    limit_steps: Rate = Field(
        "60/minute;600/hour", description="The same for training steps that are asked for."
    )
    limit_uploads: Rate = Field("20/hour;60/day", description="The same for files that are loaded.")
    limit_searches: Rate = Field("120/minute", description="The same for searches.")
    limit_exports: Rate = Field("60/minute;600/hour", description="The same for files that are sent.")
    limit_wrong_tokens: Rate = Field("10/minute;50/day", description="The same for tokens that are not good.")
    connections_per_client: int = Field(
        100, ge=1, description="Connections that one client may have open; trusted proxies any number."
    )
    statement_seconds: float = Field(
        10, gt=0, description="Seconds after which the site stops a question to the database."
    )
    trace_queue_limit: int = Field(200, ge=1, description="Traces that may wait; beyond it POST answers 503.")
    steps_per_lane: int = Field(
        10, ge=0, le=50, description="Passages a lane that are stepped on without being asked; 0: none."
    )
    steps_page_seconds: float = Field(
        60,
        ge=0,
        description="Where the steps of a page would take longer, as measured, only the first three passages a lane are"
        " stepped on, and the page says so.",
    )
    steps_queue_limit: int = Field(50, ge=0, description="Examples whose steps may wait to be taken.")
    upload_enabled: bool | None = Field(
        None,
        description="Whether results files can be uploaded in the browser; unset: unless ACCESS is open and the site"
        " listens beyond this machine.",
    )
    upload_token: str = Field("", description="If set, uploading asks for this token.")
    upload_limit_mb: int = Field(200, ge=1, description="Largest results file that can be uploaded, in MB.")
    fetch_hosts: Names = Field(
        (), description="Hosts from which results files may be loaded by address; with a port, at that one."
    )

    @field_validator("home")
    @classmethod
    def _at_home(cls, home: Path) -> Path:
        """`~/startrail` in a `.env` file, where no shell has seen it."""
        return home.expanduser()

    @field_validator("root_path")
    @classmethod
    def _absolute(cls, path: str) -> str:
        return f"/{path.strip('/')}" if path.strip("/") else ""

    @field_validator("signin_scopes")
    @classmethod
    def _known_scopes(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        known = ("read", "ask", "import", "metrics", "admin")
        if unknown := [each for each in scopes if each not in known]:
            raise ValueError(f"there is no scope {', '.join(unknown)}: use {', '.join(known)}")
        return scopes

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for each in proxies:
            ip_network(each, strict=False)  # a ValueError that names it
        return proxies

    @property
    def root(self) -> str:
        """Path under which the site is shown, without a slash at its end; usually empty."""
        return self.root_path or urlsplit(self.base_url).path.rstrip("/")

    @property
    def uploading(self) -> bool:
        """Whether files are taken in by the browser: see `upload_enabled`."""
        if self.upload_enabled is not None:
            return self.upload_enabled
        return self.access != "open" or is_loopback(self.host)

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the store."""
        # Quoted, for in a URL % begins an escape and ? a query; in the name of a directory they are letters.
        return self.database_url or f"sqlite:///{quote(str((self.home / 'startrail.db').resolve()))}"

    @property
    def models(self) -> Path:
        """Directory with one Hugging Face checkpoint directory per model."""
        return self.home / "models"

    @property
    def indexes(self) -> Path:
        """Directory with one index directory per index."""
        return self.home / "indexes"


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is this machine's alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def trusted(address: str, proxies: Sequence[str]) -> bool:
    """Whether an address is one of the operator's proxies, or in one of their networks."""
    try:
        own = ip_address(address)
        return any(own in ip_network(each, strict=False) for each in proxies)
    except ValueError:
        return False


@lru_cache
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
