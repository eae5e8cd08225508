"""The parts of a configuration, as frozen models that refuse unknown keys.

`hpcbudget.config.Config` puts them together; what a key means is said here, once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

FamilyName = Literal["land_process", "ocean_process", "inversion", "ocean_product", "bookkeeping"]
Sign = Literal["to_atmosphere", "to_surface"]
Species = Literal["C", "CO2"]
AreaBasis = Literal["cell", "land", "ocean", "sea_ice_free", "per_cell", "zonal_per_degree"]


def _one_or_many(value: Any) -> Any:
    """Let a user write one item where a list is meant."""
    return value if isinstance(value, list | tuple) else [value]


# a name becomes a file's name in the ledger and a field of the tables
Name = Annotated[str, Field(pattern=r"^[^\s./\\][^/\\\n]*$", max_length=120)]
Paths = Annotated[tuple[str, ...], BeforeValidator(_one_or_many), Field(min_length=1)]


def _in_order(years: tuple[int, int]) -> tuple[int, int]:
    if years[0] > years[1]:
        raise ValueError(f"the first year {years[0]} comes after the last {years[1]}")
    return years


Years = Annotated[tuple[int, int], AfterValidator(_in_order)]
"""First and last year of a period, both included."""


class Model(BaseModel):
    """Base of all parts: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FluxOptions(Model):
    """What the numbers of a file mean; what is left out must be readable from CF metadata."""

    sign: Sign | None = None
    species: Species | None = None
    area_basis: AreaBasis | None = None
    units: str | None = Field(None, description="replaces a missing units attribute")
    scope: str | None = Field(None, description="nbp, nee, fire, luc, ocean, fossil, ...")
    year_length_days: float | None = Field(
        None, gt=0, description="length of 'yr-1' if it is not that of the calendar year"
    )


class FieldRef(Model):
    """A static field (cell area, land fraction, mask) in some file."""

    paths: Paths
    variable: str
    scale: Literal["fraction", "percent"] | None = None


class GridOptions(Model):
    """Facts about the grid that the file does not tell."""

    lat_width_deg: float | None = Field(
        None, gt=0, description="zonal data: every row counts with this width, poles included"
    )
    bounds: Literal["infer", "file"] | None = None
    gaussian: bool | None = None
    latitude: str | None = None
    longitude: str | None = None
    corners: FieldRef | None = None


StampPlace = Literal["begin", "middle", "end"]


class TimeOptions(Model):
    """Facts about the time axis that the file does not tell."""

    calendar: str | None = None
    units: str | None = None
    start: str | None = Field(None, description="first month, 'YYYY-MM', where stamps are unusable")
    mean_over: Years | None = Field(
        None, description="a field without time: the mean over these years"
    )
    resolution: Literal["hour", "day", "month", "year"] | None = None
    stamp: StampPlace | None = Field(
        None, description="what stamps of steps of several days name, where there are no bounds"
    )


class Term(Model):
    """One variable of a component; several terms add up (bio + fire = land)."""

    variable: str
    paths: Paths | None = None
    group: str | None = None
    flux: FluxOptions = FluxOptions()
    land_fraction: FieldRef | None = None
    cell_area: FieldRef | None = None
    mask: FieldRef | None = None


def _as_terms(value: Any) -> Any:
    """Accept ``land: nbp``, ``land: {variable: nbp}`` and ``land: [bio, fire]``."""
    return [{"variable": v} if isinstance(v, str) else v for v in _one_or_many(value)]


Component = Annotated[tuple[Term, ...], BeforeValidator(_as_terms), Field(min_length=1)]


class Reading(Model):
    """How files are read: keys that an ensemble gives to all members and a member may override."""

    preset: str | None = None
    flux: FluxOptions = FluxOptions()
    grid: GridOptions = GridOptions()
    time: TimeOptions = TimeOptions()
    components: dict[Name, Component] = {}
    land_fraction: FieldRef | None = None
    cell_area: FieldRef | None = None
    mask: FieldRef | None = None
    fill_value: Annotated[tuple[float, ...], BeforeValidator(_one_or_many)] = ()
    missing: Literal["error", "account"] = Field(
        "account", description="cells without a value: counted as missing area, or an error"
    )


class MemberOptions(Reading):
    """One model, product or realisation."""

    paths: Paths | None = None
    model: str | None = Field(None, description="members of one model share one vote")
    select: dict[str, str | int] = {}
    group: str | None = None
    citation: str | None = None


class EnsembleOptions(Reading):
    """Members of one family that share how they are read."""

    family: FamilyName
    members: dict[Name, MemberOptions] = Field(min_length=1)
    citation: str | None = None


class RegionSetOptions(Model):
    """A region set of the user's own; exactly one kind of geometry."""

    name: str
    bands: dict[str, tuple[float, float]] | None = None
    boxes: dict[str, tuple[float, float, float, float]] | None = None
    polygons: str | None = None
    field: str | None = None
    labels: FieldRef | None = None
    names: dict[int, str] | None = None
    fraction: FieldRef | None = None

    @model_validator(mode="after")
    def _one_geometry(self) -> Self:
        given = [
            k
            for k in ("bands", "boxes", "polygons", "labels", "fraction")
            if getattr(self, k) is not None
        ]
        if len(given) != 1:
            raise ValueError(
                "give exactly one of bands, boxes, polygons, labels, fraction"
                + (f" (found {', '.join(given)})" if given else "")
            )
        return self


class VerdictRule(Model):
    """When a region is called a sink or a source (else undetermined)."""

    name: Literal["sd", "votes", "minmax", "quantile", "t"] = "sd"
    k: float = Field(1.0, gt=0, description="sd: |mean| > k SD")
    share: float = Field(0.8, gt=0.5, le=1, description="votes: share of models of one sign")
    level: float = Field(0.9, gt=0, lt=1, description="quantile and t: width of the interval")


class AgreementRule(Model):
    """When top-down and bottom-up agree."""

    name: Literal["quadrature", "overlap"] = Field(
        "quadrature",
        description="|gap| < k sqrt(SD_TD^2 + SD_BU^2), or the intervals mean +- k SD overlap",
    )
    k: float = Field(1.0, gt=0)


class StatisticsOptions(Model):
    """Rules of the ensemble statistics."""

    ddof: Literal[0, 1] = 1
    ddof_by_family: dict[str, Literal[0, 1]] = {}
    span: Literal["common", "all"] = Field(
        "common",
        description="common: only members with every year of the period; all: years they have",
    )
    verdict: VerdictRule = VerdictRule()
    agreement: AgreementRule = AgreementRule()
    top_down: tuple[str, ...] = ("inversion",)
    bottom_up: dict[str, tuple[str, ...]] = {
        "land": ("land_process",),
        "ocean": ("ocean_process",),
        "total": ("process",),
    }
    change: tuple[tuple[str, str], ...] = Field(
        (), description="pairs of period names whose agreement is compared"
    )
    paired_regions: int = Field(
        40,
        ge=1,
        description="pairs.csv: of a set with more regions, those in which the sides differ most",
    )
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    bootstrap: int = Field(0, ge=0, description="samples; 0 = off")
    bootstrap_level: float = Field(0.9, gt=0, lt=1)
    seed: int = Field(0, ge=0)

    def ddof_of(self, family: str) -> int:
        """Return the delta degrees of freedom of a family's standard deviations."""
        return self.ddof_by_family.get(family, self.ddof)


class Adjustment(Model):
    """What every step of the adjustment list says of itself."""

    name: str
    source: str = Field(min_length=1, description="citation, always")
    families: tuple[str, ...] = Field(min_length=1)
    members: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    unlisted: Literal["error", "missing", "unadjusted"] = Field(
        "error", description="what happens in regions that the amounts say nothing about"
    )


class Rivers(Adjustment):
    """Natural river loop: moved between land and ocean; the global sum does not change."""

    kind: Literal["rivers"]
    edition: int | None = Field(None, description="amounts of a Global Carbon Budget edition")
    land_pgc_yr: dict[str, float] | None = None
    ocean_pgc_yr: dict[str, float] | None = None


class Fossil(Adjustment):
    """Land plus own fossil prior minus a common one."""

    kind: Literal["fossil"]
    common: str | None = Field(None, description="'family/member' whose fossil replaces the prior")
    common_pgc_yr: dict[str, float] | None = None


class Add(Adjustment):
    """An amount added to a component: crop and wood trade, carbonation, fire, ..."""

    kind: Literal["add"]
    component: str
    amounts_pgc_yr: dict[str, float] | None = None
    table: Path | None = Field(None, description="CSV: region, year[, month], flux_pgc_yr")
    factor: float = 1.0
    conserve: Literal["globe", "none"]


class Scale(Adjustment):
    """A component times a factor by region; the Globe is rebuilt from a set's regions."""

    kind: Literal["scale"]
    component: str
    factors: dict[str, float] | float
    rebuild_globe_from: str | None = None


class Combine(Adjustment):
    """A component made of others: land = S2 land + E_LUC."""

    kind: Literal["combine"]
    into: str
    terms: dict[str, float]
    drop_terms: bool = False


AnyAdjustment = Annotated[Rivers | Fossil | Add | Scale | Combine, Field(discriminator="kind")]


class TableEnsemble(Model):
    """Members that are series in a CSV or XLSX table instead of grids."""

    family: FamilyName
    component: str
    path: Path
    sheet: str | None = None
    sign: Sign
    units: Literal["Pg C yr-1", "Tg C yr-1", "Pg CO2 yr-1"]
    year: str = "year"
    month: str | None = None
    decimal: str = "."
    members: dict[str, str | dict[str, str]] = Field(
        description="member: column of the Globe, or member: {region: column}"
    )
    models: dict[str, str] = {}


class BudgetOptions(Model):
    """A Global Carbon Budget made of the run's members by the rules of an edition."""

    edition: int
    adjusted: bool = False
    land: str = Field("land_s2", description="component that S_LAND is made of")


class ClosureOptions(Model):
    """Tolerances of the closure account, relative to the sum of magnitudes."""

    tolerance: float = Field(1e-12, gt=0)
    foreign_weights: float = Field(
        1e-9, gt=0, description="maps regridded with weights of ESMF or of a file, on their areas"
    )


TimeMean = Literal["annual", "seasons", "months", "every_month"]


class MapsOptions(Model):
    """Gridded answers on one common grid."""

    grid: str = Field("1", description="degrees, lat x lon degrees, n80, or a file's grid")
    periods: dict[str, Years] = Field(
        {}, description="named spans of years; default: those of the statistics, else decades"
    )
    seasons: Annotated[tuple[TimeMean, ...], BeforeValidator(_one_or_many)] = Field(
        ("annual",), description="means within each period; every_month: each month by itself"
    )
    families: tuple[str, ...] = Field((), description="default: all")
    components: tuple[str, ...] = Field((), description="default: all, and the total")
    preserve: Literal["integral", "mean"] = Field(
        "integral", description="what a part-covered cell keeps: its total, or its mean"
    )
    min_valid: float = Field(
        0.0, ge=0, le=1, description="least valid share of a cell's area and time"
    )
    quantiles: tuple[Annotated[float, Field(ge=0, le=1)], ...] = ()
    backend: Literal["native", "xesmf"] = Field("native", description="what makes the weights")
    weights: dict[str, str] = Field(
        {}, description="member: native, xesmf, or an ESMF weights file onto `grid`"
    )
    tile_mb: float = Field(32, gt=0, description="aim for the bytes of one model on a tile")


class EngineOptions(Model):
    """Resources; none of them changes a single bit of the results."""

    memory_gb: float | None = Field(None, gt=0, description="per worker; default: what is there")
    block_mb: float = Field(128, gt=0, description="aim for decoded bytes of a block")
    threads_per_worker: int = Field(1, ge=1)
    processes: bool | None = Field(
        None, description="workers as processes; default: for runs above half a GB"
    )
    retries: int = Field(2, ge=0)
    prefetch: int = Field(1, ge=0)
