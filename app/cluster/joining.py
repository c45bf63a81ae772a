"""Joining a Ray cluster, or starting one of this machine alone, for as long as something is done there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from app.errors import UserError

AUTO = "auto"
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # Ray's 15 leaves members what the process that started them does not want
}


@dataclass(frozen=True)
class Cluster:
    """Where a cluster is, and how much of it is used.

    Args:
        address: `auto` is the cluster that this machine belongs to, or else this machine by itself; `local` this machine in any
            case; `ray://HOST:10001` and `HOST:6379` are clusters elsewhere.
        members: who computes, or holds rows; None: one for each GPU, or each processor where there is none.
    """

    address: str
    members: int | None = None

    @contextmanager
    def joined(self) -> Iterator[Any]:
        """The module `ray`, connected until the block ends.

        Raises:
            UserError: Ray is not installed, or nothing answers at the address.
        """
        ray = ray_package()
        os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
        try:
            ray.init(
                address=None if self.address == AUTO else self.address,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="error",
            )
        except Exception as error:  # a plain one where it did not start in time
            ray.shutdown()
            raise UserError(
                f"No Ray cluster can be joined at {self.address}: {str(error).splitlines()[0]}",
                field="cluster",
                remedy="Give auto, local or ray://HOST:10001; `ray status` says whether one runs.",
            ) from None
        try:
            yield ray
        finally:
            ray.shutdown()

    def kind(self, ray: Any, device: str) -> str:
        """What is computed on, `cpu` or `cuda`.

        Args:
            device: as for one process; `auto`: GPUs where the cluster has some.

        Raises:
            UserError: GPUs are asked for and the cluster has none.
        """
        gpus = ray.cluster_resources().get("GPU", 0)
        if device.startswith("cuda") and not gpus:
            raise UserError(
                "The cluster has no GPU.",
                field="device",
                remedy="Give --device cpu, or start Ray where one is.",
            )
        return "cuda" if gpus and device != "cpu" else "cpu"

    def count(self, ray: Any, kind: str, each: int = 1) -> int:
        """How many members there are to be, of which each takes so many GPUs or processors."""
        found = int(ray.cluster_resources().get("GPU" if kind == "cuda" else "CPU", 1))
        return self.members or max(1, found // each)


def ray_package() -> Any:
    """Ray, imported only where it is used.

    Raises:
        UserError: it is not installed.
    """
    try:
        import ray
    except ImportError:
        raise UserError(
            "Ray is not installed.", field="cluster", remedy="Install it: pip install 'startrail[ray]'."
        ) from None
    return ray
