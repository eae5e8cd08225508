"""Inputs: the files of an ensemble into series that integrate to kg C s-1.

Read in the order of the data: `source` (raw numbers of netCDF and zarr), `layout` (time, space,
selections), `decode`, `units`, `flux` (what the numbers mean), `stamps`, `steps`, `timeline`,
`times` (which months they belong to), `fields` and `moving` (what they are multiplied with),
`opened`, `member`, `catalogue` (all of it for an ensemble, or every problem at once), `store` and
`series` (what a worker gets). Beside them: `preset`, `listing`, `paths`, `remote` (finding files),
`inspect`, `plausible`, `check` (looking at values), `ingest`, `collect`, `streaming`, `verify`
(stores), `synthetic*` (ensembles with a known answer), `init`, `survey` (proposing configurations).
"""
