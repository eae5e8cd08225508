"""YAML configuration, validated whole: unknown keys are refused with the nearest match.

The models hold what the user wrote and nothing that was looked up in files. Relative paths are
resolved against the data root, which is (first wins) ``--data``, ``$HPCBUDGET_DATA``, the key
``data`` of the configuration, or the folder of the configuration file.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from hpcbudget.errors import ConfigError, HpcBudgetError, raise_all
from hpcbudget.options import (
    AnyAdjustment,
    BudgetOptions,
    ClosureOptions,
    EngineOptions,
    EnsembleOptions,
    MapsOptions,
    Model,
    RegionSetOptions,
    StatisticsOptions,
    TableEnsemble,
    Years,
)

DATA_VARIABLE = "HPCBUDGET_DATA"


# a shipped set by its name, or one of the user's own
RegionSetChoice = Annotated[
    Annotated[str, Tag("name")] | Annotated[RegionSetOptions, Tag("set")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "set"),
]
TAGS = {"name", "set", "rivers", "fossil", "add", "scale", "combine"}


class Config(Model):
    """A whole analysis."""

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    title: str | None = None
    data: Path | None = None
    period: Years | None = None
    radius_km: float = Field(6371.0, gt=6300, lt=6400)
    overlap: Literal["fractional", "centre"] = "fractional"
    regions: tuple[RegionSetChoice, ...] = ("gcb_bands",)
    periods: dict[str, Years] = Field({})
    statistics: StatisticsOptions = StatisticsOptions()
    budget: BudgetOptions | None = None
    closure: ClosureOptions = ClosureOptions()
    engine: EngineOptions = EngineOptions()
    maps: MapsOptions | None = None
    adjustments: tuple[AnyAdjustment, ...] = ()
    tables: tuple[TableEnsemble, ...] = ()
    ensembles: tuple[EnsembleOptions, ...] = ()

    @model_validator(mode="after")
    def _some_members(self) -> Self:
        if not self.ensembles and not self.tables:
            raise ValueError("there are no members: give ensembles or tables")
        return self

    @property
    def radius_m(self) -> float:
        """Radius of the sphere that areas are measured on, in m."""
        return self.radius_km * 1e3

    @property
    def data_root(self) -> Path:
        """Folder that relative paths of the configuration start from."""
        return self.data if self.data is not None else Path()


def load_config(path: Path, *, data: Path | None = None) -> Config:
    """Read and validate a configuration file.

    Parameters
    ----------
    path : Path
        YAML file.
    data : Path, optional
        Root of relative paths; wins over ``$HPCBUDGET_DATA`` and the key ``data``.

    Raises
    ------
    ConfigError, Problems
        Every unknown key, missing key and bad value of the file at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read the configuration: {error}",
            where=str(path),
            fix="give the path of a YAML file; 'hpcbudget init FOLDER' writes one",
        ) from None
    return parse_config(text, origin=path, data=data)


def parse_config(text: str, *, origin: Path, data: Path | None = None) -> Config:
    """Validate the text of a configuration that came from `origin` (see `load_config`)."""
    try:
        raw = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"not valid YAML: {error}", where=str(origin), fix="mend the syntax of that line"
        ) from None
    if not isinstance(raw, dict):
        raise ConfigError("a configuration is a mapping of keys", where=str(origin))
    raw["data"] = str(_data_root(raw.get("data"), origin, data))
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        found = error.errors()
        # a list whose items were refused is also said to be too short: that is no second problem
        causes = [
            item
            for item in found
            if item["type"] != "too_short"
            or not any(_within(other["loc"], item["loc"]) for other in found)
        ]
        raise_all(_explain(item, origin) for item in causes)
        raise


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuse a key that stands twice in a mapping, where YAML would drop the first silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue  # `<<: *anchor`: what it brings gives way to the keys written here
            key = getattr(key_node, "value", None)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a plain word", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _data_root(written: Any, origin: Path, data: Path | None) -> Path:
    if data is not None:
        return data.absolute()
    if os.environ.get(DATA_VARIABLE):
        return Path(os.environ[DATA_VARIABLE]).absolute()
    folder = origin.absolute().parent
    if isinstance(written, str):
        return (folder / os.path.expandvars(written)).absolute()
    return folder


def _within(loc: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(loc) > len(outer) and loc[: len(outer)] == outer


def _explain(item: Any, origin: Path) -> HpcBudgetError:
    """Turn one pydantic finding into an error that names the key and the way out."""
    parts = item["loc"]
    # the branch of a choice is our own name, not a key of the user's
    parts = [
        p for i, p in enumerate(parts) if not (p in TAGS and i and isinstance(parts[i - 1], int))
    ]
    place = ".".join(str(part) for part in parts)
    where = f"{origin}, key {place}" if place else str(origin)
    if item["type"] == "extra_forbidden":
        known = _known_keys(item["loc"][:-1])
        near = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
        fix = f"did you mean {near[0]!r}?" if near else ""
        listed = "known keys here: " + ", ".join(sorted(known)) if known else ""
        return ConfigError(
            f"unknown key {item['loc'][-1]!r}",
            where=where,
            why="it would have no effect",
            fix="\n".join(part for part in (fix, listed) if part),
        )
    if item["type"] == "missing":
        return ConfigError(f"key {item['loc'][-1]!r} is missing", where=where, fix="add it")
    message = item["msg"].removeprefix("Value error, ")
    given = item.get("input")
    shown = f" (found {given!r})" if isinstance(given, str | int | float | bool | list) else ""
    return ConfigError(f"{message}{shown}", where=where, fix=f"correct {place}")


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    """Keys of the model that a location of the configuration leads to."""
    model: type[BaseModel] = Config
    for part in loc:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        if field is None:  # the name of a member, component or period, or a union's branch
            continue
        model = _model_within(field.annotation) or model
    return list(model.model_fields)


def _model_within(annotation: Any) -> type[BaseModel] | None:
    """First model in an annotation such as ``tuple[EnsembleOptions, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_within(part)
        if found is not None:
            return found
    return None
