"""The files of a sweep's folder by their names; what is in each says the page on file formats."""

MANIFEST = "sweep.json"
TABLE = "table.csv"
PARQUET = "table.parquet"
AGGREGATES = "aggregates.csv"
REPORT = "report.html"
