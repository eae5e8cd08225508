"""Inputs: the files of an ensemble into series that integrate to kg C s-1.

Read in the order of the data: `source` (raw numbers of netCDF and zarr), `layout` (time, space,
selections), `decode`, `units`, `flux` (what the numbers mean), `stamps`, `steps`, `timeline`,
`times` (which months they belong to), `fields`, `moving`, `weights` (what they are multiplied
with), `opened`, `member`, `catalogue` (all of it for an ensemble, or every problem at once),
`store` and `series` (what a worker gets).

Beside them: `preset`, `listing`, `paths`, `remote` (finding files), `inspect`, `plausible`,
`check` (looking at values), `ingest`, `collect`, `streaming`, `verify`, `shards`, `hdf5`,
`classic` (stores and their damage), `synthetic*` (ensembles with a known answer), `init` and
`survey` (proposing a configuration).
"""
