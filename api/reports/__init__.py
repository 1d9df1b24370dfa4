"""Reports: documents that stand alone, made from values without a database."""
