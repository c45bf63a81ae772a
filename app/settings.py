"""Every knob an operator can turn, read from the environment (`STARTRAIL_*`) or a `.env` file."""

from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """All settings with their defaults; `STARTRAIL_HOME=/srv/startrail` sets `home`, and so on."""

    model_config = SettingsConfigDict(env_prefix="STARTRAIL_", env_file=".env", extra="ignore")

    home: Path = Field(Path("startrail-home"), description="Where the database, models and indexes are kept.")
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite at HOME/startrail.db.")
    base_url: str = Field(
        "", description="Public address, for permalinks outside a request; empty: the request's own."
    )
    default_model: str = Field("demo", description="Model asked by /trace when none is named.")
    default_index: str = Field("demo", description="Index searched by /trace when none is named.")
    device: str = Field("auto", description="Torch device of the worker: auto, cpu, cuda, cuda:1, …")
    entailment_model: Path | None = Field(
        None, description="Entailment model for AIS scores (a Hugging Face directory)."
    )
    dense_model: Path | None = Field(
        None, description="Sentence-transformers model for dense retrieval (a directory)."
    )
    trace_queue_limit: int = Field(200, ge=1, description="Traces that may wait; beyond it POST answers 503.")
    upload_enabled: bool = Field(True, description="Whether results files can be uploaded in the browser.")
    upload_token: str = Field("", description="If set, uploading asks for this token.")
    upload_limit_mb: int = Field(200, ge=1, description="Largest results file that can be uploaded, in MB.")
    fetch_hosts: tuple[str, ...] = Field(
        (), description="Hosts from which results files may be loaded by address."
    )

    @field_validator("home")
    @classmethod
    def _at_home(cls, home: Path) -> Path:
        """`~/startrail` in a `.env` file, where no shell has seen it."""
        return home.expanduser()

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


@lru_cache
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
