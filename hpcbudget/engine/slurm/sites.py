"""Site profiles: what a job must ask for on one supercomputer, as data that users edit.

A profile is a YAML file: one of those shipped with the package (``configs/sites`` in the source
tree), or a user's own, which may build on another by ``extends``.
"""

from __future__ import annotations

import difflib
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from hpcbudget.errors import ConfigError, raise_all
from hpcbudget.options import Model

SHIPPED = Path(__file__).parent / "profiles"
_WALLTIME = re.compile(r"(?:(\d+)-)?(\d{1,3}):(\d{2}):(\d{2})")


def walltime_seconds(text: str) -> int:
    """Return the seconds of a SLURM time such as ``02:30:00`` or ``1-00:00:00``.

    Raises
    ------
    ValueError
        If it is not written as ``[D-]HH:MM:SS``.

    Examples
    --------
    >>> walltime_seconds("02:30:00")
    9000
    >>> walltime_seconds("1-00:00:00")
    86400
    """
    match = _WALLTIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time: write [D-]HH:MM:SS")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _is_walltime(text: str) -> str:
    walltime_seconds(text)
    return text


def _one_line(text: str) -> str:
    if "\n" in text:
        raise ValueError("a directive is one line")
    return text


Walltime = Annotated[str, AfterValidator(_is_walltime)]
Word = Annotated[str, Field(pattern=r"^[\w.,:=@%+/&|*\[\]()-]+$")]


class Site(Model):
    """What jobs ask for on one system; every key is explained in ``configs/sites/generic.yaml``."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$")]
    title: str = ""
    tested: bool = Field(False, description="whether we ran there, or only read its documentation")
    source: str = Field("", description="where the numbers come from")
    batch_system: Literal["slurm", "pbs"] = "slurm"
    partition: Word | None = None
    account: Word | None = None
    account_needed: bool = False
    qos: Word | None = None
    constraint: Word | None = None
    cores_per_node: int = Field(ge=1)
    memory_per_node_gb: float = Field(gt=0, description="what jobs may use of one node")
    workers_per_node: int | None = Field(None, ge=1, description="default: one a core")
    whole_nodes: bool = Field(False, description="jobs are given nodes of their own")
    ask_memory: Literal["node", "cpu", "no"] = Field("node", description="--mem, --mem-per-cpu, -")
    walltime: Walltime = "01:00:00"
    max_walltime: Walltime | None = None
    stop_seconds: int = Field(120, ge=10, description="stop taking blocks this long before the end")
    again: Literal["requeue", "chain"] = "requeue"
    max_restarts: int = Field(20, ge=0)
    interface: Word | None = Field(None, description="network between nodes, such as ib0")
    scratch: str = Field("/tmp", pattern=r"^[\w./${}:-]+$", description="disk of the node itself")
    python: str | None = Field(None, description="default: the Python that submits")
    prologue: tuple[str, ...] = Field((), description="shell lines before anything else")
    directives: tuple[Annotated[str, AfterValidator(_one_line)], ...] = ()
    tls: Literal["auto", "require", "off"] = "auto"
    advice: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Site:
        if self.max_walltime and walltime_seconds(self.walltime) > walltime_seconds(
            self.max_walltime
        ):
            raise ValueError(f"walltime {self.walltime} is above the limit {self.max_walltime}")
        if self.stop_seconds >= walltime_seconds(self.walltime):
            raise ValueError(f"walltime {self.walltime} is over before stop_seconds")
        return self

    @property
    def node_workers(self) -> int:
        """Workers that one node takes."""
        return self.workers_per_node or self.cores_per_node

    @property
    def cores_per_worker(self) -> int:
        """CPUs that a worker is given."""
        return max(1, self.cores_per_node // self.node_workers)

    @property
    def worker_gb(self) -> float:
        """Memory of one worker in GB."""
        return self.memory_per_node_gb / self.node_workers

    def nodes(self, workers: int) -> int:
        """Nodes that `workers` workers need."""
        return math.ceil(workers / self.node_workers)


def site_names() -> list[str]:
    """Return the names of the shipped profiles."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load_site(name: str | Path, **overrides: Any) -> Site:
    """Load a site profile.

    Parameters
    ----------
    name : str or Path
        A shipped name, or the path of a YAML file.
    **overrides
        Values that win over the profile's; None means not given.

    Raises
    ------
    ConfigError, Problems
        If there is no such profile, or some of its keys are wrong.

    Examples
    --------
    >>> site = load_site("generic", walltime="02:00:00")
    >>> site.walltime
    '02:00:00'
    """
    path = _find(name)
    values = _read(path, ())
    values.setdefault("name", path.stem)
    values.update({key: value for key, value in overrides.items() if value is not None})
    try:
        return Site.model_validate(values)
    except ValidationError as error:
        raise_all(_explain(item, path) for item in error.errors())
        raise


def _find(name: str | Path) -> Path:
    given = Path(name)
    if given.suffix in (".yaml", ".yml") or given.parent != Path():
        return given
    shipped = SHIPPED / f"{name}.yaml"
    if shipped.exists():
        return shipped
    near = difflib.get_close_matches(str(name), site_names(), n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(
        f"no site profile named {str(name)!r}",
        fix=f"{meant}shipped are: {', '.join(site_names())};\n"
        "or give the path of a YAML file of your own (extends: generic)",
    )


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Read a profile and those that it extends, the nearer one winning."""
    if path in seen:
        raise ConfigError("profiles extend each other in a circle", where=str(path))
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read the site profile: {error.strerror}",
            where=str(path),
            fix=f"shipped are: {', '.join(site_names())}",
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}", where=str(path)) from None
    if not isinstance(values, dict):
        raise ConfigError("a site profile is a mapping of keys", where=str(path))
    base = values.pop("extends", None)
    if base is None:
        return values
    inherited = _read(_find(str(base)), (*seen, path))
    inherited.pop("name", None)
    return {**inherited, **values}


def _explain(item: Any, path: Path) -> ConfigError:
    place = ".".join(str(part) for part in item["loc"])
    where = f"{path}, key {place}" if place else str(path)
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place, list(Site.model_fields), n=1)
        return ConfigError(
            f"unknown key {place!r}",
            where=where,
            fix=f"did you mean {near[0]!r}?" if near else "see configs/sites/generic.yaml",
        )
    message = item["msg"].removeprefix("Value error, ")
    return ConfigError(message, where=where, fix=f"correct {place or 'the profile'}")
