"""Reading files of any common format into one canonical Parquet file, out of core."""
