"""Who computes what a command asks for: this process, or members of a cluster that hold a model each."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from app.cluster.joining import Cluster
from app.cluster.pool import ClusterHands, hired
from app.errors import UserError
from app.models.hands import Hands, Held, own_hands
from app.models.load import LoadedModel, load_model

Opening = Mapping[str, Any]
"""Arguments of `load_model`."""


def same_model(opening: Opening, sha256: str) -> LoadedModel:
    """The model as a member opens it.

    Raises:
        UserError: there is another one at this place, or none.
    """
    loaded = load_model(**opening)
    if loaded.sha256 != sha256:
        import ray

        raise UserError(
            f"The model {loaded.path} of {ray.util.get_node_ip_address()} is another than the one that is worked with.",
            field="model",
            remedy="Put the same model at the same place on every machine.",
        )
    return loaded


def members_of(
    ray: Any, cluster: Cluster, opening: Opening, device: str
) -> Callable[[LoadedModel], ClusterHands[LoadedModel]]:
    """Who computes on a cluster that was joined, once the model is known.

    Args:
        opening: how the model is opened, without `device`.
        device: as for one process: `auto`, `cpu` or `cuda`.

    Raises:
        UserError: the cluster has no such device.
    """
    kind = cluster.kind(ray, device)
    how = {**opening, "path": Path(opening["path"]).resolve(), "device": kind}
    return lambda loaded: hired(ray, cluster, partial(same_model, how, loaded.sha256), kind)


@contextmanager
def with_model(
    address: str, device: str, adapter: str, override: Mapping[str, str] | None
) -> Iterator[Callable[[LoadedModel], Hands[LoadedModel]]]:
    """Who computes with a model: a cluster that is joined until the block ends, or this process where no address is given.

    Args:
        device: of one process, or of the members: `auto`, `cpu` or `cuda`.
        adapter, override: how the model is opened, see `load_model`.

    Raises:
        UserError: the cluster cannot be joined, or has no such device.
    """
    if not address:
        yield own_hands
        return
    cluster = Cluster(address)
    with cluster.joined() as ray:

        def members(loaded: LoadedModel) -> ClusterHands[LoadedModel]:
            own = {"path": loaded.path, "dtype": loaded.dtype, "marks": loaded.marks}
            return members_of(ray, cluster, {**own, "adapter": adapter, "override": override}, device)(loaded)

        yield members


@contextmanager
def processors(address: str, threads: int) -> Iterator[Hands[None] | None]:
    """Who computes what needs no model, on processors: a cluster that is joined until the block ends; None where no address
    is given.

    Args:
        threads: of each member.

    Raises:
        UserError: the cluster cannot be joined.
    """
    if not address:
        yield None
        return
    cluster = Cluster(address)
    with cluster.joined() as ray:
        yield hired(ray, cluster, nothing, "cpu", threads)


@contextmanager
def holding(address: str, device: str, opening: Callable[[str], Held]) -> Iterator[Hands[Held]]:
    """Members of a cluster that hold what `opening` gives on a device of this kind; it is joined until the block ends.

    Args:
        device: as for one process: `auto`, `cpu` or `cuda`.

    Raises:
        UserError: the cluster cannot be joined, or has no such device.
    """
    cluster = Cluster(address)
    with cluster.joined() as ray:
        kind = cluster.kind(ray, device)
        yield hired(ray, cluster, partial(opening, kind), kind)


def nothing() -> None:
    """What is held where no model is needed."""
