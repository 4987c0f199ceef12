"""A project outside of this repository: its tables are made by dbt and Spark, and land here as sources of its views."""
